"""Einsum names the axes of its arrays by letters, multiplies where letters meet, and sums those the result does not name."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.primitive import Each, Primitive
from chainrule.core.type import Array, Shape, Type, promote, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import cast, reshape
from .families import arrays, primitive, several
from .matmul import zero_wins

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
SMALL = 4096  # below so many multiplications one plain loop beats transposing for BLAS


class Call(NamedTuple):
    """A call in canonical form: every axis has a letter, the output is explicit, no axis of size 1 is left to repeat."""

    subscripts: str
    shapes: tuple[Shape, ...]


@lru_cache(maxsize=4096)
def canonical(subscripts: str, shapes: tuple[Shape, ...]) -> Call:
    """Spell out ellipses and an implicit output, drop the axes of size 1 that meet a longer one, and check everything."""
    where = f"einsum({subscripts!r}) on shapes {', '.join(map(str, shapes))}"
    left, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise ArgumentError(f"{where}: the subscripts name {len(terms)} arrays, but {len(shapes)} were given.")
    if not set(left.replace("...", "") + out.replace("...", "")) <= {*LETTERS, ","}:
        raise ArgumentError(f"{where}: subscripts are letters, commas, one '->' and '...'.")
    hidden = [len(s) - len(t) + 3 if "..." in t else 0 for t, s in zip(terms, shapes)]
    spare = [c for c in LETTERS if c not in subscripts][:max(hidden)]
    terms = [t.replace("...", "".join(spare[len(spare) - n:]) if n > 0 else "") for t, n in zip(terms, hidden)]
    if not arrow:
        counts = Counter("".join(terms))
        out = "..." + "".join(sorted(c for c, n in counts.items() if n == 1 and c not in spare))
    out = out.replace("...", "".join(spare))
    sizes = label_sizes(where, terms, shapes)
    if len(set(out)) < len(out) or not set(out) <= set(sizes):
        raise ArgumentError(f"{where}: each letter of the output {out!r} must appear in it once, and in an input.")
    kept = [[(c, n) for c, n in zip(t, s) if n == sizes[c]] for t, s in zip(terms, shapes)]
    return Call(f"{','.join(''.join(c for c, _ in row) for row in kept)}->{out}",
                tuple(tuple(n for _, n in row) for row in kept))


def label_sizes(where: str, terms: list[str], shapes: tuple[Shape, ...]) -> dict[str, int]:
    """How long the axis of each letter is."""
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes):
        if len(term) != len(shape):
            raise ShapeError(f"{where}: {term!r} names {len(term)} axes, but the array has {len(shape)}.")
        if len(set(zip(term, shape))) > len(set(term)):
            raise ShapeError(f"{where}: {term!r} names a diagonal of the array of shape {shape}, whose sizes must be equal.")
        for c, n in zip(term, shape):
            if 1 not in (n, sizes.get(c, 1)) and sizes[c] != n:
                raise ShapeError(f"{where}: the axes named {c!r} have sizes {sizes[c]} and {n}; they must be equal.")
            sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    return sizes


def einsum_prepare(*operands: Array, subscripts: str | None = None) -> Any:
    if subscripts is None:
        subscripts, *rest = operands
        operands = tuple(rest)
    if not isinstance(subscripts, str):
        raise ArgumentError(f"einsum: the first argument is the subscripts, such as 'ij,jk->ik', not {subscripts!r}.")
    shapes = tuple(typeof(x).shape for x in operands)
    call = canonical(subscripts, shapes)
    if call.shapes != shapes:
        operands = tuple(x if a == b else reshape(x, a) for x, a, b in zip(operands, call.shapes, shapes))
    return operands, {"subscripts": call.subscripts}


def einsum_type(*types: Type, subscripts: str) -> Type:
    left, _, out = subscripts.partition("->")
    sizes = {c: n for term, t in zip(left.split(","), types) for c, n in zip(term, t.shape)}
    return Type(tuple(sizes[c] for c in out), promote(*types))


def einsum_rule(i: int, g: Array, y: Array, *operands: Array, subscripts: str) -> Array:
    """Exchange operand i and the output. A letter only operand i has is repeated; one it has twice leads to a diagonal."""
    left, _, out = subscripts.partition("->")
    terms = left.split(",")
    x, mine = operands[i], terms.pop(i)
    terms.append(out)
    factors = [*operands[:i], *operands[i + 1:], g]
    spare = (c for c in LETTERS if c not in subscripts)
    target = ""
    for c, n in zip(mine, x.shape):
        name = c
        if c in target:
            name = next(spare)
            terms.append(c + name)
            factors.append(np.eye(n, dtype=g.dtype))
        elif not any(c in t for t in terms):
            terms.append(c)
            factors.append(np.ones(n, g.dtype))
        target += name
    d = chain_einsum(*factors, subscripts=f"{','.join(terms)}->{target}")
    return d if d.dtype == x.dtype else cast(d, dtype=x.dtype)


def einsum_tangent(tangents: list[Array | None], y: Array, *operands: Array, subscripts: str) -> Array:
    total: Array = None
    for i, t in enumerate(tangents):
        if t is not None:
            d = chain_einsum(*operands[:i], t, *operands[i + 1:], subscripts=subscripts)
            total = d if total is None else total + d
    return total if total.dtype == y.dtype else cast(total, dtype=y.dtype)


def lettered(prim: Primitive, flags: list[bool], *operands: Array, subscripts: str) -> Array:
    """The batch rule: the batch axis gets a letter of its own."""
    left, _, out = subscripts.partition("->")
    c = next(c for c in LETTERS if c not in subscripts)
    terms = [c + term if many else term for term, many in zip(left.split(","), flags)]
    return prim(*operands, subscripts=f"{','.join(terms)}->{c}{out}")


class Pair(NamedTuple):
    """How two arrays are laid out for one (stacked) matrix product, and the result's axes put in order."""

    order_a: Shape
    order_b: Shape
    stacked: int
    summed: int
    order: Shape


