"""An explanation is the facts of a gradient and the faces that can be drawn from them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import Any, Literal

from .comparing.what_if import WhatIf, what_if
from .element.element import Element, element
from .faces.answer import Answer
from .faces.data import as_json
from .faces.derivation.deriving import Level
from .faces.derivation_text import derivation_text
from .faces.diagram import diagram
from .faces.latex import derivation as latex
from .faces.mathml import mathml
from .faces.picture import picture
from .faces.raster import animation, png
from .faces.slides import slides
from .faces.steps import Step, steps
from .faces.text import page
from .gates.gates import gates
from .page.file import page as page_of
from .paths.paths import Paths, paths
from .record.facts import Facts
from .record.opening import chosen_gates, opened
from .record.record import Record


@dataclass(frozen=True, repr=False, kw_only=True)
class Explanation(Facts, Answer):
    """How every number in the gradients of a loss came to be.

    Faces: `.text()`, `.derivation()`, `.latex()`, `.html()`, `.svg()`, `.diagram()`, `.json()`; facts: see `Facts`. `record` is
    what the engine remembers, with all gates closed, and `opened` are the names of those that are open here.
    """

    record: Record
    opened: frozenset[str] = frozenset()

    def open(self, *gates: str) -> Explanation:
        """The same loss with these gates (by the names of their results; none: all) in smaller operations.

        >>> import chainrule as cr
        >>> x = cr.tensor(0.5, requires_grad=True, name="x")
        >>> e = cr.explain(cr.sigmoid(x) * 2.0)
        >>> [n.operation for n in e.open("v1").nodes if n.inside == "v1"]
        ['negative', 'exp', 'add']
        >>> len(e.open().close().nodes) == len(e.nodes)
        True
        """
        return explained(self.record, self.opened | chosen_gates(self.record, gates))

    def close(self, *gates: str) -> Explanation:
        """The same loss with these gates (none: all) as one operation each."""
        return explained(self.record, self.opened - chosen_gates(self.record, gates))

    def gates(self, *, most: int = 2_000) -> Explanation:
        """The same loss in gates on single numbers: add, multiply, max and copy, and functions such as exp.

        Every value is one number: elements are called `W[0,1]`. Raises ArgumentError where more than `most` gates are needed, or
        for operations that have no such parts, such as sort or svd.

        >>> import chainrule as cr
        >>> x = cr.tensor([1.0, 2.0], requires_grad=True, name="x")
        >>> [n.operation for n in cr.explain((x * x).sum()).gates().nodes if n.operation]
        ['copy', 'copy', 'multiply', 'multiply', 'add']
        """
        return explained(gates(self.record, most=most))

    def element(self, value: Any, index: int | Sequence[int] | None = None) -> Element:
        """One number of the gradient in `value` (a tensor, or a name such as "fc1.weight") as the sum of what flows into it.

        `index` has a whole number for each axis; a value of one element needs none. Computed values may be asked for as well as
        leaves. Raises ArgumentError, BoundsError, NoPathError.

        >>> import chainrule as cr
        >>> w = cr.tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> [t.value for t in cr.explain((w * w).sum()).element(w, 1).terms]
        [2.0, 2.0]
        """
        return element(self, value, index)

    def text(self, width: int = 80) -> str:
        """The forward table, the backward table, the gradients and their checks, for a terminal `width` columns wide."""
        return page(self, width)

    def json(self) -> str:
        """All facts as JSON; docs/json.md says what each entry means."""
        return as_json(self)

    def derivation(self, *, level: Level = "matrix", numbers: bool | None = None, width: int = 80) -> str:
        """The derivation a lecturer would write, as text: the layers, the recursion of the deltas, the gradients.

        `level` says whether whole arrays are written or elements with their indices; `numbers`, whether numbers are put in (None:
        where arrays are small). Every equality is evaluated and compared with what was recorded. Raises DerivationError.

        >>> import chainrule as cr
        >>> w, x = (cr.tensor(v, requires_grad=True, name=n) for v, n in ((3.0, "w"), (2.0, "x")))
        >>> print(cr.explain((w * x) ** 2, wrt=w).derivation(numbers=False).split("Where")[0].strip())
        Forward
          L = (w * x)**2
        <BLANKLINE>
        Gradients
          dL/dw = 2 * w * x * x
        """
        return derivation_text(self, level=level, numbers=numbers, width=width)

    def latex(self, *, level: Level = "matrix", numbers: bool | None = None, document: bool = False) -> str:
        """The same derivation in LaTeX, for the packages amsmath and geometry; with `document`, a whole file."""
        return latex(self, level=level, numbers=numbers, document=document)

    def mathml(self, *, level: Level = "matrix", numbers: bool | None = None) -> list[tuple[str, str]]:
        """The same derivation for a page: titles, each with HTML whose formulas are MathML."""
        return mathml(self, level=level, numbers=numbers)

    def html(self, *, title: str | None = None, lesson: str | None = None) -> str:
        """A page to play in a browser, in one file: the graph at all its levels, the sweep step by step, every number.

        `title` and `lesson` (a paragraph of text) stand above it.

        >>> import chainrule as cr
        >>> w = cr.tensor(3.0, requires_grad=True, name="w")
        >>> cr.explain(w * w).html(title="A square")[:15]
        '<!doctype html>'
        """
        return page_of(self.close(), self.record, title, lesson)

    def svg(self) -> str:
        """The graph with its values and gradients as a picture: the text of an SVG file that needs nothing else, in ASCII.

        >>> import chainrule as cr
        >>> w = cr.tensor(3.0, requires_grad=True, name="w")
        >>> "3 + 3" in cr.explain(w * w).svg()  # w is used twice, and both edges bring 3
        True
        """
        return picture(self).svg()

    def diagram(self, width: int = 80, *, ascii: bool = False) -> str:
        """The graph drawn in characters, at most `width` columns wide: as boxes, or as a list with rails where these do not fit.

        >>> import chainrule as cr
        >>> w = cr.tensor(3.0, requires_grad=True, name="w")
        >>> "w * w" in cr.explain(w * w).diagram(40)
        True
        """
        return diagram(self, width, ascii=ascii)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in which a person watches: each value computed, then each contribution handed back.

        >>> import chainrule as cr
        >>> w = cr.tensor(3.0, requires_grad=True, name="w")
        >>> print(cr.explain(w * 2.0).steps[-1].line)
        w ← L: dL/dL × 2 = 1 × 2 = 2
        """
        return steps(self)

    def slides(self, *, dark: bool = False) -> tuple[str, ...]:
        """One picture of 1280 by 720 for each step, as the text of an SVG file: the graph so far, the formula, the numbers."""
        return slides(self, dark=dark)

    def png(self, path: str | Path | None = None, *, scale: float = 2.0, dark: bool = False) -> bytes:
        """The picture of `.svg()` in pixels, written to `path` if one is given. Needs `pip install "chainrule[pictures]"`.

        Raises ArgumentError where a library or a font is missing, OSError.
        """
        return png(self.svg(), path, scale=scale, dark=dark)

    def animation(self, path: str | Path, *, seconds: float = 1.2, dark: bool = False, scale: float = 1.0) -> None:
        """The slides as a film, each shown so many seconds, in a file that ends in .gif, .webp or .mp4.

        Needs `pip install "chainrule[pictures]"`, and imageio-ffmpeg for .mp4. Raises ArgumentError, OSError.
        """
        animation(self, path, seconds=seconds, dark=dark, scale=scale)

    def what_if(self, *change: Any) -> WhatIf:
        """What moves if a value is another: `what_if(w, 3.5)`, for one element `what_if(w, (2, 3), 0.1)`, for several
        `what_if({w: 3.5, "b": 0.0})`.

        A value is given by its name, or as the tensor: a leaf, a result on the way, or an array of data. The loss and all its
        gradients are computed again in float64. A changed result stays the result of what is before it, shifted by a constant;
        what is before it does not move, and gradients flow through. What was cut from the graph, such as the condition of a
        `where`, stays as it was recorded. Raises ArgumentError, ShapeError, BoundsError.

        >>> import chainrule as cr
        >>> w = cr.tensor(3.0, requires_grad=True, name="w")
        >>> cr.explain(w * w).what_if(w, 4.0).loss.move
        array(7.)
        """
        return what_if(self, change)

    def paths(self, value: Any, *, top: int = 10, by: Literal["element", "operation"] = "element") -> Paths:
        """The `top` paths from the loss to a value, given by its name or as the tensor, that carry most of its gradient.

        A path runs through one element of each value along local derivatives that are not 0; its strength is the absolute value
        of their product. With `by="operation"`, the paths that run through the same operations are shown as one chain. Found by a
        k-best dynamic program (for chains, by best-first search): see `cr.sweep`. Raises ArgumentError.

        >>> import chainrule as cr
        >>> x = cr.tensor(3.0, requires_grad=True, name="x")
        >>> [path.product for path in cr.explain(x * x - 5.0 * x).paths(x)]
        [-5.0, 3.0, 3.0]
        """
        return paths(self, value, top, by)

    def _repr_html_(self) -> str:
        """The page, in a frame of its own, so that its style and its keys stay apart from the notebook's."""
        return (f'<iframe srcdoc="{escape(self.html())}" title="How the gradients of {escape(self.loss)} came to be" '
                'style="width:100%;height:42rem;border:0" loading="lazy"></iframe>')

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self._repr_html_()}

    def __repr__(self) -> str:
        return (f"<explanation of {self.loss} = {self[self.loss].value}: {len(self.nodes)} values, {len(self.edges)} edges, "
                f"gradients in {', '.join(self.gradients)}; print it>")


def explained(record: Record, gates: frozenset[str] = frozenset()) -> Explanation:
    """The explanation of a record, with these gates open."""
    facts = (opened(record, gates) if gates else record).facts()
    return Explanation(**{f.name: getattr(facts, f.name) for f in fields(Facts)}, record=record, opened=gates)
