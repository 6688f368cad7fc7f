"""An answer is what comes back from a question about a gradient: facts with three faces, text, JSON and HTML."""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Answer(ABC):
    """The faces of an answer. Printed, it is its text; in a notebook, its HTML, with the text for where no HTML can be shown.

    >>> import chainrule as cr
    >>> w = cr.tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> answer = cr.why(cr.sum(cr.floor(w)), w)
    >>> answer._repr_html_() == answer.html(), str(answer) == answer.text()
    (True, True)
    """

    @abstractmethod
    def text(self, width: int = 80) -> str:
        """The answer as a page for a terminal `width` columns wide."""

    @abstractmethod
    def json(self) -> str:
        """All facts as JSON; docs/json.md says what each entry means."""

    @abstractmethod
    def html(self) -> str:
        """The answer as one `<div>` in ASCII, with its own style and no script; numbers have all their digits in their titles."""

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}
