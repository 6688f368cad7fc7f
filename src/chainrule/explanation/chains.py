"""A chain is a path through operations; through its arrays run many paths of elements, and its mass is the mass of these."""
from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.reverse import Recorded
from chainrule.errors import ArgumentError

from .algebra import STRONGEST_CHAIN, Wiring
from .links import Links, size_of
from .trace import rule_of
from .values import plain

MOST_VISITED = 5_000
Edges = tuple[tuple[Recorded, int], ...]  # results with the position of the argument, from the loss down


def log_sum(logs: Any) -> float:
    highest = float(np.max(logs, initial=-np.inf))
    return highest + float(np.log(np.exp(logs - highest).sum())) if np.isfinite(highest) else highest


def lifted(logs: Any, links: Links, size: int) -> Any:
    """The mass below each element of a result, in logarithms, from that below each element of its argument."""
    highest = float(np.max(logs[links.columns], initial=-np.inf))
    if not np.isfinite(highest):
        return np.full(size, -np.inf)
    masses = np.exp(logs[links.columns] - highest) * np.abs(links.slopes)
    return np.log(np.bincount(links.rows, masses, minlength=size)) + highest


def chains(wiring: Wiring, x: Recorded, top: int) -> Iterator[tuple[float, Edges]]:
    """The `top` chains with the largest mass, largest first, each with the logarithm of it.

    Best first, from `x` up to the loss (A* search): what a part of a chain can still come to is bounded by a sweep in an algebra
    that lets the better of two operations count. Where each value is one number, the bound is exact, and no step is in vain.
    """
    bound = wiring.sweep(STRONGEST_CHAIN)
    order = count()
    waiting: list[tuple[float, int, int, Recorded, Any, Edges]] = [(0.0, 0, next(order), x, np.zeros(size_of(x)), ())]
    visited = 0
    while waiting and top:
        _, depth, _, x, below, edges = heapq.heappop(waiting)
        visited += 1
        if x is wiring.root:
            top -= 1
            yield float(below[0]), edges
            continue
        if visited > MOST_VISITED:
            raise ArgumentError(f"paths: {top} of the strongest chains are not certain after {MOST_VISITED:,} parts of chains; "
                                "too many carry about the same. Ask for fewer, or for by='element'.")
        with np.errstate(all="ignore"):
            for user, i in wiring.users.get(x, ()):
                logs = lifted(below, wiring.links(user, i), size_of(user))
                reach = log_sum(logs + bound[user])
                if reach > -np.inf:  # rounded, so that among equals the one nearest to the loss comes first
                    heapq.heappush(waiting, (-round(reach, 9), depth - 1, next(order), user, logs, ((user, i), *edges)))


def contribution(root: Recorded, edges: Edges) -> Any:
    """What a chain adds to the gradient of the value at its end, by the engine's own rules."""
    g: Any = np.ones(root.shape, root.dtype)
    with under(NUMPY), np.errstate(all="ignore"):
        for x, i in edges:
            g = plain(rule_of(x, i)(g, x.value, *x.values, **x.params), x.sources[i])
    return g
