"""A data set is examples and their targets, row by row; it can be split, shuffled and cut into batches."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ArgumentError, DataError
from chainrule.random import Generator, Source, source_of


class Batch(NamedTuple):
    """Rows of inputs, and the targets that belong to them."""

    inputs: np.ndarray[Any, Any]
    targets: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets with as many rows each; row i of one belongs to row i of the other; `name` says what a row is."""

    inputs: np.ndarray[Any, Any]
    targets: np.ndarray[Any, Any]
    name: str = "rows"

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise DataError(f"there are {len(self.inputs)} rows of inputs and {len(self.targets)} targets; each row needs one.")

    def __len__(self) -> int:
        return len(self.inputs)

    def split(self, held_out: float = 0.2, *, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two parts, one to train on and one held out, drawn at random: the same ones for the same seed."""
        if not 0 < held_out < 1:
            raise ArgumentError(f"split: held_out is a share between 0 and 1, not {held_out}.")
        order = Generator(seed).source.permutation(len(self))
        kept = len(self) - round(held_out * len(self))
        return self.rows(order[:kept]), self.rows(order[kept:])

    def rows(self, indices: np.ndarray[Any, Any]) -> Dataset:
        """The rows with these numbers, in this order."""
        return Dataset(self.inputs[indices], self.targets[indices], self.name)

    def batches(self, size: int, *, shuffle: Generator | Source | None = None) -> Iterator[Batch]:
        """All rows, `size` at a time (the last batch may be smaller), in the order `shuffle` draws; without it, as they are."""
        if size < 1:
            raise ArgumentError(f"batches: a batch has at least 1 example, not {size}.")
        order = source_of(shuffle).permutation(len(self)) if shuffle is not None else np.arange(len(self))
        for start in range(0, len(self), size):
            chosen = order[start:start + size]
            yield Batch(self.inputs[chosen], self.targets[chosen])

    def steps(self, size: int) -> int:
        """How many batches of `size` there are."""
        return -(-len(self) // size)
