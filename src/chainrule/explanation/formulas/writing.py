"""Writing turns a formula into a line of text or of LaTeX, with no more parentheses than are needed."""
from __future__ import annotations

import inspect
import re
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.core.primitive import Primitive

from .binding import ATOM, BINDS, PRODUCT, SIGN, SUM, Written, holds, needed, scripted
from .formula import Call, Formula, Name, Number, is_transpose, plain
from .latex_forms import LATEX_FORMS, shortened
from .numbers import plain_array, plain_number, plain_shape


class Drawn(Formula):
    """A kind of formula that says itself how it is written."""

    def as_text(self) -> Written:
        raise NotImplementedError

    def as_latex(self) -> Written:
        raise NotImplementedError


# ---------------------------------------------------------------------------------------- text
def text(formula: Formula) -> str:
    """The formula on one line, as Python would have it: `2 * (a - y)`."""
    return write_text(formula)[0]


def inside(formula: Formula | None, binds: int) -> str:
    if formula is None:
        return "None"
    body, own = write_text(formula)
    return f"({body})" if own < binds else body


def write_text(formula: Formula) -> Written:
    if isinstance(formula, Drawn):
        return formula.as_text()
    if isinstance(formula, Name):
        return formula.name, SIGN if "/" in formula.name else ATOM  # (dL/dz).T needs its parentheses
    if isinstance(formula, Number):
        body = plain_array(formula.value)
        return body, SUM if body.startswith("-") else ATOM
    assert isinstance(formula, Call)
    special = SPECIAL_TEXT.get(formula.prim.name)
    written: Written | None = special(formula) if special else None
    if written is not None:
        return written
    if formula.prim.infix and len(formula.args) == 2:
        return infix_text(formula, formula.prim.infix)
    args = shortened([inside(a, 0) for a in formula.args], "...")
    options = [f"{k}={option(v)}" for k, v in formula.params.items() if shows(k, v, formula)]
    return f"{said(formula.prim)}({', '.join(args + options)})", ATOM


def said(prim: Primitive) -> str:
    """What people call an operation; a product in which zero wins is still that product."""
    return prim.name.removeprefix("chain_")


def infix_text(formula: Call, sign: str) -> Written:
    binds = BINDS.get(sign, 0)
    a, b = formula.args
    if sign == "**":
        return f"{inside(a, ATOM)}**{inside(b, ATOM)}", binds
    right = binds if sign == "+" else binds + 1  # a - (b - c) and a / (b * c) keep theirs
    if sign == "*" and isinstance(b, Call) and b.prim.infix == "*":
        right = binds
    left = min(binds, SUM) if isinstance(a, Number) else max(binds, SUM)  # a minus sign in front stands without parentheses
    first, second = (ATOM if sign in "*/" and is_matrix_product(x) else needs
                     for x, needs in ((a, left), (b, max(right, PRODUCT))))
    return f"{inside(a, first)} {sign} {inside(b, second)}", binds


def is_matrix_product(x: Formula | None) -> bool:
    """Whether it needs parentheses inside a product element by element, with which it would be confused."""
    return isinstance(x, Call) and x.prim.infix == "@"


def shows(name: str, value: Any, formula: Call) -> bool:
    """Whether an option says something: not if it is off or as always, or an axis that stands for all axes."""
    if value is None or value is False or same(value, defaults(formula.prim).get(name)):
        return False
    first = formula.args[0] if formula.args else None
    if first is None or name != "axis":
        return True
    return value not in (tuple(range(len(first.shape))), 0 if len(first.shape) == 1 else None)


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


@lru_cache(maxsize=1024)
def defaults(prim: Primitive) -> dict[str, Any]:
    """What an operation's options are when nobody gives them."""
    try:
        parameters = inspect.signature(prim).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {p.name: p.default for p in parameters}


