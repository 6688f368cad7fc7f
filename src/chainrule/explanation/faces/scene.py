"""A scene is a stage as it is after a step: what is known stands in its place, and what happens now is lit."""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..record.facts import Node
from .layout import Box
from .picture import FONT, LINE, clean, rectangle, size_of, text_width, thickness
from .stage import PADDING, Entry, Stage, summed
from .steps import Progress, Step

HEAD = 9.0  # the length of an arrow back


@dataclass(frozen=True)
class Palette:
    """Colours; those that are `lit` are for what happens now."""

    paper: str
    ink: str
    quiet: str
    line: str
    box: str
    value: str
    gradient: str
    flow: str
    band: str
    lit_value: str
    lit_gradient: str


LIGHT = Palette(paper="#ffffff", ink="#1f2328", quiet="#59636e", line="#c4cad1", box="#f6f8fa", value="#0550ae",
                gradient="#a33c00", flow="#7aa7d9", band="#f3c6a5", lit_value="#d3e8ff", lit_gradient="#ffe2cc")
DARK = Palette(paper="#0d1117", ink="#e6edf3", quiet="#9ba3ad", line="#4b545e", box="#161b22", value="#79c0ff",
               gradient="#ffa657", flow="#3f74ad", band="#6b3f1d", lit_value="#123456", lit_gradient="#472808")


@dataclass(frozen=True)
class Words:
    """A line of text: its upper left corner, size and colour; the first `lead` characters are bold."""

    left: float
    top: float
    size: float
    colour: str
    text: str
    lead: int = 0

    @property
    def box(self) -> Box:
        return Box(self.left, self.top, text_width(self.text) * self.size / FONT, self.size * LINE / FONT)

    def svg(self) -> str:
        bold, rest = clean(self.text[:self.lead]), clean(self.text[self.lead:])
        said = f'<tspan font-weight="700">{bold}</tspan>{rest}' if bold else rest
        return (f'<text x="{self.left:.1f}" y="{self.top + self.size:.1f}" font-size="{self.size:.1f}" fill="{self.colour}" '
                f'xml:space="preserve">{said}</text>')


