"""A metric is one number that says how good predictions are, beside their targets."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError

Array = np.ndarray[Any, Any]


def class_axis(predictions: tuple[int, ...], targets: tuple[int, ...]) -> int | None:
    """Along which axis of the predictions the classes lie: the one the targets do not have; None where there is none such.

    As in cross-entropy, axis 1 comes first; the last one is tried after it.
    """
    for axis in (1, len(predictions) - 1):
        if len(predictions) == len(targets) + 1 and predictions[:axis] + predictions[axis + 1:] == targets:
            return axis
    return None


def must_be_scores(predictions: Array, targets: Array) -> int:
    axis = class_axis(predictions.shape, targets.shape)
    if axis is None:
        raise ArgumentError(f"accuracy: predictions of shape {predictions.shape} are no scores for targets of "
                            f"shape {targets.shape}: they need one axis more, for the classes. For one score around 0, use "
                            "binary_accuracy.")
    return axis


def accuracy(predictions: Array, targets: Array) -> float:
    """The share of targets that have the highest score."""
    return float(np.mean(predictions.argmax(axis=must_be_scores(predictions, targets)) == targets))


def binary_accuracy(predictions: Array, targets: Array) -> float:
    """The share of targets, 0 or 1, on whose side of 0 the score is."""
    return float(np.mean((predictions > 0).reshape(-1) == (targets > 0.5).reshape(-1)))


def mean_absolute_error(predictions: Array, targets: Array) -> float:
    """The mean distance."""
    return float(np.mean(np.abs(alike(predictions, targets) - targets.astype(np.float64))))


def mean_squared_error(predictions: Array, targets: Array) -> float:
    """The mean squared distance."""
    return float(np.mean(np.square(alike(predictions, targets) - targets.astype(np.float64))))


def r2(predictions: Array, targets: Array) -> float:
    """The share of the targets' variance that is foretold, averaged over columns: 1 is perfect, 0 no better than their mean.

    A column that does not vary counts 1 if it is foretold exactly, else 0, as in scikit-learn.
    """
    truth = targets.astype(np.float64)
    error = np.sum(np.square(alike(predictions, targets) - truth), axis=0)
    spread = np.sum(np.square(truth - truth.mean(axis=0)), axis=0)
    varies = spread > 0
    return float(np.mean(np.where(varies, 1 - error / np.where(varies, spread, 1), error == 0)))


def alike(predictions: Array, targets: Array) -> Array:
    """The predictions in the shape of the targets; numbers alone would be broadcast against each other, unnoticed."""
    if predictions.size != targets.size:
        raise ArgumentError(f"predictions of shape {predictions.shape} beside targets of shape {targets.shape}: there is not one "
                            "for each.")
    return predictions.reshape(targets.shape).astype(np.float64)


def perplexity(loss: float) -> float:
    """Of a mean cross-entropy in nats: among how many equally likely symbols one would be as unsure."""
    return math.exp(loss) if loss < 700 else math.inf


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "accuracy": accuracy, "binary_accuracy": binary_accuracy, "mean_absolute_error": mean_absolute_error,
    "mean_squared_error": mean_squared_error, "r2": r2,
}
OF_THE_LOSS: dict[str, Callable[[float], float]] = {"loss": float, "perplexity": perplexity}
"""Metrics that follow from the mean loss: predictions need not be kept for them."""
HIGHER_IS_BETTER = {"accuracy", "binary_accuracy", "r2"}


def better(metric: str, new: float, old: float, *, by: float = 0.0) -> bool:
    """Whether a metric improved by more than so much; NaN never does."""
    return new > old + by if metric in HIGHER_IS_BETTER else new < old - by


def worst(metric: str) -> float:
    """What any number of this metric is better than."""
    return -math.inf if metric in HIGHER_IS_BETTER else math.inf
