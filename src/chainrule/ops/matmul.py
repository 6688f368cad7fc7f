"""The matrix product, as people write it and as the chain rule needs it, where zero wins over infinity."""
from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from chainrule.core.primitive import Primitive
from chainrule.core.reverse import optimistic
from chainrule.core.type import Array, Type, broadcast, typeof
from chainrule.errors import ShapeError

from .broadcasting import cast, chain, reshape, unbroadcast
from .families import arrays, primitive, several

PAIRS = several(
    arrays((3, 4), (4, 5)), arrays((4,), (4,)), arrays((4,), (4, 5)), arrays((3, 4), (4,)), arrays((2, 3, 4), (4, 5)),
    arrays((3, 4), (2, 4, 5)), arrays((2, 1, 3, 4), (3, 4, 2)), arrays((4,), (2, 4, 3)), arrays((2, 3, 4), (4,)))


def matmul_type(a: Type, b: Type) -> Type:
    if not a.ndim or not b.ndim:
        raise ShapeError(f"matmul: {a} @ {b}: a number has no axis to sum over. Multiply with * instead.")
    inner = (a.shape[-1], b.shape[-2] if b.ndim > 1 else b.shape[0])
    if inner[0] != inner[1]:
        raise ShapeError(f"matmul: inner sizes differ: {a} @ {b} ({inner[0]} != {inner[1]}). "
                         "Transpose one side with .mT, or check the order of the arguments.")
    dtype = np.matmul(np.empty((0, 0), a.dtype), np.empty((0, 0), b.dtype)).dtype
    lead = broadcast(f"matmul of {a} and {b}", Type(a.shape[:-2], a.dtype), Type(b.shape[:-2], b.dtype))
    return Type((*lead, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ())), dtype)


def unlisted(x: Array) -> Array:
    """Nested lists of numbers as an array: the rules ask for its axes."""
    return np.asarray(x) if type(x) is list else x


def matmul_prepare(a: Array, b: Array) -> tuple[tuple[Array, Array], dict[str, Any]]:
    if type(a) is list or type(b) is list:
        a, b = unlisted(a), unlisted(b)
    return (a, b), {}


