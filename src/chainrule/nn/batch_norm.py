"""A batch normalization standardizes each channel by what it sees in training, and remembers averages of it for use.

The averages are buffers: `state_dict` holds them, and each step in training, eager or compiled, replaces their values.
"""
from __future__ import annotations

from typing import Any, ClassVar

from chainrule.core.batch import Stacked
from chainrule.core.type import Array, Type
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.broadcasting import astype, reshape, stop_gradient
from chainrule.ops.normalization import batch_norm, per_channel, scaled, standardize
from chainrule.ops.reduction import count
from chainrule.ops.statistics import mean
from chainrule.recompute import rerunning
from chainrule.tensor import Tensor, tensor

from .checks import SPACES, at_least, expected
from .module import Module
from .normalization import scale_and_shift


def replace(module: Module, name: str, value: Array) -> None:
    """Give a buffer new values; on a copy made by `functional_call`, whose buffers are arguments, only until it returns.

    A checkpointed layer runs twice for one batch, which counts once.
    """
    if isinstance(value, Stacked):
        raise ArgumentError(f"{type(module).__name__}: vmap gives each example a module of its own, whose averages cannot all be "
                            "kept. Call eval() before, or make it with track_running_stats=False.")
    if rerunning.get():
        return
    old = getattr(module, name)
    if isinstance(old, Tensor):
        old.data = value
    else:
        setattr(module, name, value)


class Tracking(Module):
    """What batch and instance normalization share: learned scale and shift, running statistics, and their use."""

    rank: ClassVar[int]
    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def set_up(self, num_features: int, eps: float, momentum: float | None, affine: bool, track: bool, bias: bool,
               dtype: Any) -> None:
        name = type(self).__name__
        at_least(name, 1, num_features=num_features)
        if momentum is not None and not 0 <= momentum <= 1:
            raise ArgumentError(f"{name}: momentum is the share of the newest batch, from 0 to 1, or None for the plain average "
                                f"of all, not {momentum}.")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track
        scale_and_shift(self, (num_features,), dtype, weight=affine, bias=affine and bias)
        start: dict[str, Any] = {"running_mean": [0.0] * num_features, "running_var": [1.0] * num_features}
        for buffer, values in start.items():
            setattr(self, buffer, tensor(values, dtype) if track else None)
        self.num_batches_tracked = tensor(0, "int64") if track else None

    def normalized(self, input: Array, t: Type, axes: tuple[int, ...]) -> Array:
        """The input standardized over `axes`, by its own statistics in training, by the remembered ones in use."""
        tracked = self.running_mean is not None
        if tracked and not self.training:
            return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        n = count(input, axes)
        if n < 2 and self.training:
            raise ShapeError(f"{type(self).__name__}: the input is {t}, one value per channel, and one value has no variance. "
                             "Give more examples, or call eval().")
        weight, bias = per_channel(type(self).__name__, input, self.weight, self.bias)
        y, center, variance = standardize(input, axis=axes, eps=self.eps)
        if tracked:
            self.remember(center, variance * (n / (n - 1)))
        return scaled(y, weight, bias)

    def remember(self, center: Array, variance: Array) -> None:
        """Move the averages towards the statistics of this batch; of several examples' statistics, towards their mean."""
        share = self.share()
        for name, new in (("running_mean", center), ("running_var", variance)):
            old = getattr(self, name)
            per_example = reshape(stop_gradient(new), (-1, self.num_features))
            replace(self, name, old + astype(share * (mean(per_example, axis=0) - old), old.dtype))

    def share(self) -> Any:
        """How far the averages move towards a new batch."""
        return self.momentum

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")


# ---------------------------------------------------------------------------------------- over the batch
class BatchNorm(Tracking):
    """Batch normalization of data with `rank` axes of space; see `BatchNorm2d`."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, *, bias: bool = True, dtype: Any = "float32") -> None:
        self.set_up(num_features, eps, momentum, affine, track_running_stats, bias, dtype)

    def forward(self, input: Array) -> Array:
        flat, form = self.rank == 1, f"(batch, channels, {SPACES[self.rank]})"
        t = expected(self, input, (2, 3) if flat else (self.rank + 2,), f"(batch, channels) or {form}" if flat else form, axis=1,
                     num_features=self.num_features)
        return self.normalized(input, t, (0, *range(2, t.ndim)))

    def share(self) -> Any:
        """With momentum None, each of the batches so far counts alike."""
        seen = self.num_batches_tracked + 1
        replace(self, "num_batches_tracked", seen)
        return self.momentum if self.momentum is not None else 1 / astype(seen, self.running_mean.dtype)


class BatchNorm1d(BatchNorm):
    """Batch normalization of (batch, channels) or (batch, channels, length); options as in `BatchNorm2d`."""

    rank = 1


class BatchNorm2d(BatchNorm):
    """Each channel standardized over all examples and places of (batch, channels, height, width); then times weight, plus bias.

    In training by the mean and variance of the batch, through which the gradient flows; in use, after `eval()`, by averages over
    the batches seen, `running_mean` and `running_var` (of the unbiased variance). With each batch they move the share `momentum`
    of the way; with None, they are plain averages. `num_batches_tracked` counts. Without `track_running_stats` the batch decides
    in use too. `weight` and `bias`, if `affine`, have shape (num_features,), and start as ones and zeros.

    Raises ArgumentError, ShapeError. Ioffe and Szegedy, "Batch normalization", 2015.

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.nn.BatchNorm2d(3)
    >>> layer(np.ones((2, 3, 4, 4), np.float32)).shape, layer.running_mean
    ((2, 3, 4, 4), tensor([0.1, 0.1, 0.1]))
    """

    rank = 2


class BatchNorm3d(BatchNorm):
    """Batch normalization of (batch, channels, depth, height, width); options as in `BatchNorm2d`."""

    rank = 3


# ---------------------------------------------------------------------------------------- over each example
class InstanceNorm(Tracking):
    """Instance normalization of data with `rank` axes of space; see `InstanceNorm2d`."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
                 track_running_stats: bool = False, *, bias: bool = True, dtype: Any = "float32") -> None:
        self.set_up(num_features, eps, momentum, affine, track_running_stats, bias, dtype)

    def forward(self, input: Array) -> Array:
        one, space = self.rank + 1, SPACES[self.rank]
        t = expected(self, input, (one, one + 1), f"(batch, channels, {space}) or (channels, {space})", axis=-one,
                     num_features=self.num_features)
        batch = input if t.ndim == one + 1 else input[None]
        y = self.normalized(batch, t, tuple(range(2, one + 1)))
        return y if t.ndim == one + 1 else y[0]


class InstanceNorm1d(InstanceNorm):
    """Instance normalization of (batch, channels, length), or without a batch; options as in `InstanceNorm2d`."""

    rank = 1


class InstanceNorm2d(InstanceNorm):
    """Each channel of each example standardized over its places, in (batch, channels, height, width), or without a batch.

    With `affine`, then times weight, plus bias, as in `BatchNorm2d`. With `track_running_stats`, averages of the examples'
    statistics are remembered, and standardize after `eval()`. Raises ArgumentError, ShapeError. Ulyanov, Vedaldi and Lempitsky,
    "Instance normalization", 2016.
    """

    rank = 2


class InstanceNorm3d(InstanceNorm):
    """Instance normalization of (batch, channels, depth, height, width), or without a batch; options as in `InstanceNorm2d`."""

    rank = 3
