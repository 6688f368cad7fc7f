"""A slide is one step, large enough for the back of a room: the graph so far, the formula, the numbers, the result."""
from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..formulas.numbers import plain_array
from ..record.facts import Facts
from .layout import Box
from .picture import FONT, LINE, clean, headed, text_width
from .scene import DARK, LIGHT, Overview, Palette, Scene, Words
from .stage import Graph, Stage, graph
from .steps import Step, progress, steps
from .text import array_cell

WIDTH, HEIGHT, EDGE = 1280.0, 720.0, 36.0
PHASES = {"forward": "Forward: each value from those before it", "backward": "Backward: each gradient from those after it"}
SIZES = (40.0, 36.0, 32.0, 28.0, 25.0, 22.0, 20.0, 18.0, 16.0, 14.0, 12.0)  # of a formula, tried in turn
SMALLER, WHOLE = 0.6, 25.0  # sentences, beside a formula; the size above which lines are not broken
MOST_NODES, MOST_GIVEN, MOST_LITTLE = 40, 8, 120  # drawn on a slide, listed as given, drawn in an overview
NEIGHBOURS = (3, 4, 5, 7, 9, 12, 16)  # how many nodes around a step are drawn of a larger graph, tried in turn
READABLE, LARGE = 0.65, 1.1  # the scales below which not the whole is drawn, and fewer of a part
FAMILY = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


@dataclass(frozen=True)
class Plan:
    """Where things stand on a slide: the graph, the formula of the step, the sentences about it, the graph in little."""

    graph: Box
    formula: Box
    sentences: Box
    overview: Box | None = None


WHOLES = (Plan(Box(EDGE, 60.0, 1208.0, 410.0), Box(EDGE, 490.0, 660.0, 206.0), Box(730.0, 504.0, 514.0, 192.0)),
          Plan(Box(EDGE, 60.0, 700.0, 636.0), Box(776.0, 90.0, 468.0, 330.0), Box(776.0, 440.0, 468.0, 250.0)))
PARTS = (Plan(Box(EDGE, 60.0, 1208.0, 400.0), Box(EDGE, 490.0, 500.0, 206.0), Box(570.0, 504.0, 360.0, 192.0),
              Box(964.0, 490.0, 280.0, 200.0)),
         Plan(Box(EDGE, 60.0, 700.0, 636.0), Box(776.0, 90.0, 468.0, 250.0), Box(776.0, 360.0, 468.0, 150.0),
              Box(776.0, 530.0, 468.0, 160.0)))
"""Plans for a graph that is drawn whole, and for a part of one."""
Arranged = tuple[Stage, Plan]


def slides(e: Facts, *, dark: bool = False) -> tuple[str, ...]:
    """The steps as pictures of 1280 by 720: the text of an SVG file for each, with colours for a light or a dark room, in ASCII.

    The graph stands still from slide to slide, and what is not yet computed is blank. Of a graph too large to be read, each slide
    shows what is near to its step, large, and the whole in little, with the number of values that are left out.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> [slide.count("dL/dw = 2") for slide in slides(cr.explain(2.0 * w))]  # not to be seen before the last
    [0, 0, 0, 1]
    """
    told, palette, drawn = steps(e), DARK if dark else LIGHT, graph(e)
    whole = arranged(drawn, {n.id for n in e.nodes}, WHOLES) if len(e.nodes) <= MOST_NODES else None
    if whole is not None and whole[0].scale < READABLE:
        whole = None
    little = [drawn.little(turned=turned) for turned in (False, True)] if whole is None and len(e.nodes) <= MOST_LITTLE else []
    made = []
    for k, step in enumerate(told, 1):
        stage, plan = whole or neighbourhood(drawn, step)
        scene = Scene(stage, step, progress(e, told[:k]), palette)
        made.append(slide(scene, plan, overview(scene, plan, little), len(e.nodes) - len(stage.nodes)))
    return tuple(made)


def arranged(g: Graph, chosen: Container[str], plans: Sequence[Plan]) -> Arranged:
    """The graph down or from left to right, with the words below or beside it: whichever is drawn largest."""
    stages = [g.stage(chosen, turned=turned) for turned in (False, True)]
    return max(((s.within(plan.graph), plan) for s in stages for plan in plans), key=lambda found: found[0].scale)


def neighbourhood(g: Graph, step: Step) -> Arranged:
    """As many of the nodes nearest to what happens as can be read."""
    near = nearest(g, step)
    found = arranged(g, set(near[:2]), PARTS)
    for most in NEIGHBOURS:
        wider = arranged(g, set(near[:most]), PARTS)
        if wider[0].scale < LARGE:
            break
        found = wider
    return found


def nearest(g: Graph, step: Step) -> list[str]:
    """Nodes by how many edges they are away from what happens, as many as are ever drawn."""
    beside: dict[str, list[str]] = {n.id: [] for n in g.nodes}
    for argument, result, _ in g.links:
        beside[argument].append(result)
        beside[result].append(argument)
    queue = deque(result for argument, result, edge in g.links if edge is not None and edge.id == step.edge)
    queue.appendleft(step.node or g.nodes[0].id)
    found = dict.fromkeys(queue)
    while queue and len(found) < max(NEIGHBOURS):
        new = [near for near in beside[queue.popleft()] if near not in found]
        found |= dict.fromkeys(new)
        queue += new
    return list(found)


