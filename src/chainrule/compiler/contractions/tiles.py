"""A tile of sums is kept in registers while the summed axes are walked through: the inner loops of every contraction."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import llvmlite.ir as ir

from ..loops.language import Axis
from ..native.representation import held
from .code import LINE, SIZES, Code, Number, Values

AHEAD = 16  # steps before they are needed, elements of a left array are asked for that lie far apart
LEAP = 256  # bytes
UNROLLED = 24  # multiply-adds in the innermost loop, at least, where it is long enough


@dataclass(frozen=True)
class Step:
    """A summed axis inside a tile: how often, and how far in the left and right array."""

    count: Number
    left: int
    right: int


def merged(steps: Sequence[Step]) -> list[Step]:
    """The same walk with as few axes as possible."""
    made: list[Step] = []
    for step in reversed(steps):
        inner = made[0] if made else None
        if (inner and isinstance(step.count, int) and isinstance(inner.count, int)
                and (step.left, step.right) == (inner.left * inner.count, inner.right * inner.count)):
            made[0] = Step(step.count * inner.count, inner.left, inner.right)
        else:
            made.insert(0, step)
    return made


@dataclass(frozen=True)
class Shape:
    """The sums of one tile: where their rows begin in the left array, and how many columns (vectors of `width` lanes) there are.

    across: from one column to the next in the right array; shared: whether all lanes use one element of the left array;
    mask: which lanes of the last column are there (None: all); guarded: whether the others must not be read.
    """

    rows: tuple[int, ...]
    columns: int
    width: int
    depth: int
    across: int
    shared: bool
    mask: int | None = None
    guarded: bool = True


def row_offsets(axes: tuple[Axis, ...], rows: int) -> tuple[tuple[int, ...], ...]:
    """The places of a tile's rows on its axes."""
    return tuple(product(range(rows), *(range(a.size) for a in axes[1:])))


def lane_mask(lanes: int, used: int) -> ir.Value:
    return ir.Constant(ir.VectorType(ir.IntType(1), lanes), [int(lane < used) for lane in range(lanes)])


class Walker:
    """Walks the summed axes for one tile."""

    def __init__(self, code: Code, shape: Shape, dtype: object, *, fused: bool) -> None:
        self.code, self.shape, self.fused = code, shape, fused
        self.lanes = shape.width if shape.depth == 1 else shape.depth
        self.element, self.kind = held(dtype), held(dtype, self.lanes)

    def walk(self, left: ir.Value, right: ir.Value, steps: Sequence[Step], totals: Values) -> Values:
        if not steps:
            return self.term(left, right, 0, 0, None, totals)
        if len(steps) == 1:
            return self.innermost(left, right, steps[0], totals)
        def body(_: Number, carried: Values) -> Values:
            lp, rp, *sums = carried
            return (*self.moved(lp, rp, 1, steps[0]), *self.walk(lp, rp, steps[1:], tuple(sums)))
        return self.code.loop(0, steps[0].count, body, (left, right, *totals))[2:]

    def moved(self, left: ir.Value, right: ir.Value, far: int, step: Step) -> tuple[ir.Value, ir.Value]:
        """Both pointers, so many steps further."""
        return self.code.place(left, far * step.left, self.element), self.code.place(right, far * step.right, self.element)

    def innermost(self, left: ir.Value, right: ir.Value, step: Step, totals: Values) -> Values:
        """The last loop, several steps at a time."""
        depth, unroll = self.shape.depth, max(1, UNROLLED // len(totals))
        if not isinstance(step.count, int):
            rounds, over, rest, unroll = step.count, 0, 0, 1
        else:
            whole, rest = divmod(step.count, depth)
            unroll = min(unroll, max(whole, 1))
            rounds, over = divmod(whole, unroll)

        far = self.far(step)

        def terms(lp: ir.Value, rp: ir.Value, count: int, sums: Values) -> Values:
            for n in range(count):
                for row in far:
                    self.code.fetch(self.code.place(lp, row + step.left * depth * (n + AHEAD), self.element))
                sums = self.term(lp, rp, step.left * depth * n, step.right * depth * n, None, sums)
            return sums

        def body(_: Number, carried: Values) -> Values:
            lp, rp = map(self.code.opaque, carried[:2])
            return (*self.moved(lp, rp, depth * unroll, step), *terms(lp, rp, unroll, carried[2:]))
        left, right, *made = self.code.loop(0, rounds, body, (left, right, *totals))
        sums = terms(left, right, over, tuple(made))
        if not rest:
            return sums
        done = over * depth
        return self.term(left, right, step.left * done, step.right * done, lane_mask(depth, rest), sums)

    def far(self, step: Step) -> list[int]:
        """Where in the rows of a tile lines of memory begin that no processor expects, because a step leaps over many others."""
        size = SIZES[str(self.element)]
        if not isinstance(step.count, int) or step.count < 2 * AHEAD or abs(step.left) * size < LEAP or self.shape.depth > 1:
            return []
        lines: list[int] = []
        for row in sorted(self.shape.rows):
            if not lines or (row - lines[-1]) * size >= LINE:
                lines.append(row)
        return lines if len(lines) <= 2 else []

    def term(self, left: ir.Value, right: ir.Value, lk: int, rk: int, part: ir.Value | None, totals: Values) -> Values:
        """Add the products of one place on the summed axes (of `depth` places) to every sum of the tile."""
        shape, code = self.shape, self.code
        factors = [self.column(right, rk, n, part) for n in range(shape.columns)]
        sums = list(totals)
        for r, row in enumerate(shape.rows):
            shared = self.row(left, lk + row, part) if shape.shared else None
            for n, factor in enumerate(factors):
                value = shared if shared is not None else self.own(left, lk + row, n)
                at = r * shape.columns + n
                sums[at] = code.added_product(value, factor, sums[at], fused=self.fused)
        return tuple(sums)

    def column(self, right: ir.Value, rk: int, n: int, part: ir.Value | None) -> ir.Value:
        shape = self.shape
        place = self.code.place(right, rk + n * shape.across, self.element)
        if shape.depth > 1:
            return self.code.load(place, self.kind, part)
        return self.code.load(place, self.kind, self.edge(n) if shape.guarded else None)

    def row(self, left: ir.Value, offset: int, part: ir.Value | None) -> ir.Value:
        place = self.code.place(left, offset, self.element)
        if self.shape.depth > 1:
            return self.code.load(place, self.kind, part)
        return self.code.spread(self.code.load(place, self.element), self.lanes)

    def own(self, left: ir.Value, offset: int, n: int) -> ir.Value:
        """The left factors of a column whose lanes each have their own."""
        place = self.code.place(left, offset + n * self.shape.width, self.element)
        return self.code.load(place, self.kind, self.edge(n))

    def edge(self, n: int) -> ir.Value | None:
        shape = self.shape
        return lane_mask(shape.width, shape.mask) if shape.mask is not None and n == shape.columns - 1 else None

    def added(self, sums: Values) -> Values:
        """The sums; lanes along a summed axis are added up."""
        if self.shape.depth == 1:
            return sums
        return tuple(self.code.across(value) for value in sums)
