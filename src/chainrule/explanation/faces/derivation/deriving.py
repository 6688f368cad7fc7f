"""Deriving puts the equations of a gradient together: forward, the recursion backward, and the gradients asked for."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from chainrule.errors import ArgumentError

from ...formulas.formula import Formula, Name, number
from ...formulas.writing import latex, text
from ...record.facts import Facts, Node
from .composing import Composition
from .folding import Folding
from .levels import Indices, Matrices
from .lines import Derivation, Equation, Gap, Meaning, Row, Section
from .naming import Naming
from .repetition import repetition
from .rewriting import mapped, names_in
from .steps import LETTER, MOST_TERMS, generalized, sum_of
from .symbols import Symbol, gradient_in, named

Level = Literal["matrix", "index"]
LEVELS: dict[str, type[Matrices] | type[Indices]] = {"matrix": Matrices, "index": Indices}
SMALL = 12  # elements; where all arrays are as small as that, numbers are put in
MOST_VARIANTS = 3  # of the equation of a step
MOST_ROWS = 80  # of a section


def derive(e: Facts, level: Level = "matrix", numbers: bool | None = None) -> Derivation:
    """The derivation of the gradients of an explanation; raises DerivationError if one of its lines does not hold.

    `numbers` puts numbers in; None does so where all arrays are small. Raises ArgumentError.
    """
    if level not in LEVELS:
        raise ArgumentError(f"derivation: level is {' or '.join(map(repr, LEVELS))}, not {level!r:.40}.")
    return Deriving(e, LEVELS[level](e), numbers if numbers is not None else all_small(e)).derivation()


def all_small(e: Facts) -> bool:
    return all(np.size(part) <= SMALL for n in e.nodes for part in (n.value if isinstance(n.value, tuple) else (n.value,)))


class Deriving:
    """One derivation, at one level."""

    def __init__(self, e: Facts, level: Matrices | Indices, numbers: bool) -> None:
        self.e, self.level, self.numbers = e, level, numbers
        self.repetition = repetition(e)
        writable = {edge.id for edge in e.edges if level.writable(edge)}
        self.folding = Folding(e, self.repetition, writable)
        self.naming = Naming(e, self.folding)
        self.composition = Composition(e, self.folding, self.naming, writable)
        while self.composition.too_long:
            for n in self.composition.too_long:
                self.folding.keep(n)
            self.naming = Naming(e, self.folding)
            self.composition = Composition(e, self.folding, self.naming, writable)
        self.verified = 0

    def derivation(self) -> Derivation:
        forward, backward, gradients = (list(rows()) for rows in (self.forward, self.backward, self.gradients))
        sections = [
            *([Section("Given", tuple(self.given()))] if self.numbers else []),
            *self.sections("Forward", forward, f"{LETTER} = 1, ..., {self.repetition.steps}", "After that:"),
            *self.sections("Backward", backward, f"{LETTER} = {self.repetition.steps}, ..., 1", "After that:"),
            *self.sections("Gradients", gradients, f"{LETTER} = 1, ..., {self.repetition.steps}", "And:")]
        meanings = tuple(self.meanings([*forward, *backward, *gradients]))
        return Derivation(tuple(s for s in sections if s.rows), meanings, tuple(self.letters(backward)), self.verified)

    # ---------------------------------------------------------------- rows
    def given(self) -> Iterator[Equation]:
        for n in self.e.nodes:
            if n.kind != "operation" and not isinstance(n.value, tuple):
                yield Equation(self.naming.of(n), (), number(n.value))

    def forward(self) -> Iterator[Row]:
        started = False
        for n in self.folding.order:
            if n.id in self.repetition.places and not started:
                started = True
                yield from self.start()
            if self.folding.kept(n) and not isinstance(n.value, tuple):
                yield Row(n, self.naming.of(n), self.composition.made(n), n.value)
        loss = self.e[self.e.loss]
        if loss.id in self.repetition.places:
            yield Row(loss, named(loss.name, loss.shape), self.naming.of(loss), loss.value)

    def start(self) -> Iterator[Row]:
        """What a repetition starts from, in step 0."""
        for role, name in {role: name for (_, name), role in self.repetition.initial.items()}.items():
            n = self.e[name]
            yield Row(n, self.naming.in_step(role, 0), self.composition.value(n), n.value)

    def backward(self) -> Iterator[Row]:
        for n in reversed(self.folding.order):
            if self.composition.is_shown(n) and n.gradient is not None and self.folding.kept(n):
                yield Row(n, self.naming.gradient(n), self.gradient_of(n), n.gradient)

    def gradients(self) -> Iterator[Row]:
        for name, value in self.e.gradients.items():
            n = self.e[name]
            if n.kind != "operation":
                yield Row(n, self.naming.gradient(n), self.gradient_of(n), value, self.composed(n))

    def gradient_of(self, n: Node) -> Formula:
        """The gradient in a value; if many steps use it, as a sum over the steps."""
        terms = self.composition.terms.get(n.id, [])
        places = self.repetition.places
        told = [(places[edge.result].step if edge.result in places else None, x) for edge, x in terms]
        outside = n.id not in places and sum(step is not None for step, _ in told) > 2
        whole = sum_of(told) if outside or len(terms) > MOST_TERMS else self.composition.gradients[n.id]
        return self.composition.finished(whole)

    def composed(self, n: Node) -> Formula | None:
        """The gradient of a single number as one formula down to the loss, as the engine composes it."""
        if n.shape or n.name not in self.e.derivations:
            return None
        known = {text(m.gradient_name): m for m in self.e.nodes}

        def meant(x: Name) -> Formula:
            m = known.get(x.name) if x.bar else self.e[x.name]
            return x if m is None else self.naming.gradient(m) if x.bar else self.composition.value(m)
        return self.composition.finished(mapped(self.e.derivations[n.name], meant))

    # ---------------------------------------------------------------- equations
    def equations(self, row: Row) -> list[Equation]:
        """The equations of a row, each of which was found to hold."""
        found = self.level.equations(row, self.composition, self.numbers)
        self.verified += sum(len(equation.formulas) for equation in found)
        return found

    def sections(self, title: str, rows: list[Row], steps: str, then: str) -> Iterator[Section]:
        """The rows before, in and after the repetition; in it, each equation stands for those of all steps."""
        inside = [row.node.id in self.repetition.places and bool(row.left.moves) for row in rows]
        first = inside.index(True) if any(inside) else len(rows)
        placed = [row for row, here in zip(rows, inside) if here]
        others = [[row for row, here in list(zip(rows, inside))[part] if not here] for part in (slice(first), slice(first, None))]
        groups = ((others[0], ""), (placed, f"For {steps}:"), (others[1], then if placed else ""))
        for part, intro in groups:
            if part:
                made = self.of_steps(part) if part is placed else (x for row in part for x in self.equations(row))
                yield Section(title, shortened([r for r in made if not repeats_itself(r)]), intro)
                title = ""

    def of_steps(self, rows: list[Row]) -> Iterator[Equation | Gap]:
        """For each value of a step the equation of a general step; steps that have another one are told apart."""
        roles: dict[str, dict[str, list[tuple[int, Equation]]]] = {}
        for row in rows:
            place, equation = self.repetition.places[row.node.id], self.equations(row)[0]
            key = " = ".join(latex(generalized(f, place.step)) for f in (equation.left, *equation.formulas[:1]))
            roles.setdefault(place.role, {}).setdefault(key, []).append((place.step, equation))
        for variants in roles.values():
            told = [self.general(steps, len(variants) > 1) for steps in variants.values()]
            yield from told if len(told) <= MOST_VARIANTS else (*told[:2], Gap(len(told) - 3), told[-1])

    def general(self, steps: list[tuple[int, Equation]], several: bool) -> Equation:
        step, one = steps[0]
        if len(steps) == 1:
            return one
        numbers = sorted(k for k, _ in steps)
        where = f"{LETTER} = {numbers[0]}, ..., {numbers[-1]}" if numbers == list(range(numbers[0], numbers[-1] + 1)) else (
            f"{LETTER} = {', '.join(map(str, numbers))}")
        return Equation(generalized(one.left, step), (generalized(one.formulas[0], step),), where=where if several else "")

    # ---------------------------------------------------------------- meanings
    def letters(self, rows: Iterable[Row]) -> Iterator[tuple[Formula, Formula]]:
        """The gradients that have a letter of their own, in the order of the values."""
        found = {self.repetition.role(row.node.id): row for row in rows if row.left.of is None}
        for row in reversed(found.values()):
            letter, plain = row.left, gradient_in(self.naming.of(row.node), self.naming.loss)
            step = plain.moves
            yield (letter.at(LETTER), plain.at(LETTER)) if step else (letter, plain)
    def meanings(self, rows: Iterable[Row]) -> Iterator[Meaning]:
        """What the symbols stand for that are in the equations."""
        used = {x.name for row in rows for f in (row.left, row.formula) for x in names_in(f)} | {row.left.name for row in rows}
        used |= {x.of.name for row in rows for x in names_in(row.left) if isinstance(x, Symbol) and x.of is not None}
        for n in self.e.nodes:
            place, x = self.repetition.places.get(n.id), self.naming.of(n)
            if x.name not in used or (place and place.role != n.id) or (self.numbers and x.name == n.name):
                continue
            said = x.at(LETTER) if place else x
            yield Meaning(said, f"{n.name}, ..." if place else n.name, n.shape, n.operation or n.kind, short(n.source))


def short(source: str | None) -> str:
    """A line with the file's own name only."""
    return Path(source).name if source else ""


def repeats_itself(row: Equation | Gap) -> bool:
    """Whether an equation says that something is what it is."""
    return isinstance(row, Equation) and [text(f) for f in row.formulas] == [text(row.left)]


def shortened(rows: list[Equation | Gap]) -> tuple[Equation | Gap, ...]:
    """The first and the last of very many."""
    half = MOST_ROWS // 2
    return tuple(rows) if len(rows) <= MOST_ROWS else (*rows[:half], Gap(len(rows) - 2 * half), *rows[-half:])

