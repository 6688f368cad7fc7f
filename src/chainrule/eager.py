"""The eager interpreter records every operation on tensors as it is computed, and keeps the books of the sweeps."""
from __future__ import annotations

import sys
import warnings
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.interpreter import NUMPY, Box, Interpreter, escaped, settle, under
from chainrule.core.primitive import Primitive
from chainrule.core.reverse import Recorded, Reverse, serials
from chainrule.core.source import is_own, own
from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, NonScalarError, NoPathError, PrecisionWarning, ShapeError
from chainrule.ops.broadcasting import stop_gradient

from .cuts import Cut, copies, cut, told

FLOAT64 = np.dtype("float64")
FLOAT32 = np.dtype("float32")
KEPT_SWEEPS = 16  # how many sweeps' contributions a tensor keeps apart; older ones are added up
Tensor: Any = Recorded  # the face of eager values; `tensor.py` puts its class here


class Contribution(NamedTuple):
    """What one sweep gave to a tensor's gradient. Number 0 stands for all sweeps older than the ones kept apart."""

    sweep: int
    root: str
    gradient: Any


@dataclass(slots=True)
class Memo:
    """The notes on a tensor that most tensors do not need."""

    name: str | None = None
    cut: Cut | None = None
    retain: bool = False
    total: Array = None  # the gradient so far
    contributions: list[Contribution] = field(default_factory=list)
    swept: list[tuple[int, Array]] = field(default_factory=list)  # of a root: number and seed of each sweep
    cleared: int = 0  # the last sweep that no longer counts


class Eager(Reverse):
    """The permanent reverse interpreter behind every tensor."""

    __slots__ = ()
    name = "eager"

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        # Reverse.apply, unrolled: this runs at every operation anybody does. benchmarks/eager.py measures it.
        values: list[Array] = []
        tensors = tracked = False
        for a, rule in zip(args, prim.backward):
            if type(a) is Tensor:
                tensors = True
                values.append(a.value)
                if rule is not None and a.owner is self:
                    tracked = True
            elif isinstance(a, Box):
                raise escaped(a, prim.name)
            else:
                values.append(a)
        out = NUMPY.apply(prim, values, params)  # type: ignore[arg-type]
        if not tracked:
            return constants(out, prim.name, args) if tensors else out
        if type(out) is tuple:
            return self.record(out, prim, args, values, params)
        if out.dtype is FLOAT64 and len(args) > 1:
            warn_if_mixed(prim, args)
        return self.box(out, prim, args, values, params)

    def box(self, out: Array, prim: Primitive, args: tuple[Array, ...], values: Iterable[Array],
            params: dict[str, Any]) -> Any:
        t = new(Tensor)
        t.owner = self
        t.value = out
        t.prim = prim
        t.args = args
        t.values = values
        t.params = params
        t.serial = next(serials)
        t.hooks = t.memo = None
        frame = sys._getframe(3)
        while own.get(frame.f_code.co_filename, True) and is_own(frame.f_code.co_filename) and frame.f_back is not None:
            frame = frame.f_back
        t.code = frame.f_code
        t.instruction = frame.f_lasti
        return t


new = object.__new__
EAGER = Eager(NUMPY)
settle(EAGER)


class Unrecorded(Interpreter):
    """What is in charge inside `no_grad`: compute, and cut the result from the graph."""

    __slots__ = ()
    name = "no_grad"

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        if self.parent is EAGER:
            out = NUMPY.apply(prim, tuple(number(a, prim.name) for a in args), params)
            return constants(out, "no_grad", args) if any(type(a) is Tensor for a in args) else out
        out = self.parent.apply(prim, args, params)
        with under(self.parent):
            return tuple(map(stop_gradient, out)) if isinstance(out, tuple) else stop_gradient(out)


def number(a: Array, where: str) -> Array:
    """The array in a tensor; a box of a transform that is not at work is refused."""
    if type(a) is Tensor:
        return a.value
    if isinstance(a, Box):
        raise escaped(a, where)
    return a


def plain(a: Array) -> Array:
    """The value of a tensor that requires no gradient."""
    return a.value if type(a) is Tensor and a.owner is NUMPY else a


def constant(value: Array, cut: Cut | None = None) -> Any:
    """A tensor without history."""
    t = Tensor(NUMPY, value)
    t.code = None
    t.instruction = 0
    t.memo = Memo(cut=cut) if cut else None
    return t


def constants(out: Array, kind: str, args: tuple[Array, ...]) -> Any:
    """The result of an operation through which no gradient flows, with a note of what cut it, now or before."""
    note = None
    for a in args:
        if type(a) is Tensor and note is None:
            note = cut(kind, a) if a.owner is EAGER else a.cut
    return tuple(constant(o, note) for o in out) if type(out) is tuple else constant(out, note)


