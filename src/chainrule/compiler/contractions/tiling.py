"""Tiling chooses how many sums are kept in registers at a time: rows of the left array times vectors of the right one."""
from __future__ import annotations

from collections.abc import Callable
from math import prod

from ..loops.language import Axis
from .layouts import Layout
from .schedule import NOTHING, Tile

OVERHEAD = 24  # steps that a tile costs besides its sums
LOADING = 1.5  # steps that a load takes, where several rows lie equally far apart and meet in one bank of the cache
WAITING = 8  # sums that must be in flight at once, because each multiply-add waits for the one before
FAR = 5  # steps in which a vector of the right array comes from the second level of the cache, with its neighbours
NEAR = 20480  # bytes of a panel that stay in the first level beside the left array
VECTORS = 8  # side by side in a tile, at most
RAGGED = 1.03  # how much slower a tile may be that leaves no smaller ones at the ends, which are more code
SUMMED_ACROSS = 8  # sums in a tile whose lanes are added up at the end


def steps(rows: int, vectors: int, length: int, far: int) -> float:
    """About how many steps a tile takes: bound by multiply-adds, by loads, or by waiting."""
    return length * max(rows * vectors, LOADING * (rows + vectors), far * vectors, WAITING) + 2 * rows * vectors + OVERHEAD


def cut(size: int, most: int, each: Callable[[int], float]) -> float:
    """What an axis costs that is cut into pieces."""
    full, rest = divmod(size, most)
    return full * each(most) + (each(rest) if rest else 0.0)


def total(tile: Tile, vectors: int, length: int, far: int) -> float:
    """About how many steps all tiles take, for one round of the loops outside them."""
    rows, inner = tile.axes[0].size, tile.inner
    kinds = bool(rows % tile.rows) + bool(vectors % tile.vectors)
    whole = cut(vectors, tile.vectors, lambda v: cut(rows, tile.rows, lambda r: steps(r * inner, v, length, far)))
    return whole / rows / inner * RAGGED ** kinds


def row_choices(rows: tuple[Axis, ...], room: int) -> list[tuple[Axis, ...]]:
    """Axes that a tile may cut, alone or with a short axis that it covers whole."""
    choices: list[tuple[Axis, ...]] = [(axis,) for axis in reversed(rows)] or [(NOTHING,)]
    short = [a for a in rows if a.size <= room // 2]
    if short and len(rows) > 1:
        inner = min(short, key=lambda a: abs(a.left))
        choices += [(axis, inner) for axis in rows if axis != inner]
    return choices


def best_tile(layout: Layout, registers: int, length: int) -> Tile:
    """The tile with the fewest steps; its sums, the vectors of the right array and one factor of the left fit the registers."""
    vectors, size = -(-layout.lane.size // layout.width), layout.width * layout.contraction.dtype.itemsize
    best, least = Tile((NOTHING,), 1, 1), float("inf")
    for wide in range(1, min(vectors, VECTORS) + 1):
        far = FAR if layout.depth == 1 and length * wide * size > NEAR else 0
        room = (registers - 1 - wide) // wide if layout.depth == 1 else max(SUMMED_ACROSS // wide, 1)
        for axes in row_choices(layout.roles.rows, room):
            most = min(room // prod(a.size for a in axes[1:]), axes[0].size)
            for rows in range(max(1, most // 3), most + 1):
                tile = Tile(axes, rows, wide)
                needed = total(tile, vectors, length, far)
                if needed < least * 0.999:
                    best, least = tile, needed
    return best
