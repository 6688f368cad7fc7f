"""A derivation is sections of equations; each has a left side, formulas that equal it, and the array that both come to."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chainrule.core.type import Shape

from ...formulas.formula import Formula
from ...formulas.writing import text
from ...record.facts import Node
from .symbols import Symbol


@dataclass(frozen=True)
class Equation:
    """`left` = each of `formulas`, in their order; `number`, where it is given, is written last. The first `sayings` formulas
    have symbols, the others have numbers put in. `where` says for which steps of a loop it holds."""

    left: Formula
    formulas: tuple[Formula, ...]
    number: Formula | None = None
    where: str = ""
    sayings: int = 1

    @property
    def steps(self) -> tuple[Formula, ...]:
        """What the left side equals, one after the other; what says the same twice is said once."""
        found: list[Formula] = []
        for f in (*self.formulas, *([self.number] if self.number is not None else [])):
            if text(f) not in map(text, (self.left, *found)):
                found.append(f)
        return tuple(found)


@dataclass(frozen=True)
class Gap:
    """Equations of one kind that are left out."""

    count: int


@dataclass(frozen=True)
class Section:
    """A part of a derivation. `intro` is a plain sentence, such as that the equations hold for all steps."""

    title: str
    rows: tuple[Equation | Gap, ...]
    intro: str = ""


@dataclass(frozen=True)
class Meaning:
    """What a symbol stands for: the name of the value in the program, its shape, and how and where it was made."""

    symbol: Formula
    name: str
    shape: Shape
    made: str
    source: str


@dataclass(frozen=True)
class Derivation:
    """The equations of a gradient in the order in which one reads them, and what the symbols mean. `letters` are the gradients
    with a letter of their own, such as delta, each with what it is, dL/dz; `verified` counts the equalities evaluated."""

    sections: tuple[Section, ...]
    meanings: tuple[Meaning, ...]
    letters: tuple[tuple[Formula, Formula], ...]
    verified: int

    def equations(self) -> Iterable[Equation]:
        return (row for section in self.sections for row in section.rows if isinstance(row, Equation))


@dataclass(frozen=True)
class Row:
    """An equation on its way: what is said of which value, and the array that was recorded. `whole` is the same, composed down to
    the loss."""

    node: Node
    left: Symbol
    formula: Formula
    value: Any
    whole: Formula | None = None
