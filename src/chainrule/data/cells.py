"""Cells are what is read of a table before it is a data set: inputs as numbers, the target's cells as they stand."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Pick(NamedTuple):
    """The places of the columns that are wanted, counted from 0."""

    inputs: tuple[int, ...]
    target: int | None

    @property
    def places(self) -> tuple[int, ...]:
        """All of them, in the order of the table."""
        return tuple(sorted({*self.inputs, *([] if self.target is None else [self.target])}))


class Cells(NamedTuple):
    """The columns that were picked from a table with these names; `where` says where a row stands."""

    names: Sequence[str]
    pick: Pick
    inputs: np.ndarray[Any, Any]
    target: list[Any] | None
    where: Callable[[int], str]
