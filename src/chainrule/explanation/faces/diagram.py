"""A diagram is the picture for a terminal: boxes on layers, drawn with characters; where they do not fit, a list with rails."""
from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from chainrule.errors import ArgumentError

from ..record.facts import Facts
from .boxes import Boxes
from .canvas import columns, plain, printable
from .layout import Edge as Link
from .layout import Size
from .picture import BACK, FORWARD, Said, box_said, carried, headed, size_of
from .rails import NARROWEST, rails
from .text import array_cell

WRAPS = (40, 30, 24, 18, 13)  # characters to which formulas in boxes are wrapped, tried in turn
SHORT = 4  # characters before an array that never moves below them
LEGEND = f"{FORWARD} value, computed downwards   {BACK} gradient, flowing back   Σ contributions meet"
Sign = Callable[[str], str]


def diagram(e: Facts, width: int = 80, *, ascii: bool = False) -> str:
    """The graph with its values and gradients, `width` characters wide at most; with `ascii`, for a terminal without other signs.

    A box has the name of a value, its formula, the value behind ▼ and the gradient behind ▲; an edge has what it contributes.
    A graph too wide for boxes becomes a list, with rails at its left that say what is used where. Raises ArgumentError for a
    width below 20.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> print(diagram(cr.explain(2.0 * w), ascii=True), end="")
    L = 6
    v value, computed downwards   ^ gradient, flowing back   sum contributions meet
    <BLANKLINE>
    +-------------+
    | w           |
    | given       |
    | v 3         |
    | ^ dL/dw = 2 |
    +------+------+
          ^ 2
           |
    +------v------+
    | L           |
    | = 2 * w     |
    | = 2 * 3     |
    | v 6         |
    | ^ dL/dL = 1 |
    +-------------+
    """
    if width < NARROWEST:
        raise ArgumentError(f"diagram: a page has at least {NARROWEST} columns, not {width!r}.")
    sign: Sign = plain if ascii else printable
    head = behind(sign(f"{e.loss} = "), sign(array_cell(e[e.loss].value)), width)
    drawn = next((lines for wrap in WRAPS if (lines := boxed(e, wrap, width, sign))), None) or rails(e, width, sign)
    return "\n".join([*head, *textwrap.wrap(sign(LEGEND), width), "", *map(sign, drawn)]) + "\n"


def boxed(e: Facts, wrap: int, width: int, sign: Sign) -> list[str] | None:
    """The layered form with formulas wrapped to `wrap` characters; None where it is wider than the page."""
    merges, edges, links = {m.node: m for m in e.merges}, {edge.id: edge for edge in e.edges}, carried(e)
    index = {n.id: k for k, n in enumerate(e.nodes)}
    texts = [[line for said in box_said(n, merges.get(n.id), edges) for line in told(said, wrap, sign)] for n in e.nodes]
    labels = [[] if edge is None else headed(sign(f"{BACK} "), sign(array_cell(edge.contribution)).split("\n"))
              for _, _, edge in links]
    boxes = Boxes([measured(text) for text in texts], ["loss" if n.name == e.loss else n.kind for n in e.nodes], [
        Link(index[a], index[r], measured(label) if label else None, -1.0 if edge is None else size_of(edge))
        for (a, r, edge), label in zip(links, labels)])
    if boxes.narrowest() > width:
        return None
    lines = boxes.drawn(texts, labels)
    return lines if max(map(columns, lines)) <= width else None


def measured(lines: Sequence[str]) -> Size:
    return max(map(columns, lines)), len(lines)


def told(said: Said, wrap: int, sign: Sign) -> list[str]:
    """The lines of what is said of a node; formulas are wrapped, the rows of an array are not."""
    head, body = sign(said.head), sign(said.body)
    if said.kind in ("value", "gradient") and said.head != "Σ ":
        return behind(head, body, wrap)
    lines = textwrap.wrap(body, max(wrap - len(head), 8), break_long_words=said.kind == "name", break_on_hyphens=False) or [""]
    return headed(head, lines)


def behind(head: str, body: str, wrap: int) -> list[str]:
    """The lines of `body` behind the head; or, where that is too wide, below it."""
    lines = body.split("\n")
    fits = len(head) <= SHORT or columns(head) + max(map(columns, lines)) <= wrap
    return headed(head, lines) if fits else [head.rstrip(), *(f"  {line}" for line in lines)]
