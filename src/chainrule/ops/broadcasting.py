"""Broadcasting repeats an array to the shape of another; the operations here do it, and undo it on the way back."""
from __future__ import annotations

import math
from math import prod
from typing import Any

import numpy as np

from chainrule.core.reverse import optimistic
from chainrule.core.type import Array, Shape, Type, broadcast, is_float, normal_axes, normal_shape, promote, typeof
from chainrule.errors import ShapeError

from .families import arrays, linear, past_batch, primitive, reduced_shape, several


@primitive(
    backward=(lambda g, y, x, dtype: cast(g, dtype=typeof(x).dtype),),
    tangent=lambda tangents, y, x, dtype: cast(tangents[0], dtype=dtype),
    result=lambda t, dtype: Type(t.shape, dtype), batch=lambda flags, x, dtype: cast(x, dtype=dtype),
    samples=arrays((3, 4), dtype=np.dtype("float64")), tex="{0}")
def cast(x: Array, *, dtype: np.dtype[Any]) -> Array:
    """The same values in another floating dtype."""
    return np.asarray(x).astype(dtype, copy=False)


@primitive(
    backward=(None,), result=lambda t, dtype: Type(t.shape, dtype),
    batch=lambda flags, x, dtype: integer_cast(x, dtype=dtype), samples=arrays((3, 4), dtype=np.dtype("int64"), smooth=False))
def integer_cast(x: Array, *, dtype: np.dtype[Any]) -> Array:
    """The values cut to integers or booleans, where no gradient flows."""
    return np.asarray(x).astype(dtype, copy=False)


@primitive(
    backward=(None,), result=lambda t: t, batch=lambda flags, x: stop_gradient(x), samples=arrays((3, 4), smooth=False))
def stop_gradient(x: Array) -> Array:
    """The same values, treated as constant: no gradient flows back through the result."""
    return x


def astype(x: Array, dtype: Any, copy: bool = True) -> Array:
    """The same values in another dtype. Between floats the gradient passes; a cast to integers or booleans cuts it."""
    dtype = np.dtype(dtype)
    return cast(x, dtype=dtype) if is_float(dtype) else integer_cast(x, dtype=dtype)


