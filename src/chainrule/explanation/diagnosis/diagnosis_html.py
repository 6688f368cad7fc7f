"""The fragment of a diagnosis: the answer in words, and the places in the user's code, each with the path that it breaks."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..faces.fragments import Markup, array, code, fragment, joined, listing, number, paragraph, source, strong, table, tag

if TYPE_CHECKING:
    from ..record.places import Place
    from .birth import Birth
    from .reasons import Why


def why_drawn(w: Why) -> str:
    """Why a gradient is as it is."""
    gradient = Markup("") if w.gradient is None else paragraph("gradient: ", array(w.gradient))
    return fragment(paragraph(strong(w.headline())), gradient, listing(map(place, w.cuts)), paragraph(w.note) if w.note else "",
                    label=w.headline())


def place(p: Place) -> Markup:
    at = joined([" at ", source(p.line)]) if p.line else Markup("")
    return joined([strong(p.kind), at, f": {p.says} (of {p.source}).", *(["\n", way(p.path)] if p.path else [])])


def way(path: Sequence[str]) -> Markup:
    """A path with arrows; a step in brackets is where it breaks, and nothing comes through there."""
    pieces: list[str] = []
    for step in path:
        broken = step.startswith("[")
        pieces += [tag("span", step, class_="break") if broken else step, " ↛ " if broken else " → "]
    return tag("code", *pieces[:-1])


def birth_drawn(b: Birth) -> str:
    """Where a NaN or an infinity came from."""
    if b.kind == "healthy":
        return fragment(paragraph(strong(b.headline())), label=b.headline())
    rows = [["arithmetic", code(b.arithmetic)], ["path", way(b.path)], *([["line", source(b.line)]] if b.line else [])]
    return fragment(paragraph(strong(b.headline())), table(["", ""], rows), remedy(b), label=b.headline())


def remedy(b: Birth) -> Markup:
    """The fix with its numbers, or what to do without one."""
    if b.fix is None:
        return paragraph(b.remedy())
    return paragraph(strong("Fix, tried"), ": ", code(b.fix.title), "\nThe loss becomes ", number(b.fix.loss),
                     ", and its largest gradient ", number(b.fix.largest_gradient), ".")
