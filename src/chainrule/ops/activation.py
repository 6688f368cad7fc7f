"""An activation is the gate between two layers; without it, layers one after another would be one linear map.

Each is drawn, when opened, as the formula says (its body). Its values and its slope are computed with care for the tails: no
overflow, and no digits lost where the formula would subtract nearly equal numbers.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Array, typeof
from chainrule.errors import ShapeError

from .arithmetic import abs
from .broadcasting import reshape
from .choice import clip, maximum, minimum, where
from .comparison import greater, indicator
from .elementwise import gate
from .exponential import exp, expm1, log1p
from .families import arrays, several
from .hyperbolic import tanh

FAR = 1e4
"""Beyond this, exp(-x) is 0 in every dtype: factors are clipped here, so that infinity never meets that 0."""


# ---------------------------------------------------------------------------------------- two straight pieces
def sided(y: Array, x: Array, right: Array, left: Array) -> Array:
    """A slope that is `right` for x > 0 and `left` for x <= 0."""
    return right * indicator(x > 0, y) + left * indicator(x <= 0, y)


@gate(lambda y, x: greater(x, 0), tex=r"\mathrm{{ReLU}}({0})", forward=lambda x: np.maximum(x, 0))
def relu(x: Array) -> Array:
    """The rectifier: negative numbers become 0. Its slope at 0 is 0.

    >>> import chainrule as cr, numpy as np
    >>> cr.relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return maximum(x, 0)


@gate(lambda y, x: indicator((x > 0) & (x < 6), y), tex=r"\mathrm{{ReLU6}}({0})", domain=(-3.0, 9.0),
      forward=lambda x: np.minimum(np.maximum(x, 0), 6))
def relu6(x: Array) -> Array:
    """The rectifier that stops at 6. Its slope at 0 and at 6 is 0.

    Source: Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.
    """
    return minimum(maximum(x, 0), 6)


@gate(lambda y, x, negative_slope: sided(y, x, 1, negative_slope), tex=r"\mathrm{{LeakyReLU}}({0})",
      samples=several(arrays((3, 4)), arrays((4,), negative_slope=0.2), arrays((4,), negative_slope=1.5)),
      prepare=lambda x, negative_slope=0.01: ((x,), {"negative_slope": negative_slope}),
      forward=lambda x, negative_slope: np.maximum(x, 0) + negative_slope * np.minimum(x, 0))
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Array:
    """The rectifier that lets negative numbers through, made small. Its slope at 0 is the small one.

    Source: Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, 2013.
    """
    return where(x > 0, x, negative_slope * x)


def prelu_prepare(x: Array, weight: Array) -> Any:
    """One slope per channel stands along axis 1, as in PyTorch."""
    shape, slopes = typeof(x).shape, typeof(weight).shape
    if len(slopes) == 1 and slopes != (1,) and len(shape) > 1:
        if shape[1] != slopes[0]:
            raise ShapeError(f"prelu: {slopes[0]} slopes for the {shape[1]} channels (axis 1) of {typeof(x)}. Give one slope, "
                             "or one for each channel.")
        weight = reshape(weight, shape=(slopes[0], *[1] * (len(shape) - 2)))
    return (x, weight), {}


@gate(lambda y, x, weight: sided(y, x, 1, weight), lambda y, x, weight: minimum(x, 0), prepare=prelu_prepare,
      samples=several(arrays((3, 4), (1,)), arrays((2, 3, 4), (3,))), tex=r"\mathrm{{PReLU}}({0})",
      forward=lambda x, weight: np.maximum(x, 0) + weight * np.minimum(x, 0))
def prelu(x: Array, weight: Array) -> Array:
    """The leaky rectifier whose small slope is learned: one number, or one for each channel (axis 1).

    Source: He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015.
    """
    return where(x > 0, x, weight * x)


@gate(lambda y, x, threshold, value: greater(x, threshold),
      samples=several(arrays((3, 4), threshold=0.3, value=-1.0), arrays((4,), threshold=-0.5, value=0.0)),
      prepare=lambda x, threshold, value: ((x,), {"threshold": threshold, "value": value}))
