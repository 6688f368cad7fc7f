"""A movement puts the same numbers elsewhere; it is linear, and its gradient moves them back."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.primitive import Each
from chainrule.core.type import Array, Shape, Type, normal_axis, promote, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import broadcast_to, like
from .families import arrays, linear, primitive


def permute_prepare(x: Array, axes: Any) -> Any:
    if type(axes) is tuple and axes and type(axes[0]) is int and min(axes) >= 0:
        return (x,), {"axes": axes}
    return (x,), {"axes": tuple(normal_axis("permute_dims", a, typeof(x).ndim) for a in axes)}


def permute_type(t: Type, axes: Shape) -> Type:
    if sorted(axes) != list(range(t.ndim)):
        raise ShapeError(f"permute_dims: axes {axes} must name each of the {t.ndim} axes of {t} once.")
    return Type(tuple(t.shape[i] for i in axes), t.dtype)


@linear(
    transpose=lambda g, x, axes: permute_dims(g, axes=tuple(int(i) for i in np.argsort(axes))),
    result=permute_type, batch=lambda t, axes: {"axes": (0, *(i + 1 for i in axes))},
    prepare=permute_prepare,
    samples=arrays((2, 3, 4), axes=(2, 0, 1)), tex="{0}^T")
def permute_dims(x: Array, *, axes: Shape) -> Array:
    """The array with its axes in another order."""
    return np.asarray(x).transpose(axes)


def matrix_transpose(x: Array) -> Array:
    """The array with its last two axes exchanged."""
    ndim = typeof(x).ndim
    if ndim < 2:
        raise ShapeError(f"matrix_transpose: {typeof(x)} has fewer than two axes, so it is no matrix.")
    return permute_dims(x, axes=(*range(ndim - 2), ndim - 1, ndim - 2))


def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """The array with two axes exchanged."""
    ndim = typeof(x).ndim
    order = list(range(ndim))
    a, b = normal_axis("swapaxes", axis1, ndim), normal_axis("swapaxes", axis2, ndim)
    order[a], order[b] = b, a
    return permute_dims(x, axes=tuple(order))


def moveaxis(x: Array, source: Any, destination: Any) -> Array:
    """The array with the axes `source` moved to the places `destination`; the others keep their order."""
    ndim = typeof(x).ndim
    sources, targets = (
        [normal_axis("moveaxis", a, ndim) for a in (given if isinstance(given, tuple | list) else (given,))]
        for given in (source, destination))
    if sources == targets:
        return x
    order = [i for i in range(ndim) if i not in sources]
    for target, axis in sorted(zip(targets, sources)):
        order.insert(target, axis)
    return permute_dims(x, axes=tuple(order))


def stack_prepare(*arrays: Array, axis: int = 0) -> Any:
    if len(arrays) == 1 and isinstance(arrays[0], list | tuple):
        arrays = tuple(arrays[0])
    if not arrays:
        raise ArgumentError("stack: there is nothing to join; give at least one array.")
    return arrays, {"axis": normal_axis("stack", axis, typeof(arrays[0]).ndim + 1)}


def stack_type(*types: Type, axis: int) -> Type:
    if len({t.shape for t in types}) > 1:
        raise ShapeError(f"stack: the shapes differ: {', '.join(map(str, types))}. Use concat to join along an "
                         "axis that is there.")
    shape = types[0].shape
    return Type((*shape[:axis], len(types), *shape[axis:]), promote(*types))


def stack_batch(flags: list[bool], *arrays: Array, axis: int) -> Array:
    size = next(typeof(a).shape[0] for a, batched in zip(arrays, flags) if batched)
    full = (a if batched else broadcast_to(a, shape=(size, *typeof(a).shape)) for a, batched in zip(arrays, flags))
    return stack(*full, axis=axis + 1)


@primitive(
    backward=Each(lambda i, g, y, *arrays, axis: like(g[(*[slice(None)] * axis, i)], arrays[i])),
    tangent=lambda tangents, y, *arrays, axis: stack(
        *(np.zeros(typeof(a).shape, typeof(a).dtype) if t is None else t for t, a in zip(tangents, arrays)), axis=axis),
    result=stack_type, batch=stack_batch, prepare=stack_prepare, samples=arrays((3, 4), (3, 4), axis=1))
def stack(*arrays: Array, axis: int) -> Array:
    """Arrays of one shape joined along a new axis."""
    return np.stack(arrays, axis)