def option(value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 1:
        return str(value[0])
    return str(value) if isinstance(value, np.dtype) else repr(value)


def transposed_text(formula: Call) -> Written | None:
    return (f"{inside(formula.args[0], ATOM)}.T", ATOM) if is_transpose(formula) else None


def reshaped_text(formula: Call) -> Written | None:
    """A vector made a column or a row, the way it is written with brackets."""
    x, shape = formula.args[0], formula.shape
    if x is not None and len(x.shape) == 1 and shape in ((*x.shape, 1), (1, *x.shape)):
        return f"{inside(x, ATOM)}{'[:, None]' if shape[0] != 1 else '[None, :]'}", ATOM
    return f"reshape({inside(x, 0)}, {plain_shape(shape)})", ATOM


def key_text(key: Any) -> str:
    if isinstance(key, slice):
        bounds = [key.start, key.stop, *([] if key.step is None else [key.step])]
        return ":".join("" if b is None else str(b) for b in bounds)
    return "None" if key is None else "..." if key is Ellipsis else plain_array(key)


def part_text(formula: Call) -> Written:
    return f"{inside(formula.args[0], ATOM)}[{', '.join(map(key_text, formula.params['key']))}]", ATOM


SPECIAL_TEXT: dict[str, Any] = {
    "negative": lambda f: (f"-{inside(f.args[0], PRODUCT)}", SIGN - 1),
    "permute_dims": transposed_text,
    "reshape": reshaped_text,
    "broadcast_to": lambda f: (f"broadcast_to({inside(f.args[0], 0)}, {plain_shape(f.shape)})", ATOM),
    "pick": lambda f: (f"{inside(f.args[0], ATOM)}[{f.params['index']}]", ATOM),
    "part": part_text,
    "one_hot": lambda f: (f"one_hot({inside(f.args[0], 0)})", ATOM),
}
"""Operations that people do not write as name(arguments)."""


# ---------------------------------------------------------------------------------------- LaTeX
GREEK = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho",
         "sigma", "tau", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Omega")
ESCAPES = {"\\": r"\backslash ", "{": r"\{", "}": r"\}", "_": r"\_", "#": r"\#", "%": r"\%", "&": r"\&", "$": r"\$",
           "^": r"\hat{}", "~": r"\sim "}


def escaped(word: str) -> str:
    return "".join(ESCAPES.get(c, c if c.isascii() and c.isprintable() else "?") for c in word)


def tex_name(name: str) -> str:
    """`w` as it is, `W1` with an index, `delta` as the Greek letter, longer words upright."""
    stem, digits = re.fullmatch(r"(.*?)_?(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    head = f"\\{stem}" if stem in GREEK else stem if len(stem) == 1 and stem.isascii() and stem.isalpha() else (
        rf"\mathrm{{{escaped(stem)}}}")
    return f"{head}_{{{digits}}}" if digits else head


def tex_number(x: Any) -> str:
    body = plain_number(x)
    if body in ("inf", "-inf"):
        return body.replace("inf", r"\infty")
    if body in ("nan", "True", "False"):
        return rf"\mathrm{{{body}}}"
    mantissa, _, exponent = body.partition("e")
    return rf"{mantissa} \times 10^{{{exponent}}}" if exponent else body


MOST_COLUMNS = 10  # of a matrix of the package amsmath


def tex_array(x: Any, most: int = 12) -> str:
    if isinstance(x, tuple):
        return r",\; ".join(tex_array(part, most) for part in x)
    array = np.asarray(x)
    if array.ndim == 0:
        return tex_number(array[()])
    if array.size > most or array.ndim > 2 or not array.size or array.shape[-1] > MOST_COLUMNS:
        return "[" + r" \times ".join(map(str, array.shape)) + "]"
    rows = array.reshape(1, -1) if array.ndim == 1 else array
    return r"\begin{bmatrix} " + r" \\ ".join(" & ".join(map(tex_number, row)) for row in rows) + r" \end{bmatrix}"


def latex(formula: Formula) -> str:
    """The formula in LaTeX's mathematics, by the template of each operation."""
    return write_latex(formula)[0]


def inside_latex(formula: Formula | None, binds: int) -> str:
    if formula is None:
        return r"\mathrm{none}"
    body, own = write_latex(formula)
    if own >= binds:
        return body
    return rf"\left( {body} \right)" if own else rf"\left[ {body} \right]"  # a condition that counts as 1 or 0


def write_latex(formula: Formula) -> Written:
    if isinstance(formula, Drawn):
        return formula.as_latex()
    if isinstance(formula, Name):
        return formula.bar or tex_name(formula.name), SIGN if formula.bar and "frac" in formula.bar else ATOM
    if isinstance(formula, Number):
        body = tex_array(formula.value)
        return body, SUM if body.startswith("-") else PRODUCT if "times" in body else ATOM
    assert isinstance(formula, Call)
    if formula.prim.infix in ("*", "@") and len(formula.args) == 2:
        return product_latex(formula)
    form, template = LATEX_FORMS.get(formula.prim.name), formula.prim.tex
    written = form(formula, inside_latex) if form else None
    if template == "{0}":
        return write_latex(formula.args[0]) if formula.args[0] is not None else ("", ATOM)
    if written is None and template:
        written = from_template(formula, template)
    if written is not None:
        return written
    args = ", ".join(shortened([inside_latex(a, 0) for a in formula.args]))
    return rf"\operatorname{{{escaped(said(formula.prim))}}}\left( {args} \right)", ATOM


def product_latex(formula: Call) -> Written:
    """Matrices side by side, arrays element by element, numbers with a dot; a number stands before a name without one."""
    a, b = formula.args
    if formula.prim.infix == "*" and plain(b) and not plain(a):
        a, b = b, a
    left, right = (inside_latex(x, ATOM if formula.prim.infix == "*" and is_matrix_product(x) else PRODUCT) for x in (a, b))
    if formula.prim.infix == "@":
        return rf"{left} \, {right}", PRODUCT
    if a is not None and b is not None and a.shape != () and b.shape != ():
        return rf"{left} \odot {right}", PRODUCT
    before_what = re.fullmatch(COEFFICIENT, left) and not plain(b) and re.match(r"\\(?!frac|begin)", right)
    sign = r"\," if before_what or (re.match(LETTER, right) and not re.search(FUNCTION, left)) else r"\cdot"
    return f"{left} {sign} {right}", PRODUCT


LETTER = rf"[A-Za-z](?![(a-z])|\\({'|'.join(GREEK)})(?![(a-z])"  # of a value; what stands before it needs no dot
FUNCTION = r"\\(operatorname|log|det|(arc)?(sin|cos|tan)h?)\b"  # it would take in what follows it
COEFFICIENT = r"[\d.]+|\\frac\{\d+\}\{\d+\}"


def from_template(formula: Call, template: str) -> Written | None:
    """An operation's own template, with its arguments and options put in."""
    own = holds(template)
    written = [scripted(inside_latex(a, needed(template, i, own)), template, i) for i, a in enumerate(formula.args)]
    options = {k: escaped(option(v)) for k, v in formula.params.items()}
    try:
        return template.format(*written, **options), own
    except (IndexError, KeyError, ValueError):
        return None