def threshold(x: Array, *, threshold: float, value: float) -> Array:
    """`x` where it exceeds the threshold, else `value`."""
    return where(x > threshold, x, value)


@gate(lambda y, x, min_val, max_val: indicator((x > min_val) & (x < max_val), y),
      samples=several(arrays((3, 4)), arrays((4,), min_val=-0.5, max_val=2.0)), tex=r"\mathrm{{hardtanh}}({0})",
      prepare=lambda x, min_val=-1.0, max_val=1.0: ((x,), {"min_val": min_val, "max_val": max_val}),
      forward=lambda x, min_val, max_val: np.minimum(np.maximum(x, min_val), max_val))
def hardtanh(x: Array, *, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """`x` kept between two bounds, a cheap stand-in for tanh. Its slope on the bounds is 0, as in PyTorch."""
    return clip(x, min_val, max_val)


@gate(lambda y, x: indicator((x > -3) & (x < 3), y) / 6, tex=r"\mathrm{{hardsigmoid}}({0})", domain=(-5.0, 5.0),
      forward=lambda x: np.minimum(np.maximum(np.add(x, 3), 0), 6) / 6)
def hardsigmoid(x: Array) -> Array:
    """Three straight pieces in place of the sigmoid: 0 up to -3, 1 from 3 on. Its slope at -3 and 3 is 0."""
    return clip(x + 3, 0, 6) / 6


@gate(lambda y, x: indicator(x >= 3, y) + indicator((x > -3) & (x < 3), y) * (2 * clip(x, -3, 3) + 3) / 6,
      tex=r"\mathrm{{hardswish}}({0})", domain=(-5.0, 5.0),
      forward=lambda x: np.maximum(x, -3) * (np.minimum(np.maximum(np.add(x, 3), 0), 6) / 6))
def hardswish(x: Array) -> Array:
    """`x` times its hardsigmoid.

    Source: Howard et al., Searching for MobileNetV3, 2019.
    """
    return x * hardsigmoid(x)


# ---------------------------------------------------------------------------------------- sigmoid and what is made of it
def sigmoid_values(x: Array) -> Array:
    """`1 / (1 + e^-x)` for x >= 0 and `e^x / (1 + e^x)` below: one exponential that cannot overflow."""
    e = np.exp(-np.abs(x))
    return np.maximum(e, np.greater_equal(x, 0)) / (1 + e)


@gate(lambda y, x: y * sigmoid(-x), tex=r"\sigma({0})", forward=sigmoid_values)
def sigmoid(x: Array) -> Array:
    """The logistic function `1 / (1 + e^-x)`: squashes any number smoothly into (0, 1).

    Its slope is `s(x) s(-x)`: the same as `s (1 - s)`, without the digits that `1 - s` loses where s is nearly 1.

    >>> import chainrule as cr
    >>> cr.sigmoid(0.0)
    np.float64(0.5)
    """
    return 1 / (1 + exp(-x))


@gate(lambda y, x: sigmoid(-x), tex=r"\log \sigma({0})",
      forward=lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))))
def logsigmoid(x: Array) -> Array:
    """The logarithm of the sigmoid, exact where the sigmoid itself would be rounded to 0 or 1."""
    return minimum(x, 0) - log1p(exp(-abs(x)))


@gate(lambda y, x, beta: sigmoid(beta * x), tex=r"\log(1 + e^{{{0}}})",
      samples=several(arrays((3, 4), low=-3, high=3), arrays((4,), beta=2.0)),
      prepare=lambda x, beta=1.0: ((x,), {"beta": beta}),
      forward=lambda x, beta: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(np.multiply(beta, x)))) / beta)
def softplus(x: Array, *, beta: float = 1.0) -> Array:
    """`log(1 + e^(beta x)) / beta`, a smooth rectifier. It is exact for all numbers, so it needs no threshold.

    Source: Dugas et al., Incorporating second-order functional knowledge for better option pricing, 2000.
    """
    return maximum(x, 0) + log1p(exp(-abs(beta * x))) / beta


