"""Dropout makes a network rely on none of its values in particular, by dropping some at random while it learns."""
from __future__ import annotations

from chainrule.core.type import Array
from chainrule.errors import ArgumentError
from chainrule.random import dropout

from .module import Module


class Dropout(Module):
    """While training, each element is 0 with chance `p`, else divided by `1 - p`; after `eval()`, the input itself.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ArgumentError(f"Dropout: p is the chance to be dropped, from 0 to 1, not {p}.")
        self.p = p

    def forward(self, x: Array) -> Array:
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
