"""An indexed formula says what one element is: entries of arrays, sums over indices, and operations on numbers between them."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from chainrule.ops import add

from ...formulas.binding import ATOM, BIG, POWER, SIGN, SUM, Written
from ...formulas.formula import Call, Formula, Name, number
from ...formulas.writing import inside, inside_latex
from .index_places import Anywhere, Letter, Place, moved
from .rewriting import mapped
from .symbols import Symbol
from .verified import Evaluated, Known, Valued, plainly, valued


@dataclass(frozen=True, eq=False)
class Entry(Evaluated):
    """One element of an array; 0 where the index is outside of it."""

    symbol: Symbol
    places: tuple[Anywhere, ...]

    def as_text(self) -> Written:
        body = self.symbol.entry([p.said() for p in self.places])[0]
        return body, SIGN if "/" in body.split("[")[0] else ATOM

    def as_latex(self) -> Written:
        body = self.symbol.entry([p.said() for p in self.places])[1]
        return body, SIGN if "frac" in body else POWER if "^" in body else ATOM

    def evaluate(self, known: Known) -> Valued:
        return plainly(picked(np.asarray(known[self.symbol.name]), self.places, known))

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        found = name(self.symbol)
        assert isinstance(found, Symbol)
        return replace(self, symbol=found, places=tuple(moved(p, name) for p in self.places))


def picked(array: Any, places: tuple[Anywhere, ...], known: Known) -> Any:
    """Elements of an array; 0 outside of it."""
    index = [p.value(known) for p in places]
    inside_it = np.all(np.broadcast_arrays(True, *((i >= 0) & (i < n) for i, n in zip(index, array.shape))), axis=0)
    found = array[tuple(np.clip(i, 0, n - 1) for i, n in zip(index, array.shape))]
    return np.where(inside_it, found, np.zeros((), array.dtype))


@dataclass(frozen=True, eq=False)
class Element(Evaluated):
    """One element of what a formula comes to, where the formula has no writing with indices."""

    of: Formula
    places: tuple[Anywhere, ...]

    def as_text(self) -> Written:
        return f"{inside(self.of, ATOM)}[{','.join(p.said()[0] for p in self.places)}]", ATOM

    def as_latex(self) -> Written:
        below = ("" if all(isinstance(p.said()[1], str) and len(p.said()[1]) == 1 for p in self.places) else ",").join(
            p.said()[1] for p in self.places)
        return rf"{{{inside_latex(self.of, ATOM)}}}_{{{below}}}", ATOM

    def evaluate(self, known: Known) -> Valued:
        value, terms = valued(self.of, known)
        return picked(np.asarray(value), self.places, known), lambda: picked(np.asarray(terms()), self.places, known)

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        return replace(self, of=mapped(self.of, name), places=tuple(moved(p, name) for p in self.places))

    def retold(self, told: Callable[[Formula], Formula]) -> Formula:
        return replace(self, of=told(self.of))


@dataclass(frozen=True, eq=False)
class Position(Evaluated):
    """An index as a number."""

    place: Anywhere

    def as_text(self) -> Written:
        return self.written(0)

    def as_latex(self) -> Written:
        return self.written(1)

    def written(self, kind: int) -> Written:
        return self.place.said()[kind], ATOM if not isinstance(self.place, Place) or len(self.place.terms) == 1 else SUM

    def evaluate(self, known: Known) -> Valued:
        return plainly(self.place.value(known))

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        return replace(self, place=moved(self.place, name))


MOST_WRITTEN = 4  # terms of a sum with numbers
MOST_AT_ONCE = 2_000_000  # numbers, when a sum is evaluated
SIGNS = {"sum": (r"\sum", np.add), "prod": (r"\prod", np.multiply), "max": (r"\max", np.maximum), "min": (r"\min", np.minimum)}


@dataclass(frozen=True, eq=False)
class Total(Evaluated):
    """The sum (product, largest, least) of a formula over letters."""

    sign: str
    body: Formula
    over: tuple[Letter, ...]

    def as_text(self) -> Written:
        return f"{self.sign}_{{{','.join(x.sign for x in self.over)}}} {inside(self.body, BIG)}", BIG

    def as_latex(self) -> Written:
        return rf"{SIGNS[self.sign][0]}_{{{','.join(x.sign for x in self.over)}}} {inside_latex(self.body, BIG)}", BIG

    def evaluate(self, known: Known) -> Valued:
        """Over all letters at once, or, where that is too much, over one piece of the first letter after the other."""
        first, *rest = self.over
        outer = int(np.prod(np.broadcast_shapes(*(np.shape(known[x]) for x in known if isinstance(x, Letter)))))
        pieces = max(1, min(first.size, outer * extent(self) // MOST_AT_ONCE))
        runs = np.array_split(np.arange(first.size), pieces)
        values, sizes = zip(*(self.piece(known, [run, *(np.arange(x.size) for x in rest)]) for run in runs))
        found = reduce(SIGNS[self.sign][1], values)
        return (found, lambda: reduce(np.add, (s() for s in sizes))) if self.sign == "sum" else plainly(found)

    def piece(self, known: Known, runs: list[Any]) -> Valued:
        letters = [x for x in known if isinstance(x, Letter)]
        deep = max((np.ndim(known[x]) for x in letters), default=0)
        outer = {x: np.expand_dims(known[x], tuple(range(np.ndim(known[x]), deep + len(runs)))) for x in letters}
        inner = {x: grid.reshape((1,) * deep + grid.shape) for x, grid in zip(self.over, np.ix_(*runs))}
        values, sizes = valued(self.body, {**known, **outer, **inner})
        shape = np.broadcast_shapes(np.shape(values), *(np.shape(x) for x in (*outer.values(), *inner.values())))
        along = tuple(range(deep, deep + len(runs)))
        return (SIGNS[self.sign][1].reduce(np.broadcast_to(values, shape), axis=along),
                lambda: np.add.reduce(np.broadcast_to(sizes(), shape), axis=along))

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        return self.retold(lambda body: mapped(body, name))

    def retold(self, told: Callable[[Formula], Formula]) -> Formula:
        return replace(self, body=told(self.body))


def extent(formula: Formula | None) -> int:
    """How many numbers the evaluation of one element needs at once."""
    if isinstance(formula, Total):
        return int(np.prod([x.size for x in formula.over])) * extent(formula.body)
    return max((extent(a) for a in formula.args), default=1) if isinstance(formula, Call) else 1


def with_numbers(formula: Formula, known: Known) -> Formula | None:
    """The formula of one element with numbers put in, and short sums written out; None where a sum is too long for that."""
    if isinstance(formula, Entry | Name | Position | Element):
        return number(np.asarray(valued(formula, known)[0])[()])
    if isinstance(formula, Total):
        points = list(product(*(range(x.size) for x in formula.over)))
        if formula.sign != "sum" or len(points) > MOST_WRITTEN:
            return None
        terms = [with_numbers(formula.body, {**known, **dict(zip(formula.over, point))}) for point in points]
        return None if None in terms else reduce(lambda one, other: Call((), add, (one, other), {}), terms)
    if isinstance(formula, Evaluated):
        return None
    if not isinstance(formula, Call):
        return formula
    args = [a and with_numbers(a, known) for a in formula.args]
    return None if any(new is None for new, a in zip(args, formula.args) if a is not None) else replace(formula, args=tuple(args))
