"""An element is one number of a gradient with its terms: found in an explanation, and drawn as text or JSON."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index as whole
from typing import Any

import numpy as np

from chainrule.core.reverse import Recorded
from chainrule.errors import ArgumentError, BoundsError, NoPathError

from ..faces.answer import Answer
from ..faces.data import element_json
from ..record.facts import Facts, Node
from .element_html import drawn
from .reckoning import reckoning
from .terms import Index, Reconciled, terms_along, use

MOST_NAMES = 12  # in a complaint


@dataclass(frozen=True, repr=False)
class Element(Reconciled, Answer):
    """One number of a gradient, as the sum of its terms. Faces: `.text()`, `.json()`, `.html()`; facts: see `Reconciled`."""

    def text(self, width: int = 80, *, most: int = 10) -> str:
        """The `most` largest terms, the rest as one, and their sum beside the gradient, the residual and a finite difference."""
        return reckoning(self, width, most)

    def json(self) -> str:
        """All terms as JSON; docs/json.md says what each entry means."""
        return element_json(self)

    def html(self, *, most: int = 10) -> str:
        """The same as the text, for a notebook or a page; in the titles of the numbers are all their digits."""
        return drawn(self, most)

    def __repr__(self) -> str:
        return (f"<element {list(self.index)} of the gradient in {self.node} = {self.gradient}: {len(self.terms)} terms along "
                f"{len(self.uses)} edges; print it>")


def element(e: Facts, value: Any, index: int | Sequence[int] | None) -> Element:
    """The element `index` of the gradient in `value`, a tensor or a name, as the sum of its terms."""
    node = found(e, value)
    recorded = e.replay.values[node.name]
    refuse_without_gradient(e, node)
    place = placed(node, index)
    terms, uses = [], []
    for edge in e.edges_into(node.id):
        result = e[edge.result]
        along = list(terms_along(edge, result, e.replay.values[result.name], place))
        terms += along
        uses.append(use(edge, result, along))
    assert isinstance(recorded, Recorded)
    return Element(loss=e.loss, node=node.name, index=place, gradient=float(node.gradient[place]), terms=tuple(terms),
                   uses=tuple(uses), facts=e, recorded=recorded)


def found(e: Facts, value: Any) -> Node:
    """The node of a tensor, or of a name."""
    if isinstance(value, str):
        if value not in e.index:
            names = [n.name for n in e.nodes]
            more = f", and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            raise ArgumentError(f"element: no value is called {value!r:.60}; there are {', '.join(names[:MOST_NAMES])}{more}.")
        return e[value]
    name = e.name_of(value)
    if name is not None:
        return e[name]
    raise NoPathError(f"element: {getattr(value, 'label', repr(value)):.60} has no part in {e.loss}. Give a tensor that "
                      "the loss was computed from, or a name.")


def refuse_without_gradient(e: Facts, node: Node) -> None:
    if isinstance(node.value, tuple):
        outputs = [n.name for n in e.nodes if n.operation == "pick" and n.arguments == (node.id,)]
        raise ArgumentError(f"element: {node.name} stands for {len(node.value)} arrays; ask for one of them: "
                            f"{', '.join(outputs)}.")
    if node.name == e.loss:
        raise ArgumentError(f"element: {node.name} is the loss, where the sweep starts: its gradient is 1, and no edge "
                            "leads to it.")
    if node.gradient is None:
        reason = ("it is a constant. Make it with requires_grad=True, and explain again" if node.kind == "constant"
                  else "it was not asked for, or nothing flows to it. Name it in wrt, or ask cr.why")
        raise NoPathError(f"element: {node.name} has no gradient in this explanation: {reason}.")


def placed(node: Node, index: int | Sequence[int] | None) -> Index:
    """The index as a tuple counted from the front, checked."""
    if index is None:
        if np.size(node.value) != 1:
            raise ArgumentError(f"element: {node.name} has shape {node.shape}; say which element, as in "
                                f"{(0,) * len(node.shape)}.")
        return (0,) * len(node.shape)
    try:
        given = tuple(map(whole, index if isinstance(index, Sequence) or np.ndim(index) == 1 else [index]))
    except TypeError:
        raise ArgumentError(f"element: an index is a tuple of whole numbers, one for each axis, not {index!r:.60}.") from None
    if len(given) != len(node.shape):
        raise BoundsError(f"element: {node.name} has shape {node.shape}, so an index has {len(node.shape)} "
                          f"number{'s'[:len(node.shape) != 1]}, not {len(given)}: {given}.")
    if 0 in node.shape:
        raise BoundsError(f"element: {node.name} has shape {node.shape}, and so no element at all.")
    for axis, (i, n) in enumerate(zip(given, node.shape)):
        if not -n <= i < n:
            raise BoundsError(f"element: index {i} is beyond axis {axis} of {node.name}, which has shape {node.shape}. "
                              f"Give {-n} to {n - 1}.")
    return tuple(i % n for i, n in zip(given, node.shape))
