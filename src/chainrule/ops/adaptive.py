"""Adaptive pooling is told the size of its result, and averages stretches of the data of nearly equal length."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Array, typeof

from .columns import per_axis
from .matmul import matmul
from .movement import moveaxis


def averaging(size: int, out: int, dtype: Any) -> Array:
    """The matrix whose rows average `out` nearly equal, perhaps overlapping, stretches of `size` elements."""
    start, stop = np.arange(out) * size // out, -(-np.arange(1, out + 1) * size // out)
    place = np.arange(size)
    inside = (place >= start[:, None]) & (place < stop[:, None])
    return (inside / inside.sum(1, keepdims=True)).astype(dtype)


def adaptive_avg_pool(rank: int, x: Array, output_size: Any) -> Array:
    t = typeof(x)
    for axis, out in zip(range(t.ndim - rank, t.ndim), per_axis("output_size", output_size, rank, 1)):
        rows = averaging(t.shape[axis], out, t.dtype)
        x = moveaxis(matmul(moveaxis(x, axis, -1), rows.T), -1, axis)
    return x


def adaptive_avg_pool1d(x: Array, output_size: Any) -> Array:
    """Averages of equal stretches of x (..., L), so many that the result has `output_size` places. As PyTorch's."""
    return adaptive_avg_pool(1, x, output_size)


def adaptive_avg_pool2d(x: Array, output_size: Any) -> Array:
    """Averages of equal patches of x (..., H, W), so many that the result is of `output_size`. As PyTorch's."""
    return adaptive_avg_pool(2, x, output_size)


def adaptive_avg_pool3d(x: Array, output_size: Any) -> Array:
    """Averages of equal blocks of x (..., D, H, W), so many that the result is of `output_size`. As PyTorch's."""
    return adaptive_avg_pool(3, x, output_size)
