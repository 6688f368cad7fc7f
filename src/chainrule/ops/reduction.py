"""A reduction folds whole axes into one number each; its derivative is one slope for each element that went in."""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.core.primitive import Generator, Primitive, Rule, Sample
from chainrule.core.type import Array, Shape, Type, typeof
from chainrule.errors import ShapeError

from .arithmetic import divide
from .broadcasting import astype, chain, reshape, spread, stop_gradient, sum
from .choice import where
from .comparison import equal, indicator, isfinite
from .cumulative import before, cumprod
from .exponential import exp, log
from .families import Declaration, Samples, arrays, past_batch, primitive, reduced, reduced_shape, several
from .movement import permute_dims


def check_filled(name: str, t: Type, axis: Shape) -> None:
    """Raise the error for an array in which there is nothing to choose from."""
    if 0 in [t.shape[a] for a in axis]:
        raise ShapeError(f"{name}: {t} has nothing along axis {axis} to choose from. Check that the array is not empty.")


def reduction(slope: Rule | None, *, samples: Samples, empty: bool = True, tex: str | None = None,
              prepare: Callable[..., Any] | None = None, body: Callable[..., Any] | None = None,
              native: Callable[..., Any] | None = None) -> Declaration:
    """An operation that folds the axes `axis` into one number.

    `slope(y, x, axis, **options)` is its local derivative in each element of `x`, where `y` is the result with its axes back;
    None where nothing flows. `empty` says whether nothing at all can be folded. `body` opens it into smaller operations;
    `native` is NumPy's own function, where it does exactly this.
    """
    def back(g: Array, y: Array, x: Array, axis: Shape, keepdims: bool, **options: Any) -> Array:
        assert slope is not None
        return chain(spread(g, x, axis, keepdims), slope(spread(y, x, axis, keepdims), x, axis, **options))

    def tangent(tangents: list[Array], y: Array, x: Array, axis: Shape, keepdims: bool, **options: Any) -> Array:
        assert slope is not None
        return sum(chain(tangents[0], slope(spread(y, x, axis, keepdims), x, axis, **options)), axis=axis, keepdims=keepdims)

    def declare(forward: Callable[..., Any]) -> Primitive:
        def result(t: Type, axis: Shape, keepdims: bool, **options: Any) -> Type:
            if not empty:
                check_filled(forward.__name__, t, axis)
            return Type(reduced_shape(t.shape, axis, keepdims), reduced_dtype(native or forward, t.dtype))
        prim = primitive(
            backward=(back if slope else None,), tangent=tangent, result=result, samples=samples, tex=tex, body=body,
            native=native, batch=lambda flags, x, axis, **options: prim(x, axis=past_batch(axis), **options),
            prepare=prepare or reduced(forward.__name__))(forward)
        return prim
    return declare


