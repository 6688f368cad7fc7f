"""The births behind a loss are found by following what is not finite back to where all that it was made of was finite."""
from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.eager import EAGER
from chainrule.ops import ALL
from chainrule.ops.broadcasting import unbroadcast
from chainrule.tensor import Tensor, tensor

from ..formulas.writing import plain_number
from ..record.places import first_index, step
from ..record.trace import Parts, Trace, parts, rule_of, whole
from ..record.values import plain
from .arithmetic import carried, computed, is_pointwise, nonfinite
from .birth import Birth
from .fixes import tried_fix


def born(trace: Trace) -> Birth:
    """The birth behind the root of a trace."""
    if any(nonfinite(v).any() for v in parts(trace.root.value)):
        return Forward(trace).first()
    return Backward(trace).first()


class Forward:
    """Follow what is not finite in a loss, or in the arguments of `start`, back through the values it came from."""

    def __init__(self, trace: Trace, start: Any = None) -> None:
        self.trace = trace
        self.masks: dict[Any, Any] = {}
        self.towards: dict[Any, Any] = {}
        self.births: list[tuple[Any, Any]] = []  # values, and their elements born there
        self.given: list[tuple[Any, Any, Any]] = []  # where infinities or NaN came in: user (None: a leaf), value, mask
        self.turned: list[tuple[Any, Any]] = []  # values in which an infinity became a NaN
        if start is None:
            self.masks[trace.root] = tuple(nonfinite(v) for v in parts(trace.root.value))
        else:
            self.towards.update(pairwise(trace.way(start)))
            for i, v in enumerate(start.values):
                if has_nonfinite(v):
                    self.follow(start, i, tuple(nonfinite(p) for p in floats(v)))
        for x in reversed(trace.order):
            if x in self.masks and any(m.any() for m in self.masks[x]):
                self.visit(x)

    def visit(self, x: Any) -> None:
        mask = self.masks[x]
        if x.prim is None:
            self.given.append((x, x, mask[0]))
            return
        here = tuple(m & b for m, b in zip(mask, born_here(x)))
        if any(h.any() for h in here):
            self.births.append((x, here))
        nan = tuple(m & np.isnan(v) for m, v in zip(mask, parts(x.value)))
        if any(n.any() for n in nan) and not any(np.isnan(p).any() for v in x.values for p in floats(v)):
            self.turned.append((x, nan))
        rest = tuple(m & ~h for m, h in zip(mask, here))
        if any(r.any() for r in rest):
            suspects = [tuple(nonfinite(p) for p in floats(v)) for v in x.values]
            moved = [tuple(b & m for b, m in zip(bad, moving(x, i, v, rest))) if bad else bad
                     for i, (v, bad) in enumerate(zip(x.values, suspects))]
            sure = any(b.any() for bad in moved for b in bad)  # a rule may have slope 0 at infinity, and tell nothing
            for i, bad in enumerate(moved if sure else suspects):
                if any(b.any() for b in bad):
                    self.follow(x, i, bad)

    def follow(self, x: Any, i: int, bad: Parts) -> None:
        """Go on to the elements `bad` of argument `i`, which are not finite."""
        a = x.args[i]
        if x.sources[i] is None:
            self.given.append((x, a, bad[0]))
            return
        self.masks[a] = tuple(o | b for o, b in zip(self.masks[a], bad)) if a in self.masks else bad
        self.towards.setdefault(a, x)

    def first(self) -> Birth:
        """The earliest birth; infinities that were given count as meant, until a NaN is made of them."""
        if self.births:
            return self.told(*min(self.births, key=lambda b: b[0].serial))
        meant = not any(np.isnan(np.asarray(self.trace.value(v))[m]).any() for _, v, m in self.given)
        if self.turned and (meant or not self.given):
            return self.told(*min(self.turned, key=lambda b: b[0].serial))
        x, v, mask = min(self.given, key=lambda g: g[0].serial)
        array = np.asarray(self.trace.value(v))
        index = first_index(mask)
        name = getattr(v, "name", None) or ("data" if v is not x else "a leaf")
        return Birth("given", name, index, x.line, plain_number(array[index]),
                     f"{name} holds {plain_number(array[index])}: {int(mask.sum())} of {mask.size} elements are not finite",
                     (name, *(self.path(x)[1:] if v is x else self.path(x))))

    def told(self, x: Any, here: Parts) -> Birth:
        index = first_index(here[0])
        inner = born_inside(x)
        if inner is not None:
            return replace(inner, path=(*inner.path[:-1], *self.path(x)), fix=tried_fix(self.trace, x, backward=False))
        return Birth("forward", x.prim.name, index, x.line, plain_number(parts(x.value)[0][index]), computed(x, index),
                     self.path(x), tried_fix(self.trace, x, backward=False))

    def path(self, x: Any) -> tuple[str, ...]:
        found = [step(x)]
        while x is not self.trace.root:
            x = self.towards[x]
            found.append(step(x))
        return (*found, "loss") if found[-1] != "loss" else tuple(found)


def floats(v: Any) -> Parts:
    """The arrays of an argument that hold real numbers."""
    return () if v is None else tuple(p for p in parts(v) if p.dtype.kind == "f")


def has_nonfinite(v: Any) -> bool:
    return any(nonfinite(p).any() for p in floats(v))


def cleaned(v: Any) -> Any:
    """An argument with an ordinary number in place of each that is not finite."""
    if not has_nonfinite(v):
        return v
    return whole(tuple(np.where(nonfinite(p), p.dtype.type(0.5), p) for p in parts(v)), v)


