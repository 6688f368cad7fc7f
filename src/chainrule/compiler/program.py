"""A program is a traced function: the graph, where its inputs come from, and where its outputs go."""
from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from operator import attrgetter, is_
from typing import Any, NamedTuple

import numpy as np

from chainrule import eager
from chainrule.core.interpreter import under
from chainrule.core.stage import Graph, Symbol
from chainrule.core.tree import Structure, flatten, leaf, unflatten
from chainrule.cuts import Cut, cut
from chainrule.eager import EAGER
from chainrule.sweeps import sweeper

from . import outside
from .guards import Guards
from .slots import Cell, Slot, Values
from .tracing import Tracing

owner_of = attrgetter("owner")


class Fixed(NamedTuple):
    """A leaf of the result that is the same at each call."""

    value: Any


class Made(NamedTuple):
    """A leaf of the result that is an output: a tensor, cut from the graph, or a bare array."""

    is_tensor: bool
    cut: Cut | None



@dataclass
class Program:
    """What one call with certain types does.

    `inputs` are where the graph's inputs come from. The graph's outputs are first the leaves of `result` that are made, then what
    goes to `places`; the gradients in `cleared` are None after each call. `owners` are the captured tensors, with what they were;
    `known` the Python values it was traced with, and which tensors had no gradient, once for each time that gave this program.
    """

    name: str
    graph: Graph
    inputs: list[Slot]
    places: list[Slot]
    cleared: list[Slot]
    result: list[Made | Fixed]
    structure: Structure
    guards: Guards
    owners: list[tuple[Any, Any, bool]]
    leaves: list[Any]  # of the arguments, kept so that no other object can take the place of one that a signature names
    reached: list[tuple[int, int]]  # the arguments that are captured too, see `Guards.reached`

    def donated(self) -> dict[int, int]:
        """Which outputs take the place of an input, by their numbers."""
        numbers = {id(slot): i for i, slot in enumerate(self.inputs)}
        first = len(self.graph.output) - len(self.places)
        return {first + i: numbers[id(slot)] for i, slot in enumerate(self.places) if id(slot) in numbers}

    def first_other(self) -> int:
        """The number of the first input that is the values of a tensor, or a cell: those stand last."""
        return sum(not isinstance(slot, Values | Cell) for slot in self.inputs)

    def __post_init__(self) -> None:
        self.tensors, self.before = [t for t, _, _ in self.owners], [owner for _, owner, _ in self.owners]
        self.known = [(self.guards, [not had for _, _, had in self.owners])]

    def fits(self, leaves: tuple[Any, ...]) -> bool:
        """Whether everything it was traced with is as it was."""
        without = [(memo := t.memo) is None or memo.total is None for t in self.tensors]
        return (all(map(is_, map(owner_of, self.tensors), self.before))
                and any(without == known and guards.hold() and guards.reached(leaves) == self.reached
                        for guards, known in self.known))

    def returns(self) -> Callable[[list[Any]], Any]:
        """What makes of the first outputs what the function returns."""
        numbers = count()
        leaves = [leaf_maker(each, next(numbers) if isinstance(each, Made) else -1) for each in self.result]
        if self.structure is leaf:
            return leaves[0]
        return lambda outputs: unflatten(self.structure, [make(outputs) for make in leaves])


def leaf_maker(leaf: Made | Fixed, number: int) -> Callable[[list[Any]], Any]:
    """What makes one leaf of a result of the outputs, as which it has this number."""
    if isinstance(leaf, Fixed):
        return lambda outputs: leaf.value
    constant, cut = eager.constant, leaf.cut
    return (lambda outputs: constant(outputs[number], cut)) if leaf.is_tensor else lambda outputs: bare(outputs[number])


def bare(value: Any) -> Any:
    """A result as NumPy's own functions give it: an array without axes becomes a number."""
    return value[()] if isinstance(value, np.ndarray) and not value.ndim else value


