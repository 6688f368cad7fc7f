"""A channel is the space between two layers of a diagram: in it, edges run down, along tracks, and down again.

The left-edge method with doglegs of A. Hashimoto and J. Stevens (1971) and D. Deutsch (1976), from the routing of circuit boards.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Path = list[tuple[int, int]]  # columns and rows: row -1 is the last above the channel


@dataclass(eq=False)
class Piece:
    """A part of an edge that needs one track: from column `top` above to the columns `bottoms` below.

    Of an edge that needs two, the second half goes on from where the first, the one `before`, stops: it is `halved`.
    """

    top: int
    bottoms: tuple[int, ...]
    before: Piece | None = None
    halved: bool = False
    row: int = -1

    @property
    def left(self) -> int:
        return min(self.top, *self.bottoms)

    @property
    def right(self) -> int:
        return max(self.top, *self.bottoms)

    def waits_for(self, other: Piece) -> bool:
        """Whether the other has to turn away above, because this one comes down where the other came from."""
        return other is self.before or (other.top in self.bottoms and other.before is not self)

    def order(self) -> tuple[int, int]:
        """Those that go the same way do not cross if the one that is ahead turns first."""
        return (0, -self.top) if max(self.bottoms) > self.top else (1, self.top)


def routed(nets: Sequence[tuple[int, tuple[int, ...]]]) -> tuple[int, list[Path]]:
    """How many rows the channel needs, and the paths of the nets: each from a column above to one or more below."""
    pins = {column for top, bottoms in nets for column in (top, *bottoms)}
    waiting = sorted((Piece(top, bottoms) for top, bottoms in nets if set(bottoms) != {top}), key=Piece.order)
    placed: list[Piece] = []
    row = 0
    while waiting:
        here: list[Piece] = []
        for piece in waiting:
            free = all(piece.right < other.left or other.right < piece.left for other in here)
            if free and not any(piece.waits_for(other) for other in (*waiting, *here) if other is not piece):
                here.append(piece)
        if not here:
            here = [dogleg(waiting, pins)]
        for piece in here:
            piece.row = row
            waiting.remove(piece)
        placed += here
        row += 1
    straight: list[Path] = [[(top, -1), (top, row)] for top, bottoms in nets if set(bottoms) == {top}]
    return row, straight + [path for piece in placed for path in paths(piece, row)]


def dogleg(waiting: list[Piece], pins: set[int]) -> Piece:
    """The first half of a piece that waits for itself in a ring; from a free column its second half goes on."""
    piece = waiting[0]
    column = min((c for c in range(max(pins) + 2) if c not in pins), key=lambda c: abs(c - piece.top))
    pins.add(column)
    first = Piece(piece.top, (column,), piece.before, halved=True)
    waiting[0] = first
    waiting.append(Piece(column, piece.bottoms, first))
    return first


def paths(piece: Piece, rows: int) -> list[Path]:
    start = -1 if piece.before is None else piece.before.row
    end = piece.row if piece.halved else rows
    return [[(piece.top, start), (piece.top, piece.row), (bottom, piece.row), (bottom, end)] for bottom in piece.bottoms]
