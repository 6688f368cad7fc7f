"""A fresh array is what a program puts a large result into, new at each run; small results are copied out of its own memory."""
from __future__ import annotations

from typing import Any

import numpy as np

from .pool import address

SMALL = 1 << 10
"""Bytes up to which a result is copied: for these, telling the program of a new place costs more."""


class Fresh:
    """The arrays for one result, run after run."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], slot: int) -> None:
        self.shape, self.dtype, self.slot = shape, dtype, slot
        self.forget()

    def make(self) -> int:
        """A new array, and its address."""
        self.array = np.empty(self.shape, self.dtype)
        return address(self.array)

    def take(self) -> np.ndarray[Any, Any]:
        """The array of this run."""
        return self.array

    def forget(self) -> None:
        """Leave the array to who took it: who counts its holders must not count this."""
        self.array = np.empty(0)
