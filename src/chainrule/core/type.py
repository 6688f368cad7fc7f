"""A type is what is known of an array before it is computed: its shape and its dtype."""
from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ArgumentError, DTypeError, ShapeError

Array = Any
"""A value as operations see it: an array, a Python number, or a box that stands for one."""

Shape = tuple[int, ...]


class Type(NamedTuple):
    """Shape and dtype; `weak` marks a Python number, which takes the dtype of what it meets."""

    shape: Shape
    dtype: np.dtype[Any]
    weak: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    def example(self) -> Any:
        """An empty array (or a Python number) of this dtype, to ask NumPy what it makes of it."""
        return self.dtype.type(1).item() if self.weak else np.empty((0,), self.dtype)


def typeof(x: Array) -> Type:
    """The type of an array, a Python number or a box."""
    kind = type(x)
    if kind is np.ndarray:
        return Type(x.shape, x.dtype)
    if kind is float or kind is int or kind is bool:
        return Type((), np.dtype(kind), weak=True)
    known = getattr(x, "type", None)
    if isinstance(known, Type):
        return known
    if not isinstance(x, np.ndarray | np.generic):
        x = np.asarray(x)
    return Type(x.shape, x.dtype)


def is_float(dtype: Any) -> bool:
    """Whether values of this dtype can have gradients."""
    return bool(np.dtype(dtype).kind == "f")


def promote(*types: Type) -> np.dtype[Any]:
    """The dtype in which values of these types meet, by NumPy's rules (a Python number is weak)."""
    return np.result_type(*(t.example() if t.weak else t.dtype for t in types))


def broadcast(name: str, *types: Type) -> Shape:
    """The common shape of `types`, or an error that names the operation and shows them side by side."""
    try:
        return np.broadcast_shapes(*(t.shape for t in types))
    except ValueError:
        shown = " and ".join(str(t) for t in types)
        raise ShapeError(f"{name}: shapes do not broadcast: {shown}. Sizes must be equal or 1, counted from the right; "
                         "insert axes with reshape or expand_dims.") from None


def normal_axis(name: str, axis: Any, ndim: int) -> int:
    """`axis` counted from the front."""
    try:
        index = axis.__index__()
    except AttributeError:
        raise DTypeError(f"{name}: an axis is an integer, not {axis!r}.") from None
    if not -ndim <= index < ndim:
        raise ShapeError(f"{name}: axis {index} is not there: the array has {ndim} "
                         f"{'axis' if ndim == 1 else 'axes'}, numbered {-ndim} to {ndim - 1}."
                         if ndim else f"{name}: axis {index} is not there: the array has no axes.")
    return int(index % ndim)


def normal_axes(name: str, axis: int | Sequence[int] | None, ndim: int) -> Shape:
    """`axis` as a sorted tuple counted from the front; None means all of them."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    normal = sorted(normal_axis(name, a, ndim) for a in axes)
    if len(set(normal)) != len(normal):
        raise ArgumentError(f"{name}: axis {tuple(axes)} names an axis twice.")
    return tuple(normal)


def normal_shape(shape: Any) -> Shape:
    """A shape given as one number, a sequence or an array of numbers."""
    return tuple(int(n) for n in shape) if isinstance(shape, tuple | list | np.ndarray) else (int(shape),)
