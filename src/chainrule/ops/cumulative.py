"""A cumulative operation folds an array along one axis and keeps every step on the way."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Array, Type, broadcast, is_float, normal_axis, promote, typeof
from chainrule.errors import ArgumentError

from .broadcasting import astype, broadcast_to, chain, like, reshape
from .choice import where
from .comparison import isfinite
from .exponential import exp
from .families import arrays, linear, primitive, several
from .indexing import embed, getitem
from .joining import concat


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """What picks `index` on one axis, and all of the axes before it."""
    return (*[slice(None)] * axis, index)


def backwards(x: Array, axis: int, reverse: bool) -> Array:
    """A view of a NumPy array that runs the other way, if asked for."""
    return x[along(axis, slice(None, None, -1))] if reverse else x


@linear(
    transpose=lambda g, x, axis, by: shifted(g, axis=axis, by=-by), result=lambda t, axis, by: t,
    batch=lambda t, axis, by: {"axis": axis + 1, "by": by},
    samples=several(arrays((3, 4), axis=1, by=1), arrays((3, 4), axis=0, by=-2)))
def shifted(x: Array, *, axis: int, by: int) -> Array:
    """The elements moved `by` places along an axis; what leaves is lost, and zeros follow."""
    out = np.zeros_like(x)
    n = x.shape[axis]
    by = min(max(by, -n), n)
    out[along(axis, slice(max(by, 0), n + min(by, 0)))] = x[along(axis, slice(max(-by, 0), n - max(by, 0)))]
    return out


# ---------------------------------------------------------------------------------------- sums
def cumulative_prepare(name: str) -> Any:
    def prepare(x: Array, axis: int | None = None, dtype: Any = None, *, reverse: bool = False) -> Any:
        if dtype is not None:
            x = astype(x, dtype)
        if axis is None and typeof(x).ndim != 1:
            x = reshape(x, (-1,))
        return (x,), {"axis": normal_axis(name, axis or 0, typeof(x).ndim), "reverse": reverse}
    return prepare


def cumulative_type(t: Type, axis: int, reverse: bool) -> Type:
    """Floats keep their dtype; integers and booleans are folded in the default integer, as NumPy does."""
    return Type(t.shape, t.dtype if is_float(t.dtype) else np.cumsum(np.empty((0,), t.dtype)).dtype)


@linear(
    transpose=lambda g, x, axis, reverse: cumsum(g, axis=axis, reverse=not reverse), result=cumulative_type,
    batch=lambda t, axis, reverse: {"axis": axis + 1, "reverse": reverse}, prepare=cumulative_prepare("cumsum"),
    samples=several(arrays((3, 4), axis=-1), arrays((3, 4), axis=0, reverse=True), arrays((2, 3))))
def cumsum(x: Array, *, axis: int, reverse: bool) -> Array:
    """The sum of the elements so far along an axis, or with `reverse` from here to the end; axis None flattens first."""
    return backwards(np.cumsum(backwards(x, axis, reverse), axis), axis, reverse)


# ---------------------------------------------------------------------------------------- recurrences
def recurrence_prepare(a: Array, b: Array, axis: int = -1, *, reverse: bool = False) -> Any:
    if typeof(a).shape != typeof(b).shape:
        shape = broadcast("linear_recurrence", typeof(a), typeof(b))
        a, b = broadcast_to(a, shape), broadcast_to(b, shape)
    return (a, b), {"axis": normal_axis("linear_recurrence", axis, typeof(b).ndim), "reverse": reverse}


def recurrence_tangent(tangents: list[Array | None], y: Array, a: Array, b: Array, axis: int, reverse: bool) -> Array:
    ta, tb = tangents
    drive = 0.0 if ta is None else ta * shifted(y, axis=axis, by=-1 if reverse else 1)
    return linear_recurrence(a, like(drive if tb is None else drive + tb, y), axis=axis, reverse=reverse)


def recurrence_batch(flags: list[bool], a: Array, b: Array, axis: int, reverse: bool) -> Array:
    shape = typeof(a if flags[0] else b).shape
    return linear_recurrence(broadcast_to(a, shape), broadcast_to(b, shape), axis=axis + 1, reverse=reverse)


def adjoint(g: Array, a: Array, axis: int, reverse: bool) -> Array:
    """What reaches each term of a recurrence: its own gradient, and through the next step what reached that one."""
    return linear_recurrence(shifted(a, axis=axis, by=1 if reverse else -1), g, axis=axis, reverse=not reverse)


@primitive(
    backward=(lambda g, y, a, b, axis, reverse:
              like(adjoint(g, a, axis, reverse) * shifted(y, axis=axis, by=-1 if reverse else 1), a),
              lambda g, y, a, b, axis, reverse: like(adjoint(g, a, axis, reverse), b)),
    tangent=recurrence_tangent, batch=recurrence_batch,
    result=lambda a, b, axis, reverse: Type(a.shape, promote(a, b)), prepare=recurrence_prepare,
    samples=several(arrays((3, 4), (3, 4), axis=1), arrays((3, 4), (3, 4), axis=0, reverse=True)),
    tex="y_i = {0}_i y_{{i-1}} + {1}_i")
def linear_recurrence(a: Array, b: Array, *, axis: int, reverse: bool) -> Array:
    """`y[i] = a[i] * y[i-1] + b[i]` along an axis, from 0, or with `reverse` from the end: discounted sums, moving averages.

    `a` and `b` broadcast. The gradient is a recurrence too, in the other direction.

    >>> import chainrule as cr, numpy as np
    >>> cr.linear_recurrence(0.5, np.array([1.0, 0.0, 0.0]))
    array([1.  , 0.5 , 0.25])
    """
    factors, terms = (np.moveaxis(backwards(x, axis, reverse), axis, 0) for x in (a, b))
    out = np.empty(terms.shape, np.result_type(a, b))
    out[:1] = terms[:1]  # not 0 times the first factor, which may be infinite
    for i in range(1, len(terms)):
        out[i] = factors[i] * out[i - 1] + terms[i]
    return backwards(np.moveaxis(out, 0, axis), axis, reverse)


# ---------------------------------------------------------------------------------------- products
def before(y: Array, axis: int, reverse: bool) -> Array:
    """Of a cumulative product, the product of the elements strictly before each: 1 for the first."""
    first = np.zeros(typeof(y).shape, typeof(y).dtype)
    first[along(axis, slice(-1, None) if reverse else slice(0, 1))] = 1
    return shifted(y, axis=axis, by=-1 if reverse else 1) + first


@primitive(
    backward=(lambda g, y, x, axis, reverse: before(y, axis, reverse) * adjoint(g, x, axis, reverse),),
    tangent=lambda tangents, y, x, axis, reverse: linear_recurrence(
        x, tangents[0] * before(y, axis, reverse), axis=axis, reverse=reverse),
    result=cumulative_type, batch=lambda flags, x, axis, reverse: cumprod(x, axis=axis + 1, reverse=reverse),
    prepare=cumulative_prepare("cumprod"),
    samples=several(arrays((3, 4), axis=-1), arrays((3, 4), axis=0, reverse=True), arrays((2, 3))))
def cumprod(x: Array, *, axis: int, reverse: bool) -> Array:
    """The product of the elements so far along an axis, or with `reverse` from here to the end; axis None flattens first.

    The gradient never divides, so it is exact where elements are zero.
    """
    return backwards(np.cumprod(backwards(x, axis, reverse), axis), axis, reverse)


# ---------------------------------------------------------------------------------------- sums of exponentials
def decay(y: Array, axis: int) -> Array:
    """The part of each step's sum of exponentials that its predecessor had already, 1 where both are nothing."""
    difference = shifted(y, axis=axis, by=1) - y
    return exp(where(isfinite(y), difference, 0.0))


