"""The derivation in LaTeX is what a lecturer would write: the values, then each gradient from those above it."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..formulas.formula import Formula, number
from ..formulas.writing import PRODUCT, inside_latex, latex, tex_name
from ..record.facts import Edge, Facts, Node

LONGEST = 400  # characters of a step; a longer one is left out, and the number speaks alone
PER_BLOCK = 12  # lines of one display; longer ones do not break across pages well
HEAD = "\\documentclass{article}\n\\usepackage{amsmath}\n\\allowdisplaybreaks\n\\begin{document}\n"


def derivation(e: Facts, *, document: bool = False) -> str:
    """Forward and backward as `align*` displays; with `document`, a file that compiles."""
    body = "\n".join([
        r"\subsection*{Forward}", *displays(forward(e)),
        r"\subsection*{Backward}", *displays(backward(e)),
        r"\subsection*{Gradients}", *displays(gradients(e)), ""])
    return f"{HEAD}{body}\\end{{document}}\n" if document else body


def displays(lines: Iterable[str]) -> list[str]:
    rows = list(lines)
    blocks = [rows[i:i + PER_BLOCK] for i in range(0, len(rows), PER_BLOCK)]
    return ["\\begin{align*}\n" + " \\\\\n".join(block) + "\n\\end{align*}" for block in blocks]


def equals(left: str, *steps: str) -> str:
    """left &= step = step, without a step that repeats the one before."""
    kept = [s for i, s in enumerate(steps) if s and s not in (left, *steps[:i])]
    kept = [s for s in kept[:-1] if len(s) <= LONGEST] + kept[-1:]
    return f"{left} &= {' = '.join(kept)}"


def forward(e: Facts) -> Iterable[str]:
    for n in e.nodes:
        value = latex(number(n.value))
        yield equals(tex_name(n.name), *(latex(f) for f in (n.formula, n.numbers) if f), value)


def backward(e: Facts) -> Iterable[str]:
    """For each value the sum over its edges: as formula, with numbers, and what it comes to."""
    arriving: dict[str, list[Edge]] = {}
    for edge in e.edges:
        arriving.setdefault(edge.argument, []).append(edge)
    yield equals(latex(e[e.loss].gradient_name), "1")
    for n in reversed(e.nodes):
        into = arriving.get(n.id)
        if not into:
            continue
        formula = " + ".join(term(e, edge) for edge in into)
        inserted = " + ".join(term_in_numbers(e, edge) for edge in into)
        yield equals(latex(n.gradient_name), formula, inserted, latex(number(n.gradient)))


def term(e: Facts, edge: Edge) -> str:
    result = e[edge.result]
    if edge.local is not None:
        return summed(e, edge, f"{latex(result.gradient_name)} {sign(edge)} {factor(edge.local.formula, result)}")
    rule = inside_latex(edge.rule, PRODUCT) if edge.rule else ""
    return rule if 0 < len(rule) <= LONGEST else unwritten(e, edge, result)


def sign(edge: Edge) -> str:
    """Element by element between arrays, else a plain product."""
    return r"\odot" if np.ndim(edge.upstream) and edge.local is not None and np.ndim(edge.local.value) else r"\cdot"


def factor(formula: Formula | None, result: Node) -> str:
    return inside_latex(formula, PRODUCT) if formula else rf"{tex_name(result.name)}'"


def unwritten(e: Facts, edge: Edge, result: Node) -> str:
    """A rule too long to write: the transposed Jacobian times the gradient arriving."""
    jacobian = rf"\frac{{\partial {tex_name(result.name)}}}{{\partial {tex_name(e[edge.argument].name)}}}"
    return rf"\left( {jacobian} \right)^{{\top}} {latex(result.gradient_name)}"


def summed(e: Facts, edge: Edge, product: str) -> str:
    return rf"\sum \left( {product} \right)" if e.is_summed(edge) else product


def term_in_numbers(e: Facts, edge: Edge) -> str:
    if edge.local is not None:
        upstream, local = (inside_latex(number(x), PRODUCT) for x in (edge.upstream, edge.local.value))
        return summed(e, edge, f"{upstream} {sign(edge)} {local}")
    return inside_latex(edge.numbers, PRODUCT) if edge.numbers else latex(number(edge.contribution))


def gradients(e: Facts) -> Iterable[str]:
    for name, value in e.gradients.items():
        yield equals(latex(e[name].gradient_name), latex(e.derivations[name]), latex(number(value)))
