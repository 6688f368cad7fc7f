"""An initialiser says which numbers a parameter starts from: small enough not to explode, large enough not to vanish.

Each fills a tensor and returns it. Random ones draw from the `generator` they are given, or from cr.random's common one.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.type import Array
from chainrule.errors import ArgumentError
from chainrule.random import Generator, Source, source_of
from chainrule.tensor import Tensor, tensor

GAINS = {
    "linear": 1.0, "identity": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75,
}


def parameter(shape: tuple[int, ...], dtype: Any = "float32", name: str | None = None) -> Tensor:
    """A leaf of zeros that collects gradients, to be filled by an initialiser."""
    return tensor(np.zeros(shape, dtype), requires_grad=True, name=name)


def filled(t: Tensor, values: Array) -> Tensor:
    t.data = values
    return t


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights in front of an activation are enlarged, so that signals keep their size through it.

    `param` is the slope of `leaky_relu` for negative numbers (0.01). The values are PyTorch's. Raises ArgumentError.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ArgumentError(f"calculate_gain: {nonlinearity!r} is not known; choose from {', '.join([*GAINS, 'leaky_relu'])}.")
    return GAINS[nonlinearity]


def fans(t: Tensor) -> tuple[int, int]:
    """How many numbers feed one output, and how many outputs one number feeds: shape (out, in, *kernel)."""
    if t.ndim < 2:
        raise ArgumentError(f"init: {t.label} has {t.ndim} axes, and fan-in and fan-out need at least two: (out, in, ...). "
                            "Start a bias from zeros_.")
    receptive = math.prod(t.shape[2:])
    return t.shape[1] * receptive, t.shape[0] * receptive


# ---------------------------------------------------------------------------------------- plain fillings
def constant_(t: Tensor, value: float) -> Tensor:
    """Every element the same number."""
    return filled(t, np.full(t.shape, value))


def zeros_(t: Tensor) -> Tensor:
    """Every element 0: right for biases; weights that start equal stay equal, and never learn different things."""
    return constant_(t, 0.0)


def ones_(t: Tensor) -> Tensor:
    """Every element 1."""
    return constant_(t, 1.0)


def uniform_(t: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | Source | None = None) -> Tensor:
    """Uniform numbers between `a` and `b`."""
    return filled(t, source_of(generator).uniform(a, b, t.shape))


def normal_(t: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | Source | None = None) -> Tensor:
    """Normal numbers. With `std=0.01` on deep networks the signal shrinks at every layer: the way not to start."""
    return filled(t, source_of(generator).normal(mean, std, t.shape))


# ---------------------------------------------------------------------------------------- scaled to the layer
def xavier_normal_(t: Tensor, gain: float = 1.0, *, generator: Generator | Source | None = None) -> Tensor:
    """Normal with variance gain^2 * 2 / (fan_in + fan_out), a compromise between signals forward and gradients back.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    """
    return normal_(t, 0.0, gain * math.sqrt(2 / sum(fans(t))), generator=generator)


def xavier_uniform_(t: Tensor, gain: float = 1.0, *, generator: Generator | Source | None = None) -> Tensor:
    """Uniform with the variance of `xavier_normal_` (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(t)))
    return uniform_(t, -bound, bound, generator=generator)


def kaiming_std(t: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"init: mode is 'fan_in' or 'fan_out', not {mode!r}.")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(t)[mode == "fan_out"])


def kaiming_normal_(t: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *,
                    generator: Generator | Source | None = None) -> Tensor:
    """Normal with variance gain^2 / fan: made for ReLU, which lets half of the signal through, hence gain^2 = 2.

    `a` is the slope of a leaky ReLU for negative numbers; `mode` "fan_in" keeps the size of signals forward, "fan_out" that of
    gradients back. He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    return normal_(t, 0.0, kaiming_std(t, a, mode, nonlinearity), generator=generator)


def kaiming_uniform_(t: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *,
                     generator: Generator | Source | None = None) -> Tensor:
    """Uniform with the variance of `kaiming_normal_` (He et al. 2015)."""
    bound = math.sqrt(3) * kaiming_std(t, a, mode, nonlinearity)
    return uniform_(t, -bound, bound, generator=generator)


def lecun_normal_(t: Tensor, *, generator: Generator | Source | None = None) -> Tensor:
    """Normal with variance 1 / fan_in, which keeps the size of signals through linear layers.

    LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998.
    """
    return normal_(t, 0.0, fans(t)[0] ** -0.5, generator=generator)


def lecun_uniform_(t: Tensor, *, generator: Generator | Source | None = None) -> Tensor:
    """Uniform with the variance of `lecun_normal_` (LeCun et al. 1998)."""
    bound = math.sqrt(3 / fans(t)[0])
    return uniform_(t, -bound, bound, generator=generator)


def orthogonal_(t: Tensor, gain: float = 1.0, *, generator: Generator | Source | None = None) -> Tensor:
    """Rows (or columns, whichever are fewer) at right angles and of length `gain`: no direction shrinks or grows.

    Drawn evenly from all such matrices. Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks", 2014.
    """
    fans(t)
    rows, columns = t.shape[0], math.prod(t.shape[1:])
    q, r = np.linalg.qr(source_of(generator).normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r))  # makes the factorisation unique, and with it the drawing even
    return filled(t, gain * (q if rows >= columns else q.T).reshape(t.shape))
