"""A measurement takes the numbers of a sweep while its arrays are there; what they belong to is worked out when somebody asks."""
from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from math import hypot, isfinite, sqrt
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.interpreter import Box
from chainrule.scopes import scopes

from .summary import Summary

SAFE = 1e-30  # below, or above its inverse, squares in float32 may have under- or overflowed
MANY = 2048  # numbers; more of them NumPy counts faster as booleans


class Measure(NamedTuple):
    """The numbers of one value: its norm and share of zeros, those of its gradient, and the norm of the gradients above.

    `user` is the serial number of the first result, from the loss down, that it was used for.
    """

    serial: int
    name: str | None
    operation: str | None
    code: Any
    instruction: int
    shape: tuple[int, ...]
    norm: float
    zeros: float
    gradient_norm: float
    gradient_zeros: float
    above: float | None
    user: int | None


def measured(number: int, root: Any, found: Mapping[Any, Any], given: Mapping[int, str]) -> Summary:
    """The summary of a sweep that found these gradients; `given` are names by id."""
    order = sorted(found, key=attrgetter("serial"), reverse=True)
    above: dict[int, float] = {}
    users: dict[int, int] = {}
    taken = []
    for x in order:
        g = found[x]
        while isinstance(g, Box):  # of a sweep that can be differentiated itself
            g = g.value
        if type(g) is tuple:
            size = hypot(*(norm(part.ravel()) for part in g))
        else:
            value, gradient, prim = x.value.ravel(), g.ravel(), x.prim
            size = norm(gradient)
            operation = prim and (prim if prim.name != "pick" else x.args[0].prim).name
            name = given.get(id(x)) or (x.memo.name if x.memo else None)
            taken.append(Measure(x.serial, name, operation, x.code, x.instruction, x.value.shape, norm(value), zeros(value), size,
                                 zeros(gradient), above.get(x.serial), users.get(x.serial)))
        for a in {*x.sources}:
            if a is not None:
                above[a.serial] = hypot(above.get(a.serial, 0.0), size)
                users.setdefault(a.serial, x.serial)
    first = min((m.serial for m in taken if m.operation), default=root.serial)
    inside = tuple(takewhile(lambda s: s.end > first, reversed(scopes)))
    return Summary(number, given.get(id(root)) or root.name or "loss", root.value, tuple(taken), inside, given)


def norm(flat: Any) -> float:
    """The root of the sum of squares, also where squares under- or overflow."""
    square = float(flat.dot(flat))
    if SAFE < square < 1 / SAFE and flat.itemsize > 2:  # float16 adds up too coarsely
        return sqrt(square)
    wide = np.abs(flat.astype(np.float64))
    largest = float(wide.max(initial=0.0))
    return largest if largest == 0 or not isfinite(largest) else largest * sqrt(np.square(wide / largest).sum())


def zeros(flat: Any) -> float:
    """The share of elements that are exactly 0."""
    size = flat.size
    return 1 - int(np.count_nonzero(flat.astype(bool) if size > MANY else flat)) / size if size else 0.0
