"""A dtype is a kind of number: floats, which have gradients, and integers and booleans, which have none."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Type, typeof
from chainrule.errors import ArgumentError

DTYPES: dict[str, Any] = {np.dtype(d).name: np.dtype(d) for d in (
    np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.float32, np.float64)}
KINDS = {
    "bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f", "numeric": "iuf",
}


def dtype_of(x: Any) -> Any:
    """A dtype, or that of an array."""
    return np.dtype(x) if isinstance(x, type | np.dtype | str) else typeof(x).dtype


def can_cast(from_: Any, to: Any, /) -> Any:
    """Whether a dtype (or an array) can be cast to another one by the rules of promotion, without loss."""
    return np.can_cast(dtype_of(from_), np.dtype(to))


def finfo(type: Any, /) -> Any:
    """What a floating dtype can hold: `bits`, `eps`, `max`, `min`, `smallest_normal`."""
    return np.finfo(dtype_of(type))


def iinfo(type: Any, /) -> Any:
    """What an integer dtype can hold: `bits`, `max`, `min`."""
    return np.iinfo(dtype_of(type))


def isdtype(dtype: Any, kind: Any) -> Any:
    """Whether a dtype is of a kind: a dtype, a name such as "real floating" or "integral", or a tuple of those.

    >>> import chainrule as cr
    >>> cr.isdtype(cr.float32, "real floating")
    True
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ArgumentError(f"isdtype: {kind!r} is no kind of number here; the kinds are {', '.join(map(repr, KINDS))}.")
        return np.dtype(dtype).kind in KINDS[kind]
    return np.dtype(dtype) == np.dtype(kind)


def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """The dtype in which arrays, numbers and dtypes meet."""
    known = [x if isinstance(x, type | np.dtype | str) else typeof(x) for x in arrays_and_dtypes]
    return np.result_type(*((t.example() if t.weak else t.dtype) if isinstance(t, Type) else t for t in known))


class Info:
    """What the array API standard lets a library ask: dtypes, devices, capabilities."""

    def capabilities(self) -> dict[str, Any]:
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        return "cpu"

    def devices(self) -> list[str]:
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        return {"real floating": DTYPES["float32"], "integral": DTYPES["int64"], "indexing": DTYPES["int64"]}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        return {name: d for name, d in DTYPES.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> Info:
    """What this namespace offers, as the array API standard lets a library ask for it."""
    return Info()
