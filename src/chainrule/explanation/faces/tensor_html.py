"""The card of a tensor is what a notebook shows of it: what it is, where it came from, its numbers, and its gradient."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import sweeps
from chainrule.eager import EAGER
from chainrule.tensor import Tensor

from ..formulas.writing import plain_shape
from .fragments import Markup, code, fragment, joined, number, paragraph, source, strong, table
from .grid import grid

WIDEST = 8  # of a table that has every number


def tensor_html(t: Tensor) -> str:
    """What a notebook shows of a tensor. Nothing is read out as NumPy, so that no note of a copy is left in the graph.

    >>> import chainrule as cr
    >>> card = tensor_html(cr.tensor([1.0, 2.0], requires_grad=True, name="w"))
    >>> "(2,), float32" in card, "a leaf that wants a gradient" in card
    (True, True)
    """
    name, shape = t.name or "tensor", plain_shape(t.shape) if t.shape else "one number"
    head = paragraph(strong(name), f"  {shape}, {t.dtype}\n", origin(t))
    return fragment(head, values("values" if t.ndim else "value", np.asarray(t.value)), gradient(t), story(t),
                    label=f"{name}, {shape}, {t.dtype}")


def origin(t: Tensor) -> Markup:
    """From which operation and line it came."""
    if t.prim is not None:
        return joined(["from ", code(t.prim.name), *([" at ", source(t.line)] if t.line else [])])
    if t.requires_grad:
        return Markup("a leaf that wants a gradient")
    if t.cut is not None:
        return joined(["cut from the graph: ", code(t.cut.kind), f" of {t.cut.label} at ", source(t.cut.line)])
    return Markup("a constant: no gradient flows to it")


def values(title: str, x: Any) -> Markup:
    """One number, a table of few, or a summary of many and a picture of them."""
    if not x.size:
        return paragraph(f"{title}: none")
    if not x.ndim:
        return paragraph(f"{title}: ", number(x))
    if x.ndim <= 2 and max(x.shape) <= WIDEST:
        rows = x if x.ndim == 2 else x[None]
        return table(["", *map(str, range(rows.shape[1]))],
                     [[str(i) if x.ndim == 2 else "", *map(number, row)] for i, row in enumerate(rows)], title)
    return joined([summary(title, x), grid(x.astype(np.float64))])


def summary(title: str, x: Any) -> Markup:
    """The range of many numbers, how they spread, and how many are zero or not finite."""
    wide = x.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    measures = {"smallest": np.min, "largest": np.max, "mean": np.mean, "standard deviation": np.std}
    row = [number(f(finite)) if finite.size else "—" for f in measures.values()]
    return table(["", *measures, "zeros", "not finite"],
                 [[f"{x.size} numbers", *row, number(np.count_nonzero(wide == 0)), number(x.size - finite.size)]], title)


def gradient(t: Tensor) -> Markup:
    """Its gradient, if it has one; where hooks would be called to work it out, only how to get it."""
    if not t.requires_grad:
        return Markup("")
    stored = t.prim is None or t.serial in sweeps.retained
    if not stored and any(x.hooks for root in list(sweeps.roots.values()) for x in EAGER.history(root)):
        return paragraph("gradient: worked out, hooks and all, when .grad is read", quiet=True)
    g = t.grad
    if g is not None:
        return values("gradient", np.asarray(g.value))
    return paragraph("gradient: none yet; backward() on a loss gives one", quiet=True) if t.prim is None else Markup("")


def story(t: Tensor) -> Markup:
    """Where the card ends and an explanation begins: at one number that was computed from what wants gradients."""
    if t.size != 1 or t.prim is None:
        return Markup("")
    name = t.name if t.name and t.name.isidentifier() else "loss"
    return paragraph(code(f"cr.explain({name})"), " tells how the gradients of this number come to be", quiet=True)
