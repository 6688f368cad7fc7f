"""Sums of products: signs and numbers are taken out of them, and what concerns one factor alone is summed before."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from chainrule.core.stage import Line
from chainrule.core.type import Array, Shape, typeof
from chainrule.ops.arithmetic import multiply, negative
from chainrule.ops.broadcasting import astype, sum
from chainrule.ops.einsum import chain_einsum, einsum
from chainrule.ops.matmul import chain_matmul, matmul
from chainrule.ops.movement import permute_dims

from .patterns import Row, Rule, made, number

RANGE = 1024.0
"""Numbers up to this, and down to its reciprocal, neither overflow nor vanish after a sum where they did not before it."""
WIDER = 4
"""So many times as large as the factor the product may be."""


def summed_before(line: Line, known: Any) -> Array:
    """The axes that only one factor has, and the result has not, are summed before it is multiplied, in the result's dtype."""
    left, _, out = line.params["subscripts"].partition("->")
    terms, args = left.split(","), list(line.args)
    if len(terms) < 2:
        return None
    for i, term in enumerate(terms):
        others = {*out}.union(*terms[:i], *terms[i + 1:])
        lonely = tuple([axis for axis, c in enumerate(term) if c not in others and term.count(c) == 1])
        if lonely:
            args[i] = sum(astype(args[i], line.targets[0].type.dtype), axis=lonely)
            terms[i] = "".join([c for axis, c in enumerate(term) if axis not in lonely])
    if ",".join(terms) == left:
        return None
    return known.apply(line.prim, tuple(args), {"subscripts": f"{','.join(terms)}->{out}"})


# ---------------------------------------------------------------------------------------- factors
def scaled_after(f: Callable[..., Array], c: Any, size: int, a: Array, b: Array) -> Array:
    """A product is multiplied by a number, in place of one of its factors, which then need not be there twice."""
    fits = type(c) is float and 1 / RANGE <= math.fabs(c) <= RANGE and typeof(a).dtype == typeof(b).dtype
    product = f(a, b) if fits else None
    return multiply(product, c) if fits and typeof(product).size <= WIDER * size else None


def scales(name: str, f: Callable[..., Array]) -> Iterator[Row]:
    """A number times one factor, as it is or transposed."""
    scaled = made("multiply", "x", number("c"))
    turned = made("permute_dims", scaled, axes="axes")
    yield Row(made(name, scaled, "y"), lambda x, c, y: scaled_after(f, c, typeof(x).size, x, y))
    yield Row(made(name, "y", scaled), lambda y, x, c: scaled_after(f, c, typeof(x).size, y, x))
    yield Row(made(name, turned, "y"), lambda x, c, axes, y: scaled_after(f, c, typeof(x).size, permute_dims(x, axes=axes), y))
    yield Row(made(name, "y", turned), lambda y, x, c, axes: scaled_after(f, c, typeof(x).size, y, permute_dims(x, axes=axes)))


# ---------------------------------------------------------------------------------------- sums
def summed_rows(product: Any, a: Array, b: Array, axis: Shape, keepdims: bool) -> Array:
    """The sum of a stack of products over axes that only one of the two matrices, or stacks, has."""
    if min(typeof(a).ndim, typeof(b).ndim) < 2:
        return None
    rank = max(typeof(a).ndim, typeof(b).ndim)
    left, right = ((1,) * (rank - typeof(x).ndim) + typeof(x).shape for x in (a, b))
    rows = tuple([i for i in axis if left[i] > 1 and i != rank - 1 and (i == rank - 2 or right[i] == 1)])
    columns = tuple([i for i in axis if right[i] > 1 and i != rank - 2 and (i == rank - 1 or left[i] == 1)])
    if not rows and not columns:
        return None
    a, b = (sum(x, axis=tuple([i - rank + typeof(x).ndim for i in axes]), keepdims=True) if axes else x
            for x, axes in ((a, rows), (b, columns)))
    return sum(product(a, b), axis=axis, keepdims=keepdims)


PRODUCTS = (("matmul", matmul), ("chain_matmul", chain_matmul))
ROWS = (
    *(row for name, f in PRODUCTS for row in scales(name, f)),
    *(Row(made(product, made("negative", "a"), "b"), lambda a, b, f=f: negative(f(a, b)))
      for product, f in PRODUCTS),
    *(Row(made(product, "a", made("negative", "b")), lambda a, b, f=f: negative(f(a, b)))
      for product, f in PRODUCTS),
    *(Row(made("sum", made(product, "a", "b"), axis="axis", keepdims="keepdims"), partial(summed_rows, f))
      for product, f in PRODUCTS),
    Rule((einsum, chain_einsum), summed_before),
)
