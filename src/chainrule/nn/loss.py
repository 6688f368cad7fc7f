"""A loss module compares a prediction with its target, and gives one number to make small.

Options are those of the functions in `nn.functional`, given by name. `reduction` is "mean", "sum", "batchmean" (the sum over the
number of examples) or "none". Weights of classes are buffers, which `state_dict` holds.
"""
from __future__ import annotations

from typing import Any

from chainrule.errors import ArgumentError
from chainrule.ops import loss as losses
from chainrule.ops.cross_entropy import DIVISORS, cross_entropy, nll_loss

from .function_module import FunctionModule, one_of
from .module import Module


def reduction_known(module: Module) -> None:
    one_of(module, reduction=("none", *DIVISORS))


def smoothing_known(module: Any) -> None:
    reduction_known(module)
    if not 0 <= module.label_smoothing <= 1:
        raise ArgumentError(f"CrossEntropyLoss: label_smoothing is a share, from 0 to 1, not {module.label_smoothing}.")


BY_NAME: dict[str, Any] = {"check": reduction_known, "positional": 0, "shown": ()}
WEIGHED: dict[str, Any] = {**BY_NAME, "arrays": ("weight",), "positional": 1, "weight": None}


# ---------------------------------------------------------------------------------------- distances
class L1Loss(FunctionModule, function=losses.l1_loss, **BY_NAME, reduction="mean"):
    """The mean of the absolute differences."""


class MSELoss(FunctionModule, function=losses.mse_loss, **BY_NAME, reduction="mean"):
    """The mean of the squared differences, without a factor of 1/2."""


class HuberLoss(FunctionModule, function=losses.huber_loss, **BY_NAME, reduction="mean", delta=1.0):
    """Half the squared difference up to `delta`, and a straight line of slope `delta` beyond."""


class SmoothL1Loss(FunctionModule, function=losses.smooth_l1_loss, **BY_NAME, reduction="mean", beta=1.0):
    """The absolute difference, with its corner rounded up to `beta`."""


class CosineSimilarity(FunctionModule, function=lambda x1, x2, dim, eps: losses.cosine_similarity(x1, x2, dim, eps), shown=(),
                       dim=1, eps=1e-8):
    """The cosine of the angle between vectors along `dim`: no loss by itself, but made into one by `1 - similarity`."""


# ---------------------------------------------------------------------------------------- classes
class CrossEntropyLoss(FunctionModule, function=cross_entropy, **{**WEIGHED, "check": smoothing_known}, ignore_index=-100,
                       reduction="mean", label_smoothing=0.0):
    """Softmax and cross-entropy in one: (n, classes, ...) scores and (n, ...) class numbers, or shares for each class.

    `weight` counts some classes more than others, rows labelled `ignore_index` do not count, and `label_smoothing` is the share
    taken off the true class and spread evenly.
    """


class NLLLoss(FunctionModule, function=nll_loss, **WEIGHED, ignore_index=-100, reduction="mean"):
    """The negative log-probability of the true class, from what `LogSoftmax` gives; options as in `CrossEntropyLoss`."""


class HingeLoss(FunctionModule, function=losses.hinge_loss, **BY_NAME, reduction="mean"):
    """`max(0, 1 - target * input)` for targets -1 and 1: nothing once the score is right by a margin of 1."""


# ---------------------------------------------------------------------------------------- chances
class BCELoss(FunctionModule, function=losses.binary_cross_entropy, **WEIGHED, reduction="mean"):
    """Cross-entropy between foretold chances and answers: 0, 1, or a chance between; `weight` multiplies the elements' losses."""


class BCEWithLogitsLoss(FunctionModule, function=losses.binary_cross_entropy_with_logits,
                        **{**WEIGHED, "arrays": ("weight", "pos_weight")}, reduction="mean", pos_weight=None):
    """Sigmoid and `BCELoss` in one, exact in the tails; `pos_weight` multiplies the part of the positive answers."""


class KLDivLoss(FunctionModule, function=losses.kl_div, **BY_NAME, reduction="mean", log_target=False):
    """The divergence of Kullback and Leibler from log-probabilities to probabilities, or with `log_target` to their logarithms.

    "batchmean" is the mathematical definition, for one distribution in each row.
    """
