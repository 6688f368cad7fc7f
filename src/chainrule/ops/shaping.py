"""A change of shape keeps the elements and their order; axes of size 1 come and go, and arrays are brought to one shape."""
from __future__ import annotations

import math
from typing import Any

from chainrule.core.type import Array, broadcast, normal_axes, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import broadcast_to, reshape


def expand_dims(x: Array, axis: Any = 0) -> Array:
    """The array with new axes of size 1 at the places `axis` (an int or a tuple) of the result."""
    shape = typeof(x).shape
    if type(axis) is int and 0 <= axis <= len(shape):
        return reshape(x, shape=(*shape[:axis], 1, *shape[axis:]))
    added = normal_axes("expand_dims", axis, len(shape) + (len(axis) if isinstance(axis, tuple | list) else 1))
    sizes = iter(shape)
    return reshape(x, shape=tuple(1 if i in added else next(sizes) for i in range(len(shape) + len(added))))


def squeeze(x: Array, axis: Any = None) -> Array:
    """The array without its axes `axis` (an int or a tuple), which have size 1; None means every axis of size 1.

    Raises ShapeError where a named axis has another size.
    """
    t = typeof(x)
    dropped = tuple(i for i, n in enumerate(t.shape) if n == 1) if axis is None else normal_axes("squeeze", axis, t.ndim)
    for i in dropped:
        if t.shape[i] != 1:
            raise ShapeError(f"squeeze: axis {i} of {t} has size {t.shape[i]}; only axes of size 1 can go. Use x[..., 0] or a "
                             "reduction for the others.")
    return reshape(x, shape=tuple(n for i, n in enumerate(t.shape) if i not in dropped))


def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """The array with its axes from `start_dim` to `end_dim`, both included, joined into one.

    >>> import chainrule as cr, numpy as np
    >>> cr.flatten(np.zeros((32, 3, 8, 8)), 1).shape
    (32, 192)
    """
    shape = typeof(x).shape
    if not shape:
        return reshape(x, shape=(1,))
    (first,), (last,) = normal_axes("flatten", start_dim, len(shape)), normal_axes("flatten", end_dim, len(shape))
    if first > last:
        raise ArgumentError(f"flatten: start_dim={start_dim} comes after end_dim={end_dim} in {typeof(x)}.")
    joined = math.prod(shape[first:last + 1])
    return reshape(x, shape=(*shape[:first], joined, *shape[last + 1:]))


def ravel(x: Array) -> Array:
    """All elements in a row."""
    return reshape(x, shape=(typeof(x).size,))


def atleast_1d(x: Array) -> Array:
    """The array, or the single number as an array of one element."""
    return x if typeof(x).ndim else reshape(x, shape=(1,))


def broadcast_arrays(*arrays: Array) -> list[Array]:
    """The arrays, each repeated to their common shape."""
    shape = broadcast("broadcast_arrays", *map(typeof, arrays))
    return [a if typeof(a).shape == shape else broadcast_to(a, shape=shape) for a in arrays]


def meshgrid(*arrays: Array, indexing: str = "xy") -> list[Array]:
    """Coordinates of a grid, one array for each of the 1-d `arrays` of positions along an axis.

    `indexing="ij"` puts the first array along axis 0, as in a matrix; `"xy"` along axis 1, as in a picture.
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing is 'xy' or 'ij', not {indexing!r}.")
    if any(typeof(a).ndim > 1 for a in arrays):
        raise ShapeError(f"meshgrid: arrays of one axis are needed, not {', '.join(str(typeof(a)) for a in arrays)}.")
    places = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        places[:2] = 1, 0
    return broadcast_arrays(*(reshape(a, shape=tuple(-1 if i == place else 1 for i in range(len(arrays))))
                              for a, place in zip(arrays, places)))
