"""The page is the explanation as a terminal shows it: forward, backward, gradients, checks."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..formulas.formula import Formula
from ..formulas.writing import PRODUCT, inside, plain_array, plain_number, plain_shape, text
from ..record.facts import Edge, Facts, Merge, Node
from .table import table

MOST_ROWS = 60  # of one table
MOST_CHECKS = 12
LONGEST_RULE = 90  # characters; .json() has longer ones
WIDEST_MATRIX = 5
MOST_BRANCHES = 4  # of a merge


def page(e: Facts, width: int) -> str:
    """The whole explanation on lines of at most `width` characters."""
    meetings = [merges(e, width)] if e.merges else []
    sections = [forward(e, width), backward(e, width), *meetings, gradients(e, width), checks(e, width)]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def array_cell(x: Any) -> str:
    """A value in a cell: small arrays in full, a line for each row; of large ones the shape and the range."""
    if isinstance(x, tuple):
        return "\n".join(map(array_cell, x))
    array = np.asarray(x)
    if array.size <= 3 or (array.ndim == 1 and array.size <= WIDEST_MATRIX):
        return plain_array(array)
    if array.ndim != 2 or max(array.shape) > WIDEST_MATRIX:
        return f"{plain_shape(array.shape)}\n{plain_number(np.min(array))} to {plain_number(np.max(array))}"
    cells = [[plain_number(v) for v in row] for row in array]
    widths = [max(map(len, column)) for column in zip(*cells)]
    rows = ["[" + ", ".join(c.rjust(w) for c, w in zip(row, widths)) + "]" for row in cells]
    return "\n".join(("[" if k == 0 else " ") + row + ("]" if k == len(rows) - 1 else ",") for k, row in enumerate(rows))


def shortened(rows: list[Sequence[str]], most: int, what: str) -> tuple[list[Sequence[str]], list[str]]:
    """The first and the last rows of a long table, and the note that says so."""
    if len(rows) <= most:
        return rows, []
    half = most // 2
    blank = ["…", *[""] * (len(rows[0]) - 1)]
    return [*rows[:half], blank, *rows[-half:]], [f"  ({len(rows) - 2 * half} of {len(rows)} {what} left out; .json() has all)"]


def titled(title: str, head: Sequence[str], rows: list[Sequence[str]], what: str, width: int, most: int = MOST_ROWS) -> list[str]:
    kept, note = shortened(rows, most, what)
    return [title, *table(head, kept, width), *note]


def forward(e: Facts, width: int) -> list[str]:
    arrays = any(n.shape != () for n in e.nodes)
    rows: list[Sequence[str]] = [forward_row(n, arrays) for n in e.nodes]
    head = ["node", "formula", "numbers put in", *(["shape"] if arrays else []), "value"]
    return titled("Forward", head, rows, "nodes", width)


def forward_row(n: Node, arrays: bool) -> list[str]:
    name = f"{n.name} ⊂ {n.inside}" if n.inside else n.name
    formula = text(n.formula) if n.formula else "given" if n.kind == "input" else "constant"
    shape = [plain_shape(n.shape) if n.shape else ""] if arrays else []
    return [name, formula, text(n.numbers) if n.numbers else "", *shape, array_cell(n.value)]


def backward(e: Facts, width: int) -> list[str]:
    """Each edge in the order of the sweep; each merge right after the last edge into it."""
    merges = {m.edges[-1]: m for m in e.merges}
    rows: list[Sequence[str]] = []
    for edge in e.edges:
        rows.append(edge_row(e, edge))
        if edge.id in merges:
            rows.append(merge_row(e, merges[edge.id]))
    return titled("Backward: what arrives from above × local derivative",
                  ["edge", "formula", "numbers put in", "contribution"], rows, "rows", width)


def edge_row(e: Facts, edge: Edge) -> list[str]:
    result, argument = e[edge.result], e[edge.argument]
    name = f"{argument.name} ← {result.name}"
    if edge.local is None:
        says = text(edge.rule) if edge.rule else ""
        if not 0 < len(says) <= LONGEST_RULE:
            return [name, f"rule of {result.operation}, of {text(result.gradient_name)}", plain_array(edge.upstream),
                    array_cell(edge.contribution)]
        return [name, says, text(edge.numbers) if edge.numbers else plain_array(edge.upstream), array_cell(edge.contribution)]
    summed = ", summed" if e.is_summed(edge) else ""
    return [name, f"{text(result.gradient_name)} × {factor(edge.local.formula, result)}{summed}",
            f"{plain_array(edge.upstream)} × {signed(edge.local.value)}{summed}", array_cell(edge.contribution)]


def factor(formula: Formula | None, result: Node) -> str:
    return inside(formula, PRODUCT) if formula else f"slope of {result.operation}"


def signed(x: Any) -> str:
    body = plain_array(x)
    return f"({body})" if body.startswith("-") else body


def merge_row(e: Facts, merge: Merge) -> list[str]:
    into = [edge for edge in e.edges if edge.id in merge.edges]
    name = e[merge.node].name
    results = [e[edge.result].name for edge in into]
    if len(into) > 4:
        return [f"{name} merge", f"sum of {len(into)} edges", "", array_cell(merge.total)]
    return [f"{name} merge", " + ".join(f"from {r}" for r in results),
            " + ".join(signed(edge.contribution) if k else plain_array(edge.contribution) for k, edge in enumerate(into)),
            array_cell(merge.total)]


def merges(e: Facts, width: int) -> list[str]:
    """What each edge brings to a value used more than once, side by side; of many edges, those that bring most."""
    arrays = any(e[m.node].shape != () for m in e.merges)
    by_id = {edge.id: edge for edge in e.edges}
    rows: list[Sequence[str]] = []
    for m in e.merges:
        kept = sorted(m.branches, key=lambda b: -b.size)[:MOST_BRANCHES] if len(m.branches) > MOST_BRANCHES else m.branches
        others = len(m.branches) - len(kept)
        for k, b in enumerate(kept):
            edge = by_id[b.edge]
            size = [plain_number(b.size)] if arrays else []
            source = e[edge.result].name + (f", {b.role}" if b.role else "")
            rows.append([e[m.node].name if not k else "", source, array_cell(edge.contribution), *size,
                         percent(b.share), "—" if b.angle is None else f"{b.angle:.0f}°", "" if k else percent(m.cancelled)])
        if others:
            rows.append(["", f"… {others} more", *[""] * (4 + arrays)])
    head = ["value", "from", "contribution", *(["size"] if arrays else []), "share", "to the rest", "cancels"]
    return titled("Merges: what each edge brings", head, rows, "rows", width)


def percent(x: float) -> str:
    return "—" if np.isnan(x) else f"{x:.1%}" if abs(x) >= 0.001 or x == 0 else f"{x:.1e}"


def gradients(e: Facts, width: int) -> list[str]:
    rows: list[Sequence[str]] = [
        [text(e[name].gradient_name), derived(e, name), array_cell(value)] for name, value in e.gradients.items()]
    return titled("Gradients", ["gradient", "formula", "value"], rows, "gradients", width)


def derived(e: Facts, name: str) -> str:
    """The formula of a gradient, unless it would only repeat the gradient's name."""
    said, many = text(e.derivations[name]), len(e.edges_into(name))
    if said != text(e[name].gradient_name):
        return f"= {said}"
    return f"sum of {many} edges" if many > 1 else ""


def checks(e: Facts, width: int) -> list[str]:
    rows: list[Sequence[str]] = [
        [text(e[c.node].gradient_name) + (f" {list(c.index)}" if c.index else ""), plain_number(c.gradient),
         plain_number(c.difference), f"{c.residual:.0e}", c.note or ("agrees" if c.agrees else "differs")] for c in e.checks]
    left_out = sum(np.size(g) for g in e.gradients.values()) - len(e.checks)
    lines = titled("Check against finite differences (float64)", ["gradient", "sweep", "difference", "residual", ""], rows,
                   "checks", width, MOST_CHECKS)
    plural = "" if left_out == 1 else "s"
    return [*lines, f"  ({left_out} smaller element{plural} not checked)"] if left_out > 0 else lines
