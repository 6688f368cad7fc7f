"""A fix is a rewrite of the operation where a NaN was born; and it is tried before anybody hears of it."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.eager import EAGER
from chainrule.ops.broadcasting import reshape
from chainrule.ops.choice import clip, maximum, minimum, where
from chainrule.ops.exponential import exp, log
from chainrule.ops.reduction import logsumexp
from chainrule.ops.softmax import log_softmax, softmax
from chainrule.tensor import Tensor, tensor

from ..record.replay import FLOAT64, widened, widened_option
from ..record.trace import Trace

EPS = 1e-12


@dataclass(frozen=True)
class Fix:
    """A rewrite that works, and what comes out with it."""

    title: str
    loss: float
    largest_gradient: float


class Bound(NamedTuple):
    """A rewrite of a value `z` further back, instead of the operation's own arguments."""

    z: Any
    build: Callable[[Any], Any]


class Rewrite(NamedTuple):
    """`build(*args)` in place of the operations that made `nodes`; without a node, everything in float64."""

    title: str
    nodes: tuple[Any, ...] = ()
    build: Callable[..., Any] | Bound | None = None


def near(limit: float, x: Any) -> float:
    """A bound a little inside `limit`, by the precision of `x`."""
    return limit * (1.0 - 4.0 * float(np.finfo(x.dtype).eps))


REWRITES: dict[str, tuple[tuple[str, Callable[..., Any]], ...]] = {
    **{name: ((f"{name}(maximum(x, {EPS}))", lambda f, x: f(maximum(x, EPS))),
              (f"{name}(where(x > 0, x, 1)): the where before the {name}", lambda f, x: f(where(x > 0, x, 1.0))))
       for name in ("log", "log2", "log10")},
    "sqrt": ((f"sqrt(x + {EPS}): eps inside the root", lambda f, x: f(x + EPS)),
             (f"sqrt(maximum(x, 0) + {EPS}): eps inside the root", lambda f, x: f(maximum(x, 0.0) + EPS))),
    "divide": (("a / where(b == 0, 1, b): the where before the division", lambda f, a, b: f(a, where(b == 0, 1.0, b))),),
    "reciprocal": (("1 / where(x == 0, 1, x): the where before the division", lambda f, x: f(where(x == 0, 1.0, x))),),
    "pow": ((f"maximum(x, {EPS}) ** p", lambda f, x, p: f(maximum(x, EPS), p)),
            ("where(x > 0, x, 1) ** p: the where before the power", lambda f, x, p: f(where(x > 0, x, 1.0), p))),
    "log1p": (("log1p(maximum(x, -1 + eps))", lambda f, x: f(maximum(x, -near(1.0, x)))),),
    **{name: ((f"{name}(clip(x, -1 + eps, 1 - eps))", lambda f, x: f(clip(x, -near(1.0, x), near(1.0, x)))),)
       for name in ("asin", "acos", "atanh")},
    "acosh": (("acosh(maximum(x, 1 + eps))", lambda f, x: f(maximum(x, 2.0 - near(1.0, x)))),),
    **{name: ((f"{name}(minimum(x, 50)): clip before the {name}", lambda f, x: f(minimum(x, 50.0))),)
       for name in ("exp", "exp2", "expm1")},
    **{name: ((f"{name}(clip(x, -50, 50)): clip before the {name}", lambda f, x: f(clip(x, -50.0, 50.0))),)
       for name in ("sinh", "cosh")},
}
"""For each operation, what may stand in its place: the rewrite in words, and as `f(operation, *arguments)`."""


def axis_of(total: Any) -> int | None:
    """The one axis a sum goes over; None for all axes of an array of several."""
    axes = total.params["axis"]
    return axes[0] if len(axes) == 1 else None


def users(trace: Trace, x: Any, name: str) -> list[Any]:
    return [u for u, _ in trace.users.get(x, ()) if u.prim.name == name]


def through_reshape(trace: Trace, x: Any) -> list[Any]:
    """A sum and the reshapes of it: what `[:, None]` makes of it divides, too."""
    return [x, *users(trace, x, "reshape"), *users(trace, x, "part"), *users(trace, x, "broadcast_to")]


