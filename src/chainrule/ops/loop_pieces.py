"""Pieces cut from an array send their gradients back into zeros of its shape; where these cover it, they are joined, not added.

Thus the gates of an LSTM, cut from one product, come back as one array, each element of which is computed once.
"""
from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from chainrule.core.stage import Line, Symbol
from chainrule.core.type import typeof

from .arithmetic import add
from .indexing import embed
from .joining import concat
from .keys import WHOLE


class Cover(NamedTuple):
    """What stands along one axis of an array that is zero elsewhere: the values, by the place where they begin."""

    axis: int
    pieces: dict[int, Symbol]

    def size(self, begin: int) -> int:
        return typeof(self.pieces[begin]).shape[self.axis]

    def disjoint(self, other: Cover) -> bool:
        """Whether no element is in a piece of both."""
        spans = sorted((begin, begin + cover.size(begin)) for cover in (self, other) for begin in cover.pieces)
        return self.axis == other.axis and all(end <= begin for (_, end), (begin, _) in pairwise(spans))

    def joined(self, other: Cover) -> Cover:
        return Cover(self.axis, self.pieces | other.pieces)

    def fills(self, length: int) -> bool:
        """Whether disjoint pieces leave nothing out."""
        return sum(map(self.size, self.pieces)) == length


def cover_of(line: Line) -> Cover | None:
    """The one piece that an `embed` puts along one axis."""
    key, shape = line.params["key"], line.params["shape"]
    axes = [i for i, entry in enumerate(key) if entry != WHOLE]
    if len(axes) != 1 or not isinstance(line.args[0], Symbol) or not isinstance(piece := key[axes[0]], slice):
        return None
    begin, _, step = piece.indices(shape[axes[0]])
    return Cover(axes[0], {begin: line.args[0]}) if step == 1 else None


def joined_pieces(lines: Iterable[Line]) -> list[Line]:
    """The lines, where a sum of pieces that cover an array is one `concat`; the sums it replaces stay, needed by nothing."""
    covers: dict[Symbol, Cover] = {}
    made = []
    for line in lines:
        target = line.targets[0]
        cover = None
        if line.prim is embed:
            cover = cover_of(line)
        elif line.prim is add:
            left, right = (covers.get(a) if isinstance(a, Symbol) else None for a in line.args)
            if left and right and left.disjoint(right):
                cover = left.joined(right)
        if cover:
            covers[target] = cover
            if line.prim is add and cover.fills(target.shape[cover.axis]):
                parts = tuple(cover.pieces[begin] for begin in sorted(cover.pieces))
                line = line._replace(prim=concat, args=parts, params={"axis": cover.axis})
        made.append(line)
    return made
