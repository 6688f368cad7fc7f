"""The fragment of a checked derivation: the steps as a table, the slip of the first wrong one, and its numbers."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..faces.fragments import Markup, array, code, fragment, joined, listing, number, paragraph, strong, table
from .derivation_text import UNEXPLAINED, conclusion, differs, title

if TYPE_CHECKING:
    from .derivation_check import DerivationCheck, Step

MARKS = {"right": "✓", "wrong": "✗"}  # a step that follows from a wrong one is neither


def drawn(check: DerivationCheck) -> str:
    """The whole check."""
    rows = [[code(s.name), code(s.value), verdict(s), number(s.difference, differs(s)) if differs(s) else ""]
            for s in check.steps]
    return fragment(
        paragraph(strong(conclusion(check))), first_wrong(check.first_wrong) if check.first_wrong else "",
        table(["step", "gradient in", "verdict", "largest difference"], rows, title(check)), label=title(check))


def verdict(step: Step) -> str:
    return f"{MARKS.get(step.verdict, '↳')}\N{NO-BREAK SPACE}{step.verdict}"


def first_wrong(step: Step) -> Markup:
    """The slips that explain a step, and its numbers."""
    slips = listing(joined([strong(found.name), f": {found.remedy}"]) for found in step.slips)
    return joined([slips or paragraph(UNEXPLAINED),
                   table(["", "gradient"], [["given", array(step.given)], ["expected", array(step.expected)]])])
