"""A part of a data set is the rows that a random order, and the shares asked for, give to it."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError

Array = np.ndarray[Any, Any]


def part_of_each(order: Array, targets: Any, parted: Callable[[int, int], Array]) -> Array:
    """The number of the part of each place in an order; `parted(size, before)` numbers the places of one class, or of all.

    With `targets` each class is parted alike, whichever rows the others have; None takes all rows as one class.
    """
    part = np.zeros(len(order), np.intp)
    before = 0
    for places in [np.arange(len(order))] if targets is None else places_by_class(order, targets):
        part[places] = parted(len(places), before)
        before += len(places)
    return part


def places_by_class(order: Array, targets: Any) -> list[Array]:
    if not (isinstance(targets, np.ndarray) and targets.ndim == 1 and targets.dtype.kind in "iub"):
        raise ArgumentError("stratified: it needs one class for each row, a whole number; these targets are something else.")
    labels = targets[order]
    by_class = np.argsort(labels, kind="stable")
    edges = np.flatnonzero(np.diff(labels[by_class])) + 1
    return [by_class[a:b] for a, b in pairwise([0, *edges.tolist(), len(order)])]


def by_shares(shares: Sequence[float]) -> Callable[[int, int], Array]:
    """Parts 1, 2, ... have these shares, each rounded; part 0, which comes first, has what is left."""
    def parted(size: int, before: int) -> Array:
        sizes = [round(share * size) for share in shares]
        return np.repeat(np.arange(len(shares) + 1), [max(size - sum(sizes), 0), *sizes])[:size]
    return parted


def by_turns(count: int) -> Callable[[int, int], Array]:
    """`count` parts take turns, so that their sizes differ by one at most, over all rows and in each class."""
    return lambda size, before: (before + np.arange(size)) % count
