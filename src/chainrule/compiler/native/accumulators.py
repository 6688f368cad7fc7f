"""An accumulator is several cells while its loops run, one per lane of each vector loop that adds to it, and one number after."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import llvmlite.ir as ir
import numpy as np

from . import arithmetic
from .representation import chosen, constant, held, splat

COMBINING = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum", "any": "logical_or", "all": "logical_and"}


@dataclass
class Accumulator:
    """`lanes`: how many it has where it begins. `cells`: what was combined so far, by the number of lanes that combined it."""

    combine: str
    dtype: np.dtype[Any]
    lanes: int
    cells: dict[int, ir.Value] = field(default_factory=dict)

    def cell(self, lanes: int) -> ir.Value:
        """The cell for so many lanes, at the neutral element if nothing came yet."""
        return self.cells.setdefault(lanes, constant(held(self.dtype, lanes), neutral(self.combine, self.dtype)))

    def gather(self, builder: ir.IRBuilder, value: ir.Value, lanes: int, mask: ir.Value | None) -> None:
        cell = self.cell(lanes)
        value = splat(builder, value, lanes)
        if mask is not None and lanes != self.lanes:  # lanes that do not count must leave the result as it is
            value = builder.select(mask, value, constant(value.type, neutral(self.combine, self.dtype)))
        self.cells[lanes] = self.combined(builder, cell, value)

    def combined(self, builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
        args = [(a, self.dtype), (b, self.dtype)]
        return arithmetic.apply(builder, COMBINING[self.combine], args, self.dtype)

    def value(self, builder: ir.IRBuilder) -> ir.Value:
        """All cells in one, the widest folded in half until it has as many lanes as it began with."""
        result = self.cell(max(self.cells, default=self.lanes))
        lanes = max(self.cells)
        while lanes > self.lanes:
            lanes //= 2
            result = self.combined(builder, *halves(builder, result, lanes))
            if lanes in self.cells:
                result = self.combined(builder, result, self.cells[lanes])
        return result


def halves(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> tuple[ir.Value, ir.Value]:
    """The first and the last lanes of a vector that has twice as many."""
    if lanes == 1:
        return builder.extract_element(value, ir.IntType(32)(0)), builder.extract_element(value, ir.IntType(32)(1))
    nothing = ir.Constant(value.type, ir.Undefined)
    first, last = (chosen(range(k, k + lanes)) for k in (0, lanes))
    return builder.shuffle_vector(value, nothing, first), builder.shuffle_vector(value, nothing, last)


def neutral(combine: str, dtype: np.dtype[Any]) -> Any:
    """What changes nothing when it is combined."""
    if combine in ("sum", "any"):
        return 0
    if combine in ("prod", "all"):
        return 1
    if dtype.kind == "b":
        return combine == "min"
    if dtype.kind == "f":
        return float("-inf") if combine == "max" else float("inf")
    return np.iinfo(dtype).min if combine == "max" else np.iinfo(dtype).max
