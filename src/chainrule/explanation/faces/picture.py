"""A picture shows the graph of a loss with its numbers: values on the way down, gradients on the way back up."""
from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from ..formulas.numbers import plain_array, plain_shape
from ..formulas.writing import text
from ..record.facts import Edge, Facts, Merge, Node
from .layout import Box, Layout, Segment, Size, layout
from .layout import Edge as Link
from .text import array_cell, signed

FONT, LINE, PADDING, MARGIN = 12.0, 16.0, 8.0, 24.0
LONGEST, MOST_LINES, MOST_SUMMANDS = 44, 8, 4  # characters and lines in a box, contributions written in a sum
THINNEST, WIDEST = 1.5, 9.0  # edges
WIDTHS = {"W": 1.25, "F": 1.25, "A": 1.1, "H": 0.63, "Na": 0.63, "N": 0.8}
"""How wide a character is in font sizes, by its East Asian width (Unicode Standard Annex 11)."""
BACK, FORWARD = "▲", "▼"
LEGEND = (("value", f"{FORWARD} value, computed downwards"),
          ("gradient", f"{BACK} gradient, flowing back up: the wider the edge, the more it contributes"),
          ("gradient", "Σ contributions meet and add up; a dashed edge contributes 0"))
STYLE = """
  .chainrule { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; color-scheme: light dark; }
  .chainrule text { fill: #24292f; white-space: pre; } .chainrule .paper { fill: #ffffff; }
  .chainrule .box { fill: #f6f8fa; stroke: #57606a; } .chainrule .constant .box { stroke-dasharray: 3 3; }
  .chainrule .input .box { stroke-width: 2; } .chainrule .loss .box { stroke-width: 4; }
  .chainrule .label { fill: #ffffff; } .chainrule .name { font-weight: 700; } .chainrule .quiet { fill: #57606a; }
  .chainrule .value { fill: #0550ae; } .chainrule .gradient { fill: #a33c00; } .chainrule .hatch { stroke: #f0b88f; }
  .chainrule path { fill: none; } .chainrule .forward { stroke: #0550ae; stroke-width: 1; }
  .chainrule .back { stroke: #e8874a; }
  .chainrule .up { fill: #a33c00; } .chainrule .down { fill: #0550ae; }
  @media (prefers-color-scheme: dark) {
    .chainrule text { fill: #e6edf3; } .chainrule .paper { fill: #0d1117; }
    .chainrule .box { fill: #161b22; stroke: #9198a1; } .chainrule .label { fill: #0d1117; } .chainrule .quiet { fill: #9198a1; }
    .chainrule .value { fill: #79c0ff; } .chainrule .gradient { fill: #ffa657; } .chainrule .hatch { stroke: #6b3f1d; }
    .chainrule .forward { stroke: #79c0ff; } .chainrule .back { stroke: #9a5a26; }
    .chainrule .up { fill: #ffa657; } .chainrule .down { fill: #79c0ff; }
  }
"""
MARKS = """<defs>
<marker id="chainrule-up" markerUnits="userSpaceOnUse" markerWidth="14" markerHeight="9" refX="8" refY="4.5" orient="auto">
<polygon class="up" points="0,0 9,4.5 0,9"/></marker>
<marker id="chainrule-down" markerUnits="userSpaceOnUse" markerWidth="8" markerHeight="6" refX="6" refY="3" orient="auto">
<polygon class="down" points="0,0 7,3 0,6"/></marker>
<pattern id="chainrule-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<line class="hatch" x1="0" x2="0" y1="0" y2="6" stroke-width="2"/></pattern>
</defs>"""


Carried = tuple[str, str, Edge | None]  # a value's id, that of a result it is used for, and what flows back between them


@dataclass(frozen=True)
class Line:
    """A line of text in a box; `kind` is its class: "name", "quiet", "value" or "gradient"."""

    kind: str
    text: str


