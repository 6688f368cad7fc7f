"""A loss says how far the prediction is from the target, as one number.

Three conventions are in use for squares, and each has its name: `mse_loss` is the mean of the squares, over all elements;
`half_squared_error` is half their sum, whose gradient is `a - y` without a factor; and with `reduction="batchmean"` it is half
the sum over the number of examples, the quadratic cost of Nielsen, Neural networks and deep learning, 2015.

Every loss takes `reduction`: "mean" (over all elements), "sum", "batchmean" (the sum over the length of axis 0) or "none". The
two arrays must have the same shape, or one of them be a number: a column beside a row would broadcast to a table, and the loss
of that is a famous mistake. Raises ShapeError and ArgumentError.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.primitive import Sample
from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, ShapeError

from .activation import relu, sigmoid, softplus
from .arithmetic import abs
from .broadcasting import sum
from .choice import clip, maximum, minimum
from .cross_entropy import divisor_of, reduced_loss
from .elementwise import gate
from .exponential import exp, log, log1p, xlogy
from .families import Samples, arrays, several
from .power import pow, sqrt, square


def finished(name: str, losses: Array, reduction: str) -> Array:
    return reduced_loss(losses, divisor_of(name, reduction, typeof(losses)))


def check_pair(name: str, input: Array, target: Array) -> None:
    """Whether two arrays fit side by side, element by element."""
    a, b = typeof(input), typeof(target)
    if a.shape != b.shape and a.shape and b.shape:
        raise ShapeError(f"{name}: prediction {a} beside target {b}: the shapes must be equal. Reshape one of them, for instance "
                         f"target.reshape({a.shape}), or select the right column.")


# ---------------------------------------------------------------------------------------- distances
@gate(lambda y, input, target: 2 * (input - target), lambda y, input, target: 2 * (target - input),
      tex=r"\left({0} - {1}\right)^2")
def squared_error(input: Array, target: Array) -> Array:
    """The square of the difference, element by element."""
    return square(input - target)


def mse_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """The mean of the squared differences, over all elements; there is no factor 1/2.

    >>> import chainrule as cr, numpy as np
    >>> cr.mse_loss(np.array([1.0, 5.0]), np.array([1.0, 2.0]))
    np.float64(4.5)
    """
    check_pair("mse_loss", input, target)
    return finished("mse_loss", squared_error(input, target), reduction)


@gate(lambda y, input, target: input - target, lambda y, input, target: target - input,
      tex=r"\tfrac{{1}}{{2}} \left({0} - {1}\right)^2")
def half_square(input: Array, target: Array) -> Array:
    """Half the square of the difference, element by element: the factor makes the slope the difference itself."""
    return square(input - target) / 2


def half_squared_error(input: Array, target: Array, *, reduction: str = "sum") -> Array:
    """Half the sum of the squared differences, as in textbooks: its gradient in `input` is `input - target`.

    With `reduction="batchmean"`, the quadratic cost: half the sum over the number of examples.
    """
    check_pair("half_squared_error", input, target)
    return finished("half_squared_error", half_square(input, target), reduction)


def l1_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """The mean of the absolute differences; its slope where the two are equal is 0."""
    check_pair("l1_loss", input, target)
    return finished("l1_loss", abs(input - target), reduction)


def huber_values(input: Array, target: Array, delta: float) -> Array:
    distance = np.abs(np.subtract(input, target))
    inside = np.minimum(distance, delta)
    return inside * (distance - 0.5 * inside)


@gate(lambda y, input, target, delta: clip(input - target, -delta, delta),
      lambda y, input, target, delta: clip(target - input, -delta, delta),
      samples=several(arrays((3, 4), (4,)), arrays((3, 4), (3, 1), delta=0.5)), forward=huber_values,
      prepare=lambda input, target, delta=1.0: ((input, target), {"delta": delta}))
def huber(input: Array, target: Array, *, delta: float = 1.0) -> Array:
    """Half the squared difference up to `delta`, and a straight line beyond, element by element."""
    distance = abs(input - target)
    inside = minimum(distance, delta)
    return inside * (distance - 0.5 * inside)


def huber_loss(input: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0) -> Array:
    """Half the squared difference up to `delta`, and beyond it a straight line of slope `delta`.

    Source: Huber, Robust estimation of a location parameter, 1964.
    """
    check_pair("huber_loss", input, target)
    return finished("huber_loss", huber(input, target, delta=delta), reduction)


def smooth_l1_loss(input: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0) -> Array:
    """The Huber loss over `beta`: the absolute difference with its corner rounded. `beta=0` is `l1_loss`.

    Source: Girshick, Fast R-CNN, 2015.
    """
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    check_pair("smooth_l1_loss", input, target)
    return finished("smooth_l1_loss", huber(input, target, delta=beta) / beta, reduction)


def hinge_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """`max(0, 1 - target * input)` for targets -1 and 1: nothing once the score is right by a margin of 1."""
    check_pair("hinge_loss", input, target)
    return finished("hinge_loss", relu(1 - target * input), reduction)


# ---------------------------------------------------------------------------------------- two classes
def rates() -> Samples:
    """Scores, and chances between 0 and 1."""
    return lambda rng: [Sample((rng.normal(size=(3, 4)), rng.uniform(0.1, 0.9, size=s))) for s in ((3, 4), (4,))]


@gate(lambda y, logit, target: sigmoid(logit) - target, lambda y, logit, target: -logit, samples=rates(),
      tex=r"-{1} \log \sigma({0}) - (1 - {1}) \log \sigma(-{0})",
      forward=lambda x, t: np.maximum(np.multiply(x, np.subtract(1, t)), -np.multiply(x, t)) + np.log1p(np.exp(-np.abs(x))))
def sigmoid_cross_entropy(logit: Array, target: Array) -> Array:
    """The cross-entropy of yes-or-no answers, from logits, element by element, as one gate whose gradient is `p - y`."""
    return softplus(logit) - target * logit


def binary_cross_entropy_with_logits(input: Array, target: Array, weight: Array = None, *, reduction: str = "mean",
                                     pos_weight: Array = None) -> Array:
    """Cross-entropy between logits of yes-or-no questions and their answers: 0, 1, or a chance between.

    `weight` multiplies the elements' losses, `pos_weight` the part of the positive answers; both broadcast.
    """
    name = "binary_cross_entropy_with_logits"
    check_pair(name, input, target)
    if pos_weight is None:
        losses = sigmoid_cross_entropy(input, target)
    else:
        losses = (1 - target) * softplus(input) + pos_weight * target * softplus(-input)
    return finished(name, losses if weight is None else losses * weight, reduction)


LEAST_LOG = -100.0
"""Logarithms of chances are not taken to be less, as in PyTorch, so that a wrong certainty costs much and not infinity."""


def check_chances(input: Array) -> None:
    outside = (np.asarray(input) < 0) | (np.asarray(input) > 1)
    if outside.any():
        raise ArgumentError(f"binary_cross_entropy: the prediction {np.asarray(input)[outside][0]} is no chance between 0 and 1. "
                            "Give sigmoid(logits), or better the logits to binary_cross_entropy_with_logits.")


def bernoulli_values(input: Array, target: Array) -> Array:
    check_chances(input)
    with np.errstate(divide="ignore"):
        return -(target * np.maximum(np.log(input), LEAST_LOG)
                 + np.subtract(1, target) * np.maximum(np.log1p(np.negative(input)), LEAST_LOG))


@gate(lambda y, input, target: (input - target) / maximum(input * (1 - input), 1e-12),
      lambda y, input, target: maximum(log1p(-input), LEAST_LOG) - maximum(log(input), LEAST_LOG),
      samples=lambda rng: [Sample((rng.uniform(0.1, 0.9, (3, 4)), rng.uniform(size=(3, 4))))], forward=bernoulli_values,
      tex=r"-{1} \log {0} - (1 - {1}) \log(1 - {0})", domain=(0.1, 0.9))
def bernoulli_cross_entropy(input: Array, target: Array) -> Array:
    """The cross-entropy of yes-or-no answers, from chances, element by element. Raises ArgumentError outside [0, 1]."""
    return -(target * maximum(log(input), LEAST_LOG) + (1 - target) * maximum(log1p(-input), LEAST_LOG))


def binary_cross_entropy(input: Array, target: Array, weight: Array = None, *, reduction: str = "mean") -> Array:
    """Cross-entropy between foretold chances and answers: 0, 1, or a chance between; `weight` multiplies the elements' losses.

    `binary_cross_entropy_with_logits` keeps the digits that a chance near 0 or 1 has lost.
    """
    check_pair("binary_cross_entropy", input, target)
    losses = bernoulli_cross_entropy(input, target)
    return finished("binary_cross_entropy", losses if weight is None else losses * weight, reduction)


# ---------------------------------------------------------------------------------------- distributions and directions
def kl_div(input: Array, target: Array, *, reduction: str = "mean", log_target: bool = False) -> Array:
    """The divergence of Kullback and Leibler, `target (log target - input)`, where `input` holds log-probabilities.

    With `log_target`, so does `target`. "batchmean" is the mathematical definition, for one distribution in each row.
    """
    check_pair("kl_div", input, target)
    losses = exp(target) * (target - input) if log_target else xlogy(target, target) - target * input
    return finished("kl_div", losses, reduction)


def length(x: Array, p: float, axis: int, *, keepdims: bool) -> Array:
    """The p-norm along an axis."""
    if p == 2:
        return sqrt(sum(square(x), axis=axis, keepdims=keepdims))
    return pow(sum(pow(abs(x), p), axis=axis, keepdims=keepdims), 1 / p)


def normalize(input: Array, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> Array:
    """The array over its p-norm along `axis`, or over `eps` where the norm is less."""
    return input / maximum(length(input, p, axis, keepdims=True), eps)


def cosine_similarity(x1: Array, x2: Array, axis: int = 1, eps: float = 1e-8) -> Array:
    """The cosine of the angle between vectors along `axis`; lengths below `eps` count as `eps`."""
    lengths: Any = [maximum(length(x, 2, axis, keepdims=True), eps) for x in (x1, x2)]
    return sum((x1 / lengths[0]) * (x2 / lengths[1]), axis=axis)