def silu_slope(y: Array, x: Array) -> Array:
    """`s (1 + x (1 - s))`, where `1 - s` is the sigmoid of -x."""
    z = clip(x, -FAR, FAR)
    return sigmoid(z) * (1 + z * sigmoid(-z))


@gate(silu_slope, tex=r"{0}\,\sigma({0})", forward=lambda x: np.maximum(x, -FAR) * sigmoid_values(x))
def silu(x: Array) -> Array:
    """`x` times its sigmoid, also called swish.

    Source: Elfwing, Uchibe and Doya, Sigmoid-weighted linear units for neural network function approximation, 2017.
    """
    return x * sigmoid(x)


def mish_values(x: Array) -> Array:
    """`tanh(log(1 + e^x))` is `w / (w + 2)` with `w = e^x (e^x + 2)`; both sides are scaled so that nothing overflows."""
    up, down = np.exp(np.minimum(x, 0)), np.exp(-np.maximum(x, 0))
    w = up * (up + 2 * down)
    return np.maximum(x, -FAR) * (w / (w + 2 * down * down))


def mish_slope(y: Array, x: Array) -> Array:
    """`t + x (1 - t^2) s(x)`, with `1 - t^2 = 4 (w + 1) / (w + 2)^2`."""
    z = clip(x, -FAR, FAR)
    up, down = exp(minimum(z, 0)), exp(-maximum(z, 0))
    w, rest = up * (up + 2 * down), 2 * down * down
    whole = w + rest
    return (w + z * sigmoid(z) * rest * (2 * w + rest) / whole) / whole


@gate(mish_slope, tex=r"\mathrm{{mish}}({0})", forward=mish_values)
def mish(x: Array) -> Array:
    """`x tanh(softplus(x))`.

    Source: Misra, Mish: a self regularized non-monotonic activation function, 2019.
    """
    return x * tanh(softplus(x))


# ---------------------------------------------------------------------------------------- exponential on the left
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


@gate(lambda y, x, alpha: sided(y, x, 1, alpha * exp(minimum(x, 0))), tex=r"\mathrm{{ELU}}({0})",
      samples=several(arrays((3, 4)), arrays((4,), alpha=0.5)), prepare=lambda x, alpha=1.0: ((x,), {"alpha": alpha}),
      forward=lambda x, alpha: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0)))
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """`x`, and on the negative side `alpha (e^x - 1)`. Its slope at 0 is alpha.

    Source: Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential linear units, 2015.
    """
    return where(x > 0, x, alpha * expm1(minimum(x, 0)))


@gate(lambda y, x: sided(y, x, SELU_SCALE, SELU_SCALE * SELU_ALPHA * exp(minimum(x, 0))), tex=r"\mathrm{{SELU}}({0})",
      forward=lambda x: SELU_SCALE * np.maximum(x, 0) + SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(x, 0)))
def selu(x: Array) -> Array:
    """The exponential linear unit whose scale keeps the mean 0 and the variance 1 of what it is given, layer after layer.

    Source: Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks, 2017.
    """
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


@gate(lambda y, x, alpha: exp(minimum(x, 0) / alpha), tex=r"\mathrm{{CELU}}({0})",
      samples=several(arrays((3, 4)), arrays((4,), alpha=0.5)), prepare=lambda x, alpha=1.0: ((x,), {"alpha": alpha}),
      forward=lambda x, alpha: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha))
def celu(x: Array, *, alpha: float = 1.0) -> Array:
    """`x`, and on the negative side `alpha (e^(x/alpha) - 1)`; unlike ELU's, its slope has no jump for any alpha.

    Source: Barron, Continuously differentiable exponential linear units, 2017.
    """
    return maximum(x, 0) + alpha * expm1(minimum(x, 0) / alpha)


def softsign_slope(y: Array, x: Array) -> Array:
    root = 1 / (1 + abs(x))
    return root * root


@gate(softsign_slope, tex=r"\frac{{{0}}}{{1 + |{0}|}}")
def softsign(x: Array) -> Array:
    """`x / (1 + |x|)`: squashes like tanh, and goes to its ends more slowly."""
    return x / (1 + abs(x))
