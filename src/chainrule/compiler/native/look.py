"""A look finds out whether a call is like the one before, and where its arrays are, in one pass of native code."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import eager
from chainrule.core.interpreter import NUMPY
from chainrule.eager import EAGER, Memo

from ..guards import Guards
from ..program import Program
from ..slots import Argument, Captured, Cell, Draw, Slot, Values
from ..tracing import has_gradient
from .interface import FIRST, TYPE, interface, place
from .looking import (
    ARRAY,
    ATTRIBUTE,
    EMPTY,
    END,
    ENTRY,
    FIELD,
    HEADER,
    ITEM,
    LEAF,
    OBJECT,
    REAL,
    ROW,
    SAME,
    WHOLE,
    WORD,
)

if TYPE_CHECKING:
    from .driver import Program as Native

Look = Callable[[tuple[Any, ...]], Any]
Source = tuple[int, int, int]
Row = tuple[int, int, int, int, int, int]
PLAIN, OWNED = 0x0101, 0x0505
"""NumPy's flags of an array in one piece and aligned; of one that owns its memory and may be changed besides."""


class Unlike(Exception):
    """There is something that no look can see: each call is then gathered in Python."""


def look_at(program: Program, native: Native, numbers: dict[int, int], leaves: Sequence[Any]) -> Look | None:
    """The look of calls with leaves such as these; None where none is to be had."""
    python = interface()
    try:
        return python and python.look(Rows(program, native, numbers, leaves))
    except Unlike:
        return None


SOURCES: dict[type, Callable[[Any], Source]] = {
    Values: lambda slot: (WORD, id(slot.tensor) + place(eager.Tensor, "value"), 0),
    Cell: lambda slot: (ITEM, id(slot.container), id(slot.key)),
    Captured: lambda slot: (OBJECT, id(slot.array), 0),
}


class Rows:
    """What a look at a program goes through: first what must be as it was, then the arrays and numbers.

    Raises Unlike where that cannot be seen. What the rows only name by its address is kept alive here.
    """

    def __init__(self, program: Program, native: Native, numbers: dict[int, int], leaves: Sequence[Any]) -> None:
        self.native, self.numbers = native, numbers  # the latter by input: where its number goes
        guards = program.guards[0]
        self.rows: list[Row] = [*guarded(guards), *owned(program.owners)]
        self.records: list[int] = []
        self.kept: list[Any] = [program, guards]
        inputs = dict(enumerate(program.inputs))
        of_leaf = {slot.number: number for number, slot in inputs.items() if isinstance(slot, Argument)}
        for i, leaf in enumerate(leaves):
            self.argument(i, leaf, of_leaf.get(i, -1))
        for number, slot in inputs.items():
            if not isinstance(slot, Argument):
                self.input(number, slot)
        arrays = sum(row[3] == ARRAY for row in self.rows)
        start = HEADER + ROW * len(self.rows) + 1
        found = [[*row[:4], row[4] + start, row[5]] if row[3] == ARRAY else row for row in self.rows]
        self.words = np.array([arrays, len(leaves), *chain(*found), END, *self.records], np.int64)

    def argument(self, i: int, leaf: Any, number: int) -> None:
        """A leaf of the arguments: of the same type, or the very same."""
        if type(leaf) is np.ndarray:
            self.array((LEAF, i, 0), leaf.dtype, leaf.shape, number)
        elif type(leaf) is eager.Tensor:
            if has_gradient(leaf) or leaf.owner not in (EAGER, NUMPY):
                raise Unlike
            of = partial(place, eager.Tensor)
            self.rows += [(FIELD, i, TYPE, SAME, id(eager.Tensor), 0), (FIELD, i, of("owner"), SAME, id(leaf.owner), 0),
                          (FIELD, i, of("prim"), SAME, id(None), 0), (FIELD, i, of("memo"), EMPTY, place(Memo, "total"), 0)]
            self.array((FIELD, i, of("value")), leaf.dtype, leaf.shape, number)
        elif type(leaf) is float:
            self.rows.append((LEAF, i, 0, REAL, self.numbers.get(number, self.native.unread), 0))
        elif isinstance(leaf, np.generic):
            raise Unlike
        else:
            self.kept.append(leaf)
            self.rows.append((LEAF, i, 0, SAME, id(leaf), 0))

    def input(self, number: int, slot: Slot) -> None:
        """An input from elsewhere; random numbers are drawn after the look."""
        if isinstance(slot, Draw) and number not in self.numbers:
            return
        if type(slot) not in SOURCES:
            raise Unlike
        source, view = SOURCES[type(slot)](slot), self.native.plan.inputs[number]
        if number in self.numbers:
            self.rows.append((*source, REAL if view.dtype.kind == "f" else WHOLE, self.numbers[number], 0))
        else:
            self.array(source, view.dtype, view.shape, number)

    def array(self, source: Source, dtype: np.dtype[Any], shape: tuple[int, ...], number: int) -> None:
        taken = number in self.native.donors
        self.kept.append(dtype)
        where = self.native.place_of(number) if number >= 0 else self.native.unread
        self.rows.append((*source, ARRAY, len(self.records), where))
        self.records += (id(np.ndarray), int(taken), OWNED if taken else PLAIN, id(dtype), len(shape), *shape)


def guarded(guards: Guards) -> Iterator[Row]:
    """The Python values that were seen while tracing: sizes before what is in the containers."""
    for container, size in guards.sizes:
        if type(container).__len__ not in (dict.__len__, list.__len__):
            raise Unlike
        yield WORD, id(container) + FIRST, 0, SAME, size, 0
    for container, key, value, _ in guards.entries:
        kind = {dict.__getitem__: ITEM, list.__getitem__: ENTRY}.get(type(container).__getitem__)
        if kind is None:
            raise Unlike
        yield kind, id(container), id(key) if kind == ITEM else key, SAME, id(value), 0
    for cell, value, _ in guards.cells:
        yield WORD, id(cell) + FIRST, 0, SAME, id(value), 0
    for x, name, value in guards.settings:
        yield ATTRIBUTE, id(x), id(name), SAME, id(value), 0


def owned(owners: Iterable[tuple[Any, Any, bool]]) -> Iterator[Row]:
    """The captured tensors: each has its owner, and no gradient."""
    for tensor, owner, had in owners:
        if had:
            raise Unlike
        yield WORD, id(tensor) + place(eager.Tensor, "owner"), 0, SAME, id(owner), 0
        yield WORD, id(tensor) + place(eager.Tensor, "memo"), 0, EMPTY, place(Memo, "total"), 0
