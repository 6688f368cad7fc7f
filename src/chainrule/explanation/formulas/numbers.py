"""A number on a page has as many digits as people read; an array is written in full when it is small."""
from __future__ import annotations

import re
from typing import Any

import numpy as np


def plain_number(x: Any) -> str:
    """A number as people write it: whole numbers and short decimals in full, others with four decimals or four digits."""
    if isinstance(x, bool | np.bool_):
        return str(bool(x))
    value = float(x)
    if not np.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    if 1e-4 <= abs(value) < 1e7 and float(f"{value:.6g}") == value:
        return f"{value:.6g}"  # a short decimal is given in full
    if 0.01 <= abs(value) < 1e5:
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return re.sub(r"e([+-])0*(\d)", r"e\1\2", f"{value:.4g}").replace("e+", "e")


def plain_shape(shape: tuple[int, ...]) -> str:
    return f"({'×'.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def plain_array(x: Any, most: int = 6) -> str:
    """An array on one line when it is small; else its shape."""
    if isinstance(x, tuple):
        return "; ".join(plain_array(part, most) for part in x)
    array = np.asarray(x)
    if array.ndim == 0:
        return plain_number(array[()])
    if array.size > most:
        return plain_shape(array.shape)
    return f"[{', '.join(plain_array(row, most) for row in array)}]"
