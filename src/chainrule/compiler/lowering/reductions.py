"""Reductions, and what is made of them: means, softmax, norms and normalizations, as nodes."""
from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from chainrule.core.stage import Line
from chainrule.core.type import Shape, Type

from .building import Builder, Handler
from .nodes import Ref
from .scalars import exp, isfinite, log, power, sqrt, square


def cast(builder: Builder, x: Ref, dtype: Any) -> Ref:
    return x if x.dtype == dtype else builder.zip(lambda v: v, x, dtype=dtype)


def count(x: Ref, axis: Shape) -> int:
    return prod(x.shape[a] for a in axis)


def finished(builder: Builder, x: Ref, line: Line) -> Ref:
    """A result in the type of the line's target."""
    t: Type = line.targets[0].type
    return cast(builder, builder.reshape(x, t.shape), t.dtype)


# ---------------------------------------------------------------------------------------- plain ones
def total(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    return finished(builder, builder.reduce(cast(builder, x, line.targets[0].type.dtype), axis), line)


def product(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    return finished(builder, builder.reduce(cast(builder, x, line.targets[0].type.dtype), axis, "prod"), line)


def greatest(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    return finished(builder, builder.reduce(x, axis, "max"), line)


def least(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    return finished(builder, builder.reduce(x, axis, "min"), line)


def truth(builder: Builder, x: Ref) -> Ref:
    return builder.zip(lambda v: v.truth(), x, dtype=np.bool_)


def every(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    return finished(builder, builder.reduce(truth(builder, x), axis, "all"), line)


def some(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    return finished(builder, builder.reduce(truth(builder, x), axis, "any"), line)


def count_nonzero(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    return finished(builder, builder.reduce(cast(builder, truth(builder, x), np.dtype(np.int64)), axis), line)


# ---------------------------------------------------------------------------------------- means and spreads
def average(builder: Builder, x: Ref, axis: Shape) -> Ref:
    """The mean, whose axes stay with size 1."""
    n = count(x, axis)
    return builder.zip(lambda s: s / n, builder.reduce(x, axis))


def real(builder: Builder, x: Ref) -> Ref:
    return x if x.dtype.kind == "f" else cast(builder, x, np.dtype(np.float64))


def mean(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    return finished(builder, average(builder, real(builder, x), axis), line)


def distances(builder: Builder, x: Ref, axis: Shape) -> Ref:
    """How far elements are from their mean, which is corrected once, so that a constant gives exactly 0."""
    rough = average(builder, x, axis)
    more = average(builder, builder.zip(lambda v, m: v - m, x, rough), axis)
    return builder.zip(lambda v, a, b: v - (a + b), x, rough, more)


def centred(builder: Builder, line: Line, x: Ref, axis: Shape) -> Ref:
    return finished(builder, distances(builder, real(builder, x), axis), line)


def variance(builder: Builder, x: Ref, axis: Shape, correction: float) -> Ref:
    n = count(x, axis)
    freedom = n - correction if n > correction else 0.0
    squares = builder.zip(square, distances(builder, real(builder, x), axis))
    return builder.zip(lambda s: s / freedom, builder.reduce(squares, axis))


def var(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool, correction: float) -> Ref:
    return finished(builder, variance(builder, x, axis, correction), line)


def std(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool, correction: float) -> Ref:
    return finished(builder, builder.zip(sqrt, variance(builder, x, axis, correction)), line)


def standardize(builder: Builder, line: Line, x: Ref, axis: Shape, eps: float) -> tuple[Ref, ...]:
    center = average(builder, x, axis)
    centered = builder.zip(lambda v, m: v - m, x, center)
    spread = average(builder, builder.zip(square, centered), axis)
    scale = builder.zip(lambda v: 1 / sqrt(v + eps), spread)
    return builder.zip(lambda v, s: v * s, centered, scale), center, spread


def divide_by_rms(builder: Builder, line: Line, x: Ref, axis: Shape, eps: float) -> Ref:
    spread = average(builder, builder.zip(square, x), axis)
    return builder.zip(lambda v, s: v * s, x, builder.zip(lambda v: 1 / sqrt(v + eps), spread))


def length(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool, ord: float) -> Ref:
    """Scaled by the greatest size (of a negative order, the least), as in the operation itself."""
    size = builder.zip(abs_of, x)
    extreme = builder.reduce(size, axis, "max" if ord > 0 else "min")
    scale = builder.zip(lambda m: ((m > 0) & isfinite(m)).chosen(m, 1), extreme)
    parts = builder.zip(lambda v, s: square(v / s) if ord == 2 else power(v / s, ord), size, scale, costly=ord != 2)
    return finished(builder, builder.zip(
        lambda t, s: s * (sqrt(t) if ord == 2 else power(t, 1 / ord)), builder.reduce(parts, axis), scale), line)


def abs_of(x: Any) -> Any:
    return x.apply("abs")


# ---------------------------------------------------------------------------------------- exponentials
def logsumexp(builder: Builder, line: Line, x: Ref, axis: Shape, keepdims: bool) -> Ref:
    x = real(builder, x)
    top = builder.zip(lambda m: isfinite(m).chosen(m, 0), builder.reduce(x, axis, "max"))
    parts = builder.reduce(builder.zip(lambda v, t: exp(v - t), x, top, costly=True), axis)
    return finished(builder, builder.zip(lambda s, t: log(s) + t, parts, top), line)


def shifted_and_sum(builder: Builder, x: Ref, axis: int) -> tuple[Ref, Ref, Ref]:
    """The scores less the greatest, their exponentials, and the sum of these."""
    shifted = builder.zip(lambda v, m: v - m, x, builder.reduce(x, (axis,), "max"))
    e = builder.zip(exp, shifted, costly=True)
    return shifted, e, builder.reduce(e, (axis,))


def softmax(builder: Builder, line: Line, x: Ref, axis: int) -> Ref:
    _, e, whole = shifted_and_sum(builder, real(builder, x), axis)
    return finished(builder, builder.zip(lambda v, r: v * r, e, builder.zip(lambda s: 1 / s, whole)), line)


def shifted_and_log(builder: Builder, x: Ref, axis: int) -> tuple[Ref, Ref]:
    """The scores less the greatest, and the logarithm of the sum of their exponentials."""
    shifted, _, whole = shifted_and_sum(builder, x, axis)
    return shifted, builder.zip(log, whole, costly=True)


def log_softmax(builder: Builder, line: Line, x: Ref, axis: int) -> Ref:
    shifted, total = shifted_and_log(builder, real(builder, x), axis)
    return finished(builder, builder.zip(lambda v, t: v - t, shifted, total), line)


def softmax_cross_entropy(builder: Builder, line: Line, logits: Ref, target: Ref, ignore_index: int) -> Ref:
    axis = len(logits.shape) - 1
    shifted, total = shifted_and_log(builder, real(builder, logits), axis)
    if target.dtype.kind == "f":
        dtype = line.targets[0].type.dtype
        losses = builder.zip(lambda t, s, v: t.cast(dtype) * (s.cast(dtype) - v.cast(dtype)), target, total, shifted, dtype=dtype)
        return finished(builder, builder.reduce(losses, (axis,)), line)
    classes = logits.shape[-1]
    labels = builder.reshape(target, (*target.shape, 1))
    chosen = builder.map(lambda context, v, label: (label.cast(np.dtype(np.int64)).apply("remainder", classes).equals(
        context.position(axis))).chosen(v, 0), logits.shape, shifted.dtype, shifted, labels)
    return finished(builder, builder.zip(
        lambda t, c, label: (t - c) * label.differs(ignore_index), total, builder.reduce(chosen, (axis,)), labels), line)


def one_hot(builder: Builder, line: Line, labels: Ref, num_classes: int, dtype: Any) -> Ref:
    shape = (*labels.shape, num_classes)
    return builder.map(lambda context, label: label.cast(np.dtype(np.int64)).equals(context.position(len(shape) - 1)), shape,
                       dtype, builder.reshape(labels, (*labels.shape, 1)))


REDUCTIONS: dict[str, Handler] = {
    "sum": total, "prod": product, "max": greatest, "min": least, "all": every, "any": some, "count_nonzero": count_nonzero,
    "mean": mean, "centred": centred, "var": var, "std": std, "standardize": standardize, "divide_by_rms": divide_by_rms,
    "length": length, "logsumexp": logsumexp, "softmax": softmax, "log_softmax": log_softmax,
    "softmax_cross_entropy": softmax_cross_entropy, "one_hot": one_hot,
}
