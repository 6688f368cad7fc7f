"""A linear layer weighs and adds its inputs."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array, typeof
from chainrule.errors import ShapeError
from chainrule.ops.contraction import bilinear, linear
from chainrule.random import Generator, Source

from . import init
from .checks import at_least
from .module import Module


class Identity(Module):
    """What it is given; it takes any arguments, so that it can stand in for any layer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def forward(self, input: Array) -> Array:
        return input


def drawn(module: Any, shape: tuple[int, ...], bias: int | None, fan: int, dtype: Any,
          generator: Generator | Source | None) -> None:
    """Put a weight of this shape, and a bias of this size, on the module: uniform in plus or minus 1 / sqrt(fan)."""
    for name, size in (("weight", shape), ("bias", None if bias is None else (bias,))):
        made = None if size is None else init.uniform_(
            init.parameter(size, dtype, name), -fan ** -0.5, fan ** -0.5, generator=generator)
        setattr(module, name, made)


class Linear(Module):
    """`y = x W^T + b` on the last axis: (..., in_features) to (..., out_features).

    `weight` has shape (out_features, in_features), `bias` (out_features,). Both start uniform in plus or minus
    1 / sqrt(in_features), which is PyTorch's default (LeCun et al., "Efficient BackProp", 1998, up to a factor).

    Raises ArgumentError, ShapeError.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.Linear(64, 10)(np.zeros((32, 64), np.float32)).shape
    (32, 10)
    """

    weight: Any
    bias: Any

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        at_least("Linear", 1, in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        drawn(self, (out_features, in_features), out_features if bias else None, in_features, dtype, generator)

    def forward(self, x: Array) -> Array:
        t = typeof(x)
        if t.shape[-1:] != (self.in_features,):
            raise ShapeError(f"Linear: the input is {t}, and must be (..., in_features), with {self.in_features} in_features.")
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """`y_o = sum of x1_i W_oij x2_j, plus b_o`: (..., in1_features) and (..., in2_features) to (..., out_features).

    `weight` has shape (out_features, in1_features, in2_features), `bias` (out_features,). Both start uniform in plus or minus
    1 / sqrt(in1_features), as PyTorch's do. Raises ArgumentError, ShapeError.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.Bilinear(2, 3, 5)(np.zeros((4, 2), np.float32), np.zeros((4, 3), np.float32)).shape
    (4, 5)
    """

    weight: Any
    bias: Any

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        at_least("Bilinear", 1, in1_features=in1_features, in2_features=in2_features, out_features=out_features)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        drawn(self, (out_features, in1_features, in2_features), out_features if bias else None, in1_features, dtype, generator)

    def forward(self, input1: Array, input2: Array) -> Array:
        a, b = typeof(input1), typeof(input2)
        if (a.shape[-1:], b.shape[-1:]) != ((self.in1_features,), (self.in2_features,)) or a.shape[:-1] != b.shape[:-1]:
            raise ShapeError(f"Bilinear: the inputs are {a} and {b}, and must be (..., {self.in1_features}) and (..., "
                             f"{self.in2_features}), alike up to their last axes.")
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")
