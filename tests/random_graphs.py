"""A random program is drawn from the operation table: the same seed and types give the same program, run or staged."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.core.interpreter import entered
from chainrule.core.primitive import Primitive
from chainrule.core.stage import Graph, Stage
from chainrule.core.type import Type, is_float, typeof
from chainrule.errors import ChainruleError
from chainrule.ops import ALL

SIZES = (1, 1, 2, 3, 3, 4, 5, 17)
LARGEST = 4000
DTYPES = ("float32",) * 6 + ("float64",) * 3 + ("int64", "int32", "bool")
NAMES = {prim.name: prim for prim in ALL}
STRANGE = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e5, 1e-30)
Rng = np.random.Generator


@dataclass
class Program:
    """A function of arrays that takes random steps, the same ones each time it is called on arrays of the same types."""

    seed: int
    types: list[Type]
    steps: int

    def __call__(self, *args: Any) -> tuple[Any, ...]:
        walk = Walk(np.random.default_rng([self.seed, 1]), list(args))
        for _ in range(self.steps):
            walk.step()
        return walk.results()

    def inputs(self) -> list[Any]:
        rng = np.random.default_rng([self.seed, 2])
        return [numbers(rng, t) for t in self.types]

    def graph(self) -> Graph:
        """The program, staged."""
        with entered(Stage()) as staging:
            symbols = [staging.input(t) for t in self.types]
            staging.graph.output = self(*symbols)
        return staging.graph


def random_program(seed: int) -> Program:
    rng = np.random.default_rng([seed, 0])
    sizes = rng.choice(SIZES, 3)
    if rng.random() < 0.04:
        sizes[0] = 0
    if rng.random() < 0.04:
        sizes = np.array([1, 3, rng.choice((64, 100, 1000))])
    types = [Type(shape_of(rng, sizes), np.dtype(str(rng.choice(DTYPES)))) for _ in range(rng.integers(1, 5))]
    if rng.random() < 0.15:
        types.append(Type((), np.dtype("float64"), weak=True))
    return Program(seed, types, int(rng.integers(2, 12)))


def shape_of(rng: Rng, sizes: Any) -> tuple[int, ...]:
    """The last few of the sizes, some of them replaced by 1, so that shapes broadcast."""
    rank = int(rng.choice((0, 1, 2, 2, 2, 3, 3)))
    return tuple(1 if rng.random() < 0.15 else int(n) for n in sizes[3 - rank:])


def numbers(rng: Rng, t: Type) -> Any:
    """Values of a type; some arrays have zeros and equal numbers, some have numbers that are none, or infinite, or large."""
    kind = t.dtype.kind
    if t.weak:
        return float(rng.normal())
    if kind == "b":
        return rng.random(t.shape) < 0.5
    if kind in "iu":
        return rng.integers(-4, 9, t.shape).astype(t.dtype)
    x = rng.normal(size=t.shape)
    if rng.random() < 0.2:
        x = np.round(x)
    if rng.random() < 0.06 and x.size:
        x = np.array(x)
        x.flat[rng.integers(0, x.size, 2)] = rng.choice(STRANGE, 2)
    return np.asarray(x, t.dtype)


class Skip(Exception):
    """A step that does not fit the values at hand."""


@dataclass
class Walk:
    """The values made so far; each step makes one more of them."""

    rng: Rng
    values: list[Any]
    used: set[int] = field(default_factory=set)
    depth: int = 0

    def step(self) -> None:
        for _ in range(5):
            move = MOVES[self.rng.choice(len(MOVES), p=CHANCES)]
            try:
                out = move(self)
            except (Skip, ChainruleError, TypeError, ValueError, ZeroDivisionError):
                continue
            made = list(out) if isinstance(out, tuple | list) else [out]
            if all(typeof(y).size <= LARGEST for y in made):
                self.values.extend(made)
                return

    def pick(self, wanted: Callable[[Type], bool] = lambda t: not t.weak) -> Any:
        fitting = [i for i, v in enumerate(self.values) if wanted(typeof(v))]
        if not fitting:
            raise Skip
        recent = fitting[-4:] if self.rng.random() < 0.7 else fitting
        i = recent[self.rng.integers(len(recent))]
        self.used.add(i)
        return self.values[i]

    def real(self) -> Any:
        return self.pick(lambda t: is_float(t.dtype) and not t.weak)

    def partner(self, x: Any) -> Any:
        """Something that broadcasts with x: another value, or a number."""
        if self.rng.random() < 0.25:
            return float(self.rng.choice((0.0, 1.0, -1.0, 2.0, 0.5, -3.0, 0.3)))
        shape = typeof(x).shape
        return self.pick(lambda t: broadcasts(t.shape, shape))

    def results(self) -> tuple[Any, ...]:
        """What nothing else used, and what was made last."""
        ends = [v for i, v in enumerate(self.values) if i not in self.used or i >= len(self.values) - 2]
        return tuple(v for v in ends if not typeof(v).weak)


def broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1]))


# ---------------------------------------------------------------------------------------- element by element
ELEMENTWISE = [prim for prim in ALL if prim.slopes is not None and prim.domain and prim.name not in (
    "nextafter", "prelu", "threshold", "drop", "bernoulli_cross_entropy", "hardtanh", "clip")]
UNARY = [prim for prim in ELEMENTWISE if len(prim.slopes) == 1]
BINARY = [prim for prim in ELEMENTWISE if len(prim.slopes) == 2]
PLAIN = [NAMES[n] for n in ("add", "subtract", "multiply", "maximum", "minimum", "chain", "divide")]
COMPARISONS = [NAMES[n] for n in ("less", "less_equal", "greater", "equal", "not_equal", "greater_equal")]


def tamed(walk: Walk, x: Any, low: float, high: float) -> Any:
    """The value brought smoothly into an interval, mostly."""
    if walk.rng.random() < 0.1 or (low <= -3 and high >= 3):
        return x
    return cr.sin(x) * ((high - low) / 2) + (high + low) / 2


def unary(walk: Walk) -> Any:
    prim = walk.rng.choice(UNARY)
    x = walk.real()
    return prim(tamed(walk, x, *prim.domain[0]))


def binary(walk: Walk) -> Any:
    prim = walk.rng.choice(BINARY)
    x = walk.real()
    y = walk.partner(x)
    return prim(tamed(walk, x, *prim.domain[0]), y if type(y) is float else tamed(walk, y, *prim.domain[1]))


def plain(walk: Walk) -> Any:
    x = walk.pick()
    y = walk.partner(x)
    args = (x, y) if walk.rng.random() < 0.7 else (y, x)
    return walk.rng.choice(PLAIN)(*args)


def whole(walk: Walk) -> Any:
    names = ("bitwise_and", "bitwise_or", "bitwise_xor", "add", "multiply", "subtract", "floor_divide", "remainder", "negative",
             "abs", "sign", "logical_and", "logical_or", "logical_not", "square")
    prim = NAMES[walk.rng.choice(names)]
    x = walk.pick(lambda t: t.dtype.kind in "iub")
    return prim(x) if prim.arity == 1 else prim(x, walk.pick(lambda t: t.dtype.kind in "iub" and broadcasts(t.shape, x.shape)))


def choice(walk: Walk) -> Any:
    x = walk.real()
    y = walk.partner(x)
    condition = walk.rng.choice(COMPARISONS)(x, walk.partner(x))
    return cr.where(condition, x, y) if walk.rng.random() < 0.8 else condition


def casts(walk: Walk) -> Any:
    dtype = walk.rng.choice(("float32", "float64", "float32", "int32", "int64", "bool"))
    x = walk.pick(lambda t: not t.weak)
    if dtype in ("int32", "int64") and is_float(typeof(x).dtype):
        x = cr.nan_to_num(cr.sin(x)) * 20
    return cr.astype(x, dtype)


# ---------------------------------------------------------------------------------------- movements
def movement(walk: Walk) -> Any:
    x = walk.pick(lambda t: not t.weak)
    return walk.rng.choice(MOVEMENTS)(walk.rng, x)


def reshaped(rng: Rng, x: Any) -> Any:
    shape = list(x.shape)
    if rng.random() < 0.5:
        return cr.expand_dims(x, int(rng.integers(0, len(shape) + 1)))
    if len(shape) < 2 or rng.random() < 0.3:
        return cr.reshape(x, (-1,)) if x.size else x
    i = int(rng.integers(0, len(shape) - 1))
    return cr.reshape(x, (*shape[:i], shape[i] * shape[i + 1], *shape[i + 2:]))


def transposed(rng: Rng, x: Any) -> Any:
    return cr.permute_dims(x, tuple(int(i) for i in rng.permutation(len(x.shape))))


def repeated(rng: Rng, x: Any) -> Any:
    shape = tuple(int(rng.choice((2, 3))) if n == 1 and rng.random() < 0.7 else n for n in x.shape)
    return cr.broadcast_to(x, (2, *shape) if rng.random() < 0.5 else shape)


def sliced(rng: Rng, x: Any) -> Any:
    def entry(n: int) -> Any:
        kind = rng.random()
        if n and kind < 0.2:
            return int(rng.integers(-n, n))
        start = int(rng.integers(0, n + 1))
        if kind < 0.75:
            return slice(None) if kind < 0.5 else slice(start, None)
        return slice(None, None, int(rng.choice((-1, 2, -2))))
    return x[tuple(entry(n) for n in x.shape)]


def cut_and_joined(rng: Rng, x: Any) -> Any:
    axis = int(rng.integers(0, max(len(x.shape), 1)))
    at = int(rng.integers(0, x.shape[axis] + 1)) if x.shape else 0
    pieces = cr.split(x, [at], axis=axis)
    return cr.concat(pieces[::-1] if rng.random() < 0.5 else [*pieces, x], axis=axis)


def framed(rng: Rng, x: Any) -> Any:
    return cr.pad(x, [(int(rng.integers(0, 3)), int(rng.integers(0, 2))) for _ in x.shape])


MOVEMENTS = np.array([
    reshaped, transposed, transposed, repeated, sliced, sliced, cut_and_joined, framed,
    lambda rng, x: cr.flip(x), lambda rng, x: cr.roll(x, 1, 0), lambda rng, x: cr.stack([x, x], axis=0),
    lambda rng, x: cr.squeeze(x), lambda rng, x: cr.stop_gradient(x),
], dtype=object)


# ---------------------------------------------------------------------------------------- reductions and contractions
def axes_of(rng: Rng, x: Any) -> Any:
    ndim = len(x.shape)
    if rng.random() < 0.3 or not ndim:
        return None
    return tuple(int(a) for a in rng.choice(ndim, rng.integers(1, ndim + 1), replace=False))


def reduction(walk: Walk) -> Any:
    prim = NAMES[walk.rng.choice(("sum", "sum", "mean", "max", "min", "prod", "var", "std", "logsumexp"))]
    x = walk.real()
    return prim(x, axis=axes_of(walk.rng, x), keepdims=bool(walk.rng.random() < 0.5))


def counted(walk: Walk) -> Any:
    prim = NAMES[walk.rng.choice(("sum", "any", "all", "count_nonzero", "max"))]
    x = walk.pick(lambda t: t.dtype.kind in "iub")
    return prim(x, axis=axes_of(walk.rng, x), keepdims=bool(walk.rng.random() < 0.5))


def along_axis(walk: Walk) -> Any:
    prim = NAMES[walk.rng.choice((
        "softmax", "log_softmax", "softmax", "cumsum", "cumprod", "logcumsumexp", "argmax", "argmin", "sort", "centred",
        "standardize", "divide_by_rms"))]
    x = walk.pick(lambda t: is_float(t.dtype) and t.ndim > 0)
    return prim(x, axis=int(walk.rng.integers(0, len(x.shape))))


def product(walk: Walk) -> Any:
    a = walk.pick(lambda t: is_float(t.dtype) and t.ndim > 0)
    n = a.shape[-1]
    if walk.rng.random() < 0.4:
        m = int(walk.rng.choice((1, 3, 8, 17)))
        return cr.matmul(a, walk.rng.normal(size=(n, m)).astype(a.dtype))
    b = walk.pick(lambda t: is_float(t.dtype) and t.ndim > 0 and n in t.shape[-2:])
    if len(b.shape) > 1 and b.shape[-2] != n:
        b = b.mT
    return NAMES[walk.rng.choice(("matmul", "chain_matmul"))](a, b)


def einsum(walk: Walk) -> Any:
    a = walk.pick(lambda t: is_float(t.dtype) and t.ndim == 2)
    b = walk.pick(lambda t: is_float(t.dtype) and t.ndim == 2)
    return cr.einsum(str(walk.rng.choice(("ij,jk->ik", "ij,ij->i", "ij,kj->ki", "ij,ij->ij", "ij,ik->jk", "ij,kl->ijl"))), a, b)


def layer(walk: Walk) -> Any:
    x = walk.pick(lambda t: is_float(t.dtype) and t.ndim > 0)
    m = int(walk.rng.choice((1, 3, 8)))
    weight, bias = walk.rng.normal(size=(m, x.shape[-1])), walk.rng.normal(size=(m,))
    return NAMES["linear"](x, weight.astype(x.dtype), bias.astype(x.dtype) if walk.rng.random() < 0.7 else None)


# ---------------------------------------------------------------------------------------- indexing
def picked(walk: Walk) -> Any:
    x = walk.pick(lambda t: t.ndim > 0 and t.shape[0] > 0)
    n = x.shape[0]
    places = walk.rng.integers(-n, n, walk.rng.choice((1, 3, 4)))
    if walk.rng.random() < 0.5:
        return x[places]
    index = cr.argmax(x, axis=0) if len(x.shape) > 1 and walk.rng.random() < 0.3 and is_float(x.dtype) else places
    return NAMES["get_at"](x, index)


def scattered(walk: Walk) -> Any:
    x = walk.pick(lambda t: is_float(t.dtype) and t.ndim > 0 and t.shape[0] > 0)
    n = x.shape[0]
    places = walk.rng.integers(0, n, 3)
    v = x[walk.rng.integers(0, n, 3)] if walk.rng.random() < 0.7 else 0.5
    if walk.rng.random() < 0.7:
        return x.at[places].add(v) if hasattr(x, "at") else NAMES["add_at"](x, v, places)
    return NAMES["put_part"](x, 1.5, key=(int(places[0]),))


# ---------------------------------------------------------------------------------------- anything in the table
SAMPLED = [prim for prim in ALL if prim.name not in (
    "eigh", "svd", "qr", "pinv", "nextafter", "matrix_rank", "searchsorted", "spherical_bessel", "bernoulli_cross_entropy")]


FRAMED = frozenset({"convolution", "transposed_convolution", "kernel_convolution"})
"""Operations that multiply by zeros around and between the elements, or leave them out: with NaN that is not the same."""


def sampled(walk: Walk) -> Any:
    """Any operation on one of its samples, moved a little by a value at hand."""
    prim: Primitive = walk.rng.choice(np.array(SAMPLED, dtype=object))
    samples = prim.samples(np.random.default_rng(int(walk.rng.integers(1 << 30))))
    sample = samples[walk.rng.integers(len(samples))]
    x = walk.real()
    nudge = cr.sin(cr.mean(x)) * 0.05 if x.size else cr.sum(x)
    if prim.name in FRAMED:
        nudge = cr.nan_to_num(nudge)
    args = list(sample.args)
    moving = [i for i, (a, rule) in enumerate(zip(args, prim.backward)) if a is not None and rule and is_float(typeof(a).dtype)]
    for i in moving if sample.smooth else ():
        args[i] = np.asarray(args[i], x.dtype) + nudge
    return prim(*args, **sample.params)


# ---------------------------------------------------------------------------------------- gradients
def gradient(walk: Walk) -> Any:
    """The gradient of a random scalar function of a value."""
    if walk.depth > 1:
        raise Skip
    x, seed, depth = walk.real(), int(walk.rng.integers(1 << 30)), walk.depth + 1
    steps = int(walk.rng.integers(1, 5))

    def scalar(x: Any) -> Any:
        inner = Walk(np.random.default_rng(seed), [x, x], depth=depth)
        for _ in range(steps):
            inner.step()
        total = x.sum() * 0.5
        for y in inner.values[2:]:
            if is_float(typeof(y).dtype):
                total = total + cr.sum(cr.sin(y))
        return total
    return cr.grad(scalar)(x)


def looped(walk: Walk) -> Any:
    """A loop over the rows of a value, with a random body."""
    x = walk.pick(lambda t: is_float(t.dtype) and t.ndim > 0 and 0 < t.shape[0] < 6)
    if walk.depth > 1:
        raise Skip
    seed, depth, steps = int(walk.rng.integers(1 << 30)), walk.depth + 2, int(walk.rng.integers(1, 4))

    def step(carry: Any, row: Any) -> Any:
        inner = Walk(np.random.default_rng(seed), [carry, row, x], depth=depth)
        for _ in range(steps):
            inner.step()
        last = next(v for v in reversed(inner.values) if is_float(typeof(v).dtype))
        new = cr.sin(carry + row) * 0.5 + (cr.mean(cr.sin(last)) if last.size else 0.0)
        return cr.astype(new, row.dtype), last
    carry, rows = cr.scan(step, np.zeros(x.shape[1:], x.dtype), x, reverse=bool(walk.rng.random() < 0.3))
    return carry, rows


WEIGHTS = (
    (unary, 14), (binary, 10), (plain, 16), (whole, 4), (choice, 6), (casts, 5), (movement, 18), (reduction, 12), (counted, 2),
    (along_axis, 7), (product, 7), (einsum, 3), (layer, 3), (picked, 4), (scattered, 3), (sampled, 6), (looped, 2),
    (gradient, 12))
MOVES = [move for move, _ in WEIGHTS]
CHANCES = np.array([w for _, w in WEIGHTS]) / sum(w for _, w in WEIGHTS)
