"""The books of the sweeps: what each one gave to which tensor, from where, and why one could not start."""
from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from typing import Any

import numpy as np

from chainrule.core.interpreter import Box, interpreter_of_users, now, under
from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, NonScalarError, NoPathError, ShapeError

from . import eager
from .cuts import copies, told
from .eager import EAGER, Contribution, constant, number, plain

KEPT_SWEEPS = 16  # how many sweeps' contributions a tensor keeps apart; older ones are added up
numbers = count(1)
roots: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # by serial: == on tensors compares elements
retained: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # the intermediate values every sweep keeps
sweeper: ContextVar[Callable[..., dict[Any, Array]]] = ContextVar("sweeper", default=EAGER.gradients)
"""What runs the sweeps of `backward`; an open recording stands here, and keeps what it is asked to keep."""


def backward(root: Any, gradient: Array | None, *, create_graph: bool, inputs: Any) -> None:
    """Sweep back from `root`, and write the books."""
    if root.owner is not EAGER:
        origin = f" was computed by {root.cut.kind}" if root.cut else " depends on no tensor that requires a gradient"
        raise NoPathError(f"backward: {root.label}{origin}, so there is nothing to sweep back to."
                          f"{told([root.cut] if root.cut else reversed(copies))} Make the leaves with requires_grad=True, and "
                          "keep the computation in chainrule operations.")
    seed = seed_of(root, gradient, create_graph=create_graph)
    asked = None if inputs is None else frozenset(inputs if isinstance(inputs, list | tuple) else [inputs])
    wanted = asked if asked is not None else frozenset(retained.values()) if retained else frozenset()
    found = sweeper.get()(root, seed, wanted, create_graph=create_graph)
    number = next(numbers)
    for t in asked or ():
        if t not in found:
            raise no_path(root, t)
    for t, g in found.items():
        if t in wanted or (asked is None and t.prim is None):
            accumulate(t, Contribution(number, root.name or "loss", g))
    memo = root.remember()
    memo.swept = (*memo.swept, (number, seed))
    roots[root.serial] = root


def seed_of(root: Any, gradient: Array | None, *, create_graph: bool) -> Array:
    """The gradient the sweep starts from: ones for a single number, else what was given, checked."""
    if gradient is None:
        if root.size != 1:
            raise NonScalarError(f"backward: {root.label} has {root.size} elements, and a gradient belongs to one number. Reduce "
                                 "it first, with .sum() or .mean(), or say how its elements count with backward(gradient=...).")
        return np.ones(root.shape, root.dtype)
    value = plain(gradient) if create_graph else number(gradient, "backward")
    if typeof(value).shape != root.shape:
        raise ShapeError(f"backward: gradient has shape {typeof(value).shape}, but {root.label} has {root.shape}. Give "
                         "one weight for each element.")
    return value if isinstance(value, Box) else np.asarray(value, root.dtype)


def no_path(root: Any, t: Any) -> NoPathError:
    """The error for a value that the root does not depend on, with the cuts behind the root."""
    history = EAGER.history(root)
    cuts = [a.cut for x in history for a in x.args if getattr(a, "cut", None)]
    return NoPathError(f"backward: no path leads from {root.label} back to {t.label}."
                       f"{told([*cuts, *reversed(copies)], lambda source: t in set(EAGER.history(source)))}"
                       " Use the value in chainrule operations on the way to the loss, or leave it out of `inputs`.")


def accumulate(t: Any, new: Contribution) -> None:
    memo = t.remember()
    memo.total = new.gradient if memo.total is None else memo.total + new.gradient
    memo.contributions = (*memo.contributions, new)
    if len(memo.contributions) > KEPT_SWEEPS:
        first, second, *rest = memo.contributions
        memo.contributions = (Contribution(0, "earlier sweeps", first.gradient + second.gradient), *rest)


def contributions(t: Any) -> list[Contribution]:
    """What each sweep gave to `t`; for an intermediate value the sweeps are run again, up to it."""
    memo = t.remember()
    if t.prim is None or t.serial in retained:
        made = memo.contributions
    else:
        made = tuple([Contribution(number, root.name or "loss", found[t])
                      for root in list(roots.values()) if root.serial >= t.serial
                      for number, seed in root.memo.swept if number > memo.cleared
                      if t in (found := EAGER.gradients(root, seed, {t}))])
    return [c._replace(gradient=shown(c.gradient)) for c in sorted(made, key=lambda c: c.sweep)]


def shown(g: Array) -> Any:
    """A gradient as users get it: a tensor."""
    return g if type(g) is eager.Tensor else constant(g)


def gradient_of(t: Any) -> Any:
    now().meet(t)
    if t.prim is None or t.serial in retained:
        total = t.memo.total if t.memo else None
        return None if total is None else shown(total)
    if t.owner is not EAGER:
        return None
    given = [c.gradient for c in contributions(t)]
    return sum(given[1:], given[0]) if given else None


def set_gradient(t: Any, value: Array | None) -> None:
    """Set `.grad`, or with None forget it; sweeps before this no longer count."""
    if value is not None and typeof(value).shape != t.shape:
        raise ArgumentError(f"grad: a gradient of {t.label} has its shape, {t.shape}, not {typeof(value).shape}.")
    now().meet(t)
    memo = t.remember()
    memo.total = plain(value)
    memo.contributions = () if value is None else (Contribution(0, "assigned", memo.total),)
    memo.cleared = next(numbers)


class Handle:
    """A registered hook; `remove()` takes it off again."""

    def __init__(self, tensor: Any, hook: Callable[[Any], Array | None]) -> None:
        if not tensor.requires_grad:
            raise ArgumentError(f"register_hook: {tensor.label} does not require a gradient, so the hook would never be called.")

        def on_array(g: Array) -> Array | None:
            with under(interpreter_of_users()):
                replaced = hook(shown(g))
            return replaced if isinstance(g, Box) else number(replaced, "hook")

        self.hooks = tensor.hooks = tensor.hooks if tensor.hooks is not None else []
        self.hook = on_array
        self.hooks.append(on_array)

    def remove(self) -> None:
        """Take the hook off; a second call does nothing."""
        if self.hook in self.hooks:
            self.hooks.remove(self.hook)
