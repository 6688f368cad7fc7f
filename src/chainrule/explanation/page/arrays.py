"""An array on a page is its numbers, exact, where they are few enough; else a small picture of it. Statistics in any case."""
from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ..faces.data import numbers

BARS = 32  # of a histogram
SIDE = 64  # of a thumbnail, in cells


def array(x: Any, most: int) -> dict[str, Any]:
    """A value as the page has it: one number as it is, an array of at most `most` elements in full, a larger one in small."""
    if isinstance(x, tuple):
        return {"tuple": [array(part, most) for part in x]}
    whole = np.asarray(x)
    if whole.ndim == 0:
        return {"shape": [], "value": numbers(whole)}
    made: dict[str, Any] = {"shape": list(whole.shape)}
    if whole.size <= most:
        made["data"] = packed(whole, "<f8")
    else:
        small = thumbnail(whole)
        made["thumbnail"] = {"rows": small.shape[0], "cols": small.shape[1], "data": packed(small, "<f4")}
    return made | {"stats": statistics(whole)}


def packed(x: Any, dtype: str) -> str:
    """Numbers in row-major order, little endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(x, dtype).tobytes()).decode()


def thumbnail(x: Any) -> Any:
    """The means of blocks of the array, its last axis across and all others down."""
    flat = x.reshape(-1, x.shape[-1]).astype(np.float64)
    for axis in (0, 1):
        edges = np.linspace(0, flat.shape[axis], min(SIDE, flat.shape[axis]) + 1).astype(int)[:-1]
        counts = np.diff([*edges, flat.shape[axis]])
        flat = np.add.reduceat(flat, edges, axis) / (counts[:, None] if axis == 0 else counts)
    return flat


def statistics(x: Any) -> dict[str, Any]:
    """What is true of all elements; of those that are not finite, only how many there are."""
    values = np.asarray(x, np.float64).ravel()
    finite = values[np.isfinite(values)]
    made: dict[str, Any] = {"count": values.size, "zeros": int(np.sum(values == 0)), "nonfinite": int(values.size - finite.size)}
    if not finite.size:
        return made | {"min": None, "max": None, "mean": None, "norm": None, "histogram": None}
    with np.errstate(over="ignore"):
        low, high = float(finite.min()), float(finite.max())
        summary = {"min": low, "max": high, "mean": float(finite.mean()), "norm": float(np.linalg.norm(finite))}
    return made | {name: numbers(v) for name, v in summary.items()} | {"histogram": histogram(finite, low, high)}


def histogram(finite: Any, low: float, high: float) -> dict[str, Any] | None:
    if not np.isfinite(high - low) or not low < high:
        return None
    places = np.minimum(((finite - low) / (high - low) * BARS).astype(int), BARS - 1)
    return {"low": low, "high": high, "counts": np.bincount(places, minlength=BARS).tolist()}
