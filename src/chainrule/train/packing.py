"""Packing takes a state apart into JSON and arrays, and puts it together again, so that every number comes back as it was.

JSON knows neither tuples, nor keys that are numbers, nor infinity, nor arrays: they become an object with one entry, whose name
begins with $.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError
from chainrule.tensor import Tensor

from .weights import Arrays

ODD = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def packed(state: Any, arrays: Arrays, place: str = "state") -> Any:
    """The state as JSON; its arrays go to `arrays`, under their places. Raises ArgumentError for what is none of these."""
    if state is None or type(state) in (bool, int, str):
        return state
    if type(state) is float:
        return state if math.isfinite(state) else {"$float": str(state)}
    if isinstance(state, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in state):
            return {key: packed(value, arrays, f"{place}.{key}") for key, value in state.items()}
        return {"$dict": [[packed(key, arrays), packed(value, arrays, f"{place}.{key}")] for key, value in state.items()]}
    if type(state) in (list, tuple):
        items = [packed(item, arrays, f"{place}.{i}") for i, item in enumerate(state)]
        return items if isinstance(state, list) else {"$tuple": items}
    if isinstance(state, np.ndarray | np.generic | Tensor):
        arrays[place] = np.asarray(state)
        return {"$array" if isinstance(state, np.ndarray | Tensor) else "$number": place}
    raise ArgumentError(f"{place} is a {type(state).__name__}, which cannot be saved: a state holds numbers, texts, arrays, and "
                        "lists, tuples and dicts of them.")


UNPACK: dict[str, Callable[[Any, Arrays], Any]] = {
    "$float": lambda body, arrays: ODD[body],
    "$dict": lambda body, arrays: {unpacked(key, arrays): unpacked(value, arrays) for key, value in body},
    "$tuple": lambda body, arrays: tuple(unpacked(list(body), arrays)),
    "$array": lambda body, arrays: arrays[body],
    "$number": lambda body, arrays: arrays[body][()],
}


def unpacked(found: Any, arrays: Arrays) -> Any:
    """The state that `packed` took apart. Raises DataError for what it did not write."""
    if isinstance(found, list):
        return [unpacked(item, arrays) for item in found]
    if not isinstance(found, dict):
        return found
    name = next(iter(found), "")
    if not name.startswith("$"):
        return {key: unpacked(value, arrays) for key, value in found.items()}
    try:
        return UNPACK[name](found[name], arrays)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise DataError(f"a state holds {found!r:.60}, which is none.") from None
