"""What a captured value receives from all steps of a loop is a sum over the steps, and many sums need no adding in each step.

A matrix that every step multiplies by receives a matrix product from each: the sum of these is one product over the steps and
the examples together, after the loop. So the loop keeps the factors, which are thin, and the matrix is touched once.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.core.primitive import Primitive
from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Array, typeof

from .arithmetic import add, negative
from .broadcasting import broadcast_to, cast, reshape, sum
from .einsum import LETTERS, chain_einsum, einsum
from .indexing import embed, part
from .loop_body import evaluated, symbols
from .matmul import chain_matmul, matmul
from .movement import permute_dims

LINEAR = frozenset({permute_dims, reshape, cast, embed, part, broadcast_to, negative, sum})
"""Operations that may be done once, on the sum, instead of on each summand."""


@dataclass(frozen=True)
class Total:
    """A sum over all steps, computed after the loop from the rows of all steps."""

    after: Callable[[dict[Symbol, Array]], Array]


class Sums:
    """Plans for sums over the steps. `stacks` are the values of a step whose rows the plans made so far need."""

    def __init__(self, lines: Sequence[Line], varying: set[Symbol], constants: dict[Symbol, Array]) -> None:
        self.made = {t: line for line in lines for t in line.targets}
        self.varying = set(varying)
        self.constants = constants
        self.stacks: dict[Symbol, None] = {}
        for line in lines:
            if any(a in self.varying for a in symbols(line.args)):
                self.varying.update(line.targets)

    def plan(self, value: Array) -> Total | None:
        """How to sum `value` over all steps after the loop; None where adding in each step is as good."""
        line = self.made.get(value) if isinstance(value, Symbol) else None
        if line is None or value not in self.varying:
            return None
        if line.prim in LINEAR and (inner := self.plan(line.args[0])):
            return Total(lambda rows: line.prim(inner.after(rows), **line.params))
        rule = RULES.get(line.prim)
        return rule(self, line) if rule else None

    def row(self, value: Symbol) -> Symbol:
        """Note that the rows of a value are needed."""
        self.stacks[value] = None
        return value

    def outside(self, value: Any) -> Array:
        """A value that is the same in every step."""
        if not isinstance(value, Symbol) or value in self.constants:
            return self.constants[value] if isinstance(value, Symbol) else value
        line = self.made[value]
        self.constants |= evaluated(line, {a: self.outside(a) for a in symbols(line.args)})
        return self.constants[value]


def added(sums: Sums, line: Line) -> Total | None:
    left, right = map(sums.plan, line.args)
    return Total(lambda rows: left.after(rows) + right.after(rows)) if left and right else None


def summed(sums: Sums, line: Line) -> Total:
    row, axes = sums.row(line.args[0]), (0, *(i + 1 for i in line.params["axis"]))
    shape = line.targets[0].type.shape
    def after(rows: dict[Symbol, Array]) -> Array:
        total = sum(rows[row], axis=axes)
        return total if total.shape == shape else reshape(total, shape=shape)
    return Total(after)


def contracted(sums: Sums, line: Line) -> Total | None:
    """Products of terms, with one letter more for the steps."""
    left, _, out = line.params["subscripts"].partition("->")
    c = next(c for c in LETTERS if c not in line.params["subscripts"])
    varies = [isinstance(a, Symbol) and a in sums.varying for a in line.args]
    terms = ",".join(c + term if many else term for term, many in zip(left.split(","), varies))
    for a, many in zip(line.args, varies):
        if many:
            sums.row(a)
    return Total(lambda rows: line.prim(
        *(rows[a] if many else sums.outside(a) for a, many in zip(line.args, varies)), subscripts=f"{terms}->{out}"))


def multiplied(sums: Sums, line: Line) -> Total | None:
    """The sum of products of matrices is one product: of all rows of the one side with all columns of the other."""
    a, b = line.args
    varies = [isinstance(x, Symbol) and x in sums.varying for x in (a, b)]
    if not all(varies):
        inner = sums.plan(a if varies[0] else b)
        if inner is None:
            return None
        return Total(lambda rows: line.prim(*(inner.after(rows) if many else sums.outside(x)
                                              for x, many in zip((a, b), varies))))
    if typeof(a).ndim != 2 or typeof(b).ndim != 2:
        return stacked(sums, line)
    left, right = tall(sums, a, by_columns=True), tall(sums, b, by_columns=False)
    return Total(lambda rows: line.prim(left(rows).mT, right(rows)))


def stacked(sums: Sums, line: Line) -> Total | None:
    """The same for stacks of matrices of one shape."""
    a, b = line.args
    rank = typeof(a).ndim
    if rank < 2 or typeof(a).shape[:-2] != typeof(b).shape[:-2]:
        return None
    lead, z, i, k, j = LETTERS[:rank - 2], *LETTERS[-4:]
    a, b = sums.row(a), sums.row(b)
    return Total(lambda rows: chain_einsum(rows[a], rows[b], subscripts=f"{z}{lead}{i}{k},{z}{lead}{k}{j}->{lead}{i}{j}"))


def tall(sums: Sums, matrix: Symbol, *, by_columns: bool) -> Callable[[dict[Symbol, Array]], Array]:
    """The matrices of all steps one below the other, the summed axis first: (steps * summed, other).

    It is the columns of a left factor, and the rows of a right one. Where the line before turned the matrix round, its own
    rows are kept instead, and nothing is turned.
    """
    line = sums.made.get(matrix)
    turned = line is not None and line.prim is permute_dims and line.params["axes"] == (1, 0)
    row = sums.row(line.args[0] if line is not None and turned else matrix)

    def joined(rows: dict[Symbol, Array]) -> Array:
        whole = rows[row].mT if turned != by_columns else rows[row]
        return reshape(whole, shape=(whole.shape[0] * whole.shape[1], whole.shape[2]))
    return joined


RULES: dict[Primitive, Callable[[Sums, Line], Total | None]] = {
    add: added, sum: summed, einsum: contracted, chain_einsum: contracted, matmul: multiplied, chain_matmul: multiplied}
