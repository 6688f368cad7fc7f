"""A key stands for a value or an option: two that are the same have equal keys."""
from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np

from chainrule.core.stage import Line, Symbol

Key = Any


class Keys:
    """Finds keys, and remembers those of arrays, whose contents are read once."""

    def __init__(self) -> None:
        self.arrays: dict[int, tuple[Any, Key]] = {}  # by identity; the array is kept, so that its identity stays its own

    def of_line(self, line: Line) -> Key:
        """The key of what a line computes, and of whether the result is weak."""
        options = tuple([(name, self.of(value)) for name, value in line.params.items()]) if line.params else ()
        return line.prim, tuple(map(self.of, line.args)), options, line.targets[0].type.weak

    def of(self, value: Any) -> Key:
        if isinstance(value, Symbol):
            return id(value)
        kind = type(value)
        if kind is float:
            return value.hex()  # tells 0.0 from -0.0, and finds NaN equal to itself
        if value is None or kind is str:
            return kind, value
        if kind is int or kind is bool:
            return kind, value
        if kind is np.ndarray or isinstance(value, np.generic):
            return self.of_array(value)
        if isinstance(value, tuple | list):
            return kind, tuple(map(self.of, value))
        if kind is slice:
            return kind, value.start, value.stop, value.step
        if isinstance(value, np.dtype):
            return value.str
        return kind, id(value)

    def of_array(self, value: Any) -> Key:
        known = self.arrays.get(id(value))
        if known is None:
            contents = value.tobytes()
            short = contents if len(contents) <= 64 else blake2b(contents, digest_size=16).digest()
            known = self.arrays[id(value)] = (value, (value.dtype.str, value.shape, short))
        return known[1]
