"""Creation makes tensors from nothing but a shape, a range or foreign data, with the array API standard's functions."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.interpreter import Box
from chainrule.core.type import Array, Shape, normal_shape, typeof
from chainrule.errors import ArgumentError, DTypeError
from chainrule.ops.arithmetic import positive
from chainrule.ops.broadcasting import astype, broadcast_to
from chainrule.ops.face import only_cpu

from . import eager
from .tensor import Tensor, tensor

FLOAT = np.dtype("float32")  # the dtype of Python floats, and of arrays nothing is said about


def made(array: Array, device: Any = None) -> Tensor:
    """A tensor of a fresh array, after a look at the device asked for."""
    if device is not None:
        only_cpu("a new array", device)
    t: Tensor = eager.constant(array)
    return t


def dtype_for(*numbers: Any, dtype: Any = None) -> np.dtype[Any]:
    """The dtype asked for, or the default of what the numbers are: float32 for Python floats, int64 for integers."""
    found: np.dtype[Any] = np.result_type(*(typeof(n).dtype for n in numbers)) if dtype is None else np.dtype(dtype)
    weak = dtype is None and all(typeof(n).weak for n in numbers)
    return FLOAT if weak and found.kind == "f" else found


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Numbers from `start` (0 if only one is given) up to, but without, `stop`, in steps.

    >>> import chainrule as cr
    >>> cr.arange(3)
    tensor([0, 1, 2])
    """
    if stop is None:
        start, stop = 0, start
    return made(np.arange(start, stop, step, dtype=dtype_for(start, stop, step, dtype=dtype)), device)


def linspace(start: float, stop: float, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True) -> Tensor:
    """`num` numbers at equal distances from `start` to `stop`, which is the last one unless `endpoint` is False.

    >>> import chainrule as cr
    >>> cr.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    return made(np.linspace(start, stop, num, endpoint=endpoint, dtype=np.dtype(dtype or FLOAT)), device)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros, float32 unless another dtype is given."""
    return made(np.zeros(normal_shape(shape), dtype or FLOAT), device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones, float32 unless another dtype is given."""
    return made(np.ones(normal_shape(shape), dtype or FLOAT), device)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of a shape; its values are zeros, since nobody can write into it later."""
    return zeros(shape, dtype=dtype, device=device)


def full(shape: Any, fill_value: Array, *, dtype: Any = None, device: Any = None) -> Array:
    """A tensor that holds one number everywhere; gradients flow back to `fill_value` if it is a tensor."""
    return filled(normal_shape(shape), fill_value, dtype_for(fill_value, dtype=dtype), device)


def filled(shape: Shape, fill_value: Array, dtype: np.dtype[Any], device: Any) -> Array:
    if isinstance(fill_value, Box):
        return broadcast_to(astype(fill_value, dtype), shape)
    return made(np.full(shape, fill_value, dtype), device)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones on the diagonal `k` of a matrix, zeros elsewhere."""
    return made(np.eye(n_rows, n_cols, k=k, dtype=dtype or FLOAT), device)


def zeros_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros in the shape and dtype of `x`."""
    return zeros(typeof(x).shape, dtype=dtype or typeof(x).dtype, device=device)


def ones_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones in the shape and dtype of `x`."""
    return ones(typeof(x).shape, dtype=dtype or typeof(x).dtype, device=device)


def empty_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor in the shape and dtype of `x`; its values are zeros."""
    return zeros_like(x, dtype=dtype, device=device)


def full_like(x: Array, /, fill_value: Array, *, dtype: Any = None, device: Any = None) -> Array:
    """One number everywhere, in the shape and dtype of `x`."""
    return filled(typeof(x).shape, fill_value, np.dtype(dtype or typeof(x).dtype), device)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    """A tensor of numbers, nested lists, an array, or anything with DLPack; a tensor comes back as it is, its history kept.

    `copy=True` makes a copy of a tensor too, which is cut from nothing; `copy=False` refuses data that must be copied, which
    is everything but a tensor of that dtype, because a tensor must not change when somebody writes into the data.
    """
    if device is not None:
        only_cpu("asarray", device)
    if not isinstance(obj, Box):
        if copy is False:
            raise ArgumentError(f"asarray: copy=False, but {type(obj).__name__} data have to be copied, so that writing into "
                                "them later does not change the tensor. Leave copy out.")
        return tensor(obj, dtype)
    if dtype is None or np.dtype(dtype) == obj.dtype:
        return positive(obj) if copy else obj
    if copy is False:
        raise ArgumentError(f"asarray: copy=False, but {obj.type} has to be copied to become {np.dtype(dtype)}.")
    return astype(obj, dtype)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor with a copy of the data of another library's array, handed over by DLPack.

    Raises DTypeError for what has no DLPack.
    """
    if not hasattr(x, "__dlpack__"):
        raise DTypeError(f"from_dlpack: a {type(x).__name__} does not speak DLPack. Use cr.asarray or cr.tensor.")
    if copy is False:
        raise ArgumentError("from_dlpack: copy=False, but the data have to be copied, so that writing into them later does not "
                            "change the tensor. Leave copy out.")
    return made(np.array(np.from_dlpack(x)), device)
