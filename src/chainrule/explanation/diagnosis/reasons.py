"""Why a gradient is missing, exactly zero, or tiny: three answers, each with the places in the user's code that made it so."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.eager import EAGER

from ..faces.answer import Answer
from ..faces.answers_data import why_json
from ..faces.lines import short_line
from ..formulas.writing import plain_number
from ..record.places import Place, drawn, label, listed, paragraph, step
from ..record.trace import Parts, Trace
from .dead import dead_places
from .diagnosis_html import why_drawn
from .severed import severed

MOST_SHRINKING = 3


@dataclass(frozen=True, repr=False)
class Why(Answer):
    """Why the gradient of a loss in one value is what it is.

    `loss` and `node` are the names of the two, None where they have none; `value` is what messages call the value. `kind` is
    "none" (no path leads there), "zero" (exactly, in all elements), "partly zero", "not finite", "tiny" or "healthy". `cuts` are
    the places that made it so: where the path is broken, where the gradient became zero, or where it shrank most. `zeros` is how
    many elements are exactly zero; `dead` are the indices along the first axis where all are.
    """

    kind: str
    loss: str | None
    node: str | None
    value: str
    gradient: Any
    cuts: tuple[Place, ...] = ()
    zeros: int = 0
    dead: tuple[int, ...] = ()
    note: str = ""

    def text(self, width: int = 80) -> str:
        """The answer in words, with the places and the broken paths, for a page `width` columns wide."""
        lines = paragraph(self.headline(), width, "")
        for cut in self.cuts:
            at = f" at {short_line(cut.line)}" if cut.line else ""
            lines += ["", *paragraph(f"{cut.kind}{at}: {cut.says} (of {cut.source}).", width)]
            if cut.path:
                lines += paragraph(drawn(cut.path), width, "    ")
        if self.note:
            lines += ["", *paragraph(self.note, width, "")]
        return "\n".join(lines) + "\n"

    def headline(self) -> str:
        of = f"The gradient of {repr(self.loss) if self.loss else 'the loss'} in {self.value}"
        if self.gradient is None:
            return f"{of} is None: no path leads from the loss back to it."
        size, largest = np.size(self.gradient), plain_number(np.max(np.abs(self.gradient), initial=0.0))
        if not size:
            return f"{of} has no elements, as the value has none."
        rows = f": all of row{'s' if len(self.dead) > 1 else ''} {listed(self.dead)}" if self.dead else ""
        return {
            "not finite": f"{of} holds {largest}. cr.birth(loss) tells where that came from.",
            "zero": f"{of} is exactly zero" + (f" in all {size} elements." if size > 1 else "."),
            "partly zero": f"{of} is exactly zero in {self.zeros} of {size} elements{rows}; the largest other is {largest}.",
            "tiny": f"{of} is tiny: the largest element is {largest}. Along the strongest path it shrank most here:",
        }.get(self.kind, f"{of} is neither missing nor zero nor tiny: the largest element is {largest}.")

    def json(self) -> str:
        """All facts as JSON; docs/json.md says what each entry means."""
        return why_json(self)

    def html(self) -> str:
        """The same as the text, for a notebook or a page."""
        return why_drawn(self)

    def __repr__(self) -> str:
        return f"<why: {self.kind}; {', '.join(c.kind for c in self.cuts) or 'no cuts'}; print it>"


def answered(loss: Any, w: Any, tiny: float) -> Why:
    """The answer for a loss and a value, both tensors."""
    told = {"loss": loss.name, "node": w.name, "value": w.label}
    trace = Trace(loss) if loss.owner is EAGER else None
    gradient = trace.gradient(w) if trace else None
    if trace is None or gradient is None:
        return Why("none", gradient=None, cuts=tuple(severed(loss, w)), **told)
    note = ("Its .grad is None all the same: no sweep has reached it yet. Call backward() on the loss."
            if w.prim is None and w.grad is None else "")
    return measured(trace, w, gradient, tiny, note, told)


def measured(trace: Trace, w: Any, gradient: Parts, tiny: float, note: str, told: dict[str, str | None]) -> Why:
    """The answer where there is a gradient: by how large it is."""
    g = gradient[0]
    zero = g == 0
    cuts = tuple(unique(dead_places(trace, w))) if zero.any() else ()
    dead = np.flatnonzero(zero.reshape(len(zero), -1).all(axis=1)) if zero.ndim and zero.size else np.zeros(0, int)
    facts = {"gradient": g, "zeros": int(zero.sum()), "dead": tuple(dead.tolist()), "note": note, **told}
    if not np.isfinite(g).all():
        return Why("not finite", cuts=cuts, **facts)
    if zero.all():
        return Why("zero", cuts=cuts, **facts)
    if np.max(np.abs(g)) <= tiny:
        return Why("tiny", cuts=(*shrinking(trace, w), *cuts), **facts)
    return Why("partly zero" if zero.any() else "healthy", cuts=cuts, **facts)


def unique(places: list[Place]) -> list[Place]:
    return list(dict.fromkeys(places))


def norm(arrays: Parts) -> float:
    return float(np.sqrt(sum(np.sum(np.square(np.asarray(a, np.float64))) for a in arrays)))


def shrinking(trace: Trace, w: Any) -> list[Place]:
    """The edges that shrink the gradient most, along the path from `w` that carries most at each step."""
    found: list[tuple[float, Place]] = []
    path, a = [w.name or "value"], w
    while a is not trace.root:
        edges = [(norm(d), x) for x, i in trace.users[a] if (d := trace.contribution(x, i)) is not None]
        after, x = max(edges, key=lambda e: e[0])
        arrived = trace.gradient(x)
        before = norm(arrived) if arrived is not None else 0.0
        ratio = after / before if before else 1.0
        path.append(step(x) if x is not trace.root else x.name or "loss")
        if ratio < 1:
            says = f"{x.prim.name} scales its norm by {plain_number(ratio)}, from {plain_number(before)} to {plain_number(after)}"
            found.append((ratio, Place("shrinks", x.line, label(a), says)))
        a = x
    smallest = trace.gradient(w)
    assert smallest is not None
    denormal = int(sum(((s != 0) & (np.abs(s) < np.finfo(s.dtype).tiny)).sum() for s in smallest))
    most = [place for _, place in sorted(found, key=lambda f: f[0])[:MOST_SHRINKING]]
    if denormal:
        most.append(Place("underflow", None, w.label, f"{denormal} elements are below the smallest normal number of "
                          f"{smallest[0].dtype}, and lose digits"))
    return [Place(p.kind, p.line, p.source, p.says, tuple(path)) if k == 0 else p for k, p in enumerate(most)]
