"""A path leads from the loss back to a value, edge by edge; the gradient is the sum over all paths of the products along them."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.reverse import Recorded
from chainrule.errors import ArgumentError

from ..comparing.what_if import found
from ..faces.answer import Answer
from ..faces.data import paths_json
from ..record.facts import Facts
from ..record.values import value_of
from .algebra import ALGEBRAS, Algebra, Wiring, best
from .chains import chains, log_sum
from .paths_html import drawn
from .paths_text import page

MOST_WEIGHTS = 50_000_000  # of the paths through one operation, at once in memory
Index = tuple[int, ...]
Stop = tuple[Recorded, int | None, int | None, float]  # a value, which element, the argument of the value before, the slope


@dataclass(frozen=True)
class Step:
    """One value on a path: its name, which element (None: all), the edge that led to it, and the local derivative along that."""

    node: str
    index: Index | None
    edge: str | None
    local: float | None


@dataclass(frozen=True)
class Path:
    """One way from the loss back to a value, the loss first.

    `product` is the product of the local derivatives; of a chain of operations, the array it adds to the gradient. `share` is
    its absolute value (of an array: their sum) as a share of the path mass, signed as the product; of a chain, as `of_gradient`.
    `of_gradient` is its signed part of the gradient, (product · gradient) / (gradient · gradient): over all paths, they sum to 1.
    """

    steps: tuple[Step, ...]
    product: Any
    share: float
    of_gradient: float

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(step.node for step in self.steps)

    @property
    def edges(self) -> tuple[str | None, ...]:
        return tuple(step.edge for step in self.steps[1:])


@dataclass(frozen=True, repr=False)
class Paths(Answer):
    """The strongest paths from the loss back to the value `name`, strongest first, out of `count`.

    `mass` is the sum of the absolute products of all paths, `entropy` that of their distribution, in nats: of paths through
    elements, whatever they are shown `by`. `cancelled` is the share of the mass that paths of opposite sign take from each other.
    """

    loss: str
    name: str
    by: str
    paths: tuple[Path, ...]
    count: int
    mass: float
    entropy: float
    cancelled: float
    gradient: Any

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> Path:
        return self.paths[i]

    def text(self, width: int = 80) -> str:
        """A table of the paths, for a terminal `width` columns wide."""
        return page(self, width)

    def json(self) -> str:
        """The same as JSON; docs/json.md says what each entry means."""
        return paths_json(self)

    def html(self) -> str:
        """The same table for a notebook or a page; in the titles of the numbers are all their digits."""
        return drawn(self)

    def __repr__(self) -> str:
        return f"<{len(self)} of {self.count} paths from {self.loss} to {self.name}; print it>"


def paths(e: Facts, key: Any, top: int, by: str) -> Paths:
    """The answer to `e.paths(key, top=top, by=by)`."""
    if by not in ("element", "operation"):
        raise ArgumentError(f"paths: by is 'element' or 'operation', not {by!r:.40}.")
    if not isinstance(top, int | np.integer) or isinstance(top, bool) or top < 1:
        raise ArgumentError(f"paths: top is how many paths to show, a whole number from 1 on, not {top!r:.40}.")
    name, x = found(e, key, "paths")
    wiring = Wiring(e.replay.root, [x])
    if x is not wiring.root and x not in wiring.users:
        raise ArgumentError(f"paths: {name} is constant: no gradient flows to it from {e.loss}.")
    with np.errstate(all="ignore"):
        return answer(e, wiring, name, x, top, by)


def answer(e: Facts, wiring: Wiring, name: str, x: Recorded, top: int, by: str) -> Paths:
    """What all paths come to, by a sweep in each algebra, and the strongest of them."""
    logs, counts, entropies = (wiring.sweep(ALGEBRAS[a])[x] for a in ("log_mass", "count", "entropy"))
    total = log_sum(logs)
    shares = np.exp(logs - total) if np.isfinite(total) else np.zeros_like(logs)
    gradient = np.asarray(wiring.sweep(ALGEBRAS["gradient"])[x]).reshape(np.shape(value_of(x)))
    mass, count = float(np.exp(total)), int(counts.sum())
    ways = by_element if by == "element" else by_operation
    return Paths(
        loss=e.loss, name=name, by=by, paths=tuple(ways(wiring, x, max(1, min(int(top), count)), total, gradient, Naming(e))),
        count=count, mass=mass, entropy=float((shares * (entropies[..., 1] - np.log(np.where(shares > 0, shares, 1.0)))).sum()),
        cancelled=float(max(0.0, 1 - np.abs(gradient).sum() / mass)) if mass > 0 else 0.0, gradient=gradient)


class Naming:
    """What the explanation calls values and edges."""

    def __init__(self, e: Facts) -> None:
        self.e = e
        self.names = {id(x): name for name, x in e.replay.values.items()}
        self.edges = {(edge.result, edge.argument, edge.position): edge.id for edge in e.edges}

    def steps(self, stops: list[Stop]) -> Iterator[Step]:
        before = None
        for x, element, position, slope in stops:
            name = self.names[id(x)]
            shape = np.shape(value_of(x)) if not isinstance(x.value, tuple) else None
            index = None if element is None or shape is None else tuple(int(i) for i in np.unravel_index(element, shape))
            edge = before and self.edges.get((self.e[before].id, self.e[name].id, position))
            yield Step(name, index, edge, None if position is None or element is None else slope)
            before = name


def in_gradient(product: Any, gradient: Any) -> float:
    """The part of the gradient along which a contribution points, as a share of it."""
    square = float(np.sum(gradient * gradient))
    return float(np.sum(product * gradient)) / square if square else float("nan")


# ---------------------------------------------------------------------------------------- through elements
def by_element(wiring: Wiring, x: Recorded, top: int, total: float, gradient: Any, naming: Naming) -> Iterator[Path]:
    """The strongest paths through elements, by a k-best dynamic program: one sweep, then each path traced back through it."""
    largest = max((len(links.rows) for links in wiring.made.values()), default=1)
    if top * largest > MOST_WEIGHTS:
        raise ArgumentError(f"paths: {top:,} paths along the {largest:,} pairs of elements of one operation take too much "
                            f"memory. Ask for {MOST_WEIGHTS // largest} at most.")
    algebra = best(top)
    weights = wiring.sweep(algebra)
    flat = weights[x].ravel()
    for place in np.argsort(-flat, kind="stable")[:top]:
        if flat[place] == -np.inf:
            return
        stops = traced(wiring, algebra, weights, x, *divmod(int(place), top))
        product = float(np.prod([slope for *_, slope in stops]))
        contributed = np.zeros(gradient.size)
        contributed[int(place) // top] = product
        share = float(np.copysign(np.exp(flat[place] - total), np.prod([np.sign(slope) for *_, slope in stops])))
        yield Path(tuple(naming.steps(stops)), product, share, in_gradient(contributed.reshape(gradient.shape), gradient))


def traced(wiring: Wiring, algebra: Algebra, weights: dict[Recorded, Any], x: Recorded, element: int, rank: int) -> list[Stop]:
    """The path of this rank into an element, from the loss down.

    The candidates one link up are ranked as the sweep ranked them; ties fall alike each time, so that no path comes twice.
    """
    up: list[Stop] = []
    while x is not wiring.root:
        ways = []
        for user, i in wiring.users[x]:
            links = wiring.links(user, i)
            into = links.into(element)
            ways.append((user, i, links.rows[into], links.slopes[into]))
        candidates = [algebra.times(weights[user][rows], algebra.lift(slopes)) for user, _, rows, slopes in ways]
        chosen = np.argsort(-np.concatenate(candidates).ravel(), kind="stable")[rank]
        place, rank = divmod(int(chosen), candidates[0].shape[1])
        ends = np.cumsum([len(rows) for *_, rows, _ in ways])
        way = int(np.searchsorted(ends, place, side="right"))
        user, i, rows, slopes = ways[way]
        place -= int(ends[way]) - len(rows)
        up.append((x, element, i, float(slopes[place])))
        x, element = user, int(rows[place])
    return [(x, element, None, 1.0), *reversed(up)]


# ---------------------------------------------------------------------------------------- through operations
def by_operation(wiring: Wiring, x: Recorded, top: int, total: float, gradient: Any, naming: Naming) -> Iterator[Path]:
    """The strongest chains of operations, each with all its paths through elements together."""
    for product, edges in chains(wiring, x, top):
        part = in_gradient(product, gradient)
        share = float(np.abs(product).sum() * np.exp(-total))
        stops: list[Stop] = [(wiring.root, None, None, 1.0), *((user.args[i], None, i, 1.0) for user, i in edges)]
        yield Path(tuple(naming.steps(stops)), product, float(np.copysign(share, part)), part)
