"""A statistic sums up a sample in one number: where it lies, and how widely it spreads."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.type import Array, Shape, Type, normal_axes, typeof

from .broadcasting import broadcast_to, reshape, spread
from .choice import where
from .comparison import equal, isnan
from .families import arrays, composite, linear, past_batch, reduced, reduced_shape, several
from .indexing import getitem
from .reduction import EVERY_OPTION, check_filled, count, in_one_row, reduced_dtype, reduction
from .sorting import sort


def mean_back(g: Array, x: Array, axis: Shape, keepdims: bool) -> Array:
    return broadcast_to(spread(g, x, axis, keepdims) / count(x, axis), shape=typeof(x).shape)


@linear(transpose=mean_back, batch=lambda t, axis, keepdims: {"axis": past_batch(axis), "keepdims": keepdims},
        result=lambda t, axis, keepdims: Type(reduced_shape(t.shape, axis, keepdims), reduced_dtype(np.mean, t.dtype)),
        prepare=reduced("mean"), samples=EVERY_OPTION, tex=r"\operatorname{{mean}} {0}")
def mean(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """The arithmetic mean along `axis` (an int, a tuple of ints, or None for all)."""
    return np.mean(x, axis=axis, keepdims=keepdims)


@linear(
    transpose=lambda g, x, axis: centred(g, axis=axis), result=lambda t, axis: t,
    batch=lambda t, axis: {"axis": past_batch(axis)}, tex=r"\operatorname{{centred}} {0}",
    prepare=lambda x, axis=None: ((x,), {"axis": normal_axes("centred", axis, typeof(x).ndim)}),
    samples=several(arrays((3, 4), axis=1), arrays((2, 3, 4), axis=(0, 2))))
def centred(x: Array, *, axis: Shape) -> Array:
    """The distances of the elements from their mean. The mean is corrected once, so that a constant gives exactly 0."""
    rough = np.mean(x, axis=axis, keepdims=True)
    return x - (rough + np.mean(x - rough, axis=axis, keepdims=True))


def spread_prepare(name: str) -> Callable[..., Any]:
    def prepare(x: Array, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
        args, params = reduced(name)(x, axis, keepdims)
        return args, {**params, "correction": float(correction)}
    return prepare


def freedom(x: Array, axis: Shape, correction: float) -> float:
    n = count(x, axis)
    return n - correction if n > correction else 0.0


SPREADS = several(EVERY_OPTION, arrays((3, 4), axis=0, correction=1))


@reduction(lambda y, x, axis, correction: 2.0 * centred(x, axis=axis) / freedom(x, axis, correction),
           samples=SPREADS, prepare=spread_prepare("var"), tex=r"\operatorname{{var}} {0}")
def var(x: Array, *, axis: Shape, keepdims: bool, correction: float = 0.0) -> Array:
    """The variance along `axis`: the mean square distance from the mean, over `n - correction`, in two passes."""
    distances = centred.forward(x, axis=axis)
    return np.divide(np.sum(distances * distances, axis=axis, keepdims=keepdims), freedom(x, axis, correction))


def std_slope(y: Array, x: Array, axis: Shape, correction: float) -> Array:
    """(x - mean) / ((n - correction) y), and 0 where all are equal: the least steep of the slopes that meet there."""
    constant = equal(y, 0)
    unit = centred(x, axis=axis) / where(constant, 1.0, y)
    return where(constant, 0.0, unit / freedom(x, axis, correction))


@reduction(std_slope, samples=several(*[arrays(shape, **options) for shape, options in (
               ((3, 4), {}), ((3, 4), {"axis": -1}), ((2, 3, 4), {"axis": (0, 2), "keepdims": True}),
               ((3, 4), {"axis": 0, "correction": 1}))]),
           prepare=spread_prepare("std"), tex=r"\operatorname{{std}} {0}")
def std(x: Array, *, axis: Shape, keepdims: bool, correction: float = 0.0) -> Array:
    """The standard deviation along `axis`, the root of `var`; where all elements are equal, its gradient is 0."""
    return np.sqrt(var.forward(x, axis=axis, keepdims=keepdims, correction=correction))




@composite(prepare=reduced("median"), samples=several(*[arrays(shape, **options) for shape, options in (
    ((3, 4), {}), ((3, 5), {"axis": -1}), ((2, 3, 4), {"axis": (0, 2), "keepdims": True}))]),
    tex=r"\operatorname{{median}} {0}")
def median(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    """The middle element along `axis`, or the mean of the two in the middle; NaN if an element is NaN."""
    check_filled("median", typeof(x), axis)
    row = in_one_row(x, axis)
    n = typeof(row).shape[-1]
    ordered = sort(row)  # NaN comes last
    lower, upper, last = (getitem(ordered, (Ellipsis, i)) for i in ((n - 1) // 2, n // 2, n - 1))
    y = where(isnan(last), last, upper * 1.0 if n % 2 else lower * 0.5 + upper * 0.5)
    return reshape(y, reduced_shape(typeof(x).shape, axis, True)) if keepdims else y
