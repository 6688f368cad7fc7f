"""A normalization layer brings values to mean 0 and variance 1, then scales and shifts them by what it learned.

Those here look at one example at a time, and do the same in training and in use.
"""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array, typeof
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.normalization import group_norm, layer_norm, rms_norm

from . import init
from .checks import at_least
from .module import Module


def scale_and_shift(module: Any, shape: tuple[int, ...], dtype: Any, *, weight: bool, bias: bool) -> None:
    """Put a weight of ones and a bias of zeros on the module, or None for what it does without."""
    module.weight = init.ones_(init.parameter(shape, dtype, "weight")) if weight else None
    module.bias = init.parameter(shape, dtype, "bias") if bias else None


class OverLastAxes(Module):
    """What `LayerNorm` and `RMSNorm` share: the shape of the last axes, over which they normalize."""

    normalized_shape: tuple[int, ...]
    eps: Any
    weight: Any
    bias: Any

    def set_up(self, normalized_shape: Any, eps: float | None, affine: bool, bias: bool, dtype: Any) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        if not shape:
            raise ArgumentError(f"{type(self).__name__}: normalized_shape is the sizes of the last axes, and none was given.")
        at_least(type(self).__name__, 1, **{f"normalized_shape[{i}]": n for i, n in enumerate(shape)})
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, affine
        scale_and_shift(self, shape, dtype, weight=affine, bias=affine and bias)

    def fit(self, input: Array) -> None:
        t, shape = typeof(input), self.normalized_shape
        if t.shape[max(t.ndim - len(shape), 0):] != shape:
            raise ShapeError(f"{type(self).__name__}: the input is {t}, and its last axes must have normalized_shape {shape}.")

    def extra_repr(self) -> str:
        bias = f", bias={self.bias is not None}" if hasattr(self, "bias") else ""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}{bias}"


class LayerNorm(OverLastAxes):
    """Each example standardized over its last axes, which have `normalized_shape`; then times weight, plus bias.

    `weight` and `bias` have that shape, and start as ones and zeros. Raises ArgumentError, ShapeError. Ba, Kiros and Hinton,
    "Layer normalization", 2016.

    >>> import chainrule as cr, numpy as np
    >>> cr.nn.LayerNorm(2)(np.array([[1.0, 3.0]], np.float32)).round(3)
    tensor([[-1.,  1.]], from=round)
    """

    def __init__(self, normalized_shape: int | tuple[int, ...], eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True, *, dtype: Any = "float32") -> None:
        self.set_up(normalized_shape, eps, elementwise_affine, bias, dtype)

    def forward(self, input: Array) -> Array:
        self.fit(input)
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(OverLastAxes):
    """Each example over its root mean square along its last axes, which have `normalized_shape`; then times weight.

    `eps` is by default the spacing of the dtype at 1. Raises ArgumentError, ShapeError. Zhang and Sennrich, "Root mean square
    layer normalization", 2019.
    """

    def __init__(self, normalized_shape: int | tuple[int, ...], eps: float | None = None, elementwise_affine: bool = True, *,
                 dtype: Any = "float32") -> None:
        self.set_up(normalized_shape, eps, elementwise_affine, False, dtype)
        del self.bias

    def forward(self, input: Array) -> Array:
        self.fit(input)
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    """Each example's channels (axis 1) standardized in `num_groups` groups, over their places; then times weight, plus bias.

    `weight` and `bias` have shape (num_channels,), and start as ones and zeros. Raises ArgumentError, ShapeError. Wu and He,
    "Group normalization", 2018.
    """

    weight: Any
    bias: Any

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *, bias: bool = True,
                 dtype: Any = "float32") -> None:
        at_least("GroupNorm", 1, num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ArgumentError(f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}.")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        scale_and_shift(self, (num_channels,), dtype, weight=affine, bias=affine and bias)

    def forward(self, input: Array) -> Array:
        t = typeof(input)
        if t.ndim < 2 or t.shape[1] != self.num_channels:
            raise ShapeError(f"GroupNorm: the input is {t}, and must be (batch, channels, ...), with {self.num_channels} "
                             "num_channels.")
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"