def widened(g: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """The gradient and the arguments of a product as stacks of matrices: a vector `a` is a row, a vector `b` a column."""
    if b.ndim == 1:
        b, g = reshape(b, (b.shape[0], 1)), reshape(g, (*g.shape, 1))
    if a.ndim == 1:
        a, g = reshape(a, (1, a.shape[0])), reshape(g, (*g.shape[:-1], 1, g.shape[-1]))
    return g, a, b


def fit(d: Array, x: Array) -> Array:
    return d if d.dtype == x.dtype else cast(d, dtype=x.dtype)


def matmul_left(g: Array, y: Array, a: Array, b: Array) -> Array:
    """dA = G Bᵀ, summed over the axes along which A was repeated."""
    if a.ndim == 2 and b.ndim == 2:
        return fit(chain_matmul(g, b.mT), a)
    if a.ndim == 1 and b.ndim == 1:
        return fit(chain(g, b), a)
    if a.ndim == 1 and b.ndim == 2:
        return fit(chain_matmul(b, g), a)
    g, _, b = widened(g, a, b)
    return unbroadcast(chain_matmul(g, b.mT), a)


def matmul_right(g: Array, y: Array, a: Array, b: Array) -> Array:
    """dB = Aᵀ G, summed over the axes along which B was repeated; where B is one matrix, as one product of tall matrices."""
    if b.ndim == 2 and a.ndim >= 2:
        if a.ndim > 2:
            rows = prod(a.shape[:-1])
            a, g = reshape(a, (rows, a.shape[-1])), reshape(g, (rows, g.shape[-1]))
        return fit(chain_matmul(a.mT, g), b)
    if a.ndim == 1 and b.ndim == 1:
        return fit(chain(g, a), b)
    if a.ndim == 2 and b.ndim == 1:
        return fit(chain_matmul(g, a), b)
    column = b.ndim == 1
    g, a, _ = widened(g, a, b)
    d = chain_matmul(a.mT, g)
    return unbroadcast(reshape(d, d.shape[:-1]) if column else d, b)


def matmul_tangent(tangents: list[Array | None], y: Array, a: Array, b: Array) -> Array:
    ta, tb = tangents
    if tb is None:
        return fit(chain_matmul(ta, b), y)
    return fit(chain_matmul(a, tb) if ta is None else chain_matmul(ta, b) + chain_matmul(a, tb), y)


def stacked(product: Primitive, flags: list[bool], a: Array, b: Array) -> Array:
    """The batch rule: where one side is a single matrix, all examples make one tall one; else the batch is one more axis."""
    many_a, many_b = flags
    rank_a, rank_b = typeof(a).ndim - many_a, typeof(b).ndim - many_b
    if not many_b and rank_b <= 2 and (rank_a > 1 or rank_b == 2 or typeof(a).ndim == 2):
        return product(a, b)
    if not many_a and rank_a == 2:
        return product(b, a.mT) if rank_b == 1 else product(b.mT, a.mT).mT
    if rank_a == 1:
        a = reshape(a, (*a.shape[:-1], 1, a.shape[-1]))
    if rank_b == 1:
        b = reshape(b, (*b.shape, 1))
    ranks = (typeof(a).ndim - many_a, typeof(b).ndim - many_b)
    a, b = (reshape(x, (x.shape[0], *[1] * (max(ranks) - rank), *x.shape[1:])) if many and rank < max(ranks) else x
            for x, many, rank in zip((a, b), flags, ranks))
    y = product(a, b)
    shape = y.shape[:-2] + y.shape[-2:-1] * (rank_a > 1) + y.shape[-1:] * (rank_b > 1)
    return y if shape == y.shape else reshape(y, shape)


@primitive(
    backward=(matmul_left, matmul_right), tangent=matmul_tangent, result=matmul_type, samples=PAIRS,
    prepare=matmul_prepare, batch=lambda flags, a, b: stacked(matmul, flags, a, b), tex="{0} {1}", infix="@")
def matmul(a: Array, b: Array) -> Array:
    """Matrix product over the last two axes; axes before them are stacks of matrices, and broadcast.

    A vector on the left is a row, on the right a column: `(..., n, k) @ (k,)` is `(..., n)`. Raises ShapeError where the
    inner sizes differ.

    >>> import chainrule as cr, numpy as np
    >>> cr.matmul(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0]))
    array([3., 7.])
    """
    if type(a) is type(b) is np.ndarray and b.ndim == 2:
        if a.ndim == 2:
            return a.dot(b)  # half the overhead of np.matmul
        if a.ndim > 2 and a.size:  # one tall product: NumPy would call BLAS once for each matrix of the stack
            return a.reshape(-1, a.shape[-1]).dot(b).reshape(*a.shape[:-1], b.shape[-1])
    return np.matmul(a, b)


@primitive(
    backward=(matmul_left, matmul_right), tangent=matmul_tangent, result=matmul_type, samples=PAIRS,
    batch=lambda flags, a, b: stacked(chain_matmul, flags, a, b), tex="{0} {1}", infix="@")
def chain_matmul(a: Array, b: Array) -> Array:
    """The matrix product of the chain rule, where 0 times anything, infinity and NaN included, is 0; see `chain`."""
    return zero_wins(matmul.forward, matmul.forward(a, b), a, b)


def zero_wins(product: Callable[[Array, Array], Array], y: Array, a: Array, b: Array) -> Array:
    """`y`, which is `product(a, b)`, with every 0 x infinity and 0 x NaN in its sums counted as 0.

    The product is any sum of elements of `a` times elements of `b`. Its finite terms are added up apart; of the others it is
    counted how many are infinite, which signs they have, and how many are NaN.
    """
    if optimistic.get() or np.isfinite(y).all():
        return y
    with np.errstate(all="ignore"):
        (fa, sa, ia, na, za), (fb, sb, ib, nb, zb) = map(told_apart, (a, b))
        finite = product(fa, fb)
        infinite = product(abs(ia), abs(sb)) + product(abs(sa), abs(ib)) - product(abs(ia), abs(ib))
        net = product(ia, sb) + product(sa, ib) - product(ia, ib)
        known = np.where(abs(net) == infinite, net * np.inf, np.nan)
        made = np.where(infinite > 0, known, finite)
        return np.where(product(na, zb) + product(za, nb) > 0, np.nan, made).astype(y.dtype)


def told_apart(x: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Of each element: the number if it is finite, its sign, its sign if infinite, and 1 if it is NaN, 1 if it is not 0."""
    nan = np.isnan(x)
    sign = np.where(nan, 0, np.sign(x)).astype(x.dtype)
    return (np.where(np.isfinite(x), x, 0).astype(x.dtype), sign, np.where(np.isinf(x), sign, 0).astype(x.dtype),
            nan.astype(x.dtype), (x != 0).astype(x.dtype))
