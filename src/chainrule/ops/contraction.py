"""A contraction multiplies arrays and sums over the indices they share: matrix products, and einsum, which is all of them."""
from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from chainrule.core.primitive import Sample
from chainrule.core.type import Array, Type, broadcast, normal_axis, promote, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import align, chain, like, reshape, unbroadcast
from .einsum import LETTERS, einsum
from .families import arrays, body_batch, primitive, several
from .matmul import chain_matmul, fit, matmul, unlisted
from .movement import moveaxis


# ---------------------------------------------------------------------------------------- linear
def linear_type(x: Type, weight: Type, bias: Type | None) -> Type:
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ShapeError(f"linear: x is {x} and the weight {weight}: the last axis of x must be as long as the second axis of "
                         "the weight, whose shape is (out, in).")
    if bias is not None and bias.shape not in ((), weight.shape[:1]):
        raise ShapeError(f"linear: the bias is {bias}; the weight {weight} has {weight.shape[0]} outputs, so give shape "
                         f"({weight.shape[0]},).")
    return Type((*x.shape[:-1], weight.shape[0]), promote(*(t for t in (x, weight, bias) if t is not None)))


def linear_prepare(x: Array, weight: Array, bias: Array | None = None) -> Any:
    if type(x) is list or type(weight) is list:
        x, weight = unlisted(x), unlisted(weight)
    return (x, weight, bias), {}


def linear_body(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x Wᵀ + b."""
    y = matmul(x, weight.mT)
    return y if bias is None else y + bias


def linear_weight(g: Array, y: Array, x: Array, weight: Array, bias: Array | None) -> Array:
    """dW = Gᵀ X, over all examples at once."""
    if x.ndim != 2:
        rows = prod(x.shape[:-1])
        x, g = reshape(x, (rows, x.shape[-1])), reshape(g, (rows, g.shape[-1]))
    return fit(chain_matmul(g.mT, x), weight)


def linear_tangent(tangents: list[Array | None], y: Array, x: Array, weight: Array, bias: Array | None) -> Array:
    tx, tw, tb = tangents
    moved = [d for d in (None if tx is None else chain_matmul(tx, weight.mT),
                         None if tw is None else chain_matmul(x, tw.mT), tb)
             if d is not None]
    return like(sum(moved[1:], moved[0]), y)


@primitive(
    backward=(lambda g, y, x, weight, bias: fit(chain_matmul(g, weight), x), linear_weight,
              lambda g, y, x, weight, bias: unbroadcast(g, bias)),
    tangent=linear_tangent, result=linear_type, body=linear_body,
    batch=lambda flags, *args: linear(*args) if flags[1:] == [False, False] else body_batch(linear_body)(flags, *args),
    prepare=linear_prepare,
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
    y = x.dot(weight.T) if x.ndim == 2 else matmul.forward(x, weight.T)
    if bias is None:
        return y
    return np.add(y, bias, y) if y.dtype is bias.dtype and y.ndim else y + bias


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


def bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None = None) -> Array:
    """`y_o = sum of a_i W_oij b_j, plus bias_o`, on the last axes: (..., I), (..., J) and weight (O, I, J) to (..., O).

    The inputs are alike up to their last axes. As `torch.nn.functional.bilinear`.
    """
    out, rows, columns = typeof(weight).shape
    front = typeof(input1).shape[:-1]
    half = matmul(input1, reshape(moveaxis(weight, 1, 0), (rows, out * columns)))
    y = reshape(matmul(reshape(half, (*front, out, columns)), reshape(input2, (*front, columns, 1))), (*front, out))
    return y if bias is None else y + bias


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
