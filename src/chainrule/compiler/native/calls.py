"""Calls are the steps of a program that NumPy does: the native code calls back, and results are copied into its buffers."""
from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..plan import Call, View

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


class Calls:
    """The calls of a program, by number. An exception is kept, and ends the step; who called the step raises it."""

    def __init__(self, calls: Sequence[Call], table: Any, variables: Any, slots: dict[str, int], names: dict[str, int]) -> None:
        self.calls, self.table, self.variables, self.slots, self.names = calls, table, variables, slots, names
        self.error: BaseException | None = None
        self.rare: dict[int, np.ndarray[Any, Any]] = {}  # by slot, the memory that was given to rare buffers
        self.native = CALLBACK(self.run)

    def run(self, number: int) -> int:
        try:
            call = self.calls[number]
            args = [self.array(a) if isinstance(a, View) else a for a in call.args]
            with np.errstate(all="ignore"):
                found = call.prim.forward(*args, **call.params)
            for target, value in zip(call.targets, found if isinstance(found, tuple | list) else (found,)):
                self.provide(target)
                np.copyto(self.array(target), value, casting="unsafe")
        except BaseException as error:
            self.error = error
            return 1
        return 0

    def provide(self, target: View) -> None:
        """Give memory to a buffer that is rarely needed, and has none yet."""
        slot = self.slots[target.place.buffer]
        if not self.table[slot] and math.prod(target.shape):
            self.rare[slot] = np.empty(target.shape, target.dtype)
            self.table[slot] = self.rare[slot].ctypes.data

    def array(self, view: View) -> np.ndarray[Any, Any]:
        """The array that a view is at this moment."""
        if 0 in view.shape:
            return np.empty(view.shape, view.dtype)
        size, place = view.dtype.itemsize, view.place
        start = place.offset + sum(stride * self.variables[self.names[name]] for name, stride in place.steps)
        reach = [stride * (n - 1) for stride, n in zip(view.strides, view.shape)]
        low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
        first = self.table[self.slots[place.buffer]] + (start + low) * size
        memory = (ctypes.c_char * ((high - low + 1) * size)).from_address(first)
        return np.ndarray(view.shape, view.dtype, memoryview(memory), -low * size, tuple(s * size for s in view.strides))

    def reraise(self) -> None:
        """Raise what ended the step."""
        error, self.error = self.error, None
        assert error is not None
        raise error
