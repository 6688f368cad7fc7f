"""A search answers with places, which are integers: it tells where, and no gradient flows through the answer."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from chainrule.core.interpreter import concrete
from chainrule.core.primitive import Sample
from chainrule.core.type import Array, Type, normal_axis, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import reshape
from .families import Samples, arrays, one_by_one, primitive, reduced_shape, several
from .indexing import getitem

INDEX = np.dtype(np.intp)
Side = Literal["left", "right"]


# ---------------------------------------------------------------------------------------- the greatest and the least
def arg_prepare(name: str) -> Callable[..., Any]:
    def prepare(x: Array, axis: int | None = None, keepdims: bool = False) -> Any:
        place = None if axis is None else normal_axis(name, axis, typeof(x).ndim)
        return (x,), {"axis": place, "keepdims": bool(keepdims)}
    return prepare


def arg_type(t: Type, axis: int | None, keepdims: bool) -> Type:
    axes = tuple(range(t.ndim)) if axis is None else (axis,)
    if 0 in [t.shape[a] for a in axes]:
        raise ShapeError(f"argmax, argmin: {t} has nothing to choose from. Check that the array is not empty.")
    return Type(reduced_shape(t.shape, axes, keepdims), INDEX)


def arg_batch(search: Callable[..., Array], x: Array, axis: int | None, keepdims: bool) -> Array:
    if axis is not None:
        return search(x, axis=axis + 1, keepdims=keepdims)
    size, *rest = typeof(x).shape
    found = search(reshape(x, (size, -1)), axis=1, keepdims=False)
    return reshape(found, (size, *[1] * len(rest))) if keepdims else found


ARG_SAMPLES = several(arrays((3, 4)), arrays((3, 4), axis=-1), arrays((2, 3), axis=0, keepdims=True),
                      arrays((2, 3), keepdims=True))


@primitive(backward=(None,), result=arg_type, prepare=arg_prepare("argmax"), samples=ARG_SAMPLES,
           batch=lambda flags, x, axis, keepdims: arg_batch(argmax, x, axis, keepdims), tex=r"\operatorname{{arg\,max}} {0}")
def argmax(x: Array, *, axis: int | None, keepdims: bool) -> Array:
    """The place of the greatest element along an axis, the first of equal ones; with axis None, in the flattened array."""
    return np.argmax(x, axis=axis, keepdims=keepdims)


@primitive(backward=(None,), result=arg_type, prepare=arg_prepare("argmin"), samples=ARG_SAMPLES,
           batch=lambda flags, x, axis, keepdims: arg_batch(argmin, x, axis, keepdims), tex=r"\operatorname{{arg\,min}} {0}")
def argmin(x: Array, *, axis: int | None, keepdims: bool) -> Array:
    """The place of the least element along an axis, the first of equal ones; with axis None, in the flattened array."""
    return np.argmin(x, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------- among sorted ones
def searchsorted_prepare(x1: Array, x2: Array, side: Side = "left", sorter: Array = None) -> Any:
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side={side!r} is neither 'left' nor 'right'.")
    return (x1 if sorter is None else getitem(x1, sorter), x2), {"side": side}


def searchsorted_type(x1: Type, x2: Type, side: Side) -> Type:
    if x1.ndim != 1:
        raise ShapeError(f"searchsorted: the sorted numbers have one axis, not {x1}. Search row by row with cr.vmap.")
    return Type(x2.shape, INDEX)


def searchsorted_batch(flags: list[bool], x1: Array, x2: Array, side: Side) -> Array:
    if flags[0]:  # NumPy searches in one row at a time
        return one_by_one(searchsorted, flags, x1, x2, side=side)
    return searchsorted(x1, x2, side=side)


def sorted_first(side: Side) -> Samples:
    return lambda rng: [Sample((np.sort(rng.uniform(size=5)), rng.uniform(size=(2, 3))), {"side": side})]


@primitive(
    backward=(None, None), result=searchsorted_type, batch=searchsorted_batch, prepare=searchsorted_prepare,
    samples=several(sorted_first(side="left"), sorted_first(side="right")))
def searchsorted(x1: Array, x2: Array, *, side: Side) -> Array:
    """Where each of `x2` belongs among the sorted numbers `x1`, before equal ones (side "left") or after them ("right").

    `sorter` gives the order that sorts `x1`, if it is not sorted itself.
    """
    return np.searchsorted(x1, x2, side)


def nonzero(x: Array, /) -> tuple[Array, ...]:
    """The places of the elements that are not zero: one integer array for each axis.

    How many there are depends on the numbers, so a staged value is refused (StagingError), and a batched one too: use
    cr.where(condition, a, b), which keeps the shape.
    """
    values = concrete(x, "nonzero, which gives as many places as there are elements other than zero,")
    if values.ndim == 0:
        raise ShapeError("nonzero: a single number has no places. Reshape it to (1,) first.")
    return np.nonzero(values)
