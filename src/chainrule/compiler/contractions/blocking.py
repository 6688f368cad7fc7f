"""Blocking cuts the loops around the tiles: rounds for threads, blocks that stay in the cache, chunks of long sums."""
from __future__ import annotations

from dataclasses import replace
from math import gcd, prod

from ..loops.language import Axis, Contraction
from ..native.host import Host
from .axes import simplest
from .code import LINE
from .layouts import Layout, best_layout
from .schedule import NOTHING, Outer, Schedule, Tile
from .tiling import OVERHEAD, best_tile

ROUND = 1 << 14  # steps of a round, about: five microseconds
ROUNDS = 64  # as many are wanted
CHUNKS = 16  # parts of a long sum that are added up apart
LONG = 1024  # terms of a sum that may be cut into chunks
BLOCK = 1024  # terms of a sum whose factors are packed at a time, those of the left array too
CUT_ROWS = 256  # rows of a round at least, where the sums are cut
PANELS = 4  # packed at a time, where the left array is large
MANY = 24  # panels at most, where it is packed too, and each block of panels packs it anew
SETS = 64  # of lines in the first level of the cache
REUSED = 24  # rows for which it is worth packing a panel that could be read where it is


def schedule(contraction: Contraction, host: Host) -> Schedule:
    """Choose how to compute a contraction on a host."""
    contraction = simplest(contraction)
    layout = best_layout(contraction, host.lanes(contraction.dtype))
    kind, lane = layout.roles, layout.lane
    length = prod(a.size for a in kind.sums)
    tile = best_tile(layout, host.registers, -(-length // layout.depth))
    taken = {lane.name, *(a.name for a in tile.axes)}
    before = tuple(Outer(a, 1) for a in (*kind.batch, *kind.columns) if a.name not in taken)
    after = tuple(Outer(a, 1) for a in kind.rows if a.name not in taken)
    plan = chunked(Schedule(layout.contraction, layout.width, layout.depth, lane, kind.sums, tile, before, 1, after, 1,
                            packed=worth_packing(layout, tile, length, host),
                            rows_packed=not after and worth_packing_rows(layout, tile, length)), host)
    if contraction.rare:
        plan = replace(plan, tile=Tile(tile.axes, 1, 1), rows_packed=False)
    return blocked(plan, host)


def worth_packing(layout: Layout, tile: Tile, length: int, host: Host) -> bool:
    """Whether panels are copied: neighbours in lanes lie apart, or the rows of a panel would drive each other from the cache."""
    lane, sums, size = layout.lane, layout.roles.sums, layout.contraction.dtype.itemsize
    if layout.depth > 1 or lane == NOTHING or not length:
        return False
    if lane.right != 1:
        return True
    reach = sum(abs(a.right) * size * (a.size - 1) for a in sums)
    dense = reach <= 1.5 * length * tile.vectors * layout.width * size
    if lane.left or dense or prod(a.size for a in layout.roles.rows) < REUSED:
        return False
    return reach > host.l2 // 4 or crowded(min(abs(a.right) for a in sums) * size, length)


def worth_packing_rows(layout: Layout, tile: Tile, length: int) -> bool:
    """Whether the rows of tiles are copied: neighbours lie side by side, but steps far apart, and several panels read them."""
    kind, lane, rows = layout.roles, layout.lane, tile.axes[0]
    if layout.depth > 1 or lane.left or len(tile.axes) > 1 or rows.left != 1 or not kind.sums:
        return False
    several = lane.size > tile.vectors * layout.width
    return several and crowded(abs(kind.sums[-1].left) * layout.contraction.dtype.itemsize, length)


def crowded(step: int, count: int) -> bool:
    """Whether so many places, each so many bytes after the one before, would drive each other from the first level of the cache.

    It has 64 sets of lines; of a set's lines, 8 or more, half are left to others.
    """
    return count > 4 * (SETS // gcd(step // LINE, SETS) if step % LINE == 0 else SETS)


# ---------------------------------------------------------------------------------------- long sums
def chunked(plan: Schedule, host: Host) -> Schedule:
    """Cut a sum that is too long for the cache, or so long beside the number of results that it must be divided."""
    if not plan.sums or plan.depth > 1 or plan.sums[0].size == 1:
        return plan
    first, size = plan.sums[0], plan.contraction.dtype.itemsize
    results = plan.rows_total * plan.padded
    few = results < 64 * plan.tile_elements or results * CHUNKS * size < 2 * host.l2
    few = few and plan.length >= LONG and plan.steps > 4 * ROUND
    if not few and (plan.length <= 3 * BLOCK if plan.rows_packed
                    else plan.length * plan.tile.vectors * plan.width * size <= host.l2 // 2):
        return plan
    chunks = min(CHUNKS, first.size, max(int(plan.steps // ROUND), 1)) if few else 1
    each = -(-first.size // chunks)
    block = spread(each, BLOCK * first.size // plan.length) if plan.rows_packed else cache_block(plan, each, host.l2 // 4 // size)
    return replace(plan, chunks=chunks, block=block)


def cache_block(plan: Schedule, most: int, elements: int) -> int:
    """How many steps of the outermost summed axis read at most so many elements."""
    free = [a for a in plan.contraction.axes if not a.summed and a not in (o.axis for o in plan.before)]
    others = (*plan.sums[1:], *free)
    read = touched(others, [a.left for a in others]) + touched(others, [a.right for a in others])
    return max(1, min(most, elements // read))


def touched(axes: tuple[Axis, ...], strides: list[int]) -> int:
    """How many elements of an array these axes read at most; reads may overlap."""
    reach = sum(abs(step) * (a.size - 1) for a, step in zip(axes, strides)) + 1
    return min(prod(a.size for a, step in zip(axes, strides) if step), reach)


# ---------------------------------------------------------------------------------------- rounds
def blocked(plan: Schedule, host: Host) -> Schedule:
    """Join loops into rounds: long enough to be worth handing out, short enough that there are several."""
    tile, size = plan.tile, plan.contraction.dtype.itemsize
    all_panels = -(-plan.lane.size // (plan.width * tile.vectors))
    all_tiles = -(-tile.axes[0].size // tile.rows)
    each = plan.length / plan.depth * tile.rows * tile.inner * tile.vectors / max(plan.chunks, 1) + OVERHEAD
    goal = min(max(ROUND / 8, plan.steps / ROUNDS), 8 * ROUND)
    if plan.chunks:  # panels are packed anew in every round
        goal = max(goal, plan.steps if plan.chunks >= CHUNKS // 2 else CUT_ROWS / (tile.rows * tile.inner) * each)
    fit = max(1, host.l2 // 2 // (plan.panel_elements * size)) if plan.packed else all_panels
    far = plan.packed and (plan.rows_packed or (not plan.chunks and plan.rows_total * plan.length * size > host.l2 // 4))
    many = max(PANELS, min(fit, MANY)) if plan.rows_packed else min(fit, PANELS)
    panels = spread(all_panels, many) if far else 1  # the left array is read from far once for several panels
    if plan.rows_packed:  # lines of memory are read whole, and stay in the cache
        most = (host.l2 if plan.chunks else host.l2 // 2) // (plan.packed_length * tile.rows * size)
        goal = max(min(goal, most * panels * each), 2 * LINE / size / tile.rows * panels * each)
    inner = [all_tiles, *(o.axis.size for o in reversed(plan.after))]
    outer = [1 if far else all_panels, *(1 if plan.packed else o.axis.size for o in reversed(plan.before))]
    blocks = joined([*inner, *outer], each * panels, goal)
    after, before = blocks[1:len(inner)][::-1], blocks[len(inner) + 1:][::-1]
    return replace(
        plan, tiles=blocks[0], after=tuple(replace(o, block=b) for o, b in zip(plan.after, after)),
        panels=panels if far else spread(all_panels, min(blocks[len(inner)], fit)),
        before=tuple(replace(o, block=b) for o, b in zip(plan.before, before)))


def joined(sizes: list[int], done: float, goal: float) -> list[int]:
    """How many rounds of each loop, the innermost first, make a block that takes `goal` steps; a loop is joined once all loops
    inside it are whole."""
    blocks, whole = [], True
    for size in sizes:
        block = spread(size, max(int(goal // done), 1)) if whole else 1
        blocks.append(block)
        done *= block
        whole = whole and block == size
    return blocks


def spread(size: int, most: int) -> int:
    """The size of equal blocks, none above `most`."""
    most = max(1, min(size, most))
    return -(-size // -(-size // most))
