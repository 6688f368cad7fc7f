"""Gathering takes elements along an axis, scattering puts them back, and segments are summed by their number."""
from __future__ import annotations

import numpy as np

from chainrule.core.interpreter import Box, concrete
from chainrule.core.type import Array, Shape, normal_axis, typeof
from chainrule.errors import BoundsError, ShapeError

from .broadcasting import reshape
from .choice import maximum
from .indexing import add_at, get_at, getitem
from .keys import WHOLE
from .shaping import ravel
from .updates import max_at, set_at


def take(x: Array, indices: Array, axis: int | None = None) -> Array:
    """The slices with numbers `indices` along an axis; None takes from all elements in a row.

    >>> import chainrule as cr, numpy as np
    >>> cr.take(np.array([10.0, 20.0, 30.0]), [2, 0])
    array([30., 10.])
    """
    if axis is None:
        x, axis = ravel(x), 0
    return getitem(x, (*[WHOLE] * normal_axis("take", axis, typeof(x).ndim), indices))


def grid(name: str, sizes: Shape, indices: Array, axis: int) -> list[Array]:
    """Indices along one axis, and along all others the numbers that leave every element where it is."""
    ndim = len(sizes)
    if typeof(indices).ndim != ndim:
        raise ShapeError(f"{name}: the indices, {typeof(indices)}, must have as many axes as the array: {ndim}.")
    own = [np.arange(n).reshape([-1 if i == k else 1 for i in range(ndim)]) for k, n in enumerate(sizes)]
    return [indices if k == axis else numbers for k, numbers in enumerate(own)]


def take_along_axis(x: Array, indices: Array, axis: int = -1) -> Array:
    """For each place of `indices`, the element of `x` at that place, but with the index as its number along `axis`.

    The other axes broadcast. With the result of `argsort` it sorts.
    """
    axis = normal_axis("take_along_axis", axis, typeof(x).ndim)
    return get_at(x, *grid("take_along_axis", typeof(x).shape, indices, axis))


def gather(x: Array, dim: int, index: Array) -> Array:
    """`out[i][j] = x[index[i][j]][j]` for dim=0, and so on: PyTorch's gather. `index` may be shorter than `x`."""
    axis = normal_axis("gather", dim, typeof(x).ndim)
    return get_at(x, *grid("gather", typeof(index).shape, index, axis))


def scatter(x: Array, dim: int, index: Array, src: Array) -> Array:
    """`x` with `out[index[i][j]][j] = src[i][j]` for dim=0, and so on: PyTorch's scatter. `src` may be one number."""
    axis = normal_axis("scatter", dim, typeof(x).ndim)
    return set_at(x, fitting(src, index), *grid("scatter", typeof(index).shape, index, axis))


def scatter_add(x: Array, dim: int, index: Array, src: Array) -> Array:
    """`x` with `src[i][j]` added at `[index[i][j]][j]` for dim=0, and so on: PyTorch's scatter_add, the way back of gather."""
    axis = normal_axis("scatter_add", dim, typeof(x).ndim)
    return add_at(x, fitting(src, index), *grid("scatter_add", typeof(index).shape, index, axis))


def fitting(src: Array, index: Array) -> Array:
    """The part of `src` that the index covers."""
    have, need = typeof(src).shape, typeof(index).shape
    return src if have in ((), need) else getitem(src, tuple(slice(n) for n in need))


# ---------------------------------------------------------------------------------------- segments
def segments(segment_ids: Array, num_segments: int | None) -> int:
    """How many segments there are: as many as was said, or up to the greatest number.

    A negative number would silently mean a segment counted from the end.
    """
    if not isinstance(segment_ids, Box) and np.min(segment_ids, initial=0) < 0:
        raise BoundsError(f"segment number {np.min(segment_ids)} is negative; segments are numbered from 0.")
    if num_segments is not None:
        return num_segments
    return int(concrete(segment_ids, "counting the segments (give num_segments)").max(initial=-1)) + 1


def segment_sum(data: Array, segment_ids: Array, num_segments: int | None = None) -> Array:
    """The sum of the rows of `data` that have the same segment number; an empty segment sums to 0.

    `segment_ids` has one integer from 0 to `num_segments - 1` for each row, in any order.

    >>> import chainrule as cr, numpy as np
    >>> cr.segment_sum(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0]))
    array([5., 2.])
    """
    t = typeof(data)
    return add_at(np.zeros((segments(segment_ids, num_segments), *t.shape[1:]), t.dtype), data, segment_ids)


def segment_mean(data: Array, segment_ids: Array, num_segments: int | None = None) -> Array:
    """The mean of the rows of each segment; that of an empty one is 0."""
    n, t = segments(segment_ids, num_segments), typeof(data)
    counts = maximum(segment_sum(np.ones(typeof(segment_ids).shape, t.dtype), segment_ids, n), 1)
    return segment_sum(data, segment_ids, n) / reshape(counts, (n, *[1] * (t.ndim - 1)))


def segment_max(data: Array, segment_ids: Array, num_segments: int | None = None) -> Array:
    """The greatest element of each segment; that of an empty one is -inf (for integers, the least there is).

    Equal ones share the gradient.
    """
    t = typeof(data)
    least = -np.inf if t.dtype.kind == "f" else np.iinfo(t.dtype).min
    return max_at(np.full((segments(segment_ids, num_segments), *t.shape[1:]), least, t.dtype), data, segment_ids)