@dataclass(frozen=True)
class Scene:
    """A stage after a step."""

    stage: Stage
    step: Step
    known: Progress
    palette: Palette

    def shapes(self) -> Iterator[str]:
        """Edges, then boxes, then what lies behind the labels."""
        yield from self.edges()
        for n, place in zip(self.stage.nodes, self.stage.places.boxes):
            yield self.frame(n, self.stage.box(place))
        for edge, _, box in self.labels():
            fill = self.palette.lit_gradient if edge == self.step.edge else self.palette.paper
            yield f'<rect {rectangle(box)} rx="{4 * self.stage.scale:.1f}" fill="{fill}"/>'

    def words(self) -> Iterator[Words]:
        into = self.stage.into
        for n, entries, place in zip(self.stage.nodes, self.stage.entries, self.stage.places.boxes):
            shown = [Entry("sum", summed(into[n.id], self.known.edges)) if entry.kind == "sum" else entry for entry in entries]
            known = {"name": True, "value": n.id in self.known.values, "gradient": n.id in self.known.gradients,
                     "sum": any(edge.id in self.known.edges for edge in into.get(n.id, ()))}
            yield from self.written(shown, [known[entry.kind] for entry in entries], self.stage.box(place), PADDING)
        for edge, label, box in self.labels():
            lines = [Entry("gradient", line, len(line) if edge == self.step.edge else 0) for line in label]
            yield from self.written(lines, [True] * len(lines), box, PADDING / 2)

    def labels(self) -> Iterator[tuple[str, tuple[str, ...], Box]]:
        """The edges whose contribution is known and written at the edge."""
        for (_, _, edge), label, place in zip(self.stage.links, self.stage.labels, self.stage.places.labels):
            if edge is not None and place is not None and edge.id in self.known.edges:
                yield edge.id, label, self.stage.box(place)

    def written(self, entries: Sequence[Entry], known: Sequence[bool], box: Box, padding: float) -> Iterator[Words]:
        colours = {"name": self.palette.ink, "value": self.palette.value}
        size = FONT * self.stage.scale
        for k, (entry, visible) in enumerate(zip(entries, known)):
            if visible:
                top = box.top + self.stage.scale * (padding / 2 + LINE * k)
                yield Words(box.left + self.stage.scale * padding, top, size, colours.get(entry.kind, self.palette.gradient),
                            entry.text, entry.lead)

    def lit(self, n: Node) -> bool:
        return n.id == self.step.node or (self.step.kind == "given" and n.kind != "operation")

    def gives(self, n: Node) -> bool:
        """Whether the edge of this step comes from here."""
        return any(edge is not None and edge.id == self.step.edge and result == n.id for _, result, edge in self.stage.links)

    def frame(self, n: Node, box: Box) -> str:
        """The box of a node: thick where something happens, dashed for a constant, round for what is given."""
        backward, scale = self.step.phase == "backward", self.stage.scale
        fill, stroke, width = self.palette.box, self.palette.quiet if n.id in self.known.values else self.palette.line, 1.2
        if self.lit(n):
            fill, stroke = ((self.palette.lit_gradient, self.palette.gradient) if backward else
                            (self.palette.lit_value, self.palette.value))
            width = 3.0
        elif self.gives(n):
            stroke, width = self.palette.gradient, 2.0
        dashed = ' stroke-dasharray="5 4"' if n.kind == "constant" else ""
        radius = 10 if n.kind == "input" else 2
        return (f'<rect {rectangle(box)} rx="{radius * scale:.1f}" fill="{fill}" stroke="{stroke}" '
                f'stroke-width="{width * scale:.1f}"{dashed}/>')

    def edges(self) -> Iterator[str]:
        """First what waits, then what is computed, then what flowed back, and on top what happens now."""
        sizes = {k: size_of(edge) for k, (_, _, edge) in enumerate(self.stage.links) if edge is not None}
        most = max((size for size in sizes.values() if size < math.inf), default=0.0)
        painted = [self.edge(k, thickness(sizes[k], most) if k in sizes else 0.0, sizes.get(k) == 0)
                   for k in range(len(self.stage.links))]
        return (shape for _, shapes in sorted(painted) for shape in shapes)

    def edge(self, k: int, width: float, nothing: bool) -> tuple[int, list[str]]:
        """How near to the front an edge is painted, and how: pale until its result is computed, a band where something flowed
        back, dashed where that is 0."""
        (_, result, edge), stage, palette = self.stage.links[k], self.stage, self.palette
        top, bottom = stage.ends(k)
        if edge is not None and edge.id in self.known.edges:
            now = edge.id == self.step.edge
            colour = palette.gradient if now else palette.band
            dashed = f' stroke-dasharray="{5 * stage.scale:.1f}"' if nothing else ""
            return 3 + now, [line(stage.path(k, above=HEAD - 1), colour, width * stage.scale, dashed),
                             head(stage.arrow(top, HEAD, width / 2 + 3.5), colour)]
        now = result == self.step.node and self.step.kind == "value"
        colour, width = ((palette.value, 3.0) if now else (palette.flow, 1.3) if result in self.known.values else
                         (palette.line, 1.3))
        return 4 if now else 1 + (result in self.known.values), [
            line(stage.path(k, below=5.0), colour, width * stage.scale), head(stage.arrow(bottom, -7.0, 2.5 + width), colour)]


@dataclass(frozen=True)
class Overview:
    """A whole graph in little, of which a slide draws a part: what is computed, what has its gradient, and where we are."""

    scene: Scene
    drawn: frozenset[str]

    def shapes(self) -> Iterator[str]:
        stage, palette = self.scene.stage, self.scene.palette
        for k in range(len(stage.links)):
            yield line(stage.path(k), palette.line, stage.scale)
        for n, place in zip(stage.nodes, stage.places.boxes):
            fill = palette.band if n.id in self.scene.known.gradients else palette.flow if n.id in self.scene.known.values else (
                palette.box)
            stroke, width = (palette.ink, 2.0) if n.id in self.drawn else (palette.line, 1.0)
            if self.scene.lit(n):
                fill = stroke = palette.gradient if self.scene.step.phase == "backward" else palette.value
            width *= stage.scale
            yield f'<rect {rectangle(stage.box(place))} fill="{fill}" stroke="{stroke}" stroke-width="{width:.1f}"/>'


def line(path: str, colour: str, width: float, dashed: str = "") -> str:
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:.1f}"{dashed}/>'


def head(corners: str, colour: str) -> str:
    return f'<polygon points="{corners}" fill="{colour}"/>'
