"""A loss module compares a prediction with its target, and gives one number to make small."""
from __future__ import annotations

from chainrule.core.type import Array
from chainrule.ops.cross_entropy import cross_entropy
from chainrule.ops.loss import mse_loss

from .module import Module


class CrossEntropyLoss(Module):
    """Softmax and cross-entropy in one: (n, classes) scores and (n,) class numbers to the mean negative log-probability."""

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, input: Array, target: Array) -> Array:
        return cross_entropy(input, target, reduction=self.reduction)

class MSELoss(Module):
    """The mean of the squared differences, without a factor of 1/2."""

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, input: Array, target: Array) -> Array:
        return mse_loss(input, target, reduction=self.reduction)
