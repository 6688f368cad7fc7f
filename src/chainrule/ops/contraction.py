"""A contraction multiplies arrays and sums over the indices they share: matrix products, and einsum, which is all of them."""
from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from chainrule.core.primitive import Sample
from chainrule.core.type import Array, Type, broadcast, normal_axis, promote, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import align, cast, chain, like, reshape, unbroadcast
from .einsum import LETTERS, einsum
from .families import arrays, body_batch, primitive, several
from .movement import moveaxis


# ---------------------------------------------------------------------------------------- matmul
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
        return fit(matmul(g, b.mT), a)
    if a.ndim == 1 and b.ndim == 1:
        return fit(chain(g, b), a)
    if a.ndim == 1 and b.ndim == 2:
        return fit(matmul(b, g), a)
    g, _, b = widened(g, a, b)
    return unbroadcast(matmul(g, b.mT), a)


def matmul_right(g: Array, y: Array, a: Array, b: Array) -> Array:
    """dB = Aᵀ G, summed over the axes along which B was repeated; where B is one matrix, as one product of tall matrices."""
    if b.ndim == 2 and a.ndim >= 2:
        if a.ndim > 2:
            rows = prod(a.shape[:-1])
            a, g = reshape(a, (rows, a.shape[-1])), reshape(g, (rows, g.shape[-1]))
        return fit(matmul(a.mT, g), b)
    if a.ndim == 1 and b.ndim == 1:
        return fit(chain(g, a), b)
    if a.ndim == 2 and b.ndim == 1:
        return fit(matmul(g, a), b)
    column = b.ndim == 1
    g, a, _ = widened(g, a, b)
    d = matmul(a.mT, g)
    return unbroadcast(reshape(d, d.shape[:-1]) if column else d, b)


def matmul_tangent(tangents: list[Array | None], y: Array, a: Array, b: Array) -> Array:
    ta, tb = tangents
    if tb is None:
        return fit(matmul(ta, b), y)
    return fit(matmul(a, tb) if ta is None else matmul(ta, b) + matmul(a, tb), y)


def matmul_batch(flags: list[bool], a: Array, b: Array) -> Array:
    """Where one side is a single matrix, all examples make one tall matrix; else the batch is one more stacked axis."""
    many_a, many_b = flags
    rank_a, rank_b = typeof(a).ndim - many_a, typeof(b).ndim - many_b
    if not many_b and rank_b <= 2 and (rank_a > 1 or rank_b == 2 or typeof(a).ndim == 2):
        return matmul(a, b)
    if not many_a and rank_a == 2:
        return matmul(b, a.mT) if rank_b == 1 else matmul(b.mT, a.mT).mT
    if rank_a == 1:
        a = reshape(a, (*a.shape[:-1], 1, a.shape[-1]))
    if rank_b == 1:
        b = reshape(b, (*b.shape, 1))
    ranks = (typeof(a).ndim - many_a, typeof(b).ndim - many_b)
    a, b = (reshape(x, (x.shape[0], *[1] * (max(ranks) - rank), *x.shape[1:])) if many and rank < max(ranks) else x
            for x, many, rank in zip((a, b), flags, ranks))
    y = matmul(a, b)
    shape = y.shape[:-2] + y.shape[-2:-1] * (rank_a > 1) + y.shape[-1:] * (rank_b > 1)
    return y if shape == y.shape else reshape(y, shape)


@primitive(
    backward=(matmul_left, matmul_right), tangent=matmul_tangent, batch=matmul_batch, result=matmul_type,
    samples=several(
        arrays((3, 4), (4, 5)), arrays((4,), (4,)), arrays((4,), (4, 5)), arrays((3, 4), (4,)), arrays((2, 3, 4), (4, 5)),
        arrays((3, 4), (2, 4, 5)), arrays((2, 1, 3, 4), (3, 4, 2)), arrays((4,), (2, 4, 3)), arrays((2, 3, 4), (4,))),
    tex="{0} {1}", infix="@")
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


