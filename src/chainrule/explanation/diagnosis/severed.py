"""A severed path is one that leads from the loss towards a value, and ends before it: at a cut."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from chainrule.cuts import copies
from chainrule.eager import EAGER
from chainrule.tensor import Tensor

from ..faces.lines import short_line
from ..record.places import Place, step

COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isclose", "isfinite", "isinf", "isnan",
               "signbit", "logical_and", "logical_or", "logical_xor", "logical_not", "any", "all", "count_nonzero")
READINGS = "reads the numbers out of the record: what is computed from them is not recorded"
KINDS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(COMPARISONS, ("comparison", "a comparison answers yes or no, which has no slope")),
    **dict.fromkeys(("argmax", "argmin", "argsort", "searchsorted", "nonzero", "argcummax", "argcummin"),
                    ("index", "the result is a position, a whole number, which has no slope")),
    "detach()": ("detach", "detach() gives the same values without their history"),
    "data": ("detach", ".data gives the same values without their history"),
    "stop_gradient": ("stop_gradient", "stop_gradient treats the values as constant"),
    "integer_cast": ("integer cast", "a cast to integers or booleans has no slope"),
    "no_grad": ("no_grad", "inside no_grad nothing is recorded"),
}
"""What each note of a cut means: its kind, and why no gradient passes."""


def meaning(note: str) -> tuple[str, str]:
    """The kind of a cut and what it does; notes with brackets, such as `item()`, are of ways to read numbers out."""
    if note in KINDS:
        return KINDS[note]
    return ("NumPy copy", f"{note} {READINGS}") if "(" in note else (note, f"{note} passes no gradient to this argument")


class End(NamedTuple):
    """Where the record behind a root ends: what was noted there, what lies behind (None: gone), and the way on to the root."""

    note: str
    line: str | None
    label: str
    source: Any
    way: tuple[str, ...]


def severed(loss: Any, w: Any) -> list[Place]:
    """Where the ways from `w` to `loss` are broken; of what is only possible, nothing where anything is certain."""
    if w.owner is not EAGER:
        return [unmarked(w)]
    found = list(broken(loss, w, set()))
    return dropped_gradients(loss, w) or [p for p in found if p.sure] or copied(w) or found or [unused(loss, w)]


def way(root: Any) -> tuple[list[Any], dict[Any, Any]]:
    """The values behind a root, newest first, and for each the next one on a way to the root (for the root, None)."""
    history: list[Any] = list(EAGER.history(root)) if root.owner is EAGER else [root]
    towards: dict[Any, Any] = {root: None}
    for x in history:
        for a in x.sources:
            if a is not None:
                towards.setdefault(a, x)
    return history, towards


def steps(x: Any, towards: dict[Any, Any], root: Any) -> tuple[str, ...]:
    """The steps from `x` to the root."""
    found = [step(x)]
    while x is not root:
        x = towards[x]
        found.append(step(x) if x is not root else x.name or "loss")
    return tuple(found)


def ends(root: Any) -> Iterator[End]:
    """Each place where the record behind `root` ends in a value that was cut off."""
    if root.owner is not EAGER:
        if root.cut:
            yield End(root.cut.kind, root.cut.line, root.cut.label, root.cut.source(), (root.name or "loss",))
        return
    history, towards = way(root)
    for x in history:
        for a, source in zip(x.args, x.sources):
            if source is not None or not isinstance(a, Tensor):
                continue
            if a.owner is EAGER:
                yield End(x.prim.name, x.line, a.label, a, steps(x, towards, root))
            elif a.cut:
                noted = a.cut
                yield End(noted.kind, noted.line, noted.label, noted.source(), steps(x, towards, root))


def broken(root: Any, w: Any, seen: set[tuple[str, int, str | None]]) -> Iterator[Place]:
    """Each cut on a way from `root` back to `w`, also behind other cuts."""
    for end in ends(root):
        key = (end.note, id(end.source), end.line)
        if key in seen:
            continue
        seen.add(key)
        kind, says = meaning(end.note)
        cut = f"[{kind} at {short_line(end.line)}]"
        if end.source is None:
            note = f"{says}; the value cut off is gone from memory, so whether it came from here is not known"
            yield Place(kind, end.line, end.label, note, ("…", cut, *end.way), sure=False)
            continue
        towards = way(end.source)[1]
        if w in towards:
            yield Place(kind, end.line, end.label, says, (*steps_to(w, towards, end.source), cut, *end.way))
        else:
            for p in broken(end.source, w, seen):
                yield Place(p.kind, p.line, p.source, p.says, (*p.path, cut, *end.way), p.sure)


def steps_to(w: Any, towards: dict[Any, Any], source: Any) -> tuple[str, ...]:
    """The steps from `w` to the value that was cut off."""
    found = [w.name or "value"]
    x = w
    while x is not source:
        x = towards[x]
        found.append(step(x))
    return tuple(found)


def dropped_gradients(loss: Any, w: Any) -> list[Place]:
    """The operations behind the loss whose own rule says that nothing flows: `w` is recorded, and no gradient arrives."""
    if loss.owner is not EAGER:
        return []
    history, towards = way(loss)
    if w not in towards:
        return []
    users = [u for u in history if any(a is w for a in u.sources)]
    return [Place("rule", u.line, w.label, f"the backward rule of {u.prim.name} returned None, or none arrived there",
                  (w.name or "value", f"[{step(u)} at {short_line(u.line)}]", *steps(u, towards, loss)[1:]))
            for u in users]


def unmarked(w: Any) -> Place:
    """The answer for a value that asks for no gradient."""
    name = w.name or "value"
    if w.cut:
        kind, says = meaning(w.cut.kind)
        return Place(kind, w.cut.line, w.cut.label, f"the value asked about is itself cut off: {says}",
                     ("…", f"[{kind} at {short_line(w.cut.line)}]", name))
    return Place("not requires_grad", w.line, w.label, "it is a constant: make it with requires_grad=True, or call "
                 ".requires_grad_() before it is used", ("[not requires_grad]", "…", "loss"))


def copied(w: Any) -> list[Place]:
    """The latest readings of numbers that came from `w`."""
    found: dict[str, Place] = {}
    for c in reversed(copies):
        source = c.source()
        if source is not None and source.owner is EAGER:
            towards = way(source)[1]
            if w in towards:
                path = (*steps_to(w, towards, source), f"[{c.kind} at {short_line(c.line)}]", "…", "loss")
                found.setdefault(c.line, Place("NumPy copy", c.line, c.label, f"{c.kind} {READINGS}", path))
    return list(found.values())


def unused(loss: Any, w: Any) -> Place:
    late = w.serial > loss.serial
    says = "it was made after the loss was computed" if late else "no operation on the way to the loss uses it"
    return Place("never used", None, w.label, says, (w.name or "value", "[never used]", loss.name or "loss"))
