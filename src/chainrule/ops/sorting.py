"""Sorting puts elements in order; the gradient of each follows it back to where it stood."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.primitive import Generator, Sample
from chainrule.core.type import Array, Type, normal_axis, typeof
from chainrule.errors import ArgumentError

from .families import arrays, primitive, several
from .gathering import take_along_axis
from .indexing import getitem


def order_prepare(name: str) -> Any:
    def prepare(x: Array, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
        return (x,), {"axis": normal_axis(name, axis, typeof(x).ndim), "descending": bool(descending), "stable": bool(stable)}
    return prepare


def with_ties(rng: Generator) -> list[Sample]:
    x = rng.integers(0, 3, (3, 5)).astype(float)
    return [Sample((x,), {"axis": 1, "descending": d}, smooth=False) for d in (False, True)]


ORDER_SAMPLES = several(arrays((3, 4)), arrays((4, 3), axis=0, descending=True), arrays((4,), stable=False), with_ties)


@primitive(
    backward=(None,), result=lambda t, **options: Type(t.shape, np.dtype(np.intp)), prepare=order_prepare("argsort"),
    batch=lambda flags, x, axis, **options: argsort(x, axis=axis + 1, **options), samples=ORDER_SAMPLES)
def argsort(x: Array, *, axis: int, descending: bool, stable: bool) -> Array:
    """The places of the elements along an axis, in increasing order of the elements, or decreasing.

    With `stable`, equal elements keep their order. NaN counts as the greatest.
    """
    kind: Any = "stable" if stable else None
    if not descending:
        return np.argsort(x, axis, kind=kind)
    backwards = np.argsort(np.flip(x, axis), axis, kind=kind)
    return x.shape[axis] - 1 - np.flip(backwards, axis)


def sort_back(g: Array, y: Array, x: Array, axis: int, **options: Any) -> Array:
    """Each gradient goes where its element came from: the order's inverse is the order of the order."""
    order = argsort(x, axis=axis, **options)
    return take_along_axis(g, argsort(order, axis=axis), axis=axis)


@primitive(
    backward=(sort_back,), result=lambda t, **options: t, prepare=order_prepare("sort"),
    tangent=lambda tangents, y, x, axis, **options: take_along_axis(
        tangents[0], argsort(x, axis=axis, **options), axis=axis),
    batch=lambda flags, x, axis, **options: sort(x, axis=axis + 1, **options), samples=ORDER_SAMPLES)
def sort(x: Array, *, axis: int, descending: bool, stable: bool) -> Array:
    """The elements along an axis in increasing order, or decreasing; NaN counts as the greatest.

    Equal elements hand their gradients back in the order in which they stood, unless `stable` is False.
    """
    made = np.sort(x, axis, kind="stable" if stable else None)
    return np.flip(made, axis) if descending else made


def topk(x: Array, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
    """The `k` greatest elements along an axis, greatest first (with `largest=False` the least), and their places.

    They always come in order; `sorted` is accepted for PyTorch's sake. Raises ArgumentError where there are fewer than `k`.

    >>> import chainrule as cr, numpy as np
    >>> cr.topk(np.array([1.0, 4.0, 2.0]), 2)
    (array([4., 2.]), array([1, 2]))
    """
    place = normal_axis("topk", axis, typeof(x).ndim)
    n = typeof(x).shape[place]
    if not 0 <= k <= n:
        raise ArgumentError(f"topk: k={k}, but there are {n} elements along axis {place} of {typeof(x)}.")
    order = getitem(argsort(x, axis=place, descending=largest), (*[slice(None)] * place, slice(k)))
    return take_along_axis(x, order, axis=place), order


# ---------------------------------------------------------------------------------------- the greatest so far
def record_samples(rng: Generator) -> list[Sample]:
    return [*arrays((3, 4), axis=1)(rng), Sample((rng.integers(0, 3, (4, 3)).astype(float),), {"axis": 0}, smooth=False)]


def records(name: str, accumulate: Any) -> Any:
    """The operation that finds the place of the greatest (or least) element so far; cummax and cummin take from there."""
    def forward(x: Array, *, axis: int) -> Array:
        """The place of the last element so far that is as great (or little) as any; NaN beats all."""
        best = accumulate(x, axis)
        places = np.arange(x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        return np.maximum.accumulate(np.where((x == best) | np.isnan(x), places, 0), axis)

    forward.__name__ = name
    prim = primitive(
        backward=(None,), result=lambda t, axis: Type(t.shape, np.dtype(np.intp)), samples=record_samples,
        batch=lambda flags, x, axis: prim(x, axis=axis + 1),
        prepare=lambda x, axis=-1: ((x,), {"axis": normal_axis(name, axis, typeof(x).ndim)}))(forward)
    return prim


argcummax = records("argcummax", np.maximum.accumulate)
argcummin = records("argcummin", np.minimum.accumulate)


def cummax(x: Array, axis: int) -> tuple[Array, Array]:
    """The greatest element so far along an axis, and its place, the last of equal ones, which gets the gradient."""
    places = argcummax(x, axis)
    return take_along_axis(x, places, axis), places


def cummin(x: Array, axis: int) -> tuple[Array, Array]:
    """The least element so far along an axis, and its place, the last of equal ones, which gets the gradient."""
    places = argcummin(x, axis)
    return take_along_axis(x, places, axis), places