# ---------------------------------------------------------------------------------------- linear
def linear_type(x: Type, weight: Type, bias: Type | None) -> Type:
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ShapeError(f"linear: x is {x} and the weight {weight}: the last axis of x must be as long as the second axis of "
                         "the weight, whose shape is (out, in).")
    if bias is not None and bias.shape not in ((), weight.shape[:1]):
        raise ShapeError(f"linear: the bias is {bias}; the weight {weight} has {weight.shape[0]} outputs, so give shape "
                         f"({weight.shape[0]},).")
    return Type((*x.shape[:-1], weight.shape[0]), promote(*(t for t in (x, weight, bias) if t is not None)))


def linear_body(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x Wᵀ + b."""
    y = matmul(x, weight.mT)
    return y if bias is None else y + bias


def linear_weight(g: Array, y: Array, x: Array, weight: Array, bias: Array | None) -> Array:
    """dW = Gᵀ X, over all examples at once."""
    if x.ndim != 2:
        rows = prod(x.shape[:-1])
        x, g = reshape(x, (rows, x.shape[-1])), reshape(g, (rows, g.shape[-1]))
    return fit(matmul(g.mT, x), weight)


def linear_tangent(tangents: list[Array | None], y: Array, x: Array, weight: Array, bias: Array | None) -> Array:
    tx, tw, tb = tangents
    moved = [d for d in (None if tx is None else linear(tx, weight), None if tw is None else linear(x, tw), tb)
             if d is not None]
    return like(sum(moved[1:], moved[0]), y)


@primitive(
    backward=(lambda g, y, x, weight, bias: fit(matmul(g, weight), x), linear_weight,
              lambda g, y, x, weight, bias: unbroadcast(g, bias)),
    tangent=linear_tangent, result=linear_type, body=linear_body,
    batch=lambda flags, *args: linear(*args) if flags[1:] == [False, False] else body_batch(linear_body)(flags, *args),
    prepare=lambda x, weight, bias=None: ((x, weight, bias), {}),
    samples=several(arrays((3, 4), (5, 4), (5,)), arrays((4,), (5, 4), (5,)), arrays((2, 3, 4), (5, 4), (5,)),
                    lambda rng: [Sample((rng.normal(size=(3, 4)), rng.normal(size=(5, 4)), None))]),
    tex="{0} {1}^T + {2}")
def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """A linear layer, `x @ weight.T + bias`, as PyTorch's: x (..., in), weight (out, in), bias (out,) or None.

    The gradients are dX = G W, dW = Gᵀ X and db = the sum of G over all examples. Raises ShapeError where sizes differ.

    >>> import chainrule as cr, numpy as np
    >>> cr.linear(np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), np.array([5.0]))
    array([16.])
    """
    y = matmul.forward(x, weight.T)
    if bias is None:
        return y
    return np.add(y, bias, out=y) if y.dtype == bias.dtype else y + bias


# ---------------------------------------------------------------------------------------- relatives
def vecdot_type(a: Type, b: Type) -> Type:
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"vecdot: {a} and {b} must be equally long along the axis of the product.")
    return Type(broadcast("vecdot", a, b)[:-1], promote(a, b))


def vecdot_prepare(a: Array, b: Array, axis: int = -1) -> Any:
    return (moveaxis(a, axis, -1), moveaxis(b, axis, -1)), {}


@primitive(
    backward=(lambda g, y, a, b: unbroadcast(chain(reshape(g, (*g.shape, 1)), b), a),
              lambda g, y, a, b: unbroadcast(chain(reshape(g, (*g.shape, 1)), a), b)),
    tangent=lambda tangents, y, a, b: like(sum(
        vecdot(*pair) for pair in ((tangents[0], b), (a, tangents[1])) if pair[0] is not None and pair[1] is not None), y),
    result=vecdot_type, prepare=vecdot_prepare, batch=lambda flags, a, b: vecdot(*align(flags, (a, b))),
    samples=several(arrays((3, 4), (4,)), arrays((2, 3, 4), (3, 1), axis=-2), arrays((4,), (4,))), tex=r"{0} \cdot {1}")
def vecdot(a: Array, b: Array) -> Array:
    """Scalar products of the vectors along one axis of two arrays that broadcast otherwise: `vecdot(a, b, axis=-1)`."""
    return np.vecdot(a, b)


def cross_type(a: Type, b: Type) -> Type:
    if a.shape[-1:] != (3,) or b.shape[-1:] != (3,):
        raise ShapeError(f"cross: {a} and {b} must both have 3 elements along the axis of the product.")
    return Type(broadcast("cross", a, b), promote(a, b))


@primitive(
    backward=(lambda g, y, a, b: unbroadcast(cross(b, g), a), lambda g, y, a, b: unbroadcast(cross(g, a), b)),
    tangent=lambda tangents, y, a, b: like(sum(
        cross(*pair) for pair in ((tangents[0], b), (a, tangents[1])) if pair[0] is not None and pair[1] is not None), y),
    result=cross_type, batch=lambda flags, a, b: cross(*align(flags, (a, b))),
    samples=several(arrays((3,), (3,)), arrays((2, 1, 3), (4, 3))), tex=r"{0} \times {1}")
def last_cross(a: Array, b: Array) -> Array:
    """Vector products along the last axis."""
    cross_type(typeof(a), typeof(b))
    return np.cross(a, b)


def cross(a: Array, b: Array, *, axis: int = -1) -> Array:
    """Vector products in three dimensions of the vectors along one axis of two arrays that broadcast otherwise."""
    if axis == -1:
        return last_cross(a, b)
    return moveaxis(last_cross(moveaxis(a, axis, -1), moveaxis(b, axis, -1)), -1, axis)


def tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    """Products summed over `axes`: the last n axes of `a` with the first n of `b`, or a pair of sequences of axes.

    The result has the remaining axes of `a`, then those of `b`. Raises ShapeError where the paired sizes differ.
    """
    ranks = typeof(a).ndim, typeof(b).ndim
    given: tuple[Any, Any] = (range(-axes, 0), range(axes)) if isinstance(axes, int) else tuple(axes)
    paired = [[normal_axis("tensordot", i, rank) for i in (side if isinstance(side, Iterable) else (side,))]
              for side, rank in zip(given, ranks)]
    if len(paired[0]) != len(paired[1]):
        raise ArgumentError(f"tensordot: axes {axes} pairs {len(paired[0])} axes of the first array with {len(paired[1])} of "
                            "the second; give as many of each.")
    letters = list(LETTERS[:ranks[0]])
    others = list(LETTERS[ranks[0]:sum(ranks)])
    for i, j in zip(*paired):
        others[j] = letters[i]
    free = [c for c in letters + others if (c in letters) != (c in others)]
    return einsum(f"{''.join(letters)},{''.join(others)}->{''.join(free)}", a, b)


def outer(a: Array, b: Array) -> Array:
    """Every element of `a` times every element of `b`, both flattened: shape (a.size, b.size)."""
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


def inner(a: Array, b: Array) -> Array:
    """Products summed over the last axis of both: shape a.shape[:-1] + b.shape[:-1]."""
    return a * b if not typeof(a).ndim or not typeof(b).ndim else tensordot(a, b, (-1, -1))


def dot(a: Array, b: Array) -> Array:
    """NumPy's dot: over the last axis of `a` and the last but one (or only) of `b`; with a number, the plain product."""
    ranks = typeof(a).ndim, typeof(b).ndim
    if 0 in ranks:
        return a * b
    return matmul(a, b) if ranks[1] <= 2 else tensordot(a, b, (-1, -2))


def kron(a: Array, b: Array) -> Array:
    """Kronecker product: `a` with each element replaced by that element times `b`."""
    rank = max(typeof(a).ndim, typeof(b).ndim)
    sides = [(1,) * (rank - typeof(x).ndim) + typeof(x).shape for x in (a, b)]
    spread = [[n for pair in zip(*((s, (1,) * rank) if first else ((1,) * rank, s))) for n in pair]
              for s, first in zip(sides, (True, False))]
    return reshape(reshape(a, spread[0]) * reshape(b, spread[1]), [m * n for m, n in zip(*sides)])