def softmax_written_by_hand(trace: Trace, e: Any) -> Iterator[Rewrite]:
    """exp(z) / sum(exp(z)) and log(sum(exp(z))), of which the engine knows forms that do not overflow."""
    if e.prim is not exp:
        return
    for total in users(trace, e, "sum"):
        axis, z = axis_of(total), e.args[0]
        for form in through_reshape(trace, total):
            for out in users(trace, form, "log"):
                yield Rewrite("logsumexp(z) instead of log(sum(exp(z)))", (out,), gathered(z, out, logsumexp, axis))
            for out in users(trace, form, "divide"):
                if out.args[0] is not e or axis is None:
                    continue
                for last in users(trace, out, "log"):
                    title = "log_softmax(z) instead of log(exp(z) / sum(exp(z)))"
                    yield Rewrite(title, (last,), gathered(z, last, log_softmax, axis))
                yield Rewrite("softmax(z) instead of exp(z) / sum(exp(z))", (out,), gathered(z, out, softmax, axis))


def log_of_softmax(trace: Trace, x: Any) -> Iterator[Rewrite]:
    """log(softmax(z)), where the softmax underflows to 0."""
    inner = x.args[0] if x.prim is log else None
    if isinstance(inner, Tensor) and inner.prim is softmax:
        z, params = inner.args[0], inner.params
        yield Rewrite("log_softmax(z) instead of log(softmax(z))", (x,), Bound(z, lambda new: log_softmax(new, **params)))


def gathered(z: Any, out: Any, f: Any, axis: int | None) -> Any:
    shape = out.shape
    return Bound(z, lambda new: reshape(f(new) if axis is None else f(new, axis=axis), shape=shape))


def candidates(trace: Trace, x: Any, backward: bool) -> Iterator[Rewrite]:
    """What might help at the operation that made `x`, the best first."""
    yield from softmax_written_by_hand(trace, x)
    yield from log_of_softmax(trace, x)
    alike = tuple(other for other in trace.order if other.prim is x.prim)
    for nodes, where_else in ((x,), ""), (alike, f", at all {len(alike)} places"):
        for title, build in REWRITES.get(x.prim.name, ()):
            yield Rewrite(title + where_else, nodes, lambda *args, build=build: build(x.prim, *args))
    if backward and x.prim.body:
        title = f"{x.prim.name} without its own rule: its parts, differentiated one by one"
        yield Rewrite(title, (x,), lambda *args: x.prim.body(*args, **x.params))
    if any(np.asarray(v.value).dtype != FLOAT64 for v in trace.order if not isinstance(v.value, tuple)):
        yield Rewrite("float64")


def tried_fix(trace: Trace, x: Any, *, backward: bool) -> Fix | None:
    """The first rewrite with which the loss and all gradients are finite; None if there is none."""
    for rewrite in candidates(trace, x, backward):
        with np.errstate(all="ignore"):
            found = rerun(trace, rewrite)
        if found is not None:
            return Fix(rewrite.title, *found)
    return None


def rerun(trace: Trace, rewrite: Rewrite) -> tuple[float, float] | None:
    """The loss and its largest gradient, computed again with the rewrite; None if anything is not finite."""
    new: dict[Any, Any] = {}
    wide = not rewrite.nodes
    replaced = set(rewrite.nodes)
    for x in trace.order:
        if x.prim is None:
            new[x] = tensor(widened(trace.value(x)) if wide else trace.value(x), requires_grad=True)
            continue
        args = [new[a] if isinstance(a, Tensor) and a in new else widened(v) if wide else v for a, v in zip(x.args, x.values)]
        params = {k: widened_option(v) for k, v in x.params.items()} if wide else x.params
        if x.prim.name == "pick":
            new[x] = args[0][x.params["index"]]
        elif x in replaced:
            build = rewrite.build
            new[x] = build.build(new[build.z]) if isinstance(build, Bound) else build(*args)  # type: ignore[misc]
        else:
            new[x] = x.prim(*args, **params)
    root = new[trace.root]
    found = EAGER.gradients(root, np.ones(root.shape, root.dtype))
    gradients = [np.asarray(found[new[x]]) for x in trace.order if x.prim is None and new[x] in found]
    if not np.isfinite(root.value).all() or not all(np.isfinite(g).all() for g in gradients):
        return None
    return float(np.sum(root.value)), max((float(np.max(np.abs(g), initial=0.0)) for g in gradients), default=0.0)
