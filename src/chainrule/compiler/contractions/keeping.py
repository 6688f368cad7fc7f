"""Partial sums are kept while a long sum is cut into pieces: those of a tile by its blocks, and those of all tiles by chunks."""
from __future__ import annotations

from collections.abc import Sequence

import llvmlite.ir as ir

from ..native.representation import held
from .code import Code, Number, Values
from .finishing import Finisher, Panel, Places
from .schedule import Schedule


class Kept:
    """Where partial sums lie in the memory that all threads share: chunk by chunk, row by row, in whole vectors."""

    def __init__(self, plan: Schedule, code: Code, shared: ir.Value) -> None:
        self.plan, self.code, self.shared = plan, code, shared
        self.kind, self.vector = held(plan.contraction.dtype), held(plan.contraction.dtype, plan.width)

    def row(self, variables: dict[str, Number], first_row: Number) -> Number:
        """The number of a tile's first row among all rows of results."""
        code, tiled = self.code, self.plan.tile.axes
        total: Number = 0
        for axis in self.plan.row_axes:
            here = first_row if axis is tiled[0] else 0 if axis in tiled else variables[axis.name]
            total = code.plus(code.times(total, axis.size), here)
        return total

    def at(self, chunk: Number, row: Number, column: Number) -> ir.Value:
        code, plan = self.code, self.plan
        line = code.plus(code.times(chunk, plan.rows_total), row)
        return code.place(self.shared, code.plus(code.times(line, plan.padded), column), self.kind)

    def places(self, chunk: Number, row: Number, panel: Panel, places: Places) -> list[ir.Value]:
        """Where each sum of a tile is kept."""
        start, plan = self.at(chunk, row, panel.first), self.plan
        found = []
        for place in places:
            at = 0
            for axis, p in zip(plan.tile.axes, place):
                at = at * axis.size + p
            found += [self.code.place(start, at * plan.padded + n * plan.width, self.kind) for n in range(panel.vectors)]
        return found

    def resumed(self, fresh: ir.Value, kept: Sequence[ir.Value], zeros: Values) -> Values:
        """The sums as they were left by the block before, if there was one."""
        return self.code.when(self.code.builder.not_(fresh), lambda: [self.code.load(p, self.vector) for p in kept], zeros)

    def combined(self, row: Number, finisher: Finisher) -> None:
        """Add up what the chunks left for one row, and finish it."""
        plan, code = self.plan, self.code
        variables: dict[str, Number] = {}
        rest = row
        for axis in reversed(plan.row_axes):
            rest, variables[axis.name] = code.divided(rest, axis.size)
        whole, over = divmod(plan.lane.size, plan.width)

        def column(n: Number, mask: int | None) -> None:
            first = code.times(n, plan.width)
            start = self.at(0, row, first)

            def add(chunk: Number, carried: Values) -> Values:
                offset = code.times(chunk, plan.rows_total * plan.padded)
                return (code.sum(carried[0], code.load(code.place(start, offset, self.kind), self.vector)),)
            total, = code.loop(1, plan.filled, add, (code.load(start, self.vector),))
            finisher.flags.set(finisher.one(variables, Panel(first, 1, mask), 0, total, finisher.flags.lowered))
        code.loop(0, whole, lambda n, _: column(n, None))
        if over:
            column(whole, over)
