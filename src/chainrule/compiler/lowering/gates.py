"""A gate in the loop language: activations, losses and bell curves, computed as their NumPy forwards compute them."""
from __future__ import annotations

import numpy as np

from chainrule.ops.activation import FAR, SELU_ALPHA, SELU_SCALE
from chainrule.ops.dropout import strength
from chainrule.ops.gelu import BEYOND, CUBE, DENSITY, PIVOT, ROOT_TWO_OVER_PI
from chainrule.ops.loss import LEAST_LOG

from .elementwise import ARITHMETIC, CHOICES, CURVES, QUESTIONS, ROUNDING, Row
from .scalars import (
    Scalar,
    absolute,
    clipped,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    polynomial,
    sigmoid,
    signbit,
    square,
)

EDGE = 40.0
"""From here on a normal density is 0 in every dtype."""


# ---------------------------------------------------------------------------------------- activations
def leaky(x: Scalar, slope: Scalar | float) -> Scalar:
    return maximum(x, 0) + slope * minimum(x, 0)


def hardswish(x: Scalar) -> Scalar:
    return maximum(x, -3) * (clipped(x + 3, 0, 6) / 6)


def softplus(x: Scalar, beta: float) -> Scalar:
    return maximum(x, 0) + log1p(exp(-absolute(beta * x))) / beta


def mish(x: Scalar) -> Scalar:
    up, down = exp(minimum(x, 0)), exp(-maximum(x, 0))
    w = up * (up + 2 * down)
    return maximum(x, -FAR) * (w / (w + 2 * down * down))


ACTIVATIONS = {
    "relu": Row(lambda x: maximum(x, 0)), "relu6": Row(lambda x: clipped(x, 0, 6)),
    "leaky_relu": Row(lambda x, negative_slope: leaky(x, negative_slope)), "prelu": Row(leaky),
    "threshold": Row(lambda x, threshold, value: (x > threshold).chosen(x, value)),
    "hardtanh": Row(lambda x, min_val, max_val: clipped(x, min_val, max_val)),
    "hardsigmoid": Row(lambda x: clipped(x + 3, 0, 6) / 6), "hardswish": Row(hardswish),
    "logsigmoid": Row(lambda x: minimum(x, 0) - log1p(exp(-absolute(x))), costly=True),
    "softplus": Row(softplus, costly=True), "silu": Row(lambda x: maximum(x, -FAR) * sigmoid(x), costly=True),
    "mish": Row(mish, costly=True),
    "elu": Row(lambda x, alpha: maximum(x, 0) + alpha * expm1(minimum(x, 0)), costly=True),
    "selu": Row(lambda x: SELU_SCALE * maximum(x, 0) + SELU_SCALE * SELU_ALPHA * expm1(minimum(x, 0)), costly=True),
    "celu": Row(lambda x, alpha: maximum(x, 0) + alpha * expm1(minimum(x, 0) / alpha), costly=True),
    "softsign": Row(lambda x: x / (1 + absolute(x))),
    "drop": Row(lambda x, kept, p: x * strength(p) * kept),
}


# ---------------------------------------------------------------------------------------- the normal distribution
def bell(x: Scalar, scale: float) -> Scalar:
    """`exp(-scale x^2)`: what the square loses by rounding is given back, because the exponential multiplies it."""
    p = x * x
    lost = x.writer.apply("fma", (x, x, -p), x.dtype)
    height = exp(-scale * p)
    return height - height * (scale * lost)


def distribution(x: Scalar, height: Scalar) -> Scalar:
    """The chance of a normal number to be smaller; `height` is its bell curve."""
    t = absolute(x)
    below = t + PIVOT
    coefficients = BEYOND.get(x.dtype, BEYOND[np.dtype("float32")])
    tail = height * (polynomial(coefficients, (t - PIVOT) / below) / below)
    return signbit(x).chosen(tail, 1 - tail)


def ndtr(x: Scalar) -> Scalar:
    z = clipped(x, -EDGE, EDGE)
    return distribution(z, bell(z, 0.5))


def gelu_slope(x: Scalar) -> Scalar:
    z = clipped(x, -EDGE, EDGE)
    height = bell(z, 0.5)
    return distribution(z, height) + DENSITY * z * height


def gelu(x: Scalar, approximate: str) -> Scalar:
    if approximate == "none":
        return maximum(x, -EDGE) * ndtr(x)
    z = clipped(x, -EDGE, EDGE)
    return maximum(x, -EDGE) * sigmoid(2 * ROOT_TWO_OVER_PI * (z + CUBE * (z * z * z)))


NORMAL = {
    "gaussian": Row(lambda x: bell(clipped(x, -EDGE, EDGE), 1.0), costly=True),
    "normal_pdf": Row(lambda x: DENSITY * bell(clipped(x, -EDGE, EDGE), 0.5), costly=True),
    "ndtr": Row(ndtr, costly=True), "gelu": Row(gelu, costly=True), "gelu_slope": Row(gelu_slope, costly=True),
}


# ---------------------------------------------------------------------------------------- losses
def huber(x: Scalar, t: Scalar, delta: float) -> Scalar:
    distance = absolute(x - t)
    inside = minimum(distance, delta)
    return inside * (distance - 0.5 * inside)


def sigmoid_cross_entropy(x: Scalar, t: Scalar) -> Scalar:
    return maximum(x * (1 - t), -(x * t)) + log1p(exp(-absolute(x)))


def bernoulli(x: Scalar, t: Scalar) -> Scalar:
    return -(t * maximum(log(x), LEAST_LOG) + (1 - t) * maximum(log1p(-x), LEAST_LOG))


LOSSES = {
    "squared_error": Row(lambda x, t: square(x - t)), "half_square": Row(lambda x, t: square(x - t) / 2),
    "huber": Row(huber), "sigmoid_cross_entropy": Row(sigmoid_cross_entropy, costly=True),
    "bernoulli_cross_entropy": Row(bernoulli, costly=True),
}

TABLE: dict[str, Row] = {**ARITHMETIC, **CURVES, **CHOICES, **QUESTIONS, **ROUNDING, **ACTIVATIONS, **NORMAL, **LOSSES}
"""All elementwise operations that kernels compute, by the engine's name."""
