"""An explanation is the facts of a gradient and the faces that can be drawn from them."""
from __future__ import annotations

from dataclasses import dataclass

from .data import as_json
from .facts import Facts
from .latex import derivation
from .text import page


@dataclass(frozen=True, repr=False)
class Explanation(Facts):
    """How every number in the gradients of a loss came to be. Faces: `.text()`, `.json()`, `.latex()`; facts: see `Facts`."""

    def text(self, width: int = 80) -> str:
        """The forward table, the backward table, the gradients and their checks, for a terminal `width` columns wide."""
        return page(self, width)

    def json(self) -> str:
        """All facts as JSON; docs/explain.md says what each entry means."""
        return as_json(self)

    def latex(self, *, document: bool = False) -> str:
        """The derivation in LaTeX, for the package amsmath; with `document`, a whole file."""
        return derivation(self, document=document)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return (f"<explanation of {self.loss} = {self[self.loss].value}: {len(self.nodes)} values, {len(self.edges)} edges, "
                f"gradients in {', '.join(self.gradients)}; print it>")
