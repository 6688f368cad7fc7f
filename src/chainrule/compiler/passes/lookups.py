"""A lookup takes rows of a table, many times the same ones: what is done to each row is done to the table, once for each entry.

An embedding is multiplied by weights before its rows are taken, not after, and the gradients that arrive at the rows are added up
for each entry before they are multiplied.
"""
from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.primitive import Primitive
from chainrule.core.stage import Line, Symbol
from chainrule.core.type import Array, is_float, typeof
from chainrule.ops.arithmetic import add
from chainrule.ops.broadcasting import reshape
from chainrule.ops.contraction import linear
from chainrule.ops.indexing import add_at, get_at
from chainrule.ops.matmul import chain_matmul, matmul
from chainrule.ops.movement import permute_dims

from .patterns import Rule

WORTH = 2
"""So many rows must be taken for each entry of the table."""


class Lookup(NamedTuple):
    """Rows of a table, and which."""

    table: Array
    index: Array

    @property
    def flat(self) -> Array:
        return reshape(self.index, shape=(typeof(self.index).size,))


def maker(value: Array, prim: Primitive, known: Any) -> Line | None:
    """The line that made a value, if it is of this operation."""
    line = known.made.get(value) if isinstance(value, Symbol) else None
    return line if line is not None and line.prim is prim else None


def looked_up(value: Array, known: Any) -> Lookup | None:
    """The lookup that a value is, with all axes of its index or with one in their place."""
    reshaped = maker(value, reshape, known)
    if reshaped is not None and typeof(value).shape[-1:] == typeof(reshaped.args[0]).shape[-1:]:
        value = reshaped.args[0]
    line = maker(value, get_at, known)
    if line is None or len(line.args) != 2 or not pays(line.args[0], line.args[1]):
        return None
    return Lookup(*line.args)


def pays(table: Array, index: Array) -> bool:
    t, i = typeof(table), typeof(index)
    return t.ndim == 2 and is_float(t.dtype) and i.dtype.kind in "iu" and WORTH * t.shape[0] <= i.size


def multiplied(line: Line, known: Any) -> Array:
    """The product of rows with a matrix is rows of the product of the table."""
    rows, *rest = line.args
    made = maker(rows, get_at, known)
    found = looked_up(rows, known) if made is not None else None
    return get_at(line.prim(found.table, *rest), found.index) if found and typeof(rest[0]).ndim == 2 else None


def gathered(lookup: Lookup, g: Array) -> Array:
    """The sum, for each entry of the table, of what belongs to its rows: (rows, columns) to (entries, columns)."""
    t = typeof(g)
    return add_at(np.zeros((typeof(lookup.table).shape[0], t.shape[-1]), t.dtype), g, lookup.flat)


def multiplied_back(line: Line, known: Any) -> Array:
    """The sum over rows of their products, one matrix with the other turned round, is a sum over entries."""
    left, right = line.args
    turned = maker(left, permute_dims, known)
    if turned is None or typeof(left).ndim != 2 or typeof(right).ndim != 2:
        return rows_multiplied(line, known)
    for one, other, first in ((right, turned.args[0], False), (turned.args[0], right, True)):
        found = looked_up(one, known)
        if found and typeof(found.table).dtype == typeof(other).dtype:
            whole = gathered(found, other)
            return line.prim(*((found.table.mT, whole) if first else (whole.mT, found.table)))
    return None


def rows_multiplied(line: Line, known: Any) -> Array:
    return multiplied(line, known) if line.prim is matmul else None


def added(line: Line, known: Any) -> Array:
    """Products added up for each entry are products of what is added up."""
    if len(line.args) != 3:
        return None
    x, v, index = line.args
    product = maker(v, chain_matmul, known)
    if product is None or not pays(x, index):
        return None
    g, w = product.args
    rows = prod(typeof(index).shape)
    if typeof(w).ndim != 2 or typeof(g).shape[:-1] != typeof(index).shape or typeof(g).dtype != typeof(x).dtype:
        return None
    found = Lookup(x, index)
    return add(x, chain_matmul(gathered(found, reshape(g, shape=(rows, typeof(g).shape[-1]))), w))


ROWS = (Rule((linear,), multiplied), Rule((matmul, chain_matmul), multiplied_back), Rule((add_at,), added))
