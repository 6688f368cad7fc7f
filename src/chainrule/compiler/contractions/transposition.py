"""Transposition turns rows into columns, a small square of registers at a time; kernels of a module share its function."""
from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np

from ..native.representation import PLACE, WORD, held
from .code import Code, Number, Values

SQUARE_BITS = 256  # of a row of the square; wider ones cost more instructions for the same number of elements
WOVEN = 4  # rows that are turned by interleaving


def turning(module: ir.Module, dtype: np.dtype[Any], width: int) -> ir.Function:
    """The function (source, target, stride, far, steps, lanes, across) of a module, for elements of `dtype`.

    It copies source[lane * stride + step] to target[step * far + lane] for all steps; lanes from `lanes` up to `across`, which
    is a multiple of `width`, get the elements of the last one.
    """
    size = max(1, min(SQUARE_BITS // (8 * dtype.itemsize), width))
    name = f"turn.{dtype.name}.{size}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [PLACE, PLACE, *[WORD] * 5]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.args[1].add_attribute("noalias")
    code, (source, target, stride, far, steps, lanes, across) = Code(function), function.args
    element, last = held(dtype), code.minus(lanes, 1)

    def band(lane: Number, _: Values) -> None:
        rows = [code.place(source, code.times(code.least(code.plus(lane, r), last), stride), element) for r in range(size)]
        columns = code.place(target, lane, element)

        def square(step: Number, _: Values) -> None:
            step = code.opaque(code.word(code.least(step, code.minus(steps, size))))  # the last square overlaps the one before
            values = [code.load(code.place(row, step, element), held(dtype, size)) for row in rows]
            for c, value in enumerate(turned(code, values)):
                code.store(value, code.place(columns, code.times(code.plus(step, c), far), element))

        def single(step: Number, _: Values) -> None:
            step = code.opaque(code.word(step))
            for r, row in enumerate(rows):
                value = code.load(code.place(row, step, element), element)
                code.store(value, code.place(columns, code.plus(code.times(step, far), r), element))
        few = code.builder.icmp_signed("<", steps, code.word(size))
        code.loop(0, code.builder.select(few, code.word(0), steps), square, step=size)
        code.loop(0, code.builder.select(few, steps, code.word(0)), single)
    code.loop(0, across, band, step=size)
    code.builder.ret_void()
    return function


def turned(code: Code, values: list[ir.Value]) -> list[ir.Value]:
    """The columns of a square: its off-diagonal quarters are exchanged, then those of each quarter, and so on."""
    half = len(values) // 2
    while half >= WOVEN:
        values = exchanged(code, values, half)
        half //= 2
    if half == WOVEN // 2:
        return [column for start in range(0, len(values), WOVEN) for column in woven(code, values[start:start + WOVEN])]
    return exchanged(code, values, half) if half else values


def exchanged(code: Code, values: list[ir.Value], half: int) -> list[ir.Value]:
    """Rows `half` apart, with their off-diagonal quarters exchanged."""
    made, size = list(values), len(values)
    low = [lane if not lane & half else size + lane - half for lane in range(size)]
    high = [lane + half if not lane & half else size + lane for lane in range(size)]
    for r in range(size):
        if not r & half:
            made[r] = code.shuffled(values[r], values[r + half], low)
            made[r + half] = code.shuffled(values[r], values[r + half], high)
    return made


def woven(code: Code, rows: list[ir.Value]) -> list[ir.Value]:
    """The columns of each square of four, by two rounds of interleaving: instructions that every processor has."""
    size = rows[0].type.count
    low = [start + n + k for start in range(0, size, WOVEN) for n in (0, 1) for k in (0, size)]
    high = [lane + 2 for lane in low]
    a, b, c, d = (code.shuffled(rows[r], rows[r + 1], lanes) for r in (0, 2) for lanes in (low, high))
    first = [start + n + k for start in range(0, size, WOVEN) for k in (0, size) for n in (0, 1)]
    second = [lane + 2 for lane in first]
    return [code.shuffled(x, y, lanes) for x, y in ((a, c), (b, d)) for lanes in (first, second)]
