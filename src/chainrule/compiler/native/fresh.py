"""Fresh arrays are what a program puts new results into; a small one that nobody holds any more is taken again."""
from __future__ import annotations

from sys import getrefcount
from typing import Any

import numpy as np

from .pool import address

SMALL = 1 << 16
"""Bytes up to which arrays are kept to be taken again: for these, asking for memory costs more than filling it."""
IDLE = 2  # references to an array that only the list of spares, and the question itself, hold


class Fresh:
    """The arrays for one result, call after call."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], slot: int) -> None:
        self.shape, self.dtype, self.slot = shape, dtype, slot
        self.spares: list[tuple[np.ndarray[Any, Any], int]] = []

    def take(self) -> tuple[np.ndarray[Any, Any], int]:
        """An array nobody else holds, and its address."""
        for spare in self.spares:
            if getrefcount(spare[0]) == IDLE:
                return spare
        array = np.empty(self.shape, self.dtype)
        made = array, address(array)
        if array.nbytes <= SMALL:
            self.spares = [made, *self.spares[:1]]
        return made
