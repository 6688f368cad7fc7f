"""Tracing runs a function once on symbols: every operation becomes a line of a program, and tensors are recorded as ever."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from chainrule import eager
from chainrule.core.interpreter import Box, escaped
from chainrule.core.primitive import Primitive
from chainrule.core.reverse import serials
from chainrule.core.source import user_line
from chainrule.core.stage import Stage, Symbol
from chainrule.core.type import Array, Type, typeof
from chainrule.eager import EAGER
from chainrule.errors import StagingError

from .slots import Argument, Captured, Cell, Draw, Gradient, Slot, Values
from .weak import Number

NUMBERS = {float: Type((), np.dtype(float), weak=True), int: Type((), np.dtype(int), weak=True)}


class Tracing(Stage):
    """What is in charge while a function is traced.

    A tensor from outside is met when it is first used: its values become an input, and a symbol takes their place until the end
    of the tracing. What is different then is an output.
    """

    __slots__ = ("begun", "changed", "holders", "holds", "owners", "slots", "sources", "undo")
    name = "compile"

    def __init__(self) -> None:
        super().__init__()
        self.begun = next(serials)
        self.slots: list[Slot] = []  # where each input comes from
        self.changed: list[Callable[[], tuple[Slot, Array] | None]] = []  # what to look at in the end, for outputs
        self.undo: list[Callable[[], None]] = []
        self.holders: dict[int, Any] = {}  # tensors and optimizers met
        self.holds: list[tuple[Any, set[tuple[int, str]]]] = []  # optimizers, and the cells they had
        self.owners: list[tuple[Any, Any, bool]] = []  # captured tensors: their owner, and whether they had a gradient
        self.sources: dict[int, Any] = {}

    # ---------------------------------------------------------------- the program
    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        values = tuple([self.value(a, prim) for a in args])
        sources = tuple([a if type(a) is eager.Tensor and a.owner is EAGER and rule else None
                         for a, rule in zip(args, prim.backward)])
        recorded = any(a is not None for a in sources)
        if recorded and prim.keeping:
            params = prim.keeping(params)
        out = super().apply(prim, values, params)
        if recorded:
            return EAGER.outputs(EAGER.box(out, prim, args, sources, values, params))
        return eager.constants(out, prim.name, args) if any(type(a) is eager.Tensor for a in args) else out

    def value(self, a: Array, prim: Primitive) -> Array:
        """An argument as the program has it: a symbol, or a constant."""
        if type(a) is eager.Tensor:
            self.meet(a)
            return a.value
        if isinstance(a, Box):
            if a.owner is not self:
                raise escaped(a, prim.name)
            return a
        return eager.number(a, prim.name)

    def added(self, type: Type, slot: Slot, name: str | None = None) -> Symbol:
        """A symbol for the numbers in a slot."""
        symbol = self.input(type, name)
        if type.weak:
            symbol.__class__ = Number
        self.slots.append(slot)
        return symbol

    # ---------------------------------------------------------------- what the function meets
    def meet(self, holder: Any) -> None:
        if id(holder) in self.holders:
            return
        if type(holder) is eager.Tensor:
            if holder.serial > self.begun:
                return  # made while tracing
            self.holders[id(holder)] = holder
            self.owners.append((holder, holder.owner, has_gradient(holder)))
            self.adopt(holder, Values(holder), Gradient(holder))
        else:
            self.holders[id(holder)] = holder
            known = list(holder.cells())
            for container, key in known:
                self.adopt_cell(container, key)
            self.holds.append((holder, {(id(container), key) for container, key in known}))

    def adopt(self, t: Any, values: Slot, gradient: Gradient) -> None:
        """Put symbols in place of a tensor's values, and of its gradient if it has one."""
        if t.prim is not None:
            raise StagingError(f"{user_line()}: the compiled function uses {t.label}, which was computed outside it from tensors "
                               "that require gradients. Compute it inside the function, or use its .detach().")
        value, memo = t.value, t.memo
        symbol = t.value = self.added(typeof(value), values, named(t))
        self.undo.append(lambda: setattr(t, "value", value))
        self.changed.append(lambda: (values, t.value) if t.value is not symbol else None)
        total, kept = (memo.total, (memo.contributions, memo.swept, memo.cleared)) if memo else (None, ((), (), 0))
        before = None
        if total is not None:
            before = memo.total = self.added(typeof(total), gradient)
            memo.contributions = (eager.Contribution(0, "earlier sweeps", before),)

        def restore() -> None:
            if t.memo is not None:
                t.memo.total = total
                t.memo.contributions, t.memo.swept, t.memo.cleared = kept
        self.undo.append(restore)

        def found() -> tuple[Slot, Array] | None:
            now = t.memo.total if t.memo else None
            return (gradient, now) if now is not before else None
        self.changed.append(found)

    def adopt_cell(self, container: dict[str, Any], key: str) -> None:
        """Put a symbol in place of an entry of a dict, if it is an array or a number."""
        value = container[key]
        if not isinstance(value, np.ndarray) and type(value) not in NUMBERS:
            return
        slot = Cell(container, key)
        symbol = container[key] = self.added(typeof(value), slot)
        self.undo.append(lambda: container.__setitem__(key, value))
        self.changed.append(lambda: (slot, container[key]) if container[key] is not symbol else None)

    def outputs(self) -> list[tuple[Slot, Array]]:
        """Every place whose numbers the function changed, and the new ones."""
        found = [change for look in self.changed if (change := look()) is not None]
        for holder, known in self.holds:
            for container, key in holder.cells():
                if (id(container), key) not in known:  # remembered for the first time
                    found.append((Cell(container, key), container[key]))
                    self.undo.append(partial(container.pop, key))
        return found

    def draw(self, source: np.random.Generator, drawn: Callable[[], Array]) -> Array:
        if id(source) not in self.sources:
            state = source.bit_generator.state
            self.sources[id(source)] = source
            self.undo.append(lambda: setattr(source.bit_generator, "state", state))
        return self.added(typeof(drawn()), Draw(drawn))

    def argument(self, leaf: Any, number: int) -> Any:
        """A leaf of the arguments as the function sees it while it is traced."""
        if type(leaf) is eager.Tensor:
            if id(leaf) not in self.holders:
                self.holders[id(leaf)] = leaf
                self.adopt(leaf, Argument(number, is_tensor=True), Gradient(number))
            return leaf
        if isinstance(leaf, np.ndarray | np.generic):
            return self.added(typeof(leaf), Argument(number))
        return self.added(NUMBERS[float], Argument(number)) if type(leaf) is float else leaf

    def restore(self) -> None:
        """Put everything back as it was before."""
        for step in reversed(self.undo):
            step()

    def take(self, arrays: dict[int, np.ndarray[Any, Any]]) -> None:
        """Make inputs of these constants, which somebody else may write into."""
        symbols = {i: self.added(typeof(a), Captured(a)) for i, a in arrays.items()}
        if symbols:
            self.graph.lines = [line._replace(args=tuple([symbols.get(id(a), a) for a in line.args]))
                                for line in self.graph.lines]
            self.graph.output = tuple(symbols.get(id(a), a) for a in self.graph.output)


def has_gradient(t: Any) -> bool:
    return t.memo is not None and t.memo.total is not None


def named(t: Any) -> str | None:
    """A tensor's name as one in a program, or None."""
    return t.name.replace(".", "_") if t.name else None
