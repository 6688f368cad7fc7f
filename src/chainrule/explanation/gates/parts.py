"""Parts are an operation in smaller ones, where the vocabulary has none or a textbook writes it otherwise.

There are two kinds: functions of engine operations, and forwards, which NumPy runs on arrays of wires.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.interpreter import concrete
from chainrule.core.primitive import Primitive
from chainrule.core.type import Array, Shape, typeof
from chainrule.ops.arithmetic import abs, multiply
from chainrule.ops.broadcasting import stop_gradient, sum
from chainrule.ops.columns import Padding, gathered, padded
from chainrule.ops.convolution import kernel_type
from chainrule.ops.cumulative import cumsum
from chainrule.ops.einsum import einsum
from chainrule.ops.exponential import exp, log, log1p
from chainrule.ops.indexing import add_at
from chainrule.ops.matmul import matmul
from chainrule.ops.pooling import cropped, divided, places, pooled, winners
from chainrule.ops.power import sqrt, square
from chainrule.ops.reduction import logsumexp, max
from chainrule.ops.softmax import softmax
from chainrule.ops.statistics import centred, freedom, mean, var

from .rows import average, best, greater_of, lesser_of, total
from .wires import Number

SAFE = 300.0
"""Exponentials of scores whose greatest is nearer to 0 than this are summed as they are: nothing overflows or vanishes."""


# ---------------------------------------------------------------------------------------- functions of engine operations
def is_safe(x: Array, axis: Any) -> bool:
    return bool((np.abs(np.max(concrete(x, "gates"), axis=axis)) < SAFE).all())


def softmax_parts(x: Array, *, axis: int) -> Array:
    """Without taking off the greatest score first, which textbooks leave out; where it is needed, with it."""
    if not is_safe(x, axis):
        return softmax.body(x, axis=axis)  # type: ignore[misc]
    e = exp(x)
    return e / sum(e, axis=axis, keepdims=True)


def logsumexp_parts(x: Array, *, axis: Shape, keepdims: bool) -> Array:
    if not is_safe(x, axis):
        return logsumexp.body(x, axis=axis, keepdims=keepdims)  # type: ignore[misc]
    return log(sum(exp(x), axis=axis, keepdims=keepdims))


def logcumsumexp_parts(x: Array, *, axis: int) -> Array:
    top = 0.0 if is_safe(x, axis) else stop_gradient(max(x, axis=axis, keepdims=True))
    return log(cumsum(exp(x - top), axis=axis)) + top


def var_parts(x: Array, *, axis: Shape, keepdims: bool, correction: float) -> Array:
    return sum(square(centred(x, axis=axis)), axis=axis, keepdims=keepdims) / freedom(x, axis, correction)


def length_parts(x: Array, *, axis: Shape, keepdims: bool, ord: float) -> Array:
    if ord == 2:
        return sqrt(sum(square(x), axis=axis, keepdims=keepdims))
    return sum(abs(x) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)


PARTS: dict[str, Callable[..., Array]] = {
    "softmax": softmax_parts, "logsumexp": logsumexp_parts, "logcumsumexp": logcumsumexp_parts,
    "centred": lambda x, axis: x - mean(x, axis=axis, keepdims=True), "var": var_parts,
    "std": lambda x, **options: sqrt(var(x, **options)), "length": length_parts,
    "chain": multiply, "chain_matmul": matmul, "chain_einsum": einsum,
    "pow": lambda a, b: exp(b * log(a)), "hypot": lambda a, b: sqrt(a * a + b * b),
    "logaddexp": lambda a, b: log(exp(a) + exp(b)), "xlogy": lambda x, z: x * log(z), "xlog1py": lambda x, z: x * log1p(z),
}
"""By the name of the operation: `(*arguments, **options) -> result`, in engine operations, in place of its body if any."""


def parts_of(prim: Primitive) -> Callable[..., Array] | None:
    return PARTS.get(prim.name, prim.body)


# ---------------------------------------------------------------------------------------- forwards on arrays of wires
def window_sums(x: Array, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Array:
    wide = padded(x, padding)
    first, *others = places(kernel, pooled(typeof(x), kernel, stride, padding, dilation).shape[2:], stride, dilation)
    y = wide[first]
    for place in others:
        y = y + wide[place]
    return y


def window_averages(x: Array, counted: Padding, **options: Any) -> Array:
    y = window_sums(x, dilation=(1,) * len(options["kernel"]), **options)
    return divided(y, x.shape[2:], y.shape[2:], counted=counted, **options)


def window_winners(h: Array, x: Array, y: Array, padding: Padding, **options: Any) -> Array:
    wide, picked = padded(h, padding), np.zeros(y.shape, object)
    for place, won in winners(x, y, padding=padding, **options):
        picked = np.where(won, wide[place], picked)
    return picked


def scattered_winners(g: Array, x: Array, y: Array, padding: Padding, **options: Any) -> Array:
    wide = padded(np.zeros(x.shape, object), padding)
    for place, won in winners(x, y, padding=padding, **options):
        wide[place] += np.where(won, g, 0)
    return cropped(wide, padding)


def kernel_products(x: Array, g: Array, padding: Padding, **options: Any) -> Array:
    kernel = kernel_type(typeof(x), typeof(g), padding=padding, **options).shape[2:]
    return gathered(padded(x, padding), g, kernel, **options)


FORWARDS: dict[str, Callable[..., Array]] = {
    "cast": lambda x, dtype: x, "average_windows": window_averages, "max_gather": window_winners,
    "max_scatter": scattered_winners, "kernel_convolution": kernel_products,
}
"""By the name of the operation: what NumPy runs on arrays of wires, where that cannot be the operation's own forward."""


def sums(x: Array, axis: Shape, keepdims: bool) -> Array:
    return np.add.reduce(x, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]


FOLDS: dict[str, tuple[Callable[..., Array], Callable[..., Number]]] = {
    "sum": (sums, total), "mean": (sums, average), "max": (sums, best(greater_of, shared=True)),
    "min": (sums, best(lesser_of, shared=True)), "max_at": (add_at.forward, best(greater_of, shared=True)),
    "max_windows": (window_sums, best(greater_of, shared=False)),
}
"""By the name of an operation that makes one number of many: a forward that sums up the same ones, and what is made of them."""
