"""The alphabet of gates is add and multiply, as in the vocabulary, and what is drawn besides: copy, max and min of two."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Array
from chainrule.ops.choice import where
from chainrule.ops.comparison import equal, greater
from chainrule.ops.elementwise import elementwise


@elementwise(1, tex="{0}", native=np.positive)
def copy(x: Array) -> Array:
    """The same number, to be used more than once: what comes back from its uses adds up."""


def to_first(first: Array, second: Array, tie: float | None) -> Array:
    """1 where the first is the greater, else 0; of equal ones it gets the share `tie`."""
    return greater(first, second) if tie is None else where(equal(first, second), tie, greater(first, second))


def rest(tie: float | None) -> float | None:
    return None if tie is None else 1.0 - tie


def with_tie(a: Array, b: Array, tie: float | None = None) -> Any:
    return (a, b), {"tie": tie}


@elementwise(lambda y, a, b, tie: to_first(a, b, tie), lambda y, a, b, tie: to_first(b, a, rest(tie)), prepare=with_tie,
             tex=r"\max({0}, {1})")
def maximum(a: Array, b: Array, *, tie: float | None = None) -> Array:
    """The greater of two numbers, to which all of the gradient goes; of equal ones the first gets the share `tie`."""
    return np.maximum(a, b)


@elementwise(lambda y, a, b, tie: to_first(b, a, tie), lambda y, a, b, tie: to_first(a, b, rest(tie)), prepare=with_tie,
             tex=r"\min({0}, {1})")
def minimum(a: Array, b: Array, *, tie: float | None = None) -> Array:
    """The lesser of two numbers, to which all of the gradient goes; of equal ones the first gets the share `tie`."""
    return np.minimum(a, b)
