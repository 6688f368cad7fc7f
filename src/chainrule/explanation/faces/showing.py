"""Notebooks show tensors and staged programs as HTML: the methods for it are put on here, and load the drawing when called.

A tensor is on rung 3 and HTML on rung 4, so the tensor cannot import what draws it.
"""
from __future__ import annotations

from typing import Any

from chainrule.core.stage import Graph
from chainrule.tensor import Tensor


def show_tensor(self: Tensor) -> str:
    """The card of a tensor, as HTML: see `tensor_html`."""
    from .tensor_html import tensor_html
    return tensor_html(self)


def show_graph(self: Graph) -> str:
    """The listing of a staged program, as HTML: see `graph_html`."""
    from .graph_html import graph_html
    return graph_html(self)


def put_on(face: Any, method: Any) -> None:
    face._repr_html_ = method


put_on(Tensor, show_tensor)
put_on(Graph, show_graph)
