"""Conversion makes arrays of the data that users give: numbers, lists, arrays of NumPy and of others, tensors."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.interpreter import now
from chainrule.core.stage import Symbol
from chainrule.core.type import Array, is_float
from chainrule.errors import ArgumentError, DTypeError
from chainrule.ops.broadcasting import astype

from . import eager


def must_be_float(dtype: np.dtype[Any], where: str) -> None:
    if not is_float(dtype):
        raise DTypeError(f"{where}: a gradient needs real numbers, and this is {dtype}. Write 2.0 instead of 2, or give "
                         "dtype=cr.float32.")


def as_value(data: Array, dtype: Any = None) -> Array:
    """The numbers of a value without its history, in this dtype: an array, or a symbol where the computation is staged."""
    if type(data) is eager.Tensor:
        now().meet(data)
        data = data.value
    if not isinstance(data, Symbol):
        return np.asarray(data, dtype=dtype)
    return data if dtype is None or data.dtype == dtype else astype(data, dtype)


def fresh(data: Any, dtype: Any = None) -> Array:
    """The numbers of new data, or of a value without its history, in memory of their own."""
    if type(data) is not eager.Tensor and not isinstance(data, Symbol):
        return as_numpy(data, dtype)
    value = as_value(data, dtype)
    return value if isinstance(value, Symbol) else np.array(value)


def as_numpy(data: Any, dtype: Any = None) -> np.ndarray[Any, Any]:
    """A fresh array of real numbers, integers or booleans, float32 where Python floats came in."""
    if hasattr(data, "__dlpack__") and not isinstance(data, np.ndarray | np.generic):
        data = np.from_dlpack(data)
    elif isinstance(data, list | tuple) and any(isinstance(x, eager.Tensor) and x.requires_grad for x in data):
        raise ArgumentError("tensor: the list holds tensors that require gradients, and copying their values would cut the "
                            "graph. Join them with cr.stack(list).")
    try:
        array = np.array(data, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise DTypeError(f"tensor: these data do not make an array of numbers: {error}") from None
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"tensor: {array.dtype} is not a kind of number chainrule computes with: use floats, integers or "
                         "booleans.")
    python = not isinstance(data, np.ndarray | np.generic) and dtype is None
    return array.astype(np.float32) if python and array.dtype == np.float64 and not holds_numpy(data) else array


def holds_numpy(data: Any) -> bool:
    """Whether nested lists hold NumPy numbers, whose dtype is kept."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, np.ndarray | np.generic)