@dataclass(frozen=True)
class Picture:
    """The facts with the places where they are drawn: `boxes` has the lines of each node, `labels` those of each edge."""

    facts: Facts
    links: tuple[Carried, ...]
    boxes: tuple[tuple[Line, ...], ...]
    labels: tuple[tuple[Line, ...], ...]
    places: Layout

    def svg(self) -> str:
        e, places = self.facts, self.places
        head = [Line("name", f"{e.loss} = {short(array_cell(e[e.loss].value))[0]}"), *(Line(kind, said) for kind, said in LEGEND)]
        top = MARGIN + LINE * (len(head) + 1)
        width = 2 * MARGIN + max(places.width, *(text_width(line.text) for line in head))
        height = top + places.height + MARGIN
        across = (width - places.width) / 2
        file = "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" class="chainrule" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img">',
            f"<title>{clean(f'How the gradients of {e.loss} came to be')}</title>", f"<desc>{clean(described(e))}</desc>",
            f"<style>{STYLE}</style>", MARKS, '<rect class="paper" width="100%" height="100%"/>',
            *written(head, MARGIN, MARGIN - LINE / 2), f'<g transform="translate({across:.1f} {top:.1f})">',
            *self.back(), *self.forward(), *self.nodes(), *self.contributions(), "</g>", "</svg>", ""])
        return file.encode("ascii", "xmlcharrefreplace").decode()  # the same file in whatever encoding it is saved

    def back(self) -> Iterable[str]:
        """The contributions as bands, as wide as the largest that runs there; they point up."""
        sizes = [0.0 if edge is None else size_of(edge) for _, _, edge in self.links]
        most = max((s for s in sizes if np.isfinite(s)), default=0.0)
        for s in self.places.segments:
            if self.links[s.edge][2] is not None:
                zero = ' stroke-dasharray="4 4"' if sizes[s.edge] == 0 else ""
                arrow = ' marker-end="url(#chainrule-up)"' if s.first else ""
                yield f'<path class="back" stroke-width="{thickness(sizes[s.edge], most):.2f}"{zero}{arrow} d="{upwards(s)}"/>'

    def forward(self) -> Iterable[str]:
        for s in self.places.segments:
            arrow = ' marker-end="url(#chainrule-down)"' if s.last else ""
            yield f'<path class="forward"{arrow} d="{downwards(s)}"/>'

    def nodes(self) -> Iterable[str]:
        for n, lines, box in zip(self.facts.nodes, self.boxes, self.places.boxes):
            kind = f"{n.kind} loss" if n.name == self.facts.loss else n.kind
            yield f'<g class="{kind}"><title>{clean(node_said(n))}</title>'
            yield f'<rect class="box" rx="{10 if n.kind == "input" else 2}" {rectangle(box)}/>'
            backward = sum(line.kind == "gradient" for line in lines)
            if backward:
                low = box.bottom - backward * LINE - PADDING / 2
                yield (f'<rect fill="url(#chainrule-hatch)" x="{box.left + 1:.1f}" y="{low:.1f}" width="5" '
                       f'height="{box.bottom - low - 1:.1f}"/>')
            yield from written(lines, box.left + PADDING, box.top + PADDING / 2)
            yield "</g>"

    def contributions(self) -> Iterable[str]:
        for (_, _, edge), lines, box in zip(self.links, self.labels, self.places.labels):
            if edge is not None and box is not None:
                yield f'<g class="contribution"><title>{clean(edge_said(self.facts, edge))}</title>'
                yield f'<rect class="label" rx="4" {rectangle(box)}/>'
                yield from written(lines, box.left + PADDING / 2, box.top)
                yield "</g>"


def carried(e: Facts) -> tuple[Carried, ...]:
    """All that is to be drawn between boxes: the edges of the sweep, and where a value is used and nothing flows back."""
    flowing = {(edge.argument, edge.result) for edge in e.edges}
    return (*((edge.argument, edge.result, edge) for edge in e.edges),
            *((a, n.id, None) for n in e.nodes for a in dict.fromkeys(n.arguments) if (a, n.id) not in flowing))


def picture(e: Facts) -> Picture:
    merges = {m.node: m for m in e.merges}
    edges = {edge.id: edge for edge in e.edges}
    index = {n.id: k for k, n in enumerate(e.nodes)}
    links = carried(e)
    boxes = tuple(tuple(line for said in box_said(n, merges.get(n.id), edges) for line in said.lines()) for n in e.nodes)
    labels = tuple(() if edge is None else tuple(Said("gradient", f"{BACK} ", array_cell(edge.contribution)).lines())
                   for _, _, edge in links)
    places = layout([size(lines, PADDING) for lines in boxes], [
        Link(index[a], index[r], size(lines, PADDING / 2) if lines else None, -1.0 if edge is None else size_of(edge))
        for (a, r, edge), lines in zip(links, labels)])
    return Picture(e, links, boxes, labels, places)


# ---------------------------------------------------------------------------------------- what is written
@dataclass(frozen=True)
class Said:
    """Something said of a node: the lines of `body` stand behind `head`; `kind` as in `Line`."""

    kind: str
    head: str
    body: str

    def lines(self) -> Iterable[Line]:
        return (Line(self.kind, line) for line in headed(self.head, short(self.body)))