@lru_cache(maxsize=4096)
def pairing(a: str, b: str, out: str) -> Pair:
    stacked = [c for c in out if c in a and c in b]
    summed = [c for c in a if c in b and c not in out]
    free_a, free_b = ([c for c in term if c in out and c not in stacked] for term in (a, b))
    made = [*stacked, *free_a, *free_b]
    return Pair(tuple(map(a.index, [*stacked, *free_a, *summed])), tuple(map(b.index, [*stacked, *summed, *free_b])),
                len(stacked), len(summed), tuple(map(made.index, out)))


def simplified(x: Array, term: str, needed: set[str]) -> tuple[Array, str]:
    """An array without repeated letters, and without those that nothing else needs."""
    kept = "".join(c for c in dict.fromkeys(term) if c in needed)
    return (x, term) if kept == term else (np.einsum(f"{term}->{kept}", x), kept)


def contract(a: Array, term_a: str, b: Array, term_b: str, out: str) -> Array:
    """Two arrays multiplied and summed, by BLAS where that pays."""
    sizes = dict(zip(term_a + term_b, a.shape + b.shape))
    if prod(sizes.values()) <= SMALL:
        return np.einsum(f"{term_a},{term_b}->{out}", a, b)
    a, term_a = simplified(a, term_a, {*term_b, *out})
    b, term_b = simplified(b, term_b, {*term_a, *out})
    way = pairing(term_a, term_b, out)
    a, b = a.transpose(way.order_a), b.transpose(way.order_b)
    n, k = way.stacked, way.summed
    lead, middle, tail = a.shape[:n], a.shape[n:a.ndim - k], b.shape[n + k:]
    inner = prod(b.shape[n:n + k])
    y = np.matmul(a.reshape(*lead, prod(middle), inner), b.reshape(*lead, inner, prod(tail)))
    return y.reshape(*lead, *middle, *tail).transpose(way.order)