@lru_cache(maxsize=512)
def reduced_dtype(forward: Callable[..., Any], dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.asarray(forward(np.ones((2,), dtype), axis=(0,), keepdims=False)).dtype


EVERY_OPTION = several(arrays((3, 4)), arrays((3, 4), axis=-1), arrays((2, 3, 4), axis=(0, -1), keepdims=True), arrays(()))


def count(x: Array, axis: Shape) -> int:
    """How many elements fold into one."""
    shape = typeof(x).shape
    return int(np.prod([shape[a] for a in axis], dtype=np.int64))


# ---------------------------------------------------------------------------------------- the greatest and the least
def shared(chosen: Array, y: Array, axis: Shape) -> Array:
    """An equal share for each element chosen, which add up to 1."""
    mask = indicator(chosen, y)
    return mask / sum(mask, axis=axis, keepdims=True)


@reduction(lambda y, x, axis: shared(equal(x, y), y, axis), samples=EVERY_OPTION, empty=False, tex=r"\max {0}",
           native=np.maximum.reduce)
def max(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """The greatest element along `axis`, NaN if one of them is; equal ones share the gradient."""


@reduction(lambda y, x, axis: shared(equal(x, y), y, axis), samples=EVERY_OPTION, empty=False, tex=r"\min {0}",
           native=np.minimum.reduce)
def min(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """The least element along `axis`, NaN if one of them is; equal ones share the gradient."""


# ---------------------------------------------------------------------------------------- products
def axes_last(ndim: int, axis: Shape) -> Shape:
    """The order of axes that puts `axis` behind the others."""
    return (*(i for i in range(ndim) if i not in axis), *axis)


def in_one_row(x: Array, axis: Shape) -> Array:
    """`x` with the axes `axis` made into one, the last."""
    shape = typeof(x).shape
    row = (*reduced_shape(shape, axis, False), count(x, axis))
    order = axes_last(len(shape), axis)
    if order != tuple(range(len(shape))):
        x = permute_dims(x, axes=order)
    return x if len(axis) == 1 else reshape(x, shape=row)


def product_of_others(y: Array, x: Array, axis: Shape) -> Array:
    """For each element the product of those before it and of those after it: no division, so zeros do no harm."""
    row = in_one_row(x, axis)
    last = typeof(row).ndim - 1
    up, down = (before(cumprod(row, axis=last, reverse=reverse), last, reverse) for reverse in (False, True))
    shape = typeof(x).shape
    order = axes_last(len(shape), axis)
    return permute_dims(reshape(up * down, shape=tuple(shape[i] for i in order)), axes=tuple(map(order.index, range(len(shape)))))


def zeros_too(rng: Generator) -> list[Sample]:
    x = rng.uniform(0.5, 2, (3, 4))
    x[0, 1] = x[1, 0] = x[1, 2] = 0.0
    return [Sample((x,), {"axis": 1})]


def prod_prepare(x: Array, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    return reduced("prod")(x if dtype is None else astype(x, dtype), axis, keepdims)


@reduction(product_of_others, samples=several(EVERY_OPTION, zeros_too), prepare=prod_prepare, tex=r"\prod {0}",
           native=np.multiply.reduce)
def prod(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """The product along `axis`; the gradient never divides, so it is exact where elements are zero, at every order."""


# ---------------------------------------------------------------------------------------- exponentials
def weights(y: Array, x: Array, axis: Shape) -> Array:
    """The softmax of `x`, the slope of its logsumexp; 0 in a row of nothing but -inf."""
    top = stop_gradient(max(x, axis=axis, keepdims=True))
    e = exp(x - where(isfinite(top), top, 0.0))
    total = sum(e, axis=axis, keepdims=True)
    return divide(e, where(equal(total, 0), 1.0, total))


def logsumexp_parts(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """The greatest is taken off first, so that no exponential overflows, and put back at the end."""
    top = stop_gradient(max(x, axis=axis, keepdims=True))
    y = log(sum(exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else reshape(y, reduced_shape(typeof(x).shape, axis, False))


@reduction(weights, samples=EVERY_OPTION, empty=False, tex=r"\log \sum e^{{{0}}}", body=logsumexp_parts)
def logsumexp(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """The logarithm of the sum of exponentials along `axis`; neither overflows nor underflows, and its gradient is the softmax.

    A row of nothing but -inf gives -inf, with a gradient of 0.
    """
    top = np.max(x, axis=axis, keepdims=True)
    safe = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - safe), axis=axis, keepdims=True)) + safe
    return y if keepdims else np.reshape(y, reduced_shape(x.shape, axis, False))


# ---------------------------------------------------------------------------------------- questions
@reduction(None, samples=EVERY_OPTION, native=np.logical_and.reduce)
def all(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """Whether all elements along `axis` are true, that is, not zero."""


@reduction(None, samples=EVERY_OPTION, native=np.logical_or.reduce)
def any(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """Whether at least one element along `axis` is true, that is, not zero."""


@reduction(None, samples=EVERY_OPTION)
def count_nonzero(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """How many elements along `axis` are not zero."""
    return np.count_nonzero(x, axis=axis, keepdims=keepdims)