def born_here(x: Any) -> Parts:
    """Which elements of a result are not finite though all that they were made of is."""
    if is_pointwise(x):
        finite = np.ones(np.shape(x.value), bool)
        for v in x.values:
            for p in floats(v):
                finite = finite & np.isfinite(np.broadcast_to(p, finite.shape))
        return (nonfinite(x.value) & finite,)
    with np.errstate(all="ignore"):
        again = NUMPY.apply(x.prim, tuple(map(cleaned, x.values)), x.params)
    return tuple(nonfinite(p) & nonfinite(q) for p, q in zip(parts(again), parts(x.value)))


def met(rest: Any, v: Any) -> Any:
    """Which elements of an argument that was broadcast meet the elements `rest` of the result."""
    with under(NUMPY):
        return unbroadcast(rest.astype(v.dtype), v) != 0


def moving(x: Any, i: int, v: Any, rest: Parts) -> Parts:
    """Which elements of argument `i` the elements `rest` of the result were made of, as the rule of `x` has it."""
    if is_pointwise(x):
        return (met(rest[0], np.asarray(v)),)
    everything = tuple(np.ones(p.shape, bool) for p in parts(v))
    rules = [r for r, _ in zip(x.prim.backward, x.values)]
    if rules[i] is None or not isinstance(v, np.ndarray | np.generic | tuple):
        return everything
    g = tuple(m.astype(p.dtype) for m, p in zip(rest, parts(x.value)))
    with under(NUMPY), np.errstate(all="ignore"):
        d = rule_of(x, i)(whole(g, x.value), x.value, *x.values, **x.params)
    if d is None:
        return everything
    return tuple(p != 0 for p in parts(plain(d, v)))


def born_inside(x: Any) -> Birth | None:
    """The birth inside a user's function with a rule of its own, which was recorded as one operation; it is run once more."""
    if x.prim in ALL or x.prim.body is None or isinstance(x.value, tuple):
        return None
    args = [tensor(v, requires_grad=True) if floats(v) and not isinstance(v, tuple) else v for v in x.values]
    with np.errstate(all="ignore"):
        out = x.prim.body(*args, **x.params)
    if not isinstance(out, Tensor) or out.owner is not EAGER or not has_nonfinite(out.value):
        return None
    found = Forward(Trace(out)).first()
    return found if found.kind == "forward" else None


class Backward:
    """Follow what is not finite in the gradients of the leaves towards the loss, each to the edges it came along."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.masks: dict[Any, Parts] = {}
        self.towards: dict[Any, Any] = {}
        self.births: list[tuple[int, Any, int | None, Parts]] = []  # serial, value, position of the edge, elements
        for a in trace.order:
            g = trace.gradient(a)
            if a.prim is None and g is not None and nonfinite(g[0]).any():
                self.masks[a] = (nonfinite(g[0]),)
            if a in self.masks:
                self.visit(a)

    def visit(self, a: Any) -> None:
        mask, anywhere = self.masks[a], False
        for x, i in self.trace.users.get(a, ()):
            d = self.trace.contribution(x, i)
            bad = None if d is None else tuple(m & nonfinite(p) for m, p in zip(mask, d))
            if bad is not None and any(b.any() for b in bad):
                anywhere = True
                self.follow(a, x, i, bad)
        if not anywhere:
            self.births.append((a.serial, a, None, mask))

    def follow(self, a: Any, x: Any, i: int, bad: Parts) -> None:
        """An edge whose contribution is not finite: born on it, or because of what arrived."""
        g = self.trace.gradient(x)
        assert g is not None
        quiet = tuple(np.where(nonfinite(p), p.dtype.type(0), p) for p in g)  # zero wins: what is not finite is silenced
        alone = self.trace.pulled(x, i, quiet)
        here = tuple(b & nonfinite(p) for b, p in zip(bad, alone))
        if any(h.any() for h in here):
            self.births.append((x.serial, x, i, here))
        elif any(nonfinite(p).any() for p in g):
            self.masks[x] = tuple(nonfinite(p) for p in g)
            self.towards.setdefault(x, a)
        else:
            self.births.append((x.serial, x, i, bad))

    def first(self) -> Birth:
        if not self.births:
            return Birth("healthy")
        _, x, i, here = max(self.births, key=lambda b: b[0])
        index = first_index(here[0])
        if i is None:
            kind = "hook" if x.hooks else "merge"
            edges = [d[0][index] for u, k in self.trace.users[x] if (d := self.trace.contribution(u, k)) is not None]
            total = self.trace.gradient(x)
            assert total is not None
            words = " + ".join(map(plain_number, edges)) + f" overflows {total[0].dtype}"
            return Birth(kind, step(x), index, x.line, plain_number(total[0][index]),
                         "the hook replaced a finite gradient" if x.hooks else words, self.path(x),
                         tried_fix(self.trace, x, backward=True) if x.prim and not x.hooks else None)
        if any(map(has_nonfinite, x.values)):
            earlier = Forward(self.trace, start=x).first()
            if earlier.kind == "forward" or earlier.value == "nan":
                return earlier
        value = self.trace.contribution(x, i)[0][index]
        return Birth("backward", x.prim.name, index, x.line, plain_number(value), carried(self.trace, x, i, here[0]),
                     self.path(x, x.sources[i]), tried_fix(self.trace, x, backward=True))

    def path(self, x: Any, a: Any = None) -> tuple[str, ...]:
        """The steps from the loss to `x`, and on, over its argument `a`, to the leaf."""
        above, below = self.trace.way(x), [] if a is None else [a]
        while (last := (below or [x])[-1]) in self.towards:
            below.append(self.towards[last])
        steps = [step(b) for b in (*above[::-1], *below)]
        return tuple(steps if steps[0] == "loss" else ["loss", *steps])
