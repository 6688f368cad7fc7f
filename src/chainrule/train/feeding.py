"""Feeding turns whatever a user trains on into batches with a position, and looks at the numbers before they do harm."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from chainrule.core.tree import flatten
from chainrule.core.type import typeof
from chainrule.data.dataset import Dataset
from chainrule.data.loader import DataLoader
from chainrule.errors import ArgumentError, DataError
from chainrule.random import Generator, Source

from .metrics import class_axis


class Counted:
    """Batches of a user's own, counted, so that a training can go on behind those it has seen."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self.batches = batches
        self.batch = 0

    def __iter__(self) -> Iterator[Any]:
        for batch in islice(iter(self.batches), self.batch, None):
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise DataError(f"batch {self.batch} is a {type(batch).__name__}, and should be a pair of inputs and targets.")
            self.batch += 1
            yield batch
        self.batch = 0

    def state_dict(self) -> dict[str, Any]:
        return {"batch": self.batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.batch = state["batch"]


def batches_of(data: Any, batch: int, *, shuffle: bool = False, generator: Generator | Source | None = None) -> Any:
    """A loader over a data set or a pair of arrays; a loader as it is; any other batches, counted. Raises ArgumentError."""
    if is_pair(data):
        data = Dataset(np.asarray(data[0]), np.asarray(data[1]))
    if hasattr(data, "rows"):
        if not len(data):
            raise DataError("there are no rows to train on.")
        return DataLoader(data, batch, shuffle, generator=generator)
    if callable(getattr(data, "state_dict", None)) and isinstance(data, Iterable):
        return data
    if isinstance(data, Iterable):
        return Counted(data)
    raise ArgumentError(f"data are a Dataset, a pair of arrays, a DataLoader, or batches one after another, not a "
                        f"{type(data).__name__}.")


def is_pair(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) == 2 and all(hasattr(part, "shape") for part in data)


def length_of(batches: Any) -> int:
    """How many batches a pass has; 0 where nobody knows."""
    try:
        return len(batches.batches if isinstance(batches, Counted) else batches)
    except TypeError:
        return 0


# ---------------------------------------------------------------------------------------- what cannot be trained on
class Inspection:
    """Looks at numbers before a model sees them: NaN and infinity, and labels that are no class, which compiled code would take
    for the nearest class."""

    def __init__(self, ignored: int | None) -> None:
        self.ignored = ignored
        self.classes: int | None = None
        self.learned = False

    def learn(self, scores: Any, y: Any) -> None:
        """How many classes there are, from the model's scores for some targets."""
        self.learned = True
        target, said = flatten(y)[0], flatten(scores)[0]
        if len(target) == len(said) == 1 and typeof(target[0]).dtype.kind in "iu":
            axis = class_axis(typeof(said[0]).shape, typeof(target[0]).shape)
            self.classes = None if axis is None else typeof(said[0]).shape[axis]

    def numbers(self, x: Any, y: Any, where: str) -> None:
        """Raise DataError for the first number that is none, with its row; `where` says of what."""
        for what, tree in (("input", x), ("target", y)):
            for leaf in flatten(tree)[0]:
                array = np.asarray(leaf)
                if array.dtype.kind == "f" and not np.isfinite(array).all():
                    raise odd(array, ~np.isfinite(array), what, where, "Take the row out, or put a number there.")
                if array.dtype.kind in "OSU":
                    raise DataError(f"{where}: the {what}s are {array.dtype}, and should be numbers.")

    def labels(self, y: Any, where: str) -> None:
        """Raise DataError for the first label that is no class, with its row."""
        if self.classes is not None:
            labels = np.asarray(flatten(y)[0][0])
            if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
                wrong = (labels < 0) | (labels >= self.classes)
                wrong &= True if self.ignored is None else labels != self.ignored
                if wrong.any():
                    raise odd(labels, wrong, "label", where, f"The model has {self.classes} outputs, for labels 0 to "
                              f"{self.classes - 1}: number the classes from 0, or give the model more outputs.")


def odd(array: np.ndarray[Any, Any], wrong: np.ndarray[Any, Any], what: str, where: str, advice: str) -> DataError:
    places = np.argwhere(wrong)
    row, *column = map(int, places[0])
    at = f"row {row}" + (f", column {column[0]}" if len(column) == 1 else f", at {tuple(column)}" if column else "")
    more = f" ({len(places) - 1} more are wrong)" if len(places) > 1 else ""
    return DataError(f"{where}: the {what} in {at} is {array[tuple(places[0])]}{more}. {advice}")
