"""A form is how people write an operation in LaTeX where a template with slots is not enough."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .binding import ATOM, BIG, POWER, PRODUCT, SUM, Written
from .formula import Call, Formula, Name, Number, plain

Inside = Callable[[Formula | None, int], str]  # an argument, with parentheses if it binds less than is needed
Form = Callable[[Call, Inside], Written | None]
MOST_ARGUMENTS = 6  # of one operation; of more, the first and the last are written


def raised(body: str, exponent: str) -> str:
    """With an exponent; LaTeX takes no second one on the same symbol."""
    return rf"\left( {body} \right)^{exponent}" if re.search(r"\^(\{[^{}]*\}|\w)$", body) else f"{body}^{exponent}"


def rank(x: Formula | None) -> int:
    return -1 if x is None else len(x.shape)


def plus_bias(product: str, bias: Formula | None, inside: Inside) -> Written:
    return (product, PRODUCT) if bias is None else (f"{product} + {inside(bias, BIG)}", SUM)


def layer(f: Call, inside: Inside) -> Written:
    """X W^T + b on the rows of a batch, W x + b on a vector; without the bias that is not there."""
    x, w, b = (*f.args, None)[:3]
    if rank(x) == 1:
        return plus_bias(rf"{inside(w, PRODUCT)} \, {inside(x, PRODUCT)}", b, inside)
    return plus_bias(rf"{inside(x, PRODUCT)} \, {raised(inside(w, ATOM), 'T')}", b, inside)


def sliding(sign: str) -> Form:
    def write(f: Call, inside: Inside) -> Written:
        a, b, bias = (*f.args, None)[:3]
        return plus_bias(rf"{inside(a, SIGNED)} {sign} {inside(b, SIGNED)}", bias, inside)
    return write


SIGNED = PRODUCT + 1  # a product is put in parentheses beside the sign of a convolution


def axes_said(f: Call) -> str:
    """Along what a reduction goes, as an index; nothing where it is along everything."""
    axis, x = f.params.get("axis"), f.args[0]
    axes = (axis,) if isinstance(axis, int) else tuple(axis or ())
    if x is None or not axes or len(axes) == len(x.shape):
        return ""
    if len(x.shape) == 2:
        return "_{\\text{rows}}" if axes == (0,) else "_{\\text{columns}}"
    return rf"_{{\text{{{'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}}}}}"


def reduction(sign: str, binds: int = BIG) -> Form:
    """A sign with the axes below it, in front of what it goes over."""
    def write(f: Call, inside: Inside) -> Written:
        body = inside(f.args[0], binds)
        return f"{sign}{axes_said(f)} {body}" if binds == BIG else rf"{sign}{axes_said(f)}\left( {body} \right)", binds or ATOM
    return write


def ratio(f: Call, inside: Inside) -> Written | None:
    """A sum divided by a number is that fraction of the sum."""
    top, bottom = f.args
    is_sum = inside(top, SUM) == inside(top, BIG) != inside(top, PRODUCT)
    return (rf"\frac{{1}}{{{inside(bottom, 0)}}} {inside(top, BIG)}", BIG) if is_sum and plain(bottom) else None


def reshaped(f: Call, inside: Inside) -> Written:
    """A vector stands for a column; in another shape, that shape is said."""
    x = f.args[0]
    if rank(x) == 1 and f.shape == (*getattr(x, "shape", ()), 1):
        return inside(x, ATOM), ATOM
    if rank(x) == 1 and f.shape == (1, *getattr(x, "shape", ())):
        return raised(inside(x, ATOM), "T"), POWER
    if rank(x) > 2 and len(f.shape) == 2 and x is not None and x.shape[-1] == f.shape[-1]:
        return word("rows", "", inside(x, 0))
    return word("reshape", r" \times ".join(map(str, f.shape)), inside(x, 0))


def word(name: str, index: str, body: str) -> Written:
    below = f"_{{{index}}}" if index else ""
    return rf"\operatorname{{{name}}}{below}\left( {body} \right)", ATOM


def permuted(f: Call, inside: Inside) -> Written:
    axes = f.params["axes"]
    last = (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2)
    if tuple(axes) == last and len(axes) > 1:
        return raised(inside(f.args[0], ATOM), "T"), POWER
    return word("permute", ",".join(map(str, axes)), inside(f.args[0], 0))


def key_said(key: Any) -> str:
    return str(key).replace(":", "{:}").replace("...", r"\ldots").replace("None", r"\cdot").strip("[]")


def windows(name: str) -> Form:
    """A name with the size of its windows below, of its first argument."""
    def write(f: Call, inside: Inside) -> Written:
        kernel = f.params["kernel"]
        size = r" \times ".join(map(str, kernel)) if isinstance(kernel, tuple) else str(kernel)
        return word(name, size, inside(f.args[0], 0))
    return write


def chosen(f: Call, inside: Inside) -> Written:
    """What is kept where a condition holds, and 0 elsewhere, is a product with the condition; other choices are told as cases."""
    condition, one, other = f.args
    sign = r" \odot " if f.shape else r" \cdot "
    if isinstance(other, Number) and np.ndim(other.value) == 0 and other.value == 0:
        return f"{inside(one, PRODUCT)}{sign}{inside(condition, PRODUCT)}", PRODUCT
    cases = rf"{inside(one, 0)} & \text{{where }} {inside(condition, 0)} \\ {inside(other, 0)} & \text{{elsewhere}}"
    return rf"\begin{{cases}} {cases} \end{{cases}}", ATOM


def output(f: Call, inside: Inside) -> Written:
    """One of several outputs; the first is what an operation is for where the others are by-products."""
    (x,) = f.args
    if isinstance(x, Call) and x.prim.name == "standardize" and f.params["index"] == 0:
        return inside(x, 0), POWER
    body = inside(x, ATOM) if isinstance(x, Name) else rf"\left( {inside(x, 0)} \right)"
    return rf"{{{body}}}_{{{f.params['index'] + 1}}}", ATOM


def among_labels(f: Call, inside: Inside) -> Written:
    """Cross-entropy: with labels, of each row the element its label says; with probabilities, their mean."""
    z, y = f.args
    if rank(y) < rank(z):
        return rf"-\log\,\mathrm{{softmax}}({inside(z, 0)})_{{{inside(y, 0)}}}", BIG
    return rf"-\sum_{{\text{{classes}}}} {inside(y, PRODUCT)} \odot \log\,\mathrm{{softmax}}({inside(z, 0)})", BIG


def both(sign: str) -> Form:
    return lambda f, inside: (f"{inside(f.args[0], 1)} {sign} {inside(f.args[1], 1)}", 0)


def scattered(f: Call, inside: Inside) -> Written | None:
    """Rows added up at their places, from nothing."""
    start, rows, *places = f.args
    if isinstance(start, Number) and not np.any(start.value):
        return word("scatter", ", ".join(inside(i, 0) for i in places), inside(rows, 0))
    return None


def listed(f: Call, inside: Inside) -> Written:
    """Arrays put together, in brackets."""
    args = [inside(a, 0) for a in f.args]
    return rf"\left[ {', '.join(shortened(args))} \right]", ATOM


def shortened(args: list[str], dots: str = r"\ldots") -> list[str]:
    return args if len(args) <= MOST_ARGUMENTS else [*args[:2], dots, args[-1]]


def einsum(f: Call, inside: Inside) -> Written:
    letters = f.params["subscripts"].replace("->", r" \to ").replace("...", r"\ldots ")
    return word("einsum", letters, ", ".join(inside(a, 0) for a in f.args))


LATEX_FORMS: dict[str, Form] = {
    "einsum": einsum, "chain_einsum": einsum,
    "linear": layer,
    "convolution": sliding(r"\star"), "kernel_convolution": sliding(r"\star"), "transposed_convolution": sliding(r"\ast"),
    "sum": reduction(r"\sum"), "prod": reduction(r"\prod"),
    "mean": reduction(r"\operatorname{mean}", 0), "max": reduction(r"\max", 0), "min": reduction(r"\min", 0),
    "divide": ratio, "reshape": reshaped, "permute_dims": permuted, "where": chosen, "softmax_cross_entropy": among_labels,
    "bitwise_and": both(r"\wedge"), "bitwise_or": both(r"\vee"),
    "max_windows": windows("maxpool"), "average_windows": windows("avgpool"),
    "max_scatter": windows("unpool"), "average_spread": windows("spread"),
    "one_hot": lambda f, inside: (rf"\mathrm{{onehot}}({inside(f.args[0], 0)})", ATOM),
    "part": lambda f, inside: (rf"{inside(f.args[0], ATOM)}[{key_said(f.params['key'])}]", ATOM),
    "embed": lambda f, inside: word("embed", key_said(f.params["key"]), inside(f.args[0], 0)),
    "pick": output,
    "get_at": lambda f, inside: (rf"{inside(f.args[0], ATOM)}[{', '.join(inside(i, 0) for i in f.args[1:])}]", ATOM),
    "add_at": scattered, "concat": listed, "stack": listed,
    "cycle": lambda f, inside: word("cycle", ",".join(map(str, np.atleast_1d(f.params["shift"]))), inside(f.args[0], 0)),
    "linear_recurrence": lambda f, inside: word("recurrence", "", f"{inside(f.args[0], 0)}, {inside(f.args[1], 0)}"),
}
"""By operation: the text and its binding, or None where the operation's own template says it well."""
