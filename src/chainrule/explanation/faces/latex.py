"""The derivation in LaTeX is what a lecturer would write: forward, the recursion backward, the gradients, and the symbols."""
from __future__ import annotations

import re
from collections.abc import Iterator

from chainrule.core.type import Shape

from ..formulas.binding import SUM
from ..formulas.writing import escaped, inside_latex, latex
from ..record.facts import Facts
from .derivation.breaking import broken, width
from .derivation.deriving import Level, derive
from .derivation.lines import Derivation, Equation, Gap, Meaning, Section

PER_BLOCK = 12  # rows of one display; longer ones do not break across pages well
PER_TABLE = 36
PER_LINE = 6  # letters of gradients
ROOM = 430.0  # points, of a line
HEAD = """\\documentclass[a4paper]{article}
\\usepackage{amsmath}
\\usepackage[margin=22mm]{geometry}
\\allowdisplaybreaks
\\setlength{\\parindent}{0pt}
\\begin{document}
"""


def derivation(e: Facts, *, level: Level = "matrix", numbers: bool | None = None, document: bool = False) -> str:
    """The derivation as `align*` displays; with `document`, a file that compiles.

    `level` is "matrix" or "index"; `numbers` puts numbers in (None: where all arrays are small). Every equality is evaluated
    before it is written: raises DerivationError where one does not hold, and ArgumentError for an unknown level.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> print(derivation(cr.explain(w * w), numbers=False).split("Gradients}")[1].split("\\n\\\\sub")[0].strip())
    \\begin{align*}
    \\frac{\\partial L}{\\partial w} &= w + w
    \\end{align*}
    """
    derived = derive(e, level, numbers)
    body = "\n".join([*(line for section in derived.sections for line in displayed(section)), *explained(derived), ""])
    return f"{HEAD}{body}\\end{{document}}\n" if document else body


def displayed(section: Section) -> Iterator[str]:
    if section.title:
        yield rf"\subsection*{{{section.title}}}"
    if section.intro:
        yield rf"{formulas_in_dollars(section.intro)}"
    rows = [line for row in section.rows for line in written(row)]
    for block in (rows[i:i + PER_BLOCK] for i in range(0, len(rows), PER_BLOCK)):
        yield "\\begin{align*}\n" + " \\\\\n".join(block) + "\n\\end{align*}"


def formulas_in_dollars(sentence: str) -> str:
    return re.sub(r"(\w+ = [^:]*)", lambda found: f"${dotted(found[1])}$", sentence)


def dotted(said: str) -> str:
    return said.replace("...", r"\ldots")


def written(row: Equation | Gap) -> Iterator[str]:
    """The lines of an equation in a display, none much wider than the page."""
    if isinstance(row, Gap):
        yield rf"&\;\;\vdots \quad \text{{({row.count} more)}}"
        return
    lines = lines_of(row)
    where = rf" \qquad ({dotted(row.where)})" if row.where else ""
    yield from (*lines[:-1], lines[-1] + where)


def lines_of(row: Equation) -> list[str]:
    left = latex(row.left)
    room = ROOM - width(left) - 15
    told = [(f, inside_latex(f, SUM)) for f in row.steps]  # a condition that stands alone is a number, too
    steps = [step for f, step in told if f in row.formulas[:row.sayings] or fits(step, room)]
    one_line = " = ".join(steps)
    if width(one_line) <= room:
        return [f"{left} &= {one_line}"]
    lines: list[str] = []
    for step in steps:
        first, *rest = broken(step, room)
        lines += [f"&= {first}", *(rf"&\qquad {piece}" for piece in rest)]
    return [f"{left} {lines[0]}", *lines[1:]]


def fits(step: str, room: float) -> bool:
    """Whether a formula with numbers put in can be written: one that fills a page says nothing."""
    pieces = broken(step, room)
    return len(pieces) <= 2 and all(width(piece) <= room for piece in pieces)


# ---------------------------------------------------------------------------------------- what symbols mean
def explained(derived: Derivation) -> Iterator[str]:
    """The table of the symbols, and what signs mean."""
    notes = notes_on(derived)
    if derived.meanings or notes:
        yield r"\subsection*{Where}"
    for part in (derived.meanings[i:i + PER_TABLE] for i in range(0, len(derived.meanings), PER_TABLE)):
        rows = " \\\\\n".join(["symbol & name & shape & made by & line", *map(cells, part)])
        yield f"\\begin{{tabular}}{{@{{}}lllll@{{}}}}\n{rows}\n\\end{{tabular}}\n\\par\\medskip"
    yield from (f"{note}\\par" for note in notes)


def cells(m: Meaning) -> str:
    return " & ".join([f"${latex(m.symbol)}$", code(m.name), shape_said(m.shape), escaped(m.made), code(m.source)])


def shape_said(shape: Shape) -> str:
    return f"${TIMES.join(map(str, shape))}$" if shape else "number"


def code(word: str) -> str:
    """A name of the program, in the letters of a program; signs that only mathematics has are left to mathematics."""
    return f"\\texttt{{{MATHEMATICAL.sub(IN_DOLLARS, escaped(word))}}}" if word else ""


TIMES = r" \times "
MATHEMATICAL, IN_DOLLARS = re.compile(r"\\(backslash |hat\{\}|sim )"), r"$\\\1$"


def notes_on(derived: Derivation) -> list[str]:
    """What the letters of gradients stand for, and the signs in the equations that not everybody knows."""
    used = "\n".join(latex(f) for equation in derived.equations() for f in (equation.left, *equation.steps))
    letters = [f"${latex(letter)} = {latex(plain)}$" for letter, plain in derived.letters]
    runs = [", ".join(letters[i:i + PER_LINE]) for i in range(0, len(letters), PER_LINE)]
    return [*runs, *(note for sign, note in NOTES.items() if re.search(sign, used))]


NOTES = {
    r"_\{i[jkl]*\}": r"With indices below, labels stand above: $W^{(1)}_{ij}$ is an element of $W_1$. Indices count from 0.",
    r"\\odot": r"$\odot$ multiplies element by element.",
    r"\\left\[ [^\]]*(<|>|=|\\le|\\ge|\\ne|\\wedge)": r"A condition in brackets is 1 where it holds, and 0 elsewhere.",
    r"\\text\{rows\}": r"$\sum_{\text{rows}}$ adds up the rows, as $\sum_{\text{columns}}$ does the columns.",
    r"\\star": r"$X \star W$ slides $W$ over $X$ and sums the products (cross-correlation), with the program's options.",
    r"\\ast": r"$\delta \ast W$ is the transpose of sliding: each element of $\delta$ adds its multiple of $W$.",
    r"unpool": r"$\operatorname{unpool}$ hands each number to the place its maximum came from, and adds up there.",
    r"\\operatorname\{rows\}": r"$\operatorname{rows}$ makes all axes but the last one into rows.",
    r"scatter": r"$\operatorname{scatter}_c$ adds each row up at the place that $c$ says for it.",
    r"onehot": r"$\mathrm{onehot}$ has a 1 at each label, and 0 elsewhere.",
    r"\\mathrm\{softmax\}": r"$\mathrm{softmax}$ goes along the last axis, unless the program says otherwise.",
    r"\\Phi": r"$\Phi$ is the distribution function of the standard normal distribution, $\phi$ its density.",
    r"\\right\)\^T \\frac": r"$(\partial y / \partial x)^T$ is the transposed Jacobian: it acts on the gradient arriving.",
    r"\\sum_\{p\}": r"$p$ runs over all elements of a result.",
}
"""By a sign in the equations: what it means."""
