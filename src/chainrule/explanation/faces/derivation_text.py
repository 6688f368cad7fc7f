"""The derivation as plain text says the same as the one in LaTeX, line by line, as Python writes products and sums."""
from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..formulas.binding import ATOM, PRODUCT, SUM, Written
from ..formulas.formula import Call, Formula, Number
from ..formulas.writing import Drawn, inside, plain_array, plain_shape, text, write_text
from ..record.facts import Facts
from .derivation.deriving import Level, derive
from .derivation.folding import is_last_swap
from .derivation.lines import Derivation, Equation, Gap, Section
from .derivation.verified import Evaluated
from .table import table

MOST = 12  # elements of an array that is written in full
SIGNS = {"@": "* multiplies element by element, @ matrices; .T is transposed.",
         r" (>|<|>=|<=|==|!=) ": "A condition counts as 1 where it holds, else as 0."}
"""By a sign on the page: what it means."""


def derivation_text(e: Facts, *, level: Level = "matrix", numbers: bool | None = None, width: int = 80) -> str:
    """The derivation on lines of at most `width` characters, where they can be broken; `level` and `numbers` are as in LaTeX.

    Raises DerivationError, ArgumentError.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> print(derivation_text(cr.explain(cr.sin(w)), numbers=False))
    Forward
      L = sin(w)
    <BLANKLINE>
    Gradients
      dL/dw = cos(w)
    <BLANKLINE>
    Where
      symbol  name  shape   made by  line
      ──────  ────  ──────  ───────  ...
      w       w     number  input
      L       L     number  sin      ...
    <BLANKLINE>
    """
    derived = derive(e, level, numbers)
    page = "\n\n".join("\n".join(drawn(section, width)) for section in derived.sections)
    below = where(derived, [note for sign, note in SIGNS.items() if re.search(sign, page)], width)
    return "\n".join([page, *(["", "Where", *below] if below else [])]) + "\n"


def drawn(section: Section, width: int) -> Iterator[str]:
    if section.title:
        yield section.title
    if section.intro:
        yield f"  {section.intro}"
    indent = "    " if section.intro else "  "
    for row in section.rows:
        yield from ([f"{indent}... ({row.count} more)"] if isinstance(row, Gap) else equation(row, width, indent))


def equation(row: Equation, width: int, indent: str) -> list[str]:
    """An equation on one line, or with one line for each step, the signs below each other."""
    left, steps = said(row.left), [inside(worded(f), SUM) for f in row.steps]
    where = [f"({row.where})"] if row.where else []
    line = "  ".join([f"{indent}{' = '.join([left, *steps])}", *where])
    if len(line) <= width:
        return [line]
    lines = []
    for k, step in enumerate(steps):
        start = f"{indent}{left if k == 0 else ' ' * len(left)} = "
        first, *rest = broken(step, width - len(start) - 2)
        lines += [start + first, *(" " * (len(start) + 2) + piece for piece in rest)]
    fits = where and len(lines[-1]) + len(where[0]) + 2 <= width
    return [*lines[:-1], f"{lines[-1]}  {where[0]}"] if fits else [*lines, *(f"{indent}  {said}" for said in where)]


def broken(step: str, room: int) -> list[str]:
    """A formula on lines of at most `room` characters, broken before signs in as few parentheses as can be."""
    if len(step) <= room:
        return [step]
    depth, places = 0, []
    for k, sign in enumerate(step[:room]):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == " " and k > room // 4:
            places.append((depth, step[k + 1] not in "+-*@/", -k))
    if not places:
        return textwrap.wrap(step, room)
    k = -min(places)[2]
    return [step[:k], *broken(step[k + 1:], room)]


def where(derived: Derivation, signs: list[str], width: int) -> list[str]:
    """What letters and signs stand for."""
    rows = [[said(m.symbol), m.name, plain_shape(m.shape) if m.shape else "number", m.made, m.source] for m in derived.meanings]
    head = table(["symbol", "name", "shape", "made by", "line"], rows, width) if rows else []
    letters = ", ".join(f"{said(letter)} = {said(plain)}".replace(" ", "\0") for letter, plain in derived.letters)
    notes = [line.replace("\0", " ") for note in (letters, *signs)
             for line in textwrap.wrap(note, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)]
    return [*head, *notes]