def fresh(y: Array, x: Array) -> Array:
    """The part of each step's sum of exponentials that its own summand brings."""
    return exp(where(isfinite(y), x - y, -np.inf))


def logcumsumexp_back(g: Array, y: Array, x: Array, axis: int) -> Array:
    steps = adjoint(g, decay(y, axis), axis, False)
    return chain(steps, fresh(y, x))


@primitive(
    backward=(logcumsumexp_back,), result=lambda t, axis: t,
    tangent=lambda tangents, y, x, axis: linear_recurrence(decay(y, axis), chain(tangents[0], fresh(y, x)), axis=axis),
    batch=lambda flags, x, axis: logcumsumexp(x, axis=axis + 1),
    prepare=lambda x, axis=-1: ((x,), {"axis": normal_axis("logcumsumexp", axis, typeof(x).ndim)}),
    samples=several(arrays((3, 4), axis=1), arrays((4, 2), axis=0)))
def logcumsumexp(x: Array, *, axis: int) -> Array:
    """The logarithm of the sum of the exponentials so far along an axis; it neither overflows nor underflows."""
    return np.logaddexp.accumulate(x, axis)


# ---------------------------------------------------------------------------------------- by the standard's names
def only_axis(name: str, x: Array, axis: int | None) -> int:
    """The axis to fold along: it may be left out where there is only one."""
    ndim = typeof(x).ndim
    if axis is None and ndim > 1:
        raise ArgumentError(f"{name}: {typeof(x)} has {ndim} axes; say along which with axis=.")
    return normal_axis(name, axis or 0, ndim)


