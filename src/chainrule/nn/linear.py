"""A linear layer weighs and adds its inputs."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array
from chainrule.errors import ArgumentError
from chainrule.ops.contraction import linear
from chainrule.random import Generator, Source

from . import init
from .module import Module


class Linear(Module):
    """`y = x W^T + b` on the last axis: (..., in_features) to (..., out_features).

    `weight` has shape (out_features, in_features), `bias` (out_features,). Both start uniform in plus or minus
    1 / sqrt(in_features), which is PyTorch's default (LeCun et al., "Efficient BackProp", 1998, up to a factor).

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.Linear(64, 10)(np.zeros((32, 64), np.float32)).shape
    (32, 10)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = "float32",
                 generator: Generator | Source | None = None) -> None:
        if in_features < 1 or out_features < 1:
            raise ArgumentError(f"Linear({in_features}, {out_features}): both sizes must be at least 1.")
        self.in_features = in_features
        self.out_features = out_features
        bound = in_features ** -0.5
        self.weight = init.parameter((out_features, in_features), dtype, "weight")
        self.bias = init.parameter((out_features,), dtype, "bias") if bias else None
        init.uniform_(self.weight, -bound, bound, generator=generator)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound, generator=generator)

    def forward(self, x: Array) -> Array:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