@lru_cache(maxsize=4096)
def contraction_order(subscripts: str, shapes: tuple[Shape, ...]) -> list[tuple[int, ...]]:
    """Which operands to contract first, as NumPy's greedy search finds it."""
    return list(np.einsum_path(subscripts, *(np.broadcast_to(0.0, s) for s in shapes), optimize="greedy")[0][1:])


def chain_contract(a: Array, term_a: str, b: Array, term_b: str, out: str) -> Array:
    """The same, where 0 times infinity is 0."""
    def product(a: Array, b: Array) -> Array:
        return contract(a, term_a, b, term_b, out)
    return zero_wins(product, product(a, b), a, b)


def contracted(operands: tuple[Array, ...], subscripts: str, pair: Callable[..., Array]) -> Array:
    """Two arrays at a time by `pair`, until one is left."""
    left, _, out = subscripts.partition("->")
    if len(operands) == 1:
        return np.einsum(subscripts, operands[0])
    waiting = list(zip(map(np.asarray, operands), left.split(",")))
    order = contraction_order(subscripts, tuple(x.shape for x, _ in waiting)) if len(operands) > 2 else [(0, 1)]
    for chosen in order:
        (y, term), *others = [waiting.pop(i) for i in sorted(chosen, reverse=True)][::-1]
        for n, (x, other) in enumerate(others, 1):
            needed = {*out}.union(*(t for _, t in waiting), *(t for _, t in others[n:]))
            last = not waiting and n == len(others)
            made = out if last else "".join(c for c in dict.fromkeys(term + other) if c in needed)
            y, term = pair(y, term, x, other, made), made
        waiting.append((y, term))
    return waiting[0][0]


CALLS = several(
    arrays((3, 4), (4, 2), subscripts="ij,jk"), arrays((2, 3, 4), (2, 4, 3), subscripts="...ij,...jk->...ik"),
    arrays((3, 3), subscripts="ii"), arrays((3, 3, 2), (3,), subscripts="iij,k->ji"), arrays((3, 4), subscripts="ij->j"),
    arrays((2, 3), (3, 4), (4, 2), subscripts="ij,jk,ki->ik"), arrays((2, 1, 3), (4, 3), subscripts="...a,...a"),
    arrays((4, 6, 20), (4, 20, 12), subscripts="bij,bjk->kib"))
TEX = r"\operatorname{{einsum}}({subscripts})"


@primitive(
    backward=Each(einsum_rule), tangent=einsum_tangent, result=einsum_type, prepare=einsum_prepare, samples=CALLS, tex=TEX,
    batch=lambda flags, *operands, subscripts: lettered(einsum, flags, *operands, subscripts=subscripts))
def einsum(*operands: Array, subscripts: str) -> Array:
    """Products of arrays, summed over the letters that the output does not name: `einsum("ij,jk->ik", a, b)`.

    As `numpy.einsum`: `...` stands for axes that broadcast, a letter twice in one array takes its diagonal, and without `->`
    the output has the letters that appear once, in alphabetical order. Two arrays at a time, by matrix products. The
    gradient of each operand is an einsum too. Raises ArgumentError for malformed subscripts, ShapeError where sizes differ.

    >>> import chainrule as cr, numpy as np
    >>> cr.einsum("ij,j->i", np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0]))
    array([3., 7.])
    """
    if len(operands) == 2 and np.size(operands[0]) * np.size(operands[1]) <= SMALL:
        return np.einsum(subscripts, *operands)
    return contracted(operands, subscripts, contract)


@primitive(
    backward=Each(einsum_rule), tangent=einsum_tangent, result=einsum_type, prepare=einsum_prepare, samples=CALLS, tex=TEX,
    batch=lambda flags, *operands, subscripts: lettered(chain_einsum, flags, *operands, subscripts=subscripts))
def chain_einsum(*operands: Array, subscripts: str) -> Array:
    """The einsum of the chain rule, where 0 times anything, infinity and NaN included, is 0; see `chain`."""
    return contracted(operands, subscripts, chain_contract)
