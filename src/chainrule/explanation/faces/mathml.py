"""The derivation as MathML is for a page in a browser: its equations in tables, their equals signs below each other."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape

from chainrule.errors import ArgumentError

from ..formulas.writing import latex
from ..record.facts import Facts
from .derivation.deriving import Level, derive
from .derivation.lines import Derivation, Equation, Gap, Section
from .latex import dotted, formulas_in_dollars, lines_of, notes_on, shape_said

Convert = Callable[[str], str]


def mathml(e: Facts, *, level: Level = "matrix", numbers: bool | None = None) -> list[tuple[str, str]]:
    """Title and HTML of each part of the derivation, by the library latex2mathml; `level` and `numbers` are as in LaTeX.

    Equations are rows of a table of class "equations", symbols of one of class "symbols". Raises DerivationError, and
    ArgumentError, too, where latex2mathml is not installed.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> [title for title, html in mathml(cr.explain(cr.sin(w)))]
    ['Given', 'Forward', 'Gradients']
    """
    try:
        from latex2mathml.converter import convert
    except ImportError:
        raise ArgumentError("mathml: the library latex2mathml turns formulas into MathML, and is not installed. Install it with "
                            "pip install latex2mathml.") from None
    derived = derive(e, level, numbers)
    parts: list[tuple[str, str]] = []
    for section in derived.sections:
        html = "".join(drawn(section, convert))
        parts = [*parts, (section.title, html)] if section.title else [*parts[:-1], (parts[-1][0], parts[-1][1] + html)]
    below = "".join(where(derived, convert))
    return [*parts, ("Where", below)] if below else parts


def drawn(section: Section, convert: Convert) -> Iterator[str]:
    if section.intro:
        yield f"<p>{sentence(formulas_in_dollars(section.intro), convert)}</p>"
    yield '<table class="equations">'
    for row in section.rows:
        if isinstance(row, Gap):
            yield f"<tr><td></td><td>… ({row.count} more)</td></tr>"
        else:
            yield from rows(row, convert)
    yield "</table>"


def rows(row: Equation, convert: Convert) -> Iterator[str]:
    """A row of the table for each line of an equation; the last one says for which steps it holds."""
    lines = lines_of(row)
    for k, line in enumerate(lines):
        left, _, right = line.partition("&")
        where = f" {sentence(f'(${dotted(row.where)}$)', convert)}" if row.where and k == len(lines) - 1 else ""
        yield f"<tr><td>{formula(left, convert)}</td><td>{formula(right, convert)}{where}</td></tr>"


def formula(tex: str, convert: Convert, attributes: str = 'displaystyle="true"') -> str:
    """The formula in MathML, in full size; words such as log keep apart from what follows."""
    if not tex.strip():
        return ""
    apart = re.sub(r"\\(log|tanh|sinh|cosh|sin|cos|tan|det|arcsin|arccos|arctan) (?!\\left|\\frac|\()", r"\\\1\\,", tex)
    return convert(apart).replace("<math ", f"<math {attributes} ", 1)


def sentence(words: str, convert: Convert) -> str:
    r"""A sentence with formulas between dollars."""
    return "".join(formula(part, convert, "") if k % 2 else escape(part) for k, part in enumerate(words.split("$")))


def where(derived: Derivation, convert: Convert) -> Iterator[str]:
    if derived.meanings:
        yield '<table class="symbols"><tr><th>symbol</th><th>name</th><th>shape</th><th>made by</th><th>line</th></tr>'
    for m in derived.meanings:
        shape = sentence(shape_said(m.shape), convert)
        cells = [formula(latex(m.symbol), convert), f"<code>{escape(m.name)}</code>", shape, escape(m.made), escape(m.source)]
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    if derived.meanings:
        yield "</table>"
    for note in notes_on(derived):
        yield f"<p>{sentence(note, convert)}</p>"