def reshape_prepare(x: Array, shape: Any, copy: bool | None = None) -> Any:
    shape = normal_shape(shape)
    if -1 in shape:
        t = typeof(x)
        rest = math.prod(n for n in shape if n != -1)
        if shape.count(-1) > 1 or (t.size % rest if rest else t.size):
            raise ShapeError(f"reshape: {t} has {t.size} elements, which do not fill {shape}.")
        shape = tuple(t.size // rest if n == -1 and rest else 0 if n == -1 else n for n in shape)
    return (x,), {"shape": shape}


def reshape_type(t: Type, shape: Shape) -> Type:
    if t.size != math.prod(shape):
        raise ShapeError(f"reshape: {t} has {t.size} elements, shape {shape} has {math.prod(shape)}. "
                         "Both must be equal; -1 stands for whatever fits.")
    return Type(shape, t.dtype)


@linear(
    transpose=lambda g, x, shape: reshape(g, shape=typeof(x).shape),
    result=reshape_type, batch=lambda t, shape: {"shape": (t.shape[0], *shape)},
    prepare=reshape_prepare, samples=several(arrays((3, 4), shape=(2, 6)), arrays((3, 4), shape=(-1,))))
def reshape(x: Array, *, shape: Shape) -> Array:
    """The same elements, in the same order, in another shape; one size may be -1."""
    return np.asarray(x).reshape(shape)


def broadcast_type(t: Type, shape: Shape) -> Type:
    if broadcast("broadcast_to", t, Type(shape, t.dtype)) != shape:
        raise ShapeError(f"broadcast_to: {t} does not broadcast to {shape}: sizes must be equal or 1, counted from the right.")
    return Type(shape, t.dtype)


@primitive(
    backward=(lambda g, y, x, shape: unbroadcast(g, x),),
    tangent=lambda tangents, y, x, shape: broadcast_to(tangents[0], shape=shape),
    batch=lambda flags, x, shape: broadcast_to(
        reshape(x, shape=(typeof(x).shape[0], *[1] * (len(shape) + 1 - typeof(x).ndim), *typeof(x).shape[1:])),
        shape=(typeof(x).shape[0], *shape)),
    result=broadcast_type, prepare=lambda x, shape: ((x,), {"shape": normal_shape(shape)}),
    samples=arrays((4,), shape=(3, 4)), tex="{0}")
def broadcast_to(x: Array, *, shape: Shape) -> Array:
    """The array repeated along new axes, and along those of size 1."""
    if prod(shape) > 4096:
        return np.broadcast_to(x, shape)  # a view, but ten times as slow to make as a small array is to fill
    y = np.empty(shape, typeof(x).dtype)
    y[...] = x
    return y


def spread(g: Array, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """A reduced array with its axes back, of size 1, so that it broadcasts against `x`."""
    return g if keepdims or not axis or typeof(g).ndim == 0 else reshape(g, shape=reduced_shape(typeof(x).shape, axis, True))


def sum_prepare(x: Array, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    if dtype is not None:
        x = astype(x, dtype)
    return (x,), {"axis": normal_axes("sum", axis, typeof(x).ndim), "keepdims": keepdims}


def sum_type(t: Type, axis: tuple[int, ...], keepdims: bool) -> Type:
    """Floats keep their dtype; integers and booleans are added up in the default integer, as NumPy does."""
    dtype = t.dtype if is_float(t.dtype) else np.sum(np.empty((0,), t.dtype)).dtype
    return Type(reduced_shape(t.shape, axis, keepdims), dtype)


@linear(
    transpose=lambda g, x, axis, keepdims: broadcast_to(spread(g, x, axis, keepdims), shape=typeof(x).shape),
    result=sum_type, batch=lambda t, axis, keepdims: {"axis": past_batch(axis), "keepdims": keepdims},
    prepare=sum_prepare, samples=several(arrays((3, 4)), arrays((3, 4), axis=1), arrays((2, 3, 4), axis=(0, -1), keepdims=True)),
    tex=r"\sum {0}")
def sum(x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    """Add up along `axis` (an int, a tuple of ints, or None for all)."""
    return np.add.reduce(x, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]  # np.sum, less its detour


def unbroadcast(g: Array, like: Array) -> Array:
    """Undo broadcasting: sum `g` down to the shape of `like`, in its dtype."""
    shape = like.shape
    if g.shape != shape:
        lead = g.ndim - len(shape)
        axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 != g.shape[lead + i]))
        if axes:
            g = sum(g, axis=axes)
        if g.shape != shape:
            g = reshape(g, shape=shape)
    return g if g.dtype == like.dtype else cast(g, dtype=like.dtype)


def like(x: Array, y: Array) -> Array:
    """`x` broadcast to the shape, and cast to the dtype, of `y`."""
    shape, dtype = typeof(y)[:2]
    if typeof(x).shape != shape:
        x = broadcast_to(x, shape=shape)
    return x if typeof(x).dtype == dtype else cast(x, dtype=dtype)


def align(flags: list[bool], args: tuple[Array, ...]) -> list[Array]:
    """Give every batched argument the same rank, its batch axis in front, so that they broadcast as single examples would."""
    rank = max(typeof(a).ndim - b for a, b in zip(args, flags) if a is not None)

    def padded(a: Array, batched: bool) -> Array:
        shape = typeof(a).shape if a is not None else ()
        if not batched or len(shape) == rank + 1:
            return a
        return reshape(a, shape=(shape[0], *[1] * (rank + 1 - len(shape)), *shape[1:]))
    return [padded(a, batched) for a, batched in zip(args, flags)]


@primitive(
    backward=(lambda h, y, g, slope: unbroadcast(chain(h, slope), g), lambda h, y, g, slope: unbroadcast(chain(h, g), slope)),
    result=lambda g, slope: Type(broadcast("chain", g, slope), promote(g, slope)),
    batch=lambda flags, g, slope: chain(*align(flags, (g, slope))), samples=arrays((3, 4), (4,)), tex="{0} {1}", infix="*")
def chain(g: Array, slope: Array) -> Array:
    """The gradient arriving times the local derivative, where 0 times anything, infinity and NaN included, is 0.

    Thus a value that does not matter stays without influence behind an infinite slope, and an argument that does not
    move the result gets no gradient from an infinite one.
    """
    d = np.multiply(g, slope)
    if optimistic.get() or np.isfinite(d).all():
        return d
    return np.where(np.equal(g, 0) | np.equal(slope, 0), d.dtype.type(0), d)