def trace(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Program:
    """Run `function` once on symbols in place of the arrays in its arguments, and write down what it does.

    Raises StagingError where it asks for numbers, prints, throws foreign dice, or changes Python values.
    """
    leaves, structure = flatten((args, options))
    guards = Guards(function, leaves)
    tracing = Tracing()
    given = [tracing.argument(leaf, i) for i, leaf in enumerate(leaves)]

    def run() -> Any:
        positional, named = unflatten(structure, given)
        with under(tracing):
            token = sweeper.set(partial(EAGER.gradients, rules_under=tracing))
            try:
                return function(*positional, **named)
            finally:
                sweeper.reset(token)

    try:
        with outside.refused() as thrown:
            out = run()
            if thrown():
                raise outside.dice_error(outside.thrown_at(run))
        guards.must_hold(place_of(function))
        program = written(tracing, out, guards, getattr(function, "__name__", "compiled"))
    finally:
        tracing.closed = True
        tracing.restore()
    del out  # with it the recorded values go, which would seem to hold the constants
    tracing.take(held_elsewhere(program.graph))
    program.inputs = used_inputs(program.graph, tracing.slots)
    program.leaves = [x for x in leaves if not isinstance(x, np.ndarray | eager.Tensor)]
    program.reached = guards.reached(leaves)
    return program


def place_of(function: Any) -> str:
    """`file:line` of a function, as far as it has one."""
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def written(tracing: Tracing, out: Any, guards: Guards, name: str) -> Program:
    """The program of a finished tracing, whose symbols are still in their places."""
    found, structure = flatten(out)
    outputs: list[Any] = []
    result: list[Made | Fixed] = []
    for each in found:
        is_tensor = type(each) is eager.Tensor
        value = each.value if is_tensor else each
        if isinstance(value, Symbol):
            result.append(Made(is_tensor, (cut("compile", each) if each.owner is EAGER else each.cut) if is_tensor else None))
            outputs.append(value)
        else:
            result.append(Fixed(each))
    places, cleared = [], []
    for slot, value in tracing.outputs():
        if value is None:
            cleared.append(slot)
        else:
            places.append(slot)
            outputs.append(value)
    tracing.graph.output = tuple(outputs)
    return Program(name, tracing.graph, [], places, cleared, result, structure, guards, tracing.owners, [], [])


def held_elsewhere(graph: Graph) -> dict[int, np.ndarray[Any, Any]]:
    """The constants of a graph that somebody else holds too: written into, they must be read anew."""
    uses: dict[int, int] = {}
    arrays: dict[int, np.ndarray[Any, Any]] = {}
    for args in (*(line.args for line in graph.lines), graph.output):
        for a in args:
            if type(a) is np.ndarray and a.flags.writeable and a.size:
                uses[id(a)] = uses.get(id(a), 0) + 1
                arrays[id(a)] = a
            del a
    known = 3  # `arrays`, the loop's name for it, and the argument of getrefcount
    found = {}
    for i in uses:
        a = arrays[i]
        base = a.base
        others = sys.getrefcount(a) - uses[i] - known
        if others > 0 or (isinstance(base, np.ndarray) and sys.getrefcount(base) > known):
            found[i] = a
    return found


def used_inputs(graph: Graph, slots: list[Slot]) -> list[Slot]:
    """Take from a graph the inputs that nothing reads; the slots of those that stay: tensors, then cells, stand last."""
    read = {id(a) for line in graph.lines for a in line.args} | {id(a) for a in graph.output}
    kept = [(symbol, slot) for symbol, slot in zip(graph.inputs, slots) if id(symbol) in read]
    kept.sort(key=lambda pair: (isinstance(pair[1], Values | Cell), isinstance(pair[1], Cell), pair[0].type.weak))
    graph.inputs = [symbol for symbol, _ in kept]
    return [slot for _, slot in kept]
