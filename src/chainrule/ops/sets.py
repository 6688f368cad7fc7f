"""A set of elements is each different one once; its gradient goes to the place where the element stands first."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core.interpreter import concrete
from chainrule.core.type import Array

from .indexing import get_at
from .shaping import ravel

USE = "a set, which has as many elements as there are different ones,"


class UniqueAll(NamedTuple):
    """The different elements, where each stands first, which one each element is, and how often each occurs."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """The different elements, and how often each occurs."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """The different elements, and which one each element is."""

    values: Array
    inverse_indices: Array


def unique_all(x: Array, /) -> UniqueAll:
    """The different elements in ascending order, with `indices`, `inverse_indices` (in the shape of x) and `counts`.

    Every NaN counts as different. Needs numbers, so it cannot be staged or batched; gradients flow to the first occurrence.

    >>> import chainrule as cr, numpy as np
    >>> cr.unique_all(np.array([3.0, 1.0, 3.0])).counts
    array([1, 2])
    """
    found: Any = np.unique(concrete(x, USE), return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    _, indices, inverse, counts = found
    return UniqueAll(get_at(ravel(x), indices), indices, inverse, counts)


def unique_counts(x: Array, /) -> UniqueCounts:
    """The different elements in ascending order, and how often each occurs."""
    values, _, _, counts = unique_all(x)
    return UniqueCounts(values, counts)


def unique_inverse(x: Array, /) -> UniqueInverse:
    """The different elements in ascending order, and for each element of x, the number of its value among them."""
    values, _, inverse, _ = unique_all(x)
    return UniqueInverse(values, inverse)


def unique_values(x: Array, /) -> Array:
    """The different elements in ascending order."""
    return unique_all(x).values
