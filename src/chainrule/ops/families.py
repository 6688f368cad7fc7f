"""A family is a group of operations that share how they broadcast, batch and push tangents; that is said once, here."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from chainrule.core.batch import Batch, Stacked
from chainrule.core.forward import Dual, Forward
from chainrule.core.interpreter import NUMPY, Box, entered, under
from chainrule.core.primitive import Generator, Primitive, Rule, Sample, Together
from chainrule.core.reverse import Recorded, Reverse
from chainrule.core.stage import stage
from chainrule.core.type import Array, Type, is_float, normal_axes, typeof
from chainrule.errors import DTypeError

Declaration = Callable[[Callable[..., Any]], Primitive]
Samples = Callable[[Generator], list[Sample]]
Slope = Any  # a number, a rule (y, *args), or None where nothing flows


# ---------------------------------------------------------------------------------------- samples for the laws
def arrays(*shapes: tuple[int, ...], low: float = -2.0, high: float = 2.0, smooth: bool = True,
           **params: Any) -> Samples:
    """One sample: arrays of these shapes, uniform in [low, high], and these options."""
    return lambda rng: [Sample(tuple(rng.uniform(low, high, s) for s in shapes), params, smooth)]


def integers(*shapes: tuple[int, ...], low: int = 0, high: int = 5, **params: Any) -> Samples:
    """One sample: integers of these shapes, from `low` to `high` - 1, and these options."""
    return lambda rng: [Sample(tuple(rng.integers(low, high, s) for s in shapes), params, smooth=False)]


def several(*makers: Samples) -> Samples:
    """The samples of all makers."""
    return lambda rng: [sample for make in makers for sample in make(rng)]


# ---------------------------------------------------------------------------------------- the general case
def primitive(*, backward: Iterable[Rule | None], result: Callable[..., Any], samples: Samples,
              batch: Callable[..., Any] | None = None, tangent: Callable[..., Any] | None = None,
              prepare: Callable[..., Any] | None = None, tex: str | None = None, infix: str | None = None,
              body: Callable[..., Any] | None = None, hurried: tuple[Rule, ...] | None = None,
              native: Callable[..., Any] | None = None,
              slopes: tuple[Slope, ...] | None = None,
              domain: tuple[tuple[float, float], ...] | None = None) -> Declaration:
    """Declare an operation from a function whose positional parameters are arrays, and whose keyword-only ones are options.

    What is not given follows: `tangent` is the transpose of `backward`, `batch` is a loop over the examples, `prepare` lets
    options be given by position too and fills in their defaults. `native` is NumPy's own function where it does exactly this:
    the body of the declaration is then left empty, and nothing is lost on the way.
    """
    def declare(forward: Callable[..., Any]) -> Primitive:
        doc = inspect.getdoc(forward) or ""
        if "." not in doc:
            raise ValueError(f"operation {forward.__name__!r} needs a docstring that opens with a sentence")
        prim = Primitive(
            name=forward.__name__, forward=native or forward, backward=backward, tangent=tangent or pushforward(backward),
            batch=batch or (lambda flags, *args, **params: one_by_one(prim, flags, *args, **params)), result=result,
            samples=samples, prepare=prepare or options_of(forward), body=body, hurried=hurried,
            slopes=slopes, tex=tex, infix=infix, domain=domain, doc=doc, declared=body or forward)
        return prim
    return declare


def options_of(forward: Callable[..., Any]) -> Callable[..., Any] | None:
    """The canonical form of a call, read off the signature; None where there are no options."""
    parameters = inspect.signature(forward).parameters.values()
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    if not options:
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    kinds = inspect.Parameter
    lenient = inspect.Signature([
        p if p.kind is not p.KEYWORD_ONLY else p.replace(kind=kinds.POSITIONAL_OR_KEYWORD) for p in parameters])
    n = len(lenient.parameters) - len(options)

    names = {o.name for o in options}

    def prepare(*args: Any, **params: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if len(args) == n and params.keys() == names:
            return args, params
        bound = lenient.bind(*args, **params)
        bound.apply_defaults()
        values = list(bound.arguments.values())
        chosen = {o.name: v for o, v in zip(options, values[n:])}
        for option, value in chosen.items():
            if isinstance(value, Box):
                raise DTypeError(f"{forward.__name__}: {option} is an option, the same whatever the data, and cannot be a "
                                 f"{value.type} that gradients could flow to. Give it as a Python number.")
        return tuple(values[:n]), chosen

    prepare.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    return prepare


def pushforward(backward: Iterable[Rule | None]) -> Callable[..., Any]:
    """Forward mode for free: the tangent map is the transpose of the backward map, which is linear in g."""
    def tangent(tangents: list[Array | None], y: Array, *args: Array, **params: Any) -> Array:
        many = isinstance(y, tuple)
        outputs = y if many else (y,)
        totals: list[Array] = [np.zeros(*typeof(o)[:2]) for o in outputs]
        with entered(Reverse()) as tape:
            assert isinstance(tape, Reverse)
            seeds = tuple(Recorded(tape, zero) for zero in totals)
            pulled = [(t, rule(seeds if many else seeds[0], y, *args, **params))
                      for t, rule in zip(tangents, backward) if t is not None and rule]
            for t, p in pulled:
                found = tape.sweep(p, t) if tape.owns(p) else {}
                totals = [total + found[seed] if seed in found else total for total, seed in zip(totals, seeds)]
        return tuple(totals) if many else totals[0]
    return tangent


def one_by_one(prim: Primitive, flags: list[bool], *args: Array, **params: Any) -> Array:
    """The batch rule of last resort: apply to one example after the other, and stack."""
    size = next(typeof(a).shape[0] for a, batched in zip(args, flags) if batched)
    rows = [prim(*(a[i] if batched else a for a, batched in zip(args, flags)), **params) for i in range(size)]
    if isinstance(rows[0], tuple):
        return tuple(np.stack(column) for column in zip(*rows))
    return np.stack(rows)  # of boxes, this is the operation: NumPy asks them


# ---------------------------------------------------------------------------------------- linear in one argument
def linear(*, transpose: Rule, result: Callable[..., Any], batch: Callable[..., Any],
           samples: Samples, prepare: Callable[..., Any] | None = None,
           tex: str | None = None) -> Declaration:
    """An operation linear in its one array, such as a movement or a sum: it is its own derivative.

    `transpose(g, x, **params)` carries a gradient back (of `x` only the type may be used); `batch(type, **params)` gives the
    options for the array with a batch axis in front, whose type it is told.
    """
    def declare(forward: Callable[..., Any]) -> Primitive:
        make = primitive(
            backward=(lambda g, y, x, **params: transpose(g, x, **params),),
            tangent=lambda tangents, y, x, **params: prim(tangents[0], **params),
            batch=lambda flags, x, **params: prim(x, **batch(typeof(x), **params)),
            result=result, samples=samples, prepare=prepare, tex=tex)
        prim = make(forward)
        return prim
    return declare


# ---------------------------------------------------------------------------------------- reductions
def reduced(name: str) -> Callable[..., Any]:
    """The canonical form of a reduction's call: axes sorted and counted from the front."""
    def prepare(x: Array, axis: Any = None, keepdims: bool = False) -> Any:
        return (x,), {"axis": normal_axes(name, axis, typeof(x).ndim), "keepdims": bool(keepdims)}
    return prepare