def overview(scene: Scene, plan: Plan, whole: Sequence[Stage]) -> Iterator[str]:
    """The graph in little, where only a part is drawn."""
    if whole and plan.overview is not None:
        stage = max((s.within(plan.overview) for s in whole), key=lambda s: s.scale)
        yield from Overview(replace(scene, stage=stage), frozenset(n.id for n in scene.stage.nodes)).shapes()


# ---------------------------------------------------------------------------------------- what stands on a slide
def slide(scene: Scene, plan: Plan, behind: Iterable[str], hidden: int) -> str:
    """The file of one slide, on which so many values are not drawn."""
    step, palette = scene.step, scene.palette
    words = [*scene.words(), *headline(step, palette), *fitted(formula(step, palette), plan.formula),
             *fitted(sentences(step, hidden, palette), plan.sentences)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" width="{WIDTH:.0f}" '
        f'height="{HEIGHT:.0f}" role="img" font-family="{FAMILY}">',
        f"<title>{clean(f'Step {step.number} of {step.count}: {step.name}')}</title>", f"<desc>{clean(step.text())}</desc>",
        f'<rect width="100%" height="100%" fill="{palette.paper}"/>', *bar(step, palette), *behind, *scene.shapes(),
        *(line.svg() for line in words), "</svg>", ""]).encode("ascii", "xmlcharrefreplace").decode()


def bar(step: Step, palette: Palette) -> Iterator[str]:
    """How far the steps have come."""
    colour = palette.value if step.phase == "forward" else palette.gradient
    yield f'<rect width="{WIDTH:.0f}" height="6" fill="{palette.box}"/>'
    yield f'<rect width="{WIDTH * step.number / step.count:.1f}" height="6" fill="{colour}"/>'


def headline(step: Step, palette: Palette) -> Iterator[Words]:
    colour = palette.value if step.phase == "forward" else palette.gradient
    yield Words(EDGE, 20.0, 20.0, colour, PHASES[step.phase], len(step.phase))
    count = f"step {step.number} of {step.count}"
    yield Words(WIDTH - EDGE - text_width(count) * 20.0 / FONT, 20.0, 20.0, palette.quiet, count)


@dataclass(frozen=True)
class Paragraph:
    """Text to be set: a "formula", an "array", whose rows stay whole, or "prose"."""

    kind: str
    rows: Sequence[str]
    colour: str
    bold: bool = False

    def lines(self, room: int) -> Iterator[str]:
        indent = "  " if self.kind == "formula" else ""
        for row in self.rows:
            yield from textwrap.wrap(row, room, subsequent_indent=indent, break_on_hyphens=False) if len(row) > room else [row]


def formula(step: Step, palette: Palette) -> Iterator[Paragraph]:
    """The name of what comes to be, its formula, the numbers put in, and the result."""
    yield Paragraph("formula", [step.name], palette.ink, bold=True)
    colour = palette.value if step.phase == "forward" else palette.gradient
    if step.kind == "given":
        rows = [f"{name} = {plain_array(value)}" for name, value in step.known]
        more = [f"and {len(rows) - MOST_GIVEN + 1} more"] if len(rows) > MOST_GIVEN else []
        yield Paragraph("formula", [*rows[:MOST_GIVEN - len(more)], *more], colour)
        return
    for k, part in enumerate(step.chain):
        yield Paragraph("formula", [part if step.kind == "edge" and not k else f"= {part}"], palette.quiet if k else palette.ink)
    yield Paragraph("array", headed("= ", array_cell(step.result).split("\n")), colour, bold=True)


def sentences(step: Step, hidden: int, palette: Palette) -> Iterator[Paragraph]:
    yield Paragraph("prose", [step.says], palette.quiet)
    for sentence in step.balance():
        yield Paragraph("prose", [sentence], palette.gradient)
    if hidden:
        yield Paragraph("prose", [f"{hidden} other values are not drawn."], palette.quiet)


def fitted(paragraphs: Iterable[Paragraph], area: Box) -> list[Words]:
    """The paragraphs one below the other, in the largest letters in which they fit; formulas in large letters are not broken."""
    told = list(paragraphs)
    prose = all(p.kind == "prose" for p in told)
    whole = [(size, False) for size in SIZES if size >= WHOLE and not prose]
    for size, breaks in [*whole, *((size * SMALLER if prose else size, True) for size in SIZES)]:
        letter, most = size / FONT, int(area.height * FONT / (size * LINE))
        room = max(int(area.width / (letter * text_width("0"))), 8)
        lines = [(line, p) for p in told for line in p.lines(room)]
        broken = any(len(row) > room for p in told if not breaks or p.kind == "array" for row in p.rows)
        if not broken and len(lines) <= most and all(text_width(line) * letter <= area.width for line, _ in lines):
            break
    kept = lines if len(lines) <= most else [*lines[:most - 1], ("…", told[-1])]
    return [Words(area.left, area.top + k * size * LINE / FONT, size, p.colour, line, len(line) if p.bold else 0)
            for k, (line, p) in enumerate(kept)]
