"""What is pulled back along an edge whose rule nobody writes down is the transposed Jacobian times the gradients arriving."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...element.terms import terms_along
from ...formulas.binding import ATOM, BIG, PRODUCT, Written
from ...formulas.formula import Formula, Name
from ...formulas.writing import text
from ...record.facts import Edge, Facts
from .index_places import Anywhere, moved
from .symbols import Symbol
from .verified import REPORT, DerivationError, Evaluated, Known, Valued, agree, plainly


@dataclass(frozen=True, eq=False)
class Pulled(Evaluated):
    """A contribution, said by the values at the ends of its edge: of several outputs, all."""

    results: tuple[Symbol, ...]
    argument: Symbol
    arriving: tuple[Symbol, ...]
    contribution: Any

    def as_text(self) -> Written:
        results, arriving = (", ".join(s.name for s in symbols) for symbols in (self.results, self.arriving))
        return f"jacobian({results}; {self.argument.name}).T({arriving})", ATOM

    def as_latex(self) -> Written:
        results, arriving = (together([s.bar or "" for s in symbols]) for symbols in (self.results, self.arriving))
        return rf"\left( \frac{{\partial {results}}}{{\partial {self.argument.bar}}} \right)^T {arriving}", PRODUCT

    def evaluate(self, known: Known) -> Valued:
        return plainly(self.contribution)

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        results, arriving = (tuple(map(renamed(name), symbols)) for symbols in (self.results, self.arriving))
        return replace(self, results=results, argument=renamed(name)(self.argument), arriving=arriving)


def renamed(name: Callable[[Name], Formula]) -> Callable[[Symbol], Symbol]:
    def rename(x: Symbol) -> Symbol:
        found = name(x)
        assert isinstance(found, Symbol)
        return found
    return rename


def together(written: list[str]) -> str:
    return written[0] if len(written) == 1 else rf"\left( {', '.join(written)} \right)"


@dataclass(frozen=True, eq=False)
class PulledElement(Evaluated):
    """One element of it: the sum, over all elements of the results, of the gradient arriving times the local derivative."""

    of: Pulled
    places: tuple[Anywhere, ...]

    def as_text(self) -> Written:
        below = [p.said() for p in self.places]
        argument = self.of.argument.entry(below)[0]
        products = [f"{g.name}[{P}] * d{y.name}[{P}]/d{argument}" for y, g in zip(self.of.results, self.of.arriving)]
        return f"sum_{{{P}}} " + " + ".join(products), BIG

    def as_latex(self) -> Written:
        argument = self.of.argument.entry([p.said() for p in self.places])[1]
        products = [rf"{g.entry([(P, P)])[1]} \, \frac{{\partial {y.entry([(P, P)])[1]}}}{{\partial {argument}}}"
                    for y, g in zip(self.of.results, self.of.arriving)]
        return rf"\sum_{{{P}}} " + (products[0] if len(products) == 1 else rf"\left( {' + '.join(products)} \right)"), BIG

    def evaluate(self, known: Known) -> Valued:
        return plainly(np.asarray(self.of.contribution)[tuple(p.value(known) for p in self.places)])

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        of = self.of.mapped(name)
        assert isinstance(of, Pulled)
        return replace(self, of=of, places=tuple(moved(p, name) for p in self.places))


def must_sum_up(e: Facts, edge: Edge, pulled: Pulled, most: float) -> None:
    """Raise the error for a contribution whose largest element is not the sum of gradients arriving times local derivatives.

    These derivatives come by forward mode, and know nothing of the rule.
    """
    contribution = np.asarray(edge.contribution)
    if not contribution.size or not np.isfinite(contribution).all():
        return
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(np.abs(contribution))), contribution.shape))
    terms = [t.value for t in terms_along(edge, e[edge.result], e.replay.values[e[edge.result].name], place)]
    if not agree(np.sum(terms), lambda: np.sum(np.abs(terms)), contribution[place], most):
        raise DerivationError(f"derivation: {text(pulled)} does not hold: the terms at {list(place)} sum to {np.sum(terms)}, the "
                              f"recorded array has {contribution[place]}. {REPORT}")


P = "p"  # it runs over all elements of a result, however many axes that has