def reduced_shape(shape: tuple[int, ...], axis: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if i in axis else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axis)


def past_batch(axis: tuple[int, ...]) -> tuple[int, ...]:
    """The same axes with a batch axis in front."""
    return tuple(a + 1 for a in axis)


# ---------------------------------------------------------------------------------------- composites
def composite(*, backward: Iterable[Rule | None] | None = None, samples: Samples,
              tangent: Callable[..., Any] | None = None, prepare: Callable[..., Any] | None = None,
              result: Callable[..., Any] | None = None, batch: Callable[..., Any] | None = None, tex: str | None = None,
              slopes: tuple[Slope, ...] | None = None, hurried: tuple[Rule, ...] | None = None, domain: Any = None,
              forward: Callable[..., Any] | None = None) -> Declaration:
    """A gate made of smaller operations, recorded as one node that can be opened.

    Without a rule of its own, its gradient is the sweep through its body. `forward` computes the same in NumPy, where that is
    faster or more accurate than running the body; a law compares the two.
    """
    def declare(body: Callable[..., Any]) -> Primitive:
        arity = arity_of(body)
        rules = backward or Together(through(body), arity)

        def run(*args: Array, **params: Any) -> Array:
            with under(NUMPY):
                return body(*args, **params)

        values = forward or run
        values.__name__, values.__doc__ = body.__name__, body.__doc__
        domains = domain if domain is None or isinstance(domain[0], tuple) else (domain,) * (arity or 1)
        return primitive(
            backward=rules, tangent=tangent or body_tangent(body), batch=batch or body_batch(body),
            result=result or (lambda *types, **params: body_type(body, *types, **params)), samples=samples,
            prepare=prepare or options_of(body), tex=tex, body=body, hurried=hurried, slopes=slopes, domain=domains)(values)
    return declare


def arity_of(body: Callable[..., Any]) -> int | None:
    """How many arrays it takes; None for any number."""
    parameters = inspect.signature(body).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind is not p.KEYWORD_ONLY for p in parameters)


def through(body: Callable[..., Any]) -> Callable[..., list[Array]]:
    """The gradients of all arguments, by one sweep through the body."""
    def find(g: Array, y: Array, args: tuple[Array, ...], params: dict[str, Any]) -> list[Array]:
        with entered(Reverse()) as tape:
            assert isinstance(tape, Reverse)
            inputs = [Recorded(tape, a) if a is not None and is_float(typeof(a).dtype) else a for a in args]
            out = body(*inputs, **params)
            root = tape.join(out) if isinstance(out, tuple) else out
            found = tape.sweep(root, g) if tape.owns(root) else {}
        return [None if a is None else found[x] if tape.owns(x) and x in found else np.zeros(*typeof(a)[:2])
                for a, x in zip(args, inputs)]
    return find


def body_tangent(body: Callable[..., Any]) -> Callable[..., Any]:
    def tangent(tangents: list[Array | None], y: Array, *args: Array, **params: Any) -> Array:
        with entered(Forward()) as forward:
            out = body(*(a if t is None else Dual(forward, a, t) for a, t in zip(args, tangents)), **params)
        return out.tangent if forward.owns(out) else np.zeros(*typeof(y)[:2])
    return tangent


def body_batch(body: Callable[..., Any]) -> Callable[..., Any]:
    def batch(flags: list[bool], *args: Array, **params: Any) -> Array:
        size = next(typeof(a).shape[0] for a, batched in zip(args, flags) if batched)
        with entered(Batch(size)) as stacked:
            out = body(*(Stacked(stacked, a) if batched else a for a, batched in zip(args, flags)), **params)
        return out.value if stacked.owns(out) else np.broadcast_to(out, (size, *typeof(out).shape))
    return batch


def body_type(body: Callable[..., Any], *types: Type | None, **params: Any) -> Type:
    present = [t for t in types if t is not None]

    def closed(*symbols: Array) -> Array:
        given = iter(symbols)
        return body(*(None if t is None else next(given) for t in types), **params)
    return typeof(stage(closed, *present).output)