def after_initial(y: Array, axis: int) -> Array:
    """The steps with a zero in front."""
    shape = typeof(y).shape
    return embed(y, shape=(*shape[:axis], shape[axis] + 1, *shape[axis + 1:]), key=along(axis, slice(1, None)))


def cumulative_sum(x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """The sums of the first elements along an axis, which may be left out where there is only one.

    `include_initial` puts the sum of no elements, 0, in front.

    >>> import chainrule as cr, numpy as np
    >>> cr.cumulative_sum(np.array([1.0, 2.0, 3.0]), include_initial=True)
    array([0., 1., 3., 6.])
    """
    place = only_axis("cumulative_sum", x, axis)
    y = cumsum(x, place, dtype)
    return after_initial(y, place) if include_initial else y


def cumulative_prod(x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """The products of the first elements along an axis, which may be left out where there is only one.

    `include_initial` puts the product of no elements, 1, in front.
    """
    place = only_axis("cumulative_prod", x, axis)
    y = cumprod(x, place, dtype)
    if not include_initial:
        return y
    shape, kind = typeof(y)[:2]
    first = np.zeros((*shape[:place], shape[place] + 1, *shape[place + 1:]), kind)
    first[along(place, 0)] = 1
    return after_initial(y, place) + first


def diff(x: Array, n: int = 1, axis: int = -1, prepend: Array = None, append: Array = None) -> Array:
    """The differences of neighbours along an axis, taken `n` times; `prepend` and `append` are put at the ends first.

    >>> import chainrule as cr, numpy as np
    >>> cr.diff(np.array([1.0, 4.0, 9.0]))
    array([3., 5.])
    """
    place = normal_axis("diff", axis, typeof(x).ndim)
    if n < 0:
        raise ArgumentError(f"diff: n={n}, but differences are taken 0 times or more.")
    shape = typeof(x).shape
    ends = [broadcast_to(end, (*shape[:place], 1, *shape[place + 1:])) if end is not None and typeof(end).ndim == 0 else end
            for end in (prepend, append)]
    x = concat(*(piece for piece in (ends[0], x, ends[1]) if piece is not None), axis=place)
    for _ in range(n):
        x = getitem(x, along(place, slice(1, None))) - getitem(x, along(place, slice(None, -1)))
    return x
