"""A level says with what a derivation is written: with matrices, or with the elements of arrays by their indices."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...formulas.formula import Call, Formula, Name, Number, filled, number
from ...formulas.writing import text
from ...record.facts import Edge, Facts
from .composing import Composition
from .element_table import TABLE
from .index_places import Letter, Place, Unsaid, at
from .indexed import Element, Entry, extent, with_numbers
from .lines import Equation, Row
from .rewriting import mapped, names_in
from .saying import Saying
from .symbols import named
from .verified import Evaluated, Known, evaluate, finite, must_hold

LONGEST_RULE = 12  # operations; the way back along an edge is not written out beyond
MOST_POINTS, MOST_AT_ONCE = 64, 2_000_000  # elements a line with indices is verified at; numbers in the sums of them


def short_rule(edge: Edge) -> bool:
    """Whether people write the rule of an edge: it is short, and has no array in it that nobody gave a name."""
    return edge.rule is not None and edge.rule.size <= LONGEST_RULE and all(map(is_sayable, numbers_in(edge.rule)))


def numbers_in(formula: Formula | None) -> Iterator[Any]:
    if isinstance(formula, Number):
        yield np.asarray(formula.value)
    elif isinstance(formula, Call):
        for a in formula.args:
            yield from numbers_in(a)


def is_sayable(value: Any) -> bool:
    """Whether all elements are the same number, or they count from 0."""
    return value.size == 0 or bool(np.all(value == value.flat[0])) or np.array_equal(value, np.arange(value.size))


class Matrices:
    """Equations between whole arrays."""

    def __init__(self, e: Facts) -> None:
        self.e = e

    def writable(self, edge: Edge) -> bool:
        return short_rule(edge)

    def equations(self, row: Row, composition: Composition, numbers: bool) -> list[Equation]:
        """The equation of a row, after it was found to hold."""
        formulas = [row.formula]
        if row.whole is not None and text(row.whole) != text(row.formula):
            formulas.append(row.whole)
        for formula in formulas:
            must_hold(row.left, formula, row.value, composition.known, composition.most)
        if not numbers:
            return [Equation(row.left, tuple(formulas), sayings=len(formulas))]
        inserted = self.inserted(row.formula, composition.known)
        if inserted is not None:
            must_hold(row.left, inserted, row.value, composition.known, composition.most)
        return [Equation(row.left, (*formulas, *([inserted] if inserted else [])), number(row.value), sayings=len(formulas))]

    def inserted(self, formula: Formula, known: Known) -> Formula | None:
        """The formula with numbers put in for names; None where that says nothing."""
        names = names_in(formula)
        if not names or isinstance(formula, Name) or is_drawn(formula) or any(isinstance(known[x.name], tuple) for x in names):
            return None
        return filled(formula, {x.name: number(known[x.name]) for x in names})


def is_drawn(formula: Formula | None) -> bool:
    """Whether a part of it is no operation on arrays, such as a sum over steps."""
    return isinstance(formula, Evaluated) or (isinstance(formula, Call) and any(map(is_drawn, formula.args)))


class Indices:
    """Equations between elements."""

    def __init__(self, e: Facts) -> None:
        self.e = e
        heads = {named(n.name, n.shape).head[0] for n in e.nodes}
        self.saying = Saying(TABLE, frozenset({*heads, "x", "y", "z", "a", "h", "s", "c", "p"}))

    def writable(self, edge: Edge) -> bool:
        """Whether the table tells all operations of a rule."""
        if not short_rule(edge) or edge.rule is None:
            return False
        letters, inside = self.saying.letters(edge.rule.shape)
        try:
            inside.of(mapped(edge.rule, lambda x: named(x.name.replace("/", "_"), x.shape)), tuple(map(at, letters)))
        except Unsaid:
            return False
        return True

    def equations(self, row: Row, composition: Composition, numbers: bool) -> list[Equation]:
        """The equation of the general element, found to hold; with numbers, that of the first element too."""
        letters, inside = replace(self.saying, known=composition.known).letters(row.left.shape)
        places = tuple(map(at, letters))
        left = self.saying.of(row.left, places)
        points = chosen_points(letters, row.value)
        known = {x.name: composition.known[x.name] for x in names_in(row.formula) if x.name in composition.known}
        formula = self.told(row, places, inside, {**known, **points})
        self.must_hold(left, formula, row, points, known, composition.most)
        general = Equation(left, (formula,), number(row.value) if numbers and not letters else None)
        if not numbers or not (letters or extent(formula) > 1):
            return [general]
        return [general, *self.first(row, formula, letters, known, composition.most)]

    def told(self, row: Row, places: tuple[Place, ...], saying: Saying, points: Known) -> Formula:
        """The element of a row's formula; of the whole, where exponentials of it overflow or the table has no words."""
        formula = saying.whole(row.formula, places)
        if isinstance(formula, Element) or finite(evaluate(formula, points)[0]) or not finite(row.value):
            return formula
        return Element((), row.formula, places)

    def must_hold(self, left: Formula, formula: Formula, row: Row, points: dict[Letter, Any], known: Known, most: float) -> None:
        """Raise the error for a formula that does not come to the elements that were recorded."""
        room = max(1, MOST_AT_ONCE // extent(formula))
        fewer = {x: where[-room:] for x, where in points.items()}
        must_hold(left, formula, np.asarray(row.value)[tuple(fewer.values())], {**known, **fewer}, most)

    def first(self, row: Row, formula: Formula, letters: list[Letter], known: Known, most: float) -> list[Equation]:
        """The first element with numbers."""
        if not np.size(row.value):
            return []
        known = {**known, **dict.fromkeys(letters, 0)}
        written = with_numbers(formula, known)
        value = np.asarray(row.value)[(0,) * len(letters)]
        left = Entry((), row.left, (Place(),) * len(letters)) if letters else row.left
        if written is not None:
            must_hold(left, written, value, known, most)
        return [Equation(left, (written,) if written is not None else (), number(value), sayings=0)]


def chosen_points(letters: list[Letter], value: Any) -> dict[Letter, Any]:
    """Elements all over an array, the largest as the last one; all of them, where they are few."""
    array = np.asarray(value)
    if not letters or not array.size:
        return {x: np.zeros(0, int) for x in letters}
    flat = np.unique(np.linspace(0, array.size - 1, MOST_POINTS).astype(int))
    largest = int(np.argmax(np.abs(np.nan_to_num(array, posinf=0, neginf=0))))
    return dict(zip(letters, np.unravel_index([*flat, largest], array.shape)))

