"""Adaptive pooling is told the size of its result, and makes one number of each of so many nearly equal stretches of the data."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Array, typeof

from .broadcasting import reshape
from .columns import per_axis
from .gathering import take
from .matmul import matmul
from .movement import moveaxis
from .pooling import max_pool
from .statistics import mean


def stretches(size: int, out: int) -> tuple[Array, Array]:
    """Where each of `out` nearly equal, perhaps overlapping, stretches of `size` elements starts and stops."""
    return np.arange(out) * size // out, -(-np.arange(1, out + 1) * size // out)


def sizes(x: Array, rank: int, output_size: Any) -> list[tuple[int, int, int]]:
    """Each spatial axis, its size, and the size it shall have; None leaves it as it is."""
    t = typeof(x)
    given = output_size if isinstance(output_size, tuple | list) else (output_size,) * rank
    wanted = [n if m is None else m for m, n in zip(given, t.shape[-rank:])] if len(given) == rank else given
    return list(zip(range(t.ndim - rank, t.ndim), t.shape[-rank:], per_axis("output_size", wanted, rank, 1)))


def averaging(size: int, out: int, dtype: Any) -> Array:
    """The matrix whose rows average the stretches."""
    start, stop = stretches(size, out)
    place = np.arange(size)
    inside = (place >= start[:, None]) & (place < stop[:, None])
    return (inside / inside.sum(1, keepdims=True)).astype(dtype)


def adaptive_avg_pool(rank: int, x: Array, output_size: Any) -> Array:
    """Axes that divide are averaged piece by piece, all together; for the others, a matrix says what belongs to what."""
    wanted = sizes(x, rank, output_size)
    for axis, n, out in wanted:
        if n % out:
            x = moveaxis(matmul(moveaxis(x, axis, -1), averaging(n, out, typeof(x).dtype).T), -1, axis)
    pieces = [(out, 1 if n % out else n // out) for _, n, out in wanted]
    front = typeof(x).shape[:-rank]
    apart = reshape(x, (*front, *(size for piece in pieces for size in piece)))
    return mean(apart, axis=tuple(len(front) + 2 * i + 1 for i in range(rank)))


def adaptive_avg_pool1d(x: Array, output_size: Any) -> Array:
    """Averages of equal stretches of x (..., L), so many that the result has `output_size` places. As PyTorch's."""
    return adaptive_avg_pool(1, x, output_size)


def adaptive_avg_pool2d(x: Array, output_size: Any) -> Array:
    """Averages of equal patches of x (..., H, W), so many that the result is of `output_size`. As PyTorch's."""
    return adaptive_avg_pool(2, x, output_size)


def adaptive_avg_pool3d(x: Array, output_size: Any) -> Array:
    """Averages of equal blocks of x (..., D, H, W), so many that the result is of `output_size`. As PyTorch's."""
    return adaptive_avg_pool(3, x, output_size)


def adaptive_max_pool(rank: int, x: Array, output_size: Any) -> Array:
    """Stretches are laid side by side, the shorter ones with their last element twice, and pooled as windows are."""
    kernel = []
    for axis, n, out in sizes(x, rank, output_size):
        start, stop = stretches(n, out)
        kernel.append(int((stop - start).max()))
        if kernel[-1] * out != n:
            places = np.minimum(start[:, None] + np.arange(kernel[-1]), stop[:, None] - 1)
            x = take(x, places.ravel(), axis=axis)
    return max_pool(rank, x, tuple(kernel), None, 0, 1, False)


def adaptive_max_pool1d(x: Array, output_size: Any) -> Array:
    """The maxima of equal stretches of x (..., L), so many that the result has `output_size` places. As PyTorch's."""
    return adaptive_max_pool(1, x, output_size)


def adaptive_max_pool2d(x: Array, output_size: Any) -> Array:
    """The maxima of equal patches of x (..., H, W), so many that the result is of `output_size`. As PyTorch's."""
    return adaptive_max_pool(2, x, output_size)


def adaptive_max_pool3d(x: Array, output_size: Any) -> Array:
    """The maxima of equal blocks of x (..., D, H, W), so many that the result is of `output_size`. As PyTorch's."""
    return adaptive_max_pool(3, x, output_size)
