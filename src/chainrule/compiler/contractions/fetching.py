"""Fetching asks for what the epilogue of a tile will touch before the tile is summed up: it then comes while the sums are made.

The rows of a tile lie far apart, and its columns are few: no processor guesses where the next ones are.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..loops.language import Contraction, Index, Let, Read, Write
from ..native.emission import Memory
from ..native.representation import stored
from .code import LINE, Code, Number
from .schedule import Schedule

FAR = 1 << 17
"""Bytes of an array from which on it is not expected in the cache."""
LONG = 32
"""Steps in a tile that give the memory time to answer."""


@dataclass(frozen=True)
class Touch:
    """A place in an array that the epilogue reads or writes for each sum."""

    array: str
    index: Index
    written: bool


def touches(contraction: Contraction) -> Iterator[Touch]:
    """What is touched at a place of its own for each sum, in arrays that are large; each place once."""
    axes = {a.name for a in contraction.axes if not a.summed}
    sizes = {a.name: a.size * a.dtype.itemsize for a in contraction.arrays}
    found: dict[tuple[str, Index], bool] = {}
    for s in contraction.epilogue:
        at = s if isinstance(s, Write) else s.value if isinstance(s, Let) and isinstance(s.value, Read) else None
        if at is None or sizes[at.array] < FAR or len(at.index.terms) < 2 or not {name for name, _ in at.index.terms} <= axes:
            continue
        key = at.array, at.index
        if key in found or not isinstance(s, Write) or s.guard is None:  # what is only written under a guard is rarely written
            found[key] = found.get(key, False) or isinstance(s, Write)
    return (Touch(array, index, written) for (array, index), written in found.items())


class Fetcher:
    """Asks for the lines of memory that a tile's epilogue needs."""

    def __init__(self, plan: Schedule, code: Code, arrays: dict[str, Memory]) -> None:
        self.plan, self.code, self.arrays = plan, code, arrays
        self.touches = list(touches(plan.contraction)) if plan.length >= LONG and not plan.chunks else []

    def fetch(self, variables: dict[str, Number], column: Number, vectors: int, first_row: Number,
              places: tuple[tuple[int, ...], ...]) -> None:
        """Ask for everything at these rows and columns."""
        first, *others = self.plan.tile.axes
        known = {**variables, first.name: first_row, self.plan.lane.name: column}
        for touch in self.touches:
            memory, strides = self.arrays[touch.array], dict(touch.index.terms)
            if strides.get(self.plan.lane.name) != 1:
                continue
            offset: Number = touch.index.offset
            for name, stride in touch.index.terms:
                offset = self.code.plus(offset, self.code.times(known.get(name, 0), stride))
            kind = stored(memory.array.dtype)
            start = self.code.place(memory.pointer, offset, kind)
            step = max(1, LINE // (self.plan.width * memory.array.dtype.itemsize)) * self.plan.width
            for place in places:
                row = sum(at * strides.get(axis.name, 0) for at, axis in zip(place, (first, *others)))
                for lane in range(0, vectors * self.plan.width, step):
                    self.code.fetch(self.code.place(start, row + lane, kind), written=touch.written)
