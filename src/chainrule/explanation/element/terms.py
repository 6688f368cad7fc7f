"""A term is what one element of a result hands back to one number: the gradient arriving there, times the local derivative.

One rule serves all operations. The local derivatives of everything that an operation computes, in one number that it was given,
come by forward mode: its tangent, at the recorded values, along that number alone. The gradients arriving come by reverse mode,
from the one sweep. Their products, over all edges, sum to the gradient.
"""
from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.reverse import Recorded
from chainrule.ops.broadcasting import chain

from ..record.facts import Check, Edge, Facts, Node
from ..record.replay import Replay

Index = tuple[int, ...]


@dataclass(frozen=True)
class Term:
    """`value` = `upstream` × `local`, along `edge`, from the element `index` of the result.

    `result` is the result's name; `output` says which of its outputs, where it has several.
    """

    edge: str
    result: str
    index: Index
    upstream: float
    local: float
    value: float
    output: int | None = None


@dataclass(frozen=True)
class Use:
    """How a result uses the number: how many of its `elements` depend on it. `counts` says how many places that is along each
    axis, where these places are a grid: (32, 1) are 32 rows of one column. `position` says as which argument it was used."""

    edge: str
    result: str
    position: int
    terms: int
    elements: int
    counts: Index | None


@dataclass(frozen=True, repr=False)
class Reconciled:
    """One number of a gradient, the terms that it is the sum of, and the sum beside it.

    `node` is the name of the value, `index` the element of it. `terms` are those whose local derivative is not zero, in the
    order of the sweep; `uses` counts them, and the others, for each edge.
    """

    loss: str
    node: str
    index: Index
    gradient: float
    terms: tuple[Term, ...]
    uses: tuple[Use, ...]
    facts: Facts = field(compare=False)
    recorded: Recorded = field(compare=False)

    @cached_property
    def total(self) -> float:
        """The sum of the terms, rounded once."""
        return summed(t.value for t in self.terms)

    @property
    def residual(self) -> float:
        """How far the sum is from the gradient of the sweep."""
        return 0.0 if self.total == self.gradient else abs(self.total - self.gradient)  # infinity less infinity is no number

    @cached_property
    def check(self) -> Check:
        """The gradient beside a central difference of the loss, computed in float64."""
        scale = float(np.max(np.abs(self.facts[self.node].gradient)))
        replay: Replay = self.facts.replay
        return Check(self.node, self.index, self.gradient,
                     *replay.compared(self.recorded, self.index, self.gradient, scale, replay.tolerance()))

    @property
    def difference(self) -> float:
        return self.check.difference


def summed(values: Iterable[float]) -> float:
    """The sum with one rounding at its end."""
    array = np.fromiter(values, np.float64)
    with np.errstate(all="ignore"):
        fast = float(array.sum())
    return math.fsum(array) if np.isfinite(fast) else fast


def local_derivatives(x: Recorded, position: int, index: Index) -> Any:
    """The derivative of every element of `x` in one element of argument `position`; of several outputs, one array each."""
    direction = np.zeros_like(x.values[position])
    direction[index] = 1
    tangents = [direction if i == position else None for i in range(len(x.values))]
    assert x.prim is not None
    with under(NUMPY), np.errstate(all="ignore"):
        return x.prim.tangent(tangents, x.value, *x.values, **x.params)


def terms_along(edge: Edge, result: Node, x: Recorded, index: Index) -> Iterator[Term]:
    """The terms along one edge into the element `index` of its argument, whose result was recorded as `x`."""
    local, upstream, several = local_derivatives(x, edge.position, index), edge.upstream, isinstance(x.value, tuple)
    outputs = zip(local, upstream, x.value) if several else [(local, upstream, x.value)]
    for output, (d, g, y) in enumerate(outputs):
        if d is None:
            continue
        slopes = np.broadcast_to(np.asarray(d), np.shape(y))
        places = np.argwhere(slopes)
        picked = tuple(places.T)
        factors = np.atleast_1d(slopes[picked]).astype(np.float64), np.atleast_1d(g[picked]).astype(np.float64)
        with under(NUMPY), np.errstate(all="ignore"):
            products = chain(factors[1], factors[0])
        for place, slope, arriving, product in zip(places.tolist(), *map(np.ndarray.tolist, (*factors, products))):
            yield Term(edge.id, result.name, tuple(place), arriving, slope, product, output if several else None)


def use(edge: Edge, result: Node, terms: list[Term]) -> Use:
    several = isinstance(result.value, tuple)
    elements = sum(np.size(y) for y in result.value) if several else np.size(result.value)
    counts = None if several or not terms else tuple(len(set(places)) for places in zip(*(t.index for t in terms)))
    return Use(edge.id, result.name, edge.position, len(terms), elements,
               counts if counts and math.prod(counts) == len(terms) else None)
