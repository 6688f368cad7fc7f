"""An activation bends what the linear layers between it would leave straight: a module for each of the gates."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array
from chainrule.ops import activation as gates
from chainrule.ops.gelu import gelu
from chainrule.ops.hyperbolic import tanh
from chainrule.ops.softmax import glu, log_softmax, softmax, softmin

from . import init
from .checks import at_least
from .function_module import REQUIRED, FunctionModule, one_of
from .module import Module

IN_PLACE: dict[str, Any] = {"unused": ("inplace",), "inplace": False}


# ---------------------------------------------------------------------------------------- straight pieces
class ReLU(FunctionModule, function=gates.relu, **IN_PLACE):
    """Negative numbers become 0."""


class ReLU6(FunctionModule, function=gates.relu6, **IN_PLACE):
    """Negative numbers become 0, and numbers above 6 become 6."""


class LeakyReLU(FunctionModule, function=gates.leaky_relu, negative_slope=0.01, **IN_PLACE):
    """Negative numbers are multiplied by a small slope."""


class PReLU(Module):
    """Negative numbers are multiplied by a slope that is learned: one for all, or one for each channel (axis 1).

    `weight` has shape (num_parameters,), and starts at `init`. He et al., "Delving deep into rectifiers", ICCV 2015.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: Any = "float32") -> None:
        at_least("PReLU", 1, num_parameters=num_parameters)
        self.num_parameters = num_parameters
        self.weight = constant((num_parameters,), init, dtype)

    def forward(self, input: Array) -> Array:
        return gates.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


def constant(shape: tuple[int, ...], value: float, dtype: Any) -> Any:
    return init.constant_(init.parameter(shape, dtype, "weight"), value)


class Threshold(FunctionModule, function=gates.threshold, threshold=REQUIRED, value=REQUIRED, **IN_PLACE):
    """Numbers up to `threshold` become `value`."""


class Hardtanh(FunctionModule, function=gates.hardtanh, min_val=-1.0, max_val=1.0, **IN_PLACE):
    """Numbers stay between `min_val` and `max_val`."""


class Hardsigmoid(FunctionModule, function=gates.hardsigmoid, **IN_PLACE):
    """A sigmoid of three straight pieces: 0 up to -3, 1 from 3 on."""


class Hardswish(FunctionModule, function=gates.hardswish, **IN_PLACE):
    """Each number times its hard sigmoid."""


# ---------------------------------------------------------------------------------------- smooth curves
class ELU(FunctionModule, function=gates.elu, alpha=1.0, **IN_PLACE):
    """Negative numbers bend towards -alpha."""


class CELU(FunctionModule, function=gates.celu, alpha=1.0, **IN_PLACE):
    """Negative numbers bend towards -alpha, with slope 1 at 0 for any alpha."""


class SELU(FunctionModule, function=gates.selu, **IN_PLACE):
    """An ELU scaled such that mean 0 and variance 1 stay so through deep networks."""


class GELU(FunctionModule, function=gelu, check=lambda m: one_of(m, approximate=("none", "tanh")), approximate="none"):
    """Each number times the chance that a normal number is smaller; `approximate` is "none" or "tanh"."""


class SiLU(FunctionModule, function=gates.silu, **IN_PLACE):
    """Each number times its sigmoid."""


class Mish(FunctionModule, function=gates.mish, **IN_PLACE):
    """Each number times the tanh of its softplus."""


class Sigmoid(FunctionModule, function=gates.sigmoid):
    """Every number into (0, 1)."""


class LogSigmoid(FunctionModule, function=gates.logsigmoid):
    """The logarithm of the sigmoid, without ever forming a sigmoid that rounds to 0."""


class Tanh(FunctionModule, function=tanh):
    """Every number into (-1, 1)."""


class Softsign(FunctionModule, function=gates.softsign):
    """Every number into (-1, 1), more slowly than `Tanh`."""


class Softplus(FunctionModule, function=gates.softplus, unused=("threshold",), shown=("beta", "threshold"), beta=1.0,
               threshold=20.0):
    """A ReLU with its corner rounded; exact for all numbers, so that nothing becomes a straight line beyond `threshold`."""


# ---------------------------------------------------------------------------------------- along an axis
class Softmax(FunctionModule, function=lambda x, dim: softmax(x, axis=dim), dim=-1):
    """Scores along an axis become shares that add up to 1."""


class Softmin(FunctionModule, function=lambda x, dim: softmin(x, dim), dim=-1):
    """Scores along an axis become shares that add up to 1, the lowest score the largest."""


class LogSoftmax(FunctionModule, function=lambda x, dim: log_softmax(x, axis=dim), dim=-1):
    """The logarithms of the shares that `Softmax` gives, without ever forming a share that rounds to 0."""


class GLU(FunctionModule, function=lambda x, dim: glu(x, dim), dim=-1):
    """The first half along an axis times the sigmoid of the second."""