# ---------------------------------------------------------------------------------------- words
@dataclass(frozen=True, eq=False)
class Worded(Drawn):
    """An operation as a lecturer says it in plain text."""

    written: Written

    def as_text(self) -> Written:
        return self.written


def said(formula: Formula) -> str:
    return text(worded(formula))


def worded(formula: Formula) -> Formula:
    """The formula with its operations said as in a lecture, and without options that are as always."""
    if isinstance(formula, Evaluated):
        return formula.retold(worded)
    if isinstance(formula, Number):
        body = plain_array(formula.value, MOST)
        return Worded(formula.shape, (body, SUM if body.startswith("-") else ATOM))
    if not isinstance(formula, Call):
        return formula
    call = replace(formula, args=tuple(a and worded(a) for a in formula.args))
    form = WORDS.get(call.prim.name)
    written = form(call) if form else None
    return call if written is None else Worded(call.shape, written)


def function(name: str, many: int = 2) -> Callable[[Call], Written]:
    """A word with the first arguments in parentheses, and the bias, if there is one, added to it."""
    def write(f: Call) -> Written:
        args = ", ".join(inside(a, 0) for a in f.args[:many])
        bias = f.args[2] if name.startswith("conv") and len(f.args) > 2 else None
        return (f"{name}({args})", ATOM) if bias is None else (f"{name}({args}) + {inside(bias, PRODUCT)}", SUM)
    return write


def layer(f: Call) -> Written:
    x, w, b = (*f.args, None)[:3]
    assert x is not None
    product = f"{inside(w, PRODUCT)} @ {inside(x, ATOM)}" if len(x.shape) == 1 else f"{inside(x, PRODUCT)} @ {inside(w, ATOM)}.T"
    return (product, PRODUCT) if b is None else (f"{product} + {inside(b, PRODUCT)}", SUM)


def swapped(f: Call) -> Written | None:
    return (f"{inside(f.args[0], ATOM)}.T", ATOM) if is_last_swap(f.params["axes"]) else None


def scattered(f: Call) -> Written | None:
    start, rows, *places = f.args
    if not isinstance(start, Worded) or not start.written[0].startswith("("):
        return None
    return f"scatter({', '.join(inside(a, 0) for a in (rows, *places))})", ATOM


def text_of(x: Formula | None) -> Written | None:
    return None if x is None else write_text(x)


def picked(f: Call) -> Written | None:
    x = f.args[0]
    standard = isinstance(x, Worded) and x.written[0].startswith("standardize") and f.params["index"] == 0
    return x.written if standard and isinstance(x, Worded) else None


WORDS: dict[str, Callable[[Call], Written | None]] = {
    "linear": layer, "permute_dims": swapped,
    "convolution": function("conv"), "kernel_convolution": function("conv"), "transposed_convolution": function("conv_transpose"),
    "max_windows": function("maxpool", 1), "average_windows": function("avgpool", 1), "max_scatter": function("unpool", 1),
    "average_spread": function("spread", 1), "divide_by_rms": function("divide_by_rms", 1),
    "standardize": function("standardize", 1), "pick": picked, "add_at": scattered,
    "broadcast_to": lambda f: text_of(f.args[0]),
    "embed": lambda f: (f"embed({inside(f.args[0], 0)}, {f.params['key']})", ATOM),
    "wins": lambda f: (f"{inside(f.args[0], SUM)} > {inside(f.args[1], SUM)}", 0),
    "get_at": lambda f: (f"{inside(f.args[0], ATOM)}[{', '.join(inside(i, 0) for i in f.args[1:])}]", ATOM),
}
"""By operation: what a lecturer writes in plain text, or None where Python's own writing does."""
