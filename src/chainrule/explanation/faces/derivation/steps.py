"""A sum over steps stands for terms that are the same in every step of a repetition, but for the number of the step."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from chainrule.ops.arithmetic import add

from ...formulas.binding import BIG, SUM, Written
from ...formulas.formula import Call, Formula, Name
from ...formulas.writing import inside, inside_latex, latex
from .rewriting import mapped
from .symbols import Symbol
from .verified import Evaluated, Known, Valued, valued

LETTER = "t"
MOST_TERMS = 8  # of a sum that is written out


def summed(terms: Iterable[Formula], known: Known) -> Valued:
    values, sizes = zip(*(valued(term, known) for term in terms))
    return reduce(np.add, values), lambda: reduce(np.add, (s() for s in sizes))


@dataclass(frozen=True, eq=False)
class StepSum(Evaluated):
    """The sum of `terms`, those of the steps from `first` to `last`, written once, as `general`."""

    terms: tuple[Formula, ...]
    general: Formula
    first: int
    last: int

    def as_text(self) -> Written:
        return f"sum_{{{LETTER}={self.first}..{self.last}}} {inside(self.general, BIG)}", BIG

    def as_latex(self) -> Written:
        return rf"\sum_{{{LETTER}={self.first}}}^{{{self.last}}} {inside_latex(self.general, BIG)}", BIG

    def evaluate(self, known: Known) -> Valued:
        return summed(self.terms, known)

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        return self.retold(lambda term: mapped(term, name))

    def retold(self, told: Callable[[Formula], Formula]) -> Formula:
        general = told(self.general)
        return replace(self, shape=general.shape, terms=tuple(map(told, self.terms)), general=general)


@dataclass(frozen=True, eq=False)
class LongSum(Evaluated):
    """The sum of many terms, of which the first and the last are written."""

    terms: tuple[Formula, ...]

    def as_text(self) -> Written:
        first, second, *_, last = (inside(term, BIG) for term in self.terms)
        return f"{first} + {second} + ... ({len(self.terms)} terms) ... + {last}", SUM

    def as_latex(self) -> Written:
        first, second, *_, last = (inside_latex(term, BIG) for term in self.terms)
        return rf"{first} + {second} + \underbrace{{\cdots}}_{{\text{{{len(self.terms)} terms in all}}}} + {last}", SUM

    def evaluate(self, known: Known) -> Valued:
        return summed(self.terms, known)

    def mapped(self, name: Callable[[Name], Formula]) -> Formula:
        return self.retold(lambda term: mapped(term, name))

    def retold(self, told: Callable[[Formula], Formula]) -> Formula:
        terms = tuple(map(told, self.terms))
        return replace(self, shape=terms[0].shape, terms=terms)


def generalized(formula: Formula, step: int) -> Formula:
    """The formula of one step with the letter of steps in place of the step's number."""
    return mapped(formula, lambda x: relative(x, step))


def relative(x: Name, step: int) -> Name:
    if not isinstance(x, Symbol) or not x.moves.isdigit():
        return x
    ahead = int(x.moves) - step
    return x.at(LETTER if not ahead else f"{LETTER}{ahead:+d}")


def sum_of(terms: Sequence[tuple[int | None, Formula]]) -> Formula:
    """The sum of terms, each with its step if it has one: terms that differ in the step alone are written once."""
    parts: list[Formula] = []
    for said, steps in grouped(terms).items():
        run = sorted(steps, key=lambda term: term[0] or 0)
        numbers = [step for step, _ in run]
        if said and len(run) > 2 and numbers == list(range(run[0][0] or 0, (run[-1][0] or 0) + 1)):
            general = generalized(run[0][1], run[0][0] or 0)
            parts.append(StepSum(general.shape, tuple(x for _, x in run), general, run[0][0] or 0, run[-1][0] or 0))
        else:
            parts += [x for _, x in steps]
    if len(parts) > MOST_TERMS:
        return LongSum(parts[0].shape, tuple(parts))
    return reduce(lambda one, other: Call(one.shape, add, (one, other), {}), parts)


def grouped(terms: Sequence[tuple[int | None, Formula]]) -> dict[str, list[tuple[int | None, Formula]]]:
    """Terms by what they say of a general step; those that belong to none for themselves."""
    groups: dict[str, list[tuple[int | None, Formula]]] = {}
    for step, x in terms:
        groups.setdefault("" if step is None else latex(generalized(x, step)), []).append((step, x))
    return groups
