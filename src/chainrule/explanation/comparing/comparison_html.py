"""The fragment of a comparison: the first difference forward and backward, what only one graph has, and all that differs."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..faces.fragments import Markup, code, fragment, joined, number, paragraph, source, strong, table
from ..faces.text import shortened
from ..formulas.writing import plain_shape
from .side_by_side import CAUSES, MOST_ROWS, apart, both, differing_rows, headline

if TYPE_CHECKING:
    from .comparison import Comparison, Difference, EdgePair, Lone, Row


def drawn(c: Comparison) -> str:
    """The whole comparison."""
    title, *more = headline(c)
    return fragment(
        paragraph(strong(title), *(f"\n{line.strip()}" for line in more)), first_value(c.first_value) if c.first_value else "",
        first_edge(c.first_edge) if c.first_edge else "", alone("Only in A", c.only_a), alone("Only in B", c.only_b),
        differing(c), label=title)


def first_value(r: Row) -> Markup:
    return joined([paragraph(strong("First value that differs"), ", in the order of the computation: ", where(r),
                             *(f"\nwhat differs is {why}" for why in r.why)), differences([("value", r.value)])])


def first_edge(e: EdgePair) -> Markup:
    said = paragraph(strong("First edge that differs"), ", in the order of the sweep: ", code(f"{e.argument} ←"), " ",
                     where(e.result), f", argument {e.position + 1}\n{CAUSES[e.cause]}", f"\n{e.note}" if e.note else "")
    upstream = e.upstream if e.upstream is not None and e.upstream.differs else None
    return joined([said, differences([("contribution", e.contribution), ("from above", upstream)])])


def where(r: Row) -> Markup:
    """A pair by name, operation and line."""
    lines = [] if r.a.source is r.b.source is None else [line(r.a)] if r.a.source == r.b.source else [line(r.a), " / ", line(r.b)]
    return joined([code(both(r.a.name, r.b.name)), ", ", both(r.a.operation, r.b.operation), *([", ", *lines] if lines else [])])


def line(x: Lone) -> Markup:
    return source(x.source) if x.source else Markup("given")


def differences(named: list[tuple[str, Difference | None]]) -> Markup:
    """How far arrays are apart, each at the place where they are furthest."""
    return table(["", "at", "A", "B", "apart by", "relative"], [row(name, d) for name, d in named if d is not None])


def row(name: str, d: Difference) -> list[str]:
    if d.index is None:
        return [name, "shape", plain_shape(d.a), plain_shape(d.b), "", ""]
    return [name, f"[{','.join(map(str, d.index))}]" if d.index else "", number(d.a), number(d.b), number(d.absolute),
            number(d.relative, f"{100 * d.relative:.3g} %")]


def alone(title: str, values: tuple[Lone, ...]) -> Markup:
    rows, note = shortened([[code(x.name), x.operation, plain_shape(x.shape) if x.shape else "", line(x)] for x in values],
                           MOST_ROWS, "rows")
    return table(["value", "operation", "shape", "line"], rows, title, *map(str.strip, note))


def differing(c: Comparison) -> Markup:
    rows, note = shortened([[code(both(r.a.name, r.b.name)), both(r.a.operation, r.b.operation), far(r.value), far(r.gradient)]
                            for r in differing_rows(c)], MOST_ROWS, "rows")
    return table(["A / B", "operation", "value apart by", "gradient apart by"], rows, "All that differs", *map(str.strip, note))


def far(d: Difference | None) -> str:
    return apart(d) if d is None or not d.differs or d.index is None else number(d.absolute, apart(d))