def detached(t: Any, kind: str) -> Any:
    """The same values cut from the graph."""
    return constant(t.value, cut(kind, t) if t.owner is EAGER else t.cut)


def warn_if_mixed(prim: Primitive, args: tuple[Array, ...]) -> None:
    """float64 data that meets a float32 parameter turns everything after it to float64: say so, naming both."""
    parameter = next((a for a in args if type(a) is Tensor and a.owner is EAGER and a.value.dtype is FLOAT32
                      and a.prim is None), None)
    other = next((a for a in args if typeof(a).dtype is FLOAT64 and not typeof(a).weak), None)
    if parameter is not None and other is not None:
        name = other.label if type(other) is Tensor else f"an array of {typeof(other)}"
        frame, level = sys._getframe(2), 3
        while frame.f_back is not None and is_own(frame.f_code.co_filename):
            frame, level = frame.f_back, level + 1
        warnings.warn(f"{prim.name}: float64 data ({name}) meets the float32 parameter {parameter.label}: the result and all "
                      "that follows is float64. Give the data as .astype('float32'), or the parameter dtype=cr.float64.",
                      PrecisionWarning, stacklevel=level - 1)


# ---------------------------------------------------------------------------------------- sweeps
numbers = count(1)
roots: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # by serial: == on tensors compares elements


class Kept:
    """The values whose gradients a sweep keeps: leaves by themselves, and those that ask with `retain_grad`."""

    def __contains__(self, t: Any) -> bool:
        return t.memo is not None and t.memo.retain


def backward(root: Any, gradient: Array | None, *, create_graph: bool, inputs: Any) -> None:
    """Sweep back from `root`, and write the books."""
    if root.owner is not EAGER:
        origin = f" was computed by {root.cut.kind}" if root.cut else " depends on no tensor that requires a gradient"
        raise NoPathError(f"backward: {root.label}{origin}, so there is nothing to sweep back to."
                          f"{told([root.cut] if root.cut else copies)} Make the leaves with requires_grad=True, and keep "
                          "the computation in chainrule operations.")
    seed = seed_of(root, gradient, create_graph=create_graph)
    wanted = None if inputs is None else list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    found = EAGER.gradients(root, seed, Kept() if wanted is None else frozenset(wanted), create_graph=create_graph)
    number = next(numbers)
    for t in wanted or ():
        if t not in found:
            raise no_path(root, t)
    for t, g in found.items():
        if t.prim is None or t in Kept() if wanted is None else any(t is w for w in wanted):
            accumulate(t, Contribution(number, root.name or "loss", g))
    root.remember().swept.append((number, seed))
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
    cuts = [a.cut for x in history for a in x.args if type(a) is Tensor and a.cut]
    return NoPathError(f"backward: no path leads from {root.label} back to {t.label}."
                       f"{told([*cuts, *copies], lambda source: t in set(EAGER.history(source)))}"
                       " Use the value in chainrule operations on the way to the loss, or leave it out of `inputs`.")


def accumulate(t: Any, new: Contribution) -> None:
    memo = t.remember()
    memo.total = new.gradient if memo.total is None else memo.total + new.gradient
    memo.contributions.append(new)
    if len(memo.contributions) > KEPT_SWEEPS:
        first, second, *rest = memo.contributions
        memo.contributions = [Contribution(0, "earlier sweeps", first.gradient + second.gradient), *rest]


def contributions(t: Any) -> list[Contribution]:
    """What each sweep gave to `t`; for an intermediate value the sweeps are run again, up to it."""
    memo = t.remember()
    if t.prim is None or memo.retain:
        made = memo.contributions
    else:
        made = [Contribution(number, root.name or "loss", found[t])
                for root in list(roots.values()) if root.serial >= t.serial
                for number, seed in root.memo.swept if number > memo.cleared
                if t in (found := EAGER.gradients(root, seed, {t}))]
    return [c._replace(gradient=shown(c.gradient)) for c in sorted(made, key=lambda c: c.sweep)]


def shown(g: Array) -> Any:
    """A gradient as users get it: a tensor."""
    return g if isinstance(g, Box) else constant(g)


def gradient_of(t: Any) -> Any:
    if t.prim is None or (t.memo and t.memo.retain):
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
    memo = t.remember()
    memo.total = plain(value)
    memo.contributions = [] if value is None else [Contribution(0, "assigned", memo.total)]
    memo.cleared = next(numbers)


def note_copy(kind: str, t: Any) -> None:
    """Remember where a recorded value was read out as plain numbers."""
    copies.append(cut(kind, t))


def wear(face: type[Recorded]) -> None:
    """Make `face` the class of all eager values."""
    global Tensor
    Tensor = face
