"""A look finds out whether a call is like the one before, and where its arrays are, in one pass of native code."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import eager
from chainrule.core.interpreter import NUMPY
from chainrule.eager import EAGER, Memo

from ..guards import Guards
from ..program import Program
from ..signature import repeated
from ..slots import Argument, Captured, Cell, Draw, Gradient, Slot, Values
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


def entry(container: Any, key: Any) -> Source:
    """Where an entry of a dict or a list is."""
    getter = type(container).__getitem__
    if getter is dict.__getitem__:
        return ITEM, id(container), id(key)
    if getter is list.__getitem__:
        return ENTRY, id(container), key
    raise Unlike


def look_at(program: Program, native: Native, numbers: dict[int, int], leaves: Sequence[Any]) -> Look | None:
    """The look of calls with leaves such as these; None where none is to be had."""
    try:
        return seen(CallRows(program, native, numbers, leaves))
    except Unlike:
        return None


def look_at_arrays(native: Native) -> Look | None:
    """The look of arrays that are given one for each input, and need no copy; None where none is to be had."""
    rows = Rows(native, len(native.plan.inputs))
    for number, view in enumerate(native.plan.inputs):
        rows.array((LEAF, number, 0), view.dtype, view.shape, number, PLAIN)
    return seen(rows)


def seen(rows: Rows) -> Look | None:
    python = interface()
    return python and python.look(rows.finished())


SOURCES: dict[type, Callable[[Any], Source]] = {
    Values: lambda slot: (WORD, id(slot.tensor) + place(eager.Tensor, "value"), 0),
    Cell: lambda slot: entry(slot.container, slot.key),
    Captured: lambda slot: (OBJECT, id(slot.array), 0),
}


class Rows:
    """What a look goes through, for so many arguments. What the rows only name by its address is kept alive here."""

    def __init__(self, native: Native, takes: int) -> None:
        self.native, self.takes = native, takes
        self.rows: list[Row] = []
        self.records: list[int] = []
        self.kept: list[Any] = []

    def array(self, source: Source, dtype: np.dtype[Any], shape: tuple[int, ...], number: int, flags: int) -> None:
        """An array for an input, or (-1) for none; one that will be changed is held by its place alone."""
        self.kept.append(dtype)
        where = self.native.place_of(number) if number >= 0 else self.native.unread
        self.rows.append((*source, ARRAY, len(self.records), where))
        self.records += (id(np.ndarray), int(flags == OWNED), flags, id(dtype), len(shape), *shape)

    def finished(self) -> Rows:
        """With everything in one piece of memory, `words`."""
        arrays = sum(row[3] == ARRAY for row in self.rows)
        start = HEADER + ROW * len(self.rows) + 1
        found = [[*row[:4], row[4] + start, row[5]] if row[3] == ARRAY else row for row in self.rows]
        self.words = np.array([arrays, self.takes, *chain(*found), END, *self.records], np.int64)
        return self


class CallRows(Rows):
    """What a look at a call goes through: first what must be as it was, then the arrays and numbers.

    Raises Unlike where that cannot be seen.
    """

    def __init__(self, program: Program, native: Native, numbers: dict[int, int], leaves: Sequence[Any]) -> None:
        super().__init__(native, len(leaves))
        self.numbers = numbers  # by input: where its number goes
        guards, without = program.known[0]
        self.rows += [*guarded(guards), *owned(program, without)]
        self.kept += [program, guards]
        if program.reached or (any(type(leaf) is eager.Tensor for leaf in leaves) and not told_apart(program, leaves)):
            raise Unlike
        inputs = dict(enumerate(program.inputs))
        of_leaf = {slot.number: number for number, slot in inputs.items() if isinstance(slot, Argument)}
        for i, leaf in enumerate(leaves):
            self.argument(i, leaf, of_leaf.get(i, -1))
        for number, slot in inputs.items():
            if not isinstance(slot, Argument):
                self.input(number, slot)

    def argument(self, i: int, leaf: Any, number: int) -> None:
        """A leaf of the arguments: of the same type, or the very same."""
        if type(leaf) is np.ndarray:
            self.array((LEAF, i, 0), leaf.dtype, leaf.shape, number, PLAIN)
        elif type(leaf) is eager.Tensor:
            if has_gradient(leaf) or leaf.owner is not NUMPY:  # it gets a gradient, which another argument might get too
                raise Unlike
            of = partial(place, eager.Tensor)
            self.rows += [(FIELD, i, TYPE, SAME, id(eager.Tensor), 0), (FIELD, i, of("owner"), SAME, id(NUMPY), 0),
                          (FIELD, i, of("prim"), SAME, id(None), 0), (FIELD, i, of("memo"), EMPTY, place(Memo, "total"), 0)]
            self.array((FIELD, i, of("value")), leaf.dtype, leaf.shape, number, PLAIN)
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
            self.array(source, view.dtype, view.shape, number, OWNED if number in self.native.donors else PLAIN)


def told_apart(program: Program, leaves: Sequence[Any]) -> bool:
    """Whether no tensor that is changed can be one that is given: those given here are plain, those changed are parameters."""
    changed = [slot for slot in program.places if not isinstance(slot, Cell)]
    return not repeated(leaves) and all(isinstance(slot, Values | Gradient) and isinstance(slot.tensor, eager.Tensor)
                                        and slot.tensor.owner is EAGER for slot in changed)


def guarded(guards: Guards) -> Iterator[Row]:
    """The Python values that were seen while tracing: sizes before what is in the containers."""
    for container, size in guards.sizes:
        if type(container).__len__ not in (dict.__len__, list.__len__):
            raise Unlike
        yield WORD, id(container) + FIRST, 0, SAME, size, 0
    for container, key, value, _ in guards.entries:
        yield *entry(container, key), SAME, id(value), 0
    for cell, value, _ in guards.cells:
        yield WORD, id(cell) + FIRST, 0, SAME, id(value), 0
    for x, name, value in guards.settings:
        yield ATTRIBUTE, id(x), id(name), SAME, id(value), 0


def owned(program: Program, without: Sequence[bool]) -> Iterator[Row]:
    """The captured tensors: each has its owner, and no gradient."""
    if not all(without):
        raise Unlike
    for tensor, owner in zip(program.tensors, program.before):
        yield WORD, id(tensor) + place(eager.Tensor, "owner"), 0, SAME, id(owner), 0
        yield WORD, id(tensor) + place(eager.Tensor, "memo"), 0, EMPTY, place(Memo, "total"), 0
