"""Diagonals and triangles of matrices: what lies on, above or below the line of equal indices."""
from __future__ import annotations

import numpy as np

from chainrule.core.type import Array, normal_axis, typeof
from chainrule.errors import ShapeError

from .broadcasting import sum
from .choice import where
from .indexing import add_at, get_at
from .movement import moveaxis


def triangle(name: str, x: Array, k: int, *, upper: bool) -> Array:
    """One triangle of each matrix; the diagonal `k` belongs to it."""
    t = typeof(x)
    if t.ndim < 2:
        raise ShapeError(f"{name}: {t} has fewer than two axes, so it is no matrix.")
    lower = np.tri(t.shape[-2], t.shape[-1], k - upper, dtype=np.bool_)
    return where(~lower if upper else lower, x, np.zeros((), t.dtype))


def tril(x: Array, *, k: int = 0) -> Array:
    """The lower triangle of each matrix: zeros above the diagonal `k`, counted upwards from the main one."""
    return triangle("tril", x, k, upper=False)


def triu(x: Array, *, k: int = 0) -> Array:
    """The upper triangle of each matrix: zeros below the diagonal `k`, counted upwards from the main one."""
    return triangle("triu", x, k, upper=True)


def places(rows: int, columns: int, offset: int) -> tuple[Array, Array]:
    """The rows and columns of the elements on a diagonal."""
    start = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return start - min(offset, 0), start + max(offset, 0)


def diagonal(x: Array, *, offset: int = 0, axis1: int = -2, axis2: int = -1) -> Array:
    """The diagonal of each matrix, `offset` above the main one; it becomes the last axis.

    Raises ShapeError for an array with fewer than two axes.
    """
    t = typeof(x)
    if t.ndim < 2:
        raise ShapeError(f"diagonal: {t} has fewer than two axes, so it is no matrix.")
    axes = [normal_axis("diagonal", a, t.ndim) for a in (axis1, axis2)]
    front = moveaxis(x, axes, [0, 1])
    return moveaxis(get_at(front, *places(t.shape[axes[0]], t.shape[axes[1]], offset)), 0, -1)


def diag(x: Array, k: int = 0) -> Array:
    """Of an array of one axis, the matrix with it on the diagonal `k`; of a matrix, its diagonal `k`."""
    t = typeof(x)
    if t.ndim == 2:
        return diagonal(x, offset=k)
    if t.ndim != 1:
        raise ShapeError(f"diag: one or two axes are needed, not {t}. Use diagonal for a stack of matrices.")
    n = t.shape[0] + abs(k)
    return add_at(np.zeros((n, n), t.dtype), x, *places(n, n, k))


def trace(x: Array, *, offset: int = 0) -> Array:
    """The sum of the diagonal of each matrix, `offset` above the main one."""
    return sum(diagonal(x, offset=offset), axis=-1)
