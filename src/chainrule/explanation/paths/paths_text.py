"""The page of the paths: how many there are and how evenly they carry, then the strongest, one row each."""
from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from ..faces.table import table
from ..faces.text import array_cell, percent
from ..formulas.writing import plain_number

if TYPE_CHECKING:
    from .paths import Path, Paths, Step

MOST_STEPS = 12  # of one path; of a longer one the middle is left out


def page(p: Paths, width: int) -> str:
    """The paths on lines of at most `width` characters."""
    if not p.count:
        return "\n".join(textwrap.wrap(closed(p), width, subsequent_indent="  ")) + "\n"
    lines = [headline(p),
             f"  mass {plain_number(p.mass)}, of which {p.cancelled:.1%} cancels",
             f"  entropy {plain_number(p.entropy)} nats: as many as {plain_number(math.exp(p.entropy))} of equal strength", ""]
    lines += table(heads(p), [row(path) for path in p], width)
    rest = others(p)
    return "\n".join([*lines, *([f"  ({rest})"] if rest else [])]) + "\n"


def closed(p: Paths) -> str:
    return f"Paths from {p.loss} to {p.name}: none is open; on every way from {p.loss} some local derivative is 0"


def headline(p: Paths) -> str:
    many = f"{p.count:,}" if p.count < 10**12 else plain_number(float(p.count))
    what = ("path" if p.count == 1 else "paths") + ("" if p.by == "element" else " through elements, by chains of operations")
    return f"Paths from {p.loss} to {p.name}: {many} {what}"


def heads(p: Paths) -> list[str]:
    return ["share", "of gradient", *(["contribution", "through"] if p.by == "operation" else ["product", "path"])]


def others(p: Paths) -> str:
    """How much of the mass the paths that are not shown carry."""
    shown = sum(abs(path.share) for path in p)
    return f"the others carry {percent(1 - shown)}" if p.by == "element" and shown < 1 - 1e-9 else ""


def row(path: Path) -> list[str]:
    factors = slopes(path)
    product = plain_number(path.product) if factors else array_cell(path.product)
    return [percent(path.share), percent(path.of_gradient), product, written(path)]


def slopes(path: Path) -> list[float]:
    """The local derivatives along a path through elements."""
    return [step.local for step in path.steps if step.local is not None]


def written(path: Path) -> str:
    """The steps with arrows, and below them the local derivatives, where there are several."""
    steps, factors = shortened([step_text(step) for step in path.steps], " → "), slopes(path)
    return f"{steps}\n= {shortened([signed(v) for v in factors], ' × ')}" if len(factors) > 1 else steps


def shortened(words: list[str], joined: str) -> str:
    if len(words) > MOST_STEPS:
        half = MOST_STEPS // 2
        words = [*words[:half], f"… {len(words) - 2 * half} more …", *words[-half:]]
    return joined.join(words)


def step_text(step: Step) -> str:
    return f"{step.node}[{','.join(map(str, step.index))}]" if step.index else step.node


def signed(x: float) -> str:
    return f"({plain_number(x)})" if x < 0 else plain_number(x)
