"""An elementwise operation acts on each element alone: its derivative is one slope per argument, and arguments broadcast."""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from inspect import signature
from typing import Any

import numpy as np

from chainrule.core.primitive import Primitive, Rule, Sample
from chainrule.core.type import Array, Type, broadcast
from chainrule.errors import DTypeError

from .broadcasting import align, chain, like, unbroadcast
from .families import Declaration, Samples, Slope, composite, primitive


def elementwise(*slopes: Slope, samples: Samples | None = None, tex: str | None = None,
                infix: str | None = None, domain: Any = (-3.0, 3.0), prepare: Callable[..., Any] | None = None,
                native: Callable[..., Any] | None = None, shortcuts: dict[int, Rule] | None = None) -> Declaration:
    """An operation on each element alone; `slopes[i]` is its local derivative in argument i.

    A slope is a number, a rule `(y, *args)` in engine operations, or None where nothing flows. Arguments broadcast.
    `domain` is the interval (one for all arguments, or one each) from which samples are drawn. `shortcuts[i](g, y, *args)` says
    in fewer steps, for plain arrays, what g times slope i comes to.
    """
    domains = domain if isinstance(domain[0], tuple) else (domain,) * len(slopes)

    def declare(forward: Callable[..., Any]) -> Primitive:
        make = primitive(
            backward=tuple(slope_rule(i, slope) for i, slope in enumerate(slopes)),
            hurried=hurried_rules(slopes, forward, shortcuts or {}), tangent=slope_tangent(slopes),
            native=native, result=lambda *types, **params: elementwise_type(prim.name, prim.forward, *types, **params),
            batch=lambda flags, *args, **params: prim(*align(flags, args), **params),
            samples=samples or in_domains(domains), tex=tex, infix=infix, slopes=slopes, domain=domains, prepare=prepare)
        prim = make(forward)
        return prim
    return declare


def in_domains(domains: tuple[tuple[float, float], ...]) -> Samples:
    shapes = ((3, 4), (4,), (3, 1))
    return lambda rng: [Sample(tuple(rng.uniform(*d, s) for d, s in zip(domains, shapes)))]


def slope_rule(i: int, slope: Slope) -> Rule | None:
    """The backward rule of a slope: the arriving gradient times it, summed to the shape of the argument."""
    if slope is None:
        return None
    if not callable(slope):
        if slope == 1:
            return lambda g, y, *args, **params: unbroadcast(g, args[i])
        if slope == 0:
            return lambda g, y, *args, **params: unbroadcast(chain(g, slope), args[i])
        return lambda g, y, *args, **params: unbroadcast(g * slope, args[i])
    return lambda g, y, *args, **params: unbroadcast(chain(g, slope(y, *args, **params)), args[i])


def hurried_rule(i: int, slope: Slope, arity: int, shortcut: Rule | None) -> Rule:
    """The same rule in short: `(g, y, args)` on plain arrays, in a sweep that does not look for 0 x inf.

    It is unrolled because every call in it would cost as much as NumPy's product of small arrays.
    """
    if arity == 1 and callable(slope):
        return lambda g, y, args: g * slope(y, args[0])  # one argument has the shape of the result

    def constant(g: Array, y: Array, args: tuple[Array, ...]) -> Array:
        x = args[i]
        d = g if slope == 1 else g * slope
        return d if d.shape == x.shape and d.dtype is x.dtype else unbroadcast(d, x)

    def shortened(g: Array, y: Array, args: tuple[Array, ...]) -> Array:
        x = args[i]
        d = shortcut(g, y, *args)  # type: ignore[misc]
        return d if d.shape == x.shape and d.dtype is x.dtype else unbroadcast(d, x)

    def first(g: Array, y: Array, args: tuple[Array, ...]) -> Array:
        a, b = args
        d = g * slope(y, a, b)
        return d if d.shape == a.shape and d.dtype is a.dtype else unbroadcast(d, a)

    def second(g: Array, y: Array, args: tuple[Array, ...]) -> Array:
        a, b = args
        d = g * slope(y, a, b)
        return d if d.shape == b.shape and d.dtype is b.dtype else unbroadcast(d, b)

    if shortcut:
        return shortened
    return (first, second)[i] if callable(slope) else constant


def hurried_rules(slopes: tuple[Slope, ...], forward: Callable[..., Any],
                  shortcuts: dict[int, Rule]) -> tuple[Rule, ...] | None:
    """The short rules of an operation of one or two arguments, all with a slope, and no options."""
    options = any(p.kind is p.KEYWORD_ONLY for p in signature(forward).parameters.values())
    if len(slopes) > 2 or options or any(s is None or s == 0 for s in slopes):
        return None
    return tuple(hurried_rule(i, slope, len(slopes), shortcuts.get(i)) for i, slope in enumerate(slopes))


def slope_tangent(slopes: tuple[Slope, ...]) -> Callable[..., Any]:
    """The tangent: each argument's tangent times its slope, added up, in the shape of the result."""
    def tangent(tangents: list[Array | None], y: Array, *args: Array, **params: Any) -> Array:
        total: Array = None
        for t, slope in zip(tangents, slopes):
            if t is not None and slope is not None:
                s = slope(y, *args, **params) if callable(slope) else slope
                d = t if not callable(slope) and slope == 1 else chain(t, s)
                total = d if total is None else total + d
        return like(total, y)
    return tangent


@lru_cache(maxsize=4096)
def elementwise_dtype(forward: Callable[..., Any], kinds: tuple[Any, ...], params: tuple[Any, ...]) -> np.dtype[Any]:
    """The dtype of a result; `kinds` has dtype and weakness of each argument (not an example: 1 and 1.0 are equal keys)."""
    made = [None if kind is None else Type((), *kind).example() for kind in kinds]
    with np.errstate(all="ignore"):
        return np.asarray(forward(*made, **dict(params))).dtype


def elementwise_type(name: str, forward: Callable[..., Any], *types: Type | None, **params: Any) -> Type:
    """Shapes broadcast; the dtype is what NumPy makes of empty arrays of these dtypes."""
    known = [t for t in types if t is not None]
    kinds = tuple(None if t is None else (t.dtype, t.weak) for t in types)
    try:
        dtype = elementwise_dtype(forward, kinds, tuple(params.items()))
    except TypeError:
        raise DTypeError(f"{name} has no meaning for {' and '.join(map(str, known))}.") from None
    return Type(broadcast(name, *known), dtype)


def gate(*slopes: Slope, domain: Any = (-3.0, 3.0), tex: str | None = None, samples: Samples | None = None,
         prepare: Callable[..., Any] | None = None, forward: Callable[..., Any] | None = None) -> Declaration:
    """An elementwise composite: a body of smaller operations that opens it, and slopes that are simpler or more accurate.

    `forward` computes its values in NumPy where the body, which is written to be read, would be slower, overflow or round.
    """
    domains = domain if isinstance(domain[0], tuple) else (domain,) * len(slopes)

    def declare(body: Callable[..., Any]) -> Primitive:
        make = composite(
            backward=tuple(slope_rule(i, slope) for i, slope in enumerate(slopes)), tangent=slope_tangent(slopes),
            result=lambda *types, **params: elementwise_type(prim.name, prim.forward, *types, **params),
            batch=lambda flags, *args, **params: prim(*align(flags, args), **params), samples=samples or in_domains(domains),
            prepare=prepare, tex=tex, slopes=slopes, hurried=hurried_rules(slopes, body, {}), domain=domains, forward=forward)
        prim = make(body)
        return prim
    return declare
