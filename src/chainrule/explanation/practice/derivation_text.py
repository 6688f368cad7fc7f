"""The page of a checked derivation: the steps as a table, the slip of the first wrong one, and its numbers."""
from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from ..faces.table import table
from ..faces.text import array_cell
from ..formulas.writing import plain_number, plain_shape

if TYPE_CHECKING:
    from .derivation_check import DerivationCheck, Step

UNEXPLAINED = "different, and no usual slip explains it"


def page(check: DerivationCheck, width: int) -> str:
    """The whole check on lines of at most `width` characters."""
    rows = [[s.name, s.value, s.verdict, differs(s)] for s in check.steps]
    lines = [title(check), *table(["step", "gradient in", "verdict", "largest difference"], rows, width), "", conclusion(check)]
    return "\n".join([*lines, *(told(check.first_wrong, width) if check.first_wrong else [])]) + "\n"


def title(check: DerivationCheck) -> str:
    return f"Check of a derivation, from {check.loss} down"


def conclusion(check: DerivationCheck) -> str:
    if check.first_wrong:
        return f"First wrong step: {check.first_wrong.name}"
    return f"All {len(check.steps)} steps are right." if len(check.steps) > 1 else "The step is right."


def differs(step: Step) -> str:
    """How far a step is off, and where; nothing, if it is right."""
    if step.verdict == "right":
        return ""
    if step.difference == np.inf and step.given.shape != step.expected.shape:
        return f"shape {plain_shape(step.given.shape)}, expected {plain_shape(step.expected.shape)}"
    return f"{plain_number(step.difference)}{f' at {list(step.index)}' if step.index else ''}"


def told(first: Step, width: int) -> list[str]:
    """The slips that explain a wrong step, and what was given beside what was expected."""
    lines = []
    for found in first.slips:
        lines += textwrap.wrap(f"{found.name}: {found.remedy}", width, initial_indent="  ", subsequent_indent="    ")
    rows = [["given", array_cell(first.given)], ["expected", array_cell(first.expected)]]
    return [*(lines or [f"  {UNEXPLAINED}"]), "", *table(["", "gradient"], rows, width)]
