"""A key is what stands between the brackets of `x[...]`: integers, slices, None, Ellipsis, and arrays of indices."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.interpreter import concrete
from chainrule.core.type import Type, typeof
from chainrule.errors import BoundsError, ShapeError

Entries = tuple[Any, ...]
WHOLE = slice(None)
STATIC = frozenset({int, slice, type(None), type(Ellipsis), np.int64, np.int32, np.intp})


class Key(tuple[Any, ...]):
    """An index of ints, slices, None and Ellipsis, which prints as it is written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"[{', '.join(map(spelled, self))}]"


def spelled(entry: Any) -> str:
    """An entry of a key as it is written between brackets."""
    if not isinstance(entry, slice):
        return "..." if entry is Ellipsis else str(entry)
    bounds = [entry.start, entry.stop] + ([] if entry.step is None else [entry.step])
    return ":".join("" if b is None else str(b) for b in bounds)


def is_static(entry: Any) -> bool:
    return type(entry) in STATIC


def as_array(entry: Any) -> Any:
    """An entry of an index, with lists and booleans made arrays."""
    if isinstance(entry, list | bool | np.bool_):
        return np.asarray(entry) if entry != [] else np.zeros(0, np.intp)
    return entry


def taken(entry: Any) -> int:
    """How many axes an entry of an index takes up."""
    if is_static(entry):
        return int(entry is not None and entry is not Ellipsis)
    t = typeof(entry)
    return t.ndim if t.dtype.kind == "b" else 1


def without_masks(t: Type, entries: Entries) -> Entries:
    """An index with its lists made arrays, and its boolean arrays replaced by the places where they are true."""
    entries = tuple(map(as_array, entries))
    found: list[Any] = []
    counts = list(map(taken, entries))
    for k, entry in enumerate(entries):
        if is_static(entry) or typeof(entry).dtype.kind != "b":
            found.append(entry)
            continue
        mask = concrete(entry, "a boolean index, which gives as many elements as it has True,")
        axis = t.ndim - sum(counts[k:]) if any(e is Ellipsis for e in entries[:k]) else sum(counts[:k])
        sizes = t.shape[axis:axis + mask.ndim]
        if mask.ndim == 0 or mask.shape != sizes:
            raise ShapeError(f"getitem: a boolean index of shape {mask.shape} for axes of sizes {sizes}: both must be equal.")
        found += np.nonzero(mask)
    return tuple(found)


def expanded(t: Type, entries: Entries) -> Entries:
    """An index with one entry for each axis (and None for new ones): no Ellipsis, nothing left out."""
    used = len([e for e in entries if e is not None and e is not Ellipsis])
    if used > t.ndim:
        raise BoundsError(f"getitem: {used} indices for {t}, which has {t.ndim} {'axis' if t.ndim == 1 else 'axes'}.")
    at = next((i for i, e in enumerate(entries) if e is Ellipsis), len(entries))
    return (*entries[:at], *[WHOLE] * (t.ndim - used), *entries[at + 1:])


def is_slice(entry: Any) -> bool:
    """Whether an entry of an index with arrays leaves its axis in place; integers count as arrays there."""
    return entry is None or entry is Ellipsis or isinstance(entry, slice)
