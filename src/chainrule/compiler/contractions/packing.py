"""Packing copies a panel of the right array, so that the elements that meet in lanes lie side by side, one step after another.

The rows of tiles, of the left array, are packed where they lie side by side and each step leaps far.
"""
from __future__ import annotations

from math import prod

import llvmlite.ir as ir

from ..native.representation import held
from .code import Code, Number, Values
from .schedule import Schedule
from .tiles import lane_mask
from .transposition import turning


def pack(code: Code, plan: Schedule, source: ir.Value, target: ir.Value, count: Number, vectors: int, mask: int | None) -> None:
    """Copy `count` steps of the outermost summed axis, with all steps of the others, for `vectors` of lanes.

    In the last vector only `mask` lanes are there; what the others get is of no account.
    """
    element, sums = held(plan.contraction.dtype), plan.sums
    across = vectors * plan.width
    lanes = across if mask is None else across - plan.width + mask
    far = [prod(a.size for a in sums[i + 1:]) * across for i in range(len(sums))]
    counts: list[Number] = [count, *(a.size for a in sums[1:])]
    dense = next((i for i, a in enumerate(sums) if a.right == 1), None) if plan.lane.right != 1 else None

    def level(i: int, source: ir.Value, target: ir.Value) -> None:
        if i == dense:
            level(i + 1, source, target)
        elif i == len(sums) and dense is not None:
            numbers = (plan.lane.right, far[dense], counts[dense], lanes, across)
            turn = turning(code.function.module, plan.contraction.dtype, plan.width)
            code.builder.call(turn, [source, target, *map(code.word, numbers)])
        elif i == len(sums):
            line(code, plan, source, target, vectors, mask, lanes)
        else:
            def body(at: Number, _: Values) -> None:
                level(i + 1, code.place(source, code.times(at, sums[i].right), element),
                      code.place(target, code.times(at, far[i]), element))
            code.loop(0, counts[i], body)
    level(0, source, target)


def line(code: Code, plan: Schedule, source: ir.Value, target: ir.Value, vectors: int, mask: int | None, lanes: int) -> None:
    """Copy the lanes of one step."""
    dtype, step, width = plan.contraction.dtype, plan.lane.right, plan.width
    element, kind = held(dtype), held(dtype, width)
    if step == 1:
        for n in range(vectors):
            part = lane_mask(width, mask) if mask is not None and n == vectors - 1 and width > 1 else None
            code.store(code.load(code.place(source, n * width, element), kind, part), code.place(target, n * width, element))
        return

    def copied(lane: Number, _: Values) -> None:
        code.store(code.load(code.place(source, code.times(lane, step), element), element), code.place(target, lane, element))
    code.loop(0, lanes, copied)


def pack_rows(code: Code, plan: Schedule, source: ir.Value, target: ir.Value, rows: int) -> None:
    """Copy one step of so many rows, side by side; what lies beyond them in their last vector is of no account."""
    element, kind = held(plan.contraction.dtype), held(plan.contraction.dtype, plan.width)
    for first in range(0, rows, plan.width):
        mask = lane_mask(plan.width, rows - first) if rows - first < plan.width else None
        code.store(code.load(code.place(source, first, element), kind, mask), code.place(target, first, element))
