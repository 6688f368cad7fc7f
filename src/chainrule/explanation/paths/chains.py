"""A chain is a path through operations: all paths through the elements of their arrays, together with what they add up to."""
from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.reverse import Recorded
from chainrule.errors import ArgumentError

from ..record.replay import widened
from ..record.trace import parts, rule_of
from ..record.values import plain
from .algebra import Wiring, logarithm
from .links import Links, size_of

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


def reach(wiring: Wiring, x: Recorded) -> dict[Recorded, Any]:
    """The most that any one chain carries from each element of each value down to `x`, in logarithms."""
    below = {x: np.zeros(size_of(x))}
    with np.errstate(all="ignore"):
        for y in reversed(wiring.order):
            for i, a in wiring.edges_of(y):
                logs = lifted(below[a], wiring.links(y, i), size_of(y))
                below[y] = np.maximum(below[y], logs) if y in below else logs
    return below


def chains(wiring: Wiring, x: Recorded, top: int) -> Iterator[tuple[Any, Edges]]:
    """The `top` chains from the loss to `x` that add most to its gradient (the sum of absolute values), with what they add.

    Best first (A* search): what the start of a chain has come to, by the engine's own rules, times what the rest can carry at
    most, were nothing to cancel. Where each value is one number, that bound is exact, and no step is in vain.
    """
    root, order, below, visited = wiring.root, count(), reach(wiring, x), 0
    waiting: list[tuple[float, int, int, Recorded, Any, Edges]] = [(0.0, 0, next(order), root, np.ones(root.shape), ())]
    while waiting and top:
        _, depth, _, y, g, edges = heapq.heappop(waiting)
        visited += 1
        if y is x:
            top -= 1
            yield g, edges
            continue
        if visited > MOST_VISITED:
            raise ArgumentError(f"paths: {top} of the strongest chains are not certain after {MOST_VISITED:,} parts of chains: "
                                "too many add about the same. Ask for fewer, or for by='element'.")
        for i, a in wiring.edges_of(y):
            d = handed(y, i, g)
            most = -np.inf if d is None else carried(d, below[a])
            if most > -np.inf:  # rounded, so that among equals the one nearest to its end comes first
                heapq.heappush(waiting, (-round(most, 9), depth - 1, next(order), a, d, (*edges, (y, i))))


def carried(g: Any, below: Any) -> float:
    """The most that a gradient can come to along one chain, in logarithms."""
    with np.errstate(all="ignore"):
        return log_sum(np.concatenate([logarithm(part).ravel() for part in parts(g)]) + below)


def handed(y: Recorded, i: int, g: Any) -> Any:
    """What a value hands to its argument `i` of a gradient `g`, in float64."""
    value = tuple(map(widened, y.value)) if isinstance(y.value, tuple) else widened(y.value)
    with under(NUMPY), np.errstate(all="ignore"):
        d = rule_of(y, i)(g, value, *map(widened, y.values), **y.params)
        return None if d is None else plain(d, y.sources[i])
