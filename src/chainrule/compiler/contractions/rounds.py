"""A round of a contraction is a block of its loops: here the loops around the tiles are written, with what each tile needs."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import TypeVar

import llvmlite.ir as ir

from ..native.host import Host
from ..native.representation import held
from .code import Code, Number, Values, zero
from .finishing import Epilogue, Panel
from .keeping import Kept
from .packing import pack, pack_rows
from .schedule import Outer, Schedule
from .tiles import Shape, Step, Walker, merged, row_offsets

Cut = TypeVar("Cut")


@dataclass(frozen=True)
class Block:
    """Which block of every loop a round does."""

    number: Number
    chunk: Number
    panels: Number
    tiles: Number
    outer: dict[str, Number]


@dataclass(frozen=True)
class Span:
    """The steps of the outermost summed axis that are added now: the first, and how many; and whether they are the first ones of
    their chunk (None: the sum is not cut)."""

    first: Number
    count: Number
    fresh: ir.Value | None = None


class Rounds:
    """Writes the function that does the rounds of a schedule."""

    def __init__(self, plan: Schedule, function: ir.Function, host: Host) -> None:
        self.plan, self.fused = plan, host.fma
        self.code = Code(function)
        table, self.begin, self.end, shared, self.private = function.args
        contraction = plan.contraction
        self.dtype, self.kind = contraction.dtype, held(contraction.dtype)
        self.rows = self.code.place(self.private, plan.packed_elements, self.kind)
        spilled = self.code.place(self.rows, plan.rows_packed_elements, self.kind)
        self.epilogue = Epilogue(plan, self.code, table, spilled, host.registers)
        self.kept = Kept(plan, self.code, shared)
        arrays = self.epilogue.arrays
        self.left = self.code.place(arrays[contraction.left[0]].pointer, contraction.left[1], self.kind)
        self.right = self.code.place(arrays[contraction.right[0]].pointer, contraction.right[1], self.kind)
        self.variables: dict[str, Number] = {}

    # ------------------------------------------------------------------------------------ rounds
    def write(self) -> None:
        """The function's body."""
        def body(number: Number, _: Values) -> None:
            block = self.block(number)
            self.nested(self.plan.before, block, lambda: self.spans(block))
        self.code.loop(self.begin, self.end, body)
        self.code.builder.ret_void()

    def block(self, number: Number) -> Block:
        """The number of a round taken apart; tiles change fastest, chunks slowest."""
        plan, code = self.plan, self.code
        outer: dict[str, Number] = {}
        rest, tiles = code.divided(number, plan.tile_blocks)
        for loop in reversed(plan.after):
            rest, outer[loop.axis.name] = code.divided(rest, loop.blocks)
        rest, panels = code.divided(rest, plan.panel_blocks)
        for loop in reversed(plan.before):
            rest, outer[loop.axis.name] = code.divided(rest, loop.blocks)
        return Block(number, rest if plan.chunks else 0, panels, tiles, outer)

    def nested(self, loops: tuple[Outer, ...], block: Block, inside: Callable[[], None]) -> None:
        """Run the loops of a round over their blocks, with their variables known inside."""
        if not loops:
            inside()
            return
        loop, *others = loops
        start = self.code.times(block.outer[loop.axis.name], loop.block)
        stop = self.code.plus(start, loop.block)
        if loop.axis.size % loop.block:
            stop = self.code.least(stop, loop.axis.size)

        def body(index: Number, _: Values) -> None:
            self.variables[loop.axis.name] = index
            self.nested(tuple(others), block, inside)
        if loop.block == 1:
            body(start, ())
        else:
            self.code.loop(start, stop, body)

    def spans(self, block: Block) -> None:
        """Run over the blocks of the outermost summed axis, if it is cut."""
        plan, code = self.plan, self.code
        if not plan.chunks:
            self.panels(block, Span(0, plan.sums[0].size if plan.sums else 1))
            return
        size = plan.sums[0].size
        each = -(-size // plan.chunks)
        start = code.times(block.chunk, each)
        stop = code.least(code.plus(start, each), size)

        def body(first: Number, _: Values) -> None:
            count = code.builder.sub(code.word(code.least(code.plus(first, plan.block), stop)), code.word(first))
            fresh = code.builder.icmp_signed("==", code.word(first), code.word(start))
            self.panels(block, Span(first, count, fresh))
        code.loop(start, stop, body, step=plan.block)

    # ------------------------------------------------------------------------------------ panels and tiles
    def panels(self, block: Block, span: Span) -> None:
        """Pack the panels of a round, if that is to be done, and compute the tiles along each."""
        plan, code = self.plan, self.code
        low = code.times(block.panels, plan.panels)

        def each(make: Callable[[Panel], None]) -> None:
            def panel(number: Number, cut: tuple[int, int | None]) -> None:
                slot = code.minus(number, low)
                make(Panel(code.times(number, plan.tile.vectors * plan.width), *cut, slot))
            self.pieces(low, plan.panels, plan.lane_cuts, panel)
        if plan.packed:
            new = self.new_panels(block)
            if new is None:
                each(lambda panel: self.pack(span, panel))
            else:
                code.when(new, lambda: each(lambda panel: self.pack(span, panel)))
        first = code.times(block.tiles, plan.tiles)
        if plan.rows_packed:
            self.pack_rows(span, first)

        def tiles(panel: Panel) -> None:
            self.nested(plan.after, block, lambda: self.pieces(
                first, plan.tiles, plan.row_cuts, lambda number, rows: self.tile(block, span, panel, number, rows)))
        each(tiles)

    def new_panels(self, block: Block) -> ir.Value | None:
        """Whether a round packs its panels: not where the round before, by the same thread, had the same. None: always."""
        if self.plan.chunks:
            return None
        inner = block.tiles
        for loop in self.plan.after:
            inner = self.code.plus(inner, block.outer[loop.axis.name])
        if isinstance(inner, int):
            return None
        b = self.code.builder
        first = b.icmp_signed("==", self.code.word(block.number), self.begin)
        return b.or_(b.icmp_signed("==", inner, self.code.word(0)), first)

    def pieces(self, low: Number, many: int, cuts: tuple[Cut, int, Cut | None], make: Callable[[Number, Cut], None]) -> None:
        """Run over pieces low, low + 1, ..., up to `many` of them: `cuts` holds what a full piece is, how many are full, and what
        the shorter last one is, or None."""
        full, count, rest = cuts
        code = self.code
        high = code.plus(low, many)
        even = count % many == 0 and rest is None
        if count:
            stop = high if even and not isinstance(high, int) else code.least(high, count)
            code.loop(low, stop, lambda at, _: make(at, full))
        if rest is None:
            return
        if not isinstance(high, int):
            code.when(code.builder.icmp_signed(">", high, code.word(count)), lambda: make(count, rest))
        elif high > count:
            make(count, rest)

    def pack(self, span: Span, panel: Panel) -> None:
        pack(self.code, self.plan, self.right_start(span, panel), self.slot(panel), span.count, panel.vectors, panel.mask)

    def pack_rows(self, span: Span, low: Number) -> None:
        """Pack the rows of a round's tiles, step by step, because those of all tiles lie side by side."""
        plan, code = self.plan, self.code
        source = self.left_start(span, Panel(0, 0, None), code.times(low, plan.tile.rows))
        last = plan.tile.axes[0].size - (plan.tile_blocks - 1) * plan.block_rows  # rows of the last round

        def level(i: int, source: ir.Value, target: ir.Value, rows: int) -> None:
            if i == len(plan.sums):
                pack_rows(code, plan, source, target, rows)
                return
            step = Step(span.count if i == 0 else plan.sums[i].size, plan.sums[i].left, self.row_step(i))

            def body(at: Number, _: Values) -> None:
                level(i + 1, code.place(source, code.times(at, step.left), self.kind),
                      code.place(target, code.times(at, step.right), self.kind), rows)
            code.loop(0, step.count, body)
        if plan.tile_blocks == 1 or last == plan.block_rows:
            level(0, source, self.rows, last)
            return
        ending = code.builder.icmp_signed(">", code.word(code.plus(low, plan.tiles)), code.word(plan.row_cuts[1]))
        code.when(ending, lambda: level(0, source, self.rows, last))
        code.when(code.builder.not_(ending), lambda: level(0, source, self.rows, plan.block_rows))

    def row_step(self, i: int) -> int:
        """How far a step of the i-th summed axis is in packed rows."""
        return prod(a.size for a in self.plan.sums[i + 1:]) * self.plan.rows_step

    def slot(self, panel: Panel) -> ir.Value:
        """Where a packed panel lies."""
        return self.code.place(self.private, self.code.times(panel.slot, self.plan.panel_elements), self.kind)

    def right_start(self, span: Span, panel: Panel) -> ir.Value:
        """The first element of a panel in the right array."""
        plan, code = self.plan, self.code
        offset = code.times(panel.first, plan.lane.right)
        for loop in plan.before:
            offset = code.plus(offset, code.times(self.variables[loop.axis.name], loop.axis.right))
        offset = code.plus(offset, code.times(span.first, plan.sums[0].right if plan.sums else 0))
        return code.place(self.right, offset, self.kind)

    def left_start(self, span: Span, panel: Panel, first_row: Number) -> ir.Value:
        """The first element of a tile in the left array."""
        plan, code = self.plan, self.code
        offset = code.plus(code.times(panel.first, plan.lane.left), code.times(first_row, plan.tile.axes[0].left))
        for loop in (*plan.before, *plan.after):
            offset = code.plus(offset, code.times(self.variables[loop.axis.name], loop.axis.left))
        offset = code.plus(offset, code.times(span.first, plan.sums[0].left if plan.sums else 0))
        return code.place(self.left, offset, self.kind)

    def tile(self, block: Block, span: Span, panel: Panel, number: Number, rows: int) -> None:
        """Sum up a tile, and finish or keep the sums."""
        plan, code = self.plan, self.code
        first_row = code.times(number, plan.tile.rows)
        places = row_offsets(plan.tile.axes, rows)
        if plan.rows_packed:
            at = code.minus(number, code.times(block.tiles, plan.tiles))
            left = code.place(self.rows, code.times(at, plan.tile.rows), self.kind)
        else:
            left = self.left_start(span, panel, first_row)
        right = self.slot(panel) if plan.packed else self.right_start(span, panel)
        walker = Walker(code, self.shape(panel, places), self.dtype, fused=self.fused)
        totals: Values = (zero(walker.kind),) * (len(places) * panel.vectors)
        if span.fresh is None:
            self.epilogue.fetcher.fetch(self.variables, panel.first, panel.vectors, first_row, places)
            sums = walker.walk(left, right, self.steps(span, panel), totals)
            self.epilogue.finish(self.variables, panel, first_row, places, walker.added(sums))
            return
        kept = self.kept.places(block.chunk, self.kept.row(self.variables, first_row), panel, places)
        totals = self.kept.resumed(span.fresh, kept, totals)
        for value, place in zip(walker.walk(left, right, self.steps(span, panel), totals), kept):
            code.store(value, place)

    def shape(self, panel: Panel, places: tuple[tuple[int, ...], ...]) -> Shape:
        plan = self.plan
        offsets = tuple(sum(at * a.left for at, a in zip(place, plan.tile.axes)) for place in places)
        across = plan.width if plan.packed else plan.width * plan.lane.right
        return Shape(offsets, panel.vectors, plan.width, plan.depth, across, plan.lane.left == 0 or plan.depth > 1,
                     panel.mask, guarded=not plan.packed)

    def steps(self, span: Span, panel: Panel) -> list[Step]:
        """The summed axes inside a tile; a packed panel holds them one after another."""
        sums, line = self.plan.sums, panel.vectors * self.plan.width
        packed = [prod(a.size for a in sums[i + 1:]) * line for i in range(len(sums))]
        steps = [Step(a.size, self.row_step(i) if self.plan.rows_packed else a.left, packed[i] if self.plan.packed else a.right)
                 for i, a in enumerate(sums)]
        if not steps:
            return []
        return merged([replace(steps[0], count=span.count), *steps[1:]])