def box_said(n: Node, merge: Merge | None, edges: dict[str, Edge]) -> Iterable[Said]:
    """Name, formula, numbers put in, value; and below, where one flows, the sum of the contributions and the gradient."""
    marks = f"{' ⊞' if n.opens else ''}{f' ⊂ {n.inside}' if n.inside else ''}{f' {plain_shape(n.shape)}' if n.shape else ''}"
    yield Said("name", "", n.name + marks)
    if n.formula is None:
        yield Said("quiet", "", "given" if n.kind == "input" else "constant")
    else:
        yield Said("quiet", "= ", text(n.formula))
        if n.numbers is not None:
            yield Said("quiet", "= ", text(n.numbers))
    yield Said("value", f"{FORWARD} ", array_cell(n.value))
    if n.gradient is None:
        return
    if merge is not None:
        yield Said("gradient", "Σ ", summed([edges[i] for i in merge.edges]))
    yield Said("gradient", f"{BACK} {cut(text(n.gradient_name))} = ", array_cell(n.gradient))


def headed(head: str, lines: Iterable[str]) -> list[str]:
    return [(" " * len(head) if k else head) + line for k, line in enumerate(lines)]


def summed(edges: Sequence[Edge]) -> str:
    if len(edges) > MOST_SUMMANDS:
        return f"of {len(edges)} edges"
    return " + ".join(signed(edge.contribution) if k else plain_array(edge.contribution) for k, edge in enumerate(edges))


def cut(line: str) -> str:
    return line if len(line) <= LONGEST else line[:LONGEST - 1] + "…"


def short(cell: str) -> list[str]:
    """The lines of a cell, as many as a box holds."""
    lines = [cut(line) for line in cell.split("\n")]
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES - 1], "…"]


def described(e: Facts) -> str:
    """The picture in words, for those who hear it."""
    forward = "\n".join(node_said(n) for n in e.nodes)
    back = "\n".join(edge_said(e, edge) for edge in e.edges)
    return f"Forward:\n{forward}\nBackward, what each edge contributes:\n{back}"


def node_said(n: Node) -> str:
    steps = [n.name, *(text(f) for f in (n.formula, n.numbers) if f is not None), flat(array_cell(n.value))]
    part = f" (inside {n.inside})" if n.inside else ""
    source = f"\ncomputed by: {n.source}" if n.source else ""
    gradient = "" if n.gradient is None else f"; gradient {text(n.gradient_name)} = {flat(array_cell(n.gradient))}"
    return " = ".join(steps) + part + gradient + source


def edge_said(e: Facts, edge: Edge) -> str:
    rule = f" = {text(edge.rule)}" if edge.rule is not None else ""
    return f"from {e[edge.result].name} to {e[edge.argument].name}{rule} = {flat(array_cell(edge.contribution))}"


def flat(cell: str) -> str:
    return " ".join(cell.split())


# ---------------------------------------------------------------------------------------- how it is drawn
def text_width(line: str) -> float:
    """The width of a line in any common monospaced font; combining characters take no room, those of other scripts more."""
    return FONT * sum(0.0 if unicodedata.combining(c) else WIDTHS[unicodedata.east_asian_width(c)] for c in line)


def size(lines: Sequence[Line], padding: float) -> Size:
    return max(text_width(line.text) for line in lines) + 2 * padding, LINE * len(lines) + padding


def size_of(edge: Edge) -> float:
    parts = edge.contribution if isinstance(edge.contribution, tuple) else (edge.contribution,)
    return float(np.sqrt(sum(np.sum(np.square(np.asarray(part, np.float64))) for part in parts)))


def thickness(contribution: float, most: float) -> float:
    """The width of an edge; it grows with the square root, so that small contributions can still be told apart."""
    if not np.isfinite(contribution):
        return WIDEST
    return THINNEST + (WIDEST - THINNEST) * (contribution / most) ** 0.5 if most else THINNEST


def downwards(s: Segment) -> str:
    return path(s.start, s.leave, s.arrive, s.end)


def upwards(s: Segment) -> str:
    return path(s.end, s.arrive, s.leave, s.start)


def path(*points: tuple[float, float]) -> str:
    """Straight pieces of no length are left out: some renderers take the direction of an arrow from them."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    half = (y1 + y2) / 2
    first = f"L{x1:.1f} {y1:.1f}" if y1 != y0 else ""
    last = f"L{x3:.1f} {y3:.1f}" if y3 != y2 else ""
    return f"M{x0:.1f} {y0:.1f}{first}C{x1:.1f} {half:.1f} {x2:.1f} {half:.1f} {x2:.1f} {y2:.1f}{last}"


def rectangle(box: Box) -> str:
    return f'x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'


def written(lines: Sequence[Line], left: float, top: float) -> Iterable[str]:
    for k, line in enumerate(lines):
        yield (f'<text class="{line.kind}" x="{left:.1f}" y="{top + LINE * k + 12:.1f}" xml:space="preserve">'
               f"{clean(line.text)}</text>")


def clean(said: str) -> str:
    """Text for XML, which has no control characters."""
    return escape("".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Cn") else "�" for c in said))
