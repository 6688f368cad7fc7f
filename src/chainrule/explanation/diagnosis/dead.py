"""A dead element is one whose gradient is exactly zero; what killed it is found by asking what else would have reached it."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..record.places import Place, label, listed
from ..record.trace import Parts, Trace, parts, random_like

FLAT = ("flat", "flat between its jumps: the slope is 0 everywhere")
CHOSEN = ("not chosen", "another value is the greater or lesser one, and its argument takes the whole gradient")
GATHERED = ("never gathered", "no index picks these elements")
FACTOR = ("zero factor", "what it is multiplied by is exactly 0")
BOUNDS = ("out of bounds", "the value lies beyond the bounds, where the result does not move")
SATURATED = ("saturated", "so far out that the slope rounds to 0")
DROPPED = ("dropped", "dropout took these elements out")
OVERWRITTEN = ("overwritten", "other values were put in the place of these elements")
REASONS: dict[str, tuple[str, str]] = {
    "where": ("mask off", "the condition chose the other side"),
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "sign", "heaviside", "floor_divide"), FLAT),
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin", "max", "min", "max_windows", "max_gather", "median", "sort"), CHOSEN),
    **dict.fromkeys(("part", "embed", "get_at", "pick", "cycle"), GATHERED),
    **dict.fromkeys(("multiply", "chain", "matmul", "chain_matmul", "linear", "einsum", "vecdot", "convolution"), FACTOR),
    **dict.fromkeys(("clip", "hardtanh", "hardsigmoid", "hardswish", "nan_to_num", "threshold"), BOUNDS),
    **dict.fromkeys(("tanh", "sigmoid", "softmax", "erf", "ndtr", "softsign", "exp", "logsigmoid", "softplus",
                     "softmax_cross_entropy", "sigmoid_cross_entropy", "elu", "selu", "celu", "gelu", "silu"), SATURATED),
    "drop": DROPPED, "put_part": OVERWRITTEN, "set_at": OVERWRITTEN,
}
"""What it means when an operation has slope 0, by operation; for all others, just that."""
RELUS = ("relu", "relu6")


def dead_places(trace: Trace, w: Any) -> list[Place]:
    """The operations at which the zero elements of the gradient of `w` became zero, oldest first; one for each path.

    The zero elements are followed towards the loss. Where a rule sends them nothing whatever arrives, they died; the others live
    on in the elements of the result that they move, as far as the gradient of these is zero, too.
    """
    gradient = trace.gradient(w)
    assert gradient is not None
    masks: dict[Any, Parts] = {w: tuple(g == 0 for g in gradient)}
    found: list[Place] = []
    for a in trace.order:
        if a not in masks or not any(m.any() for m in masks[a]):
            continue
        given = [(x, i, d) for x, i in trace.users.get(a, ()) if (d := trace.contribution(x, i)) is not None]
        if a.hooks and any((d != 0).any() for _, _, ds in given for d in ds):
            found.append(Place("hook", a.line, label(a), "a hook replaced the gradient with zeros"))
            continue
        if any((m & (d != 0)).any() for _, _, ds in given for m, d in zip(masks[a], ds)):
            found.append(Place("cancelled", a.line, label(a), f"its {len(given)} contributions add up to exactly 0"))
            continue
        for x, i, _ in given:
            followed(trace, x, i, masks, found)
    return found


def followed(trace: Trace, x: Any, i: int, masks: dict[Any, Parts], found: list[Place]) -> None:
    """Follow the dead elements of argument `i` into the result `x`: note those that died here, mark those that live on."""
    a, g = x.sources[i], trace.gradient(x)
    assert g is not None
    if not any(part.any() for part in g):
        masks[x] = tuple(np.ones(part.shape, bool) for part in g)
        return
    open_to = trace.pulled(x, i, random_like(x.value, seed=1))
    here = tuple(m & (o == 0) for m, o in zip(masks[a], open_to))
    if any(h.any() for h in here):
        found.append(killed(x, i, a, here))
    rest = tuple(m & (o != 0) for m, o in zip(masks[a], open_to))
    if not any(r.any() for r in rest):
        return
    moved = trace.pushed(x, i, tuple(r * d for r, d in zip(rest, random_like(a.value, seed=2))))
    still = tuple((t != 0) & (part == 0) for t, part in zip(moved, g))
    if any(((t != 0) & (part != 0)).any() for t, part in zip(moved, g)):
        found.append(vanished(trace, x, i, g, rest))
    masks[x] = tuple(old | new for old, new in zip(masks[x], still)) if x in masks else still


def killed(x: Any, i: int, a: Any, here: Parts) -> Place:
    """The place where elements died because the slope is 0 there."""
    if x.prim.name in RELUS and (here[0] & (parts(x.values[i])[0] <= 0)).any():
        return Place("dead relu", x.line, label(a), units(here[0], f"{x.prim.name}: "))
    kind, why = REASONS.get(x.prim.name, ("zero slope", "its slope is exactly 0 here"))
    many, size = sum(int(h.sum()) for h in here), sum(h.size for h in here)
    where = "" if size == 1 else f" (all {size} elements)" if many == size else f" ({many} of {size} elements)"
    return Place(kind, x.line, label(a), f"{x.prim.name}: {why}{where}")


def units(here: Any, name: str) -> str:
    """How many pre-activations are not positive; of a batch, which units are dead in all rows."""
    if here.all() or here.ndim < 2:
        return f"{name}{int(here.sum())} of {here.size} pre-activations are <= 0"
    rows = here.reshape(-1, here.shape[-1])
    dead = np.flatnonzero(rows.all(axis=0))
    if not len(dead):
        return f"{name}{int(here.sum())} of {here.size} pre-activations are <= 0"
    plural = "s" if len(dead) > 1 else ""
    return (f"{name}all {len(rows)} pre-activations of unit{plural} {listed(dead.tolist())} are <= 0 ({len(dead)} of "
            f"{rows.shape[1]} units dead for the whole batch)")


def vanished(trace: Trace, x: Any, i: int, g: Parts, rest: Parts) -> Place:
    """The place where gradients came, slopes are not zero, and the product is: too small for the dtype, or a sum of 0."""
    largest = max(float(np.max(np.abs(part), initial=0.0)) for part in g)
    scaled = trace.pulled(x, i, tuple((part / largest).astype(part.dtype) for part in g))  # a rule is linear in g
    if any((m & (d != 0)).any() for m, d in zip(rest, scaled)):
        return Place("underflow", x.line, label(x), f"{x.prim.name}: the product is too small for {g[0].dtype}, and rounds to 0")
    return Place("cancelled", x.line, label(x), f"{x.prim.name}: the terms of the sum add up to exactly 0")
