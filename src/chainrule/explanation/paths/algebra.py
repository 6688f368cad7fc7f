"""An algebra says what a backward sweep adds up: how to join the links of a path, and how to join paths that meet.

The backward sweep is a sum over all paths from the loss down, of the product of the local derivatives along each. Nothing in it
needs sums and products: any two operations with the distributive law (a semiring) go through the same graph in the same time,
and answer another question. With (max, *) it is the strongest path, with (+, 1 for each link) the number of paths, and so on.

Sources: J. Goodman, "Semiring parsing" (Computational Linguistics 25, 1999); Z. Li and J. Eisner, "First- and second-order
expectation semirings" (EMNLP 2009); K. Du et al., "Generalizing backpropagation for gradient-based interpretability" (ACL 2023).
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.reverse import Recorded
from chainrule.eager import EAGER
from chainrule.errors import ArgumentError
from chainrule.sweeps import no_path

from ..record.recorded import must_be_recorded
from .links import Links, links_of, size_of


@dataclass(frozen=True)
class Algebra:
    """How a sweep weighs paths: `plus` joins paths that meet, `times` prolongs a path by a link, `lift` weighs links.

    All take and give arrays of weights, `lift` takes local derivatives: one for each element along axis 0. `zero` is the weight
    of no path, and has the shape and dtype of a weight; `times` keeps it. `one` is the weight of the empty path. `plus` must
    be associative and commutative, and `times` distribute over it. `read` turns the weights of a value into what `sweep` returns.
    """

    name: str
    zero: Any
    one: Any
    plus: Callable[[Any, Any], Any]
    times: Callable[[Any, Any], Any]
    lift: Callable[[Any], Any]
    read: Callable[[Any], Any] = np.asarray

    def filled(self, weight: Any, size: int) -> Any:
        weight = np.asarray(weight)
        return np.broadcast_to(weight, (size, *weight.shape)).copy()

    def through(self, weights: Any, links: Links, size: int) -> Any:
        """What arrives at an argument of `size` elements along `links`, from the weights of the result."""
        reached = weights != np.asarray(self.zero)
        some = reached.reshape(len(weights), -1).any(axis=1)[links.rows]
        return self.gathered(self.times(weights[links.rows[some]], self.lift(links.slopes[some])), links.columns[some], size)

    def gathered(self, weights: Any, columns: Any, size: int) -> Any:
        """Join the weights of each column, by twos, until one is left; the columns are sorted."""
        while len(columns) > 1 and (same := columns[1:] == columns[:-1]).any():
            starts = np.flatnonzero(np.concatenate([[True], ~same]))
            rank = np.arange(len(columns)) - np.repeat(starts, np.diff([*starts, len(columns)]))
            second = np.flatnonzero(rank % 2)
            weights[second - 1] = self.plus(weights[second - 1], weights[second])
            weights, columns = weights[rank % 2 == 0], columns[rank % 2 == 0]
        whole = self.filled(self.zero, size)
        whole[columns] = weights
        return whole


def logarithm(d: Any) -> Any:
    return np.log(np.abs(d))


def weighted(logs: Any, entropies: Any) -> Any:
    return np.stack([logs, entropies], axis=-1)


def mixture(a: Any, b: Any) -> Any:
    """Two distributions of paths as one: its entropy is the mean of theirs, and that of the choice between them."""
    total = np.logaddexp(a[..., 0], b[..., 0])
    entropy = np.zeros_like(total)
    for part in (a, b):
        share = np.exp(part[..., 0] - total)
        entropy += np.where(share > 0, share * (part[..., 1] - (part[..., 0] - total)), 0.0)
    return weighted(total, np.where(np.isfinite(total), entropy, 0.0))


ALGEBRAS: dict[str, Algebra] = {a.name: a for a in (
    Algebra("gradient", zero=0.0, one=1.0, plus=np.add, times=np.multiply, lift=np.asarray),
    Algebra("mass", zero=0.0, one=1.0, plus=np.add, times=np.multiply, lift=np.abs),
    Algebra("strongest", zero=0.0, one=1.0, plus=np.maximum, times=np.multiply, lift=np.abs),
    Algebra("log_mass", zero=-np.inf, one=0.0, plus=np.logaddexp, times=np.add, lift=logarithm),
    Algebra("log_strongest", zero=-np.inf, one=0.0, plus=np.maximum, times=np.add, lift=logarithm),
    Algebra("count", zero=np.array(0, object), one=np.array(1, object), plus=np.add, times=np.multiply,
            lift=lambda d: np.ones(len(d), object)),
    Algebra("entropy", zero=np.array([-np.inf, 0.0]), one=np.zeros(2), plus=mixture, times=np.add,
            lift=lambda d: weighted(logarithm(d), np.zeros(len(d))), read=lambda w: w[..., 1]),
)}


def best(k: int) -> Algebra:
    """The logarithms of the k strongest paths, strongest first: the k-best dynamic program as an algebra."""
    def longest(a: Any, b: Any) -> Any:
        return -np.sort(-np.concatenate([a, b], axis=-1), axis=-1)[..., :k]

    def prolonged(a: Any, b: Any) -> Any:
        return np.where(a == -np.inf, a, a + b)  # no path stays none, also along an infinite slope
    first = np.full(k, -np.inf)
    first[0] = 0.0
    return Algebra("best", zero=np.full(k, -np.inf), one=first, plus=longest, times=prolonged,
                   lift=lambda d: logarithm(d)[:, None])


class Wiring:
    """The scalar graph behind `root`, towards the values `wanted` (None: towards everything); links are made once."""

    def __init__(self, root: Recorded, wanted: list[Recorded] | None = None) -> None:
        self.root, self.order = root, EAGER.history(root)
        self.active = set(self.order) if wanted is None else set(wanted)
        for x in reversed(self.order):
            if any(a in self.active for a in x.sources if a is not None):
                self.active.add(x)
        self.made: dict[tuple[Recorded, int], Links] = {}
        self.users: dict[Recorded, list[tuple[Recorded, int]]] = {}
        for x in self.order:
            for i, a in self.edges_of(x):
                self.users.setdefault(a, []).append((x, i))

    def edges_of(self, x: Recorded) -> list[tuple[int, Recorded]]:
        """The arguments of a value through which paths run, with their positions."""
        return [(i, a) for i, a in enumerate(x.sources) if a is not None and a in self.active]

    def links(self, x: Recorded, i: int) -> Links:
        if (x, i) not in self.made:
            self.made[x, i] = links_of(x, i)
        return self.made[x, i]

    def sweep(self, algebra: Algebra) -> dict[Recorded, Any]:
        """The backward sweep, in any algebra: the weights of all paths from the root to each element of each value."""
        weights = {self.root: algebra.filled(algebra.one, size_of(self.root))}
        with np.errstate(all="ignore"):
            for x in self.order:
                if x not in weights:
                    continue
                for i, a in self.edges_of(x):
                    arriving = algebra.through(weights[x], self.links(x, i), size_of(a))
                    weights[a] = algebra.plus(weights[a], arriving) if a in weights else arriving
        return weights


def sweep(loss: Any, algebra: str | Algebra = "gradient", wrt: Any = None) -> Any:
    """Sweep back from `loss`, a tensor of one element, with another algebra than sums of products.

    A path leads from the loss to one element of a value, through one element of each value on the way, along local derivatives
    that are not 0. `algebra` says what is found for each element: "gradient" (the sum of the products of all paths),
    "mass" (the sum of their absolute values), "strongest" (the largest absolute value), "count" (how many paths; exact Python
    integers), "entropy" (of the distribution of the absolute values, in nats), "log_mass" and "log_strongest" (logarithms, where
    products would overflow or vanish), or an `Algebra` of one's own. All but "count" compute in float64.

    `wrt` is a tensor (the result is one array of its shape), a list of tensors (a list), or None (a dict of all leaves).
    Raises ArgumentError (no such algebra; an operation with more than two million pairs of elements), NonScalarError and
    NoPathError.

    >>> import chainrule as cr
    >>> x = cr.tensor(3.0, requires_grad=True)
    >>> loss = x * x - 5.0 * x
    >>> [float(cr.sweep(loss, name, x)) for name in ("gradient", "mass", "strongest", "count")]
    [1.0, 11.0, 5.0, 3.0]
    """
    if isinstance(algebra, str) and algebra not in ALGEBRAS:
        raise ArgumentError(f"sweep: {algebra!r:.40} is no algebra. There are {', '.join(ALGEBRAS)}; or give an Algebra.")
    chosen = ALGEBRAS[algebra] if isinstance(algebra, str) else algebra
    must_be_recorded(loss, "sweep")
    wanted = None if wrt is None else list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    behind = set(EAGER.history(loss))
    for t in wanted or ():
        if t not in behind:
            raise no_path(loss, t)
    weights = Wiring(loss, wanted).sweep(chosen)

    def read(t: Any) -> Any:
        found = chosen.read(weights[t] if t in weights else chosen.filled(chosen.zero, size_of(t)))
        return found.reshape((*t.shape, *found.shape[1:]))
    if wanted is None:
        return {t: read(t) for t in reversed(EAGER.history(loss)) if t.prim is None}
    return [read(t) for t in wanted] if isinstance(wrt, list | tuple) else read(wrt)
