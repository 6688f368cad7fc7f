"""A data set is examples and their targets, row by row; it can be split, shuffled and cut into batches."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.tree import flatten, paths, tree_map
from chainrule.core.type import is_float
from chainrule.errors import ArgumentError, DataError, DTypeError
from chainrule.random import Generator, Source, source_of

from .parts import Array, by_shares, by_turns, part_of_each


class Batch(NamedTuple):
    """Rows of inputs, and the targets that belong to them."""

    inputs: Any
    targets: Any


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets with as many rows each; row i of one belongs to row i of the other; `name` says what a row is.

    Each is an array, or a tree of arrays (a tuple, a dict, ...); targets that are None are unknown. `classes` are the names of
    the class targets 0, 1, ..., and `columns` those of the columns of inputs, where they are known.

    >>> data = Dataset(np.eye(4, dtype=np.float32), np.array([0, 1, 1, 0]), "points", classes=("blue", "red"))
    >>> len(data), data.rows(np.array([3, 0])).inputs.tolist()
    (4, [[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    """

    inputs: Any
    targets: Any
    name: str = "rows"
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        counts = {len(x) for x in flatten(self.inputs)[0]}
        known = {len(x) for x in flatten(self.targets)[0]}
        if not counts or len(counts | known) > 1:
            raise DataError(f"there are {said(counts)} rows of inputs and {said(known)} targets; each row needs one.")

    def __len__(self) -> int:
        return len(flatten(self.inputs)[0][0])

    # ------------------------------------------------------------------------------------ rows
    def rows(self, indices: Any) -> Dataset:
        """The rows with these numbers, in this order."""
        inputs, targets = (tree_map(lambda x: x[indices], tree) for tree in (self.inputs, self.targets))
        return replace(self, inputs=inputs, targets=targets)

    def shuffled(self, seed: int = 0) -> Dataset:
        """All rows in random order: the same one for the same seed."""
        return self.rows(Generator(seed).source.permutation(len(self)))

    def batches(self, size: int, *, shuffle: Generator | Source | None = None) -> Iterator[Batch]:
        """All rows, `size` at a time (the last batch may be smaller), in the order `shuffle` draws; without it, as they are."""
        if size < 1:
            raise ArgumentError(f"batches: a batch has at least 1 example, not {size}.")
        order = source_of(shuffle).permutation(len(self)) if shuffle is not None else np.arange(len(self))
        for start in range(0, len(self), size):
            chosen = self.rows(order[start:start + size])
            yield Batch(chosen.inputs, chosen.targets)

    def steps(self, size: int) -> int:
        """How many batches of `size` there are."""
        return -(-len(self) // size)

    # ------------------------------------------------------------------------------------ parts
    def split(self, *held_out: float, seed: int = 0, stratified: bool = False) -> tuple[Dataset, ...]:
        """A part to train on, and one for each share held out (a fifth, if none is given), drawn at random by the seed.

        `stratified` draws from each class alike. Raises ArgumentError for shares that leave nothing, DataError where a part
        would be empty.

        >>> data = Dataset(np.zeros((10, 2)), np.arange(10))
        >>> [len(part) for part in data.split(0.2, 0.1)]
        [7, 2, 1]
        """
        shares = held_out or (0.2,)
        if not all(0 < share < 1 for share in shares) or sum(shares) >= 1:
            raise ArgumentError(f"split: what is held out is a share between 0 and 1, all together below 1, not {said(shares)}.")
        order, part = self.drawn(by_shares(shares), seed, stratified)
        sizes = np.bincount(part, minlength=len(shares) + 1)
        if not sizes.all():
            raise DataError(f"split: of {len(self)} {self.name}, the parts would have {said(sizes)} rows. Take other shares.")
        return tuple(self.rows(order[part == k]) for k in range(len(sizes)))

    def folds(self, count: int, *, seed: int = 0, stratified: bool = False) -> Iterator[tuple[Dataset, Dataset]]:
        """`count` pairs of a part to train on and a part held out; each row is held out once. Raises like `split`.

        >>> data = Dataset(np.zeros((10, 2)), np.arange(10))
        >>> [(len(seen), len(held_out)) for seen, held_out in data.folds(3)]
        [(6, 4), (7, 3), (7, 3)]
        """
        if not 2 <= count <= len(self):
            raise ArgumentError(f"folds: there are from 2 to {len(self)} folds of {len(self)} rows, not {count}.")
        order, fold = self.drawn(by_turns(count), seed, stratified)
        for k in range(count):
            yield self.rows(order[fold != k]), self.rows(order[fold == k])

    def drawn(self, parted: Callable[[int, int], Array], seed: int, stratified: bool) -> tuple[Array, Array]:
        """All rows in random order, and the part of each."""
        order = Generator(seed).source.permutation(len(self))
        return order, part_of_each(order, self.targets if stratified else None, parted)

    # ------------------------------------------------------------------------------------ checks
    def checked(self) -> Dataset:
        """The data set itself. Raises DataError that names the first number that is NaN or infinite, or a label of no class."""
        for part, tree in (("inputs", self.inputs), ("targets", self.targets)):
            for path, x in zip(paths(tree, part), flatten(tree)[0]):
                finite = np.isfinite(x) if x.dtype.kind == "f" else np.True_
                if not finite.all():
                    place = [int(i) for i in np.unravel_index(np.argmin(finite), x.shape)]
                    names = self.columns if part == "inputs" and len(place) == 2 else None
                    column = f" (column {names[place[1]]!r})" if names else ""
                    raise DataError(f"{self.name}: {path}{place}{column} is {x[tuple(place)]}. "
                                    f"Correct it, or leave row {place[0]} (counted from 0) out.")
        if self.classes is not None and self.targets is not None:
            self.must_be_in_range(len(self.classes))
        return self

    def must_be_in_range(self, count: int) -> None:
        wrong = (self.targets < 0) | (self.targets >= count)
        if wrong.any():
            row = int(np.argmax(wrong.reshape(len(self), -1).any(axis=1)))
            raise DataError(f"{self.name}: targets[{row}] is {said(np.ravel(self.targets[row])[:10])}, but the {count} classes "
                            f"are 0 to {count - 1}. Correct the label, or leave row {row} (counted from 0) out.")


def said(numbers: Any) -> str:
    """Numbers in a sentence."""
    return ", ".join(str(x) for x in (sorted(numbers) if isinstance(numbers, set) else numbers)) or "no"


def floating(dtype: Any) -> np.dtype[Any]:
    """The dtype of inputs that a reader makes. Raises DTypeError for whole numbers, which would cut values off."""
    if not is_float(dtype):
        raise DTypeError(f"dtype: inputs are floating numbers, such as float32, not {dtype}. Convert them afterwards.")
    return np.dtype(dtype)


def names_of(classes: Sequence[object] | None) -> tuple[str, ...] | None:
    """The names of classes, as a data set keeps them. Raises ArgumentError where two are the same."""
    names = None if classes is None else tuple(str(c) for c in classes)
    if names is not None and len(set(names)) < len(names):
        raise ArgumentError("classes: two have the same name. Name each class once.")
    return names
