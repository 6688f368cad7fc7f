"""Rewriting walks a graph once, and puts simpler calls in the place of those that the rows of a table find.

What a row puts in place is written in the engine's words and looked at again as it is written down, so that one walk reaches
the point where no row fits any more. Rows only look from a line at the lines its arguments were made by.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import numpy as np

from chainrule.core.interpreter import Interpreter, under
from chainrule.core.primitive import Primitive
from chainrule.core.stage import Graph, Line, Symbol
from chainrule.core.type import Array, Type, typeof
from chainrule.ops.broadcasting import broadcast_to, reshape
from chainrule.ops.movement import permute_dims

Rewrite = Callable[[Line, Any], Array]
SAME_NUMBERS = frozenset({broadcast_to, reshape, permute_dims})
"""Operations whose result holds the numbers of their argument and no others."""


def table(rows: Iterable[Any]) -> dict[Primitive, tuple[Rewrite, ...]]:
    """The rows by the operation they look for."""
    found: dict[Primitive, tuple[Rewrite, ...]] = {}
    for row in rows:
        for prim in row.prims:
            found[prim] = (*found.get(prim, ()), row)
    return found


def names_after(graph: Graph) -> Iterable[int]:
    """Numbers for new names, beyond those that are taken."""
    return count(1 + max((int(t.name[1:]) for line in graph.lines for t in line.targets if t.name[1:].isdigit()), default=-1))


class Rewriting(Interpreter):
    """Writes lines down, simplified; `instead` says what a value of the old graph has become."""

    __slots__ = ("equal", "instead", "lines", "made", "numbers", "rows", "source", "weak")
    name = "rewriting"

    def __init__(self, graph: Graph, rows: dict[Primitive, tuple[Rewrite, ...]]) -> None:
        super().__init__()
        self.rows = rows
        self.lines: list[Line] = []
        self.made: dict[Symbol, Line] = {}
        self.instead: dict[Symbol, Array] = {}
        self.equal: dict[int, tuple[Any, Any]] = {}  # of arrays and symbols, by identity: the number all elements are equal to
        self.numbers = iter(names_after(graph))
        self.source = ""
        self.weak = False  # whether the line being rewritten has a weak result

    def run(self, graph: Graph) -> Graph:
        instead = self.instead
        with under(self):
            for line in graph.lines:
                if any(isinstance(a, Symbol) and a in instead for a in line.args):
                    line = line._replace(args=tuple([instead.get(a, a) if isinstance(a, Symbol) else a for a in line.args]))
                self.source, self.weak = line.source, line.targets[0].type.weak
                values = self.write(line)
                if values is not line.targets:
                    instead.update(zip(line.targets, values))
        self.closed = True
        return Graph(graph.inputs, self.lines, tuple(instead.get(a, a) if isinstance(a, Symbol) else a for a in graph.output))

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        given = [None if a is None else typeof(a) for a in args]
        types = prim.result(*given, **params)
        many = isinstance(types, list)
        if self.weak and not many and all(t is None or t.weak for t in given):
            types = types._replace(weak=True)
        targets = tuple([Symbol(self, t, f"t{next(self.numbers)}") for t in (types if many else [types])])
        values = self.write(Line(targets, prim, args, params, self.source))
        return values if many else values[0]

    def write(self, line: Line) -> tuple[Array, ...]:
        """The values a line gives: those of something simpler, or its targets, once it is written down."""
        if len(line.targets) == 1:
            target = line.targets[0]
            for row in self.rows.get(line.prim, ()):
                value = row(line, self)
                if value is not None:
                    value = fitted(value, target.type)
                    if value is not None:
                        return (value,)
            self.made[target] = line
            if line.prim in SAME_NUMBERS and not isinstance(line.args[0], Symbol):
                self.equal[id(target)] = (target, self.number(line.args[0]))
            elif line.prim in SAME_NUMBERS and id(line.args[0]) in self.equal:
                self.equal[id(target)] = self.equal[id(line.args[0])]
        self.lines.append(line)
        return line.targets

    def number(self, value: Array) -> Any:
        """The number that all elements of a value are equal to, or None."""
        kind = type(value)
        if kind is float or kind is int or kind is bool:
            return value
        known = self.equal.get(id(value))
        if known is None:
            if isinstance(value, Symbol) or value is None:
                return None
            known = self.equal[id(value)] = (value, uniform(np.asarray(value)))
        return known[1]


def uniform(array: np.ndarray[Any, Any]) -> Any:
    """The number an array repeats, or None."""
    if not array.size:
        return None
    first = array.flat[0]
    if array.size == 1 or (first == array.flat[-1] and (array == first).all() and not mixed_zeros(array, first)):
        return first.item()
    return None


def mixed_zeros(array: np.ndarray[Any, Any], first: Any) -> bool:
    """Whether some zeros are negative and some are not."""
    return first == 0 and array.dtype.kind == "f" and np.signbit(array).any() != np.signbit(array).all()


def fitted(value: Array, wanted: Type) -> Array:
    """The value, repeated to the shape it should have; None if it is of another type."""
    if type(value) in (float, int, bool) and not wanted.weak:
        value = np.asarray(value)
        value = value.astype(wanted.dtype) if np.can_cast(value.dtype, wanted.dtype, "same_kind") else value
    t = typeof(value)
    if t.dtype != wanted.dtype or t.weak != wanted.weak:
        return None
    return value if t.shape == wanted.shape else broadcast_to(value, shape=wanted.shape)
