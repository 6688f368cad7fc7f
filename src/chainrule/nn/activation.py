"""An activation bends what the linear layers between it would leave straight: a module for each of the gates."""
from __future__ import annotations

from chainrule.core.type import Array
from chainrule.ops.activation import elu, leaky_relu, relu, sigmoid, silu, softplus
from chainrule.ops.gelu import gelu
from chainrule.ops.hyperbolic import tanh
from chainrule.ops.softmax import log_softmax, softmax

from .module import Module


class ReLU(Module):
    """Negative numbers become 0."""

    def forward(self, x: Array) -> Array:
        return relu(x)


class LeakyReLU(Module):
    """Negative numbers are multiplied by a small slope."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """Negative numbers bend towards -alpha."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Array) -> Array:
        return elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """Each number times the chance that a normal number is smaller; `approximate` is "none" or "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        return gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """Each number times its sigmoid."""

    def forward(self, x: Array) -> Array:
        return silu(x)


class Sigmoid(Module):
    """Every number into (0, 1)."""

    def forward(self, x: Array) -> Array:
        return sigmoid(x)


class Tanh(Module):
    """Every number into (-1, 1)."""

    def forward(self, x: Array) -> Array:
        return tanh(x)


class Softplus(Module):
    """A ReLU with its corner rounded."""

    def forward(self, x: Array) -> Array:
        return softplus(x)


class Softmax(Module):
    """Scores along an axis become shares that add up to 1."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Array:
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithms of the shares that `Softmax` gives, without ever forming a share that rounds to 0."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Array:
        return log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
