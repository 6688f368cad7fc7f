"""Cross-entropy is the surprise at the true class, in nats, when probabilities were foretold."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.primitive import Generator, Sample
from chainrule.core.type import Array, Type, is_float, promote, typeof
from chainrule.errors import ArgumentError, BoundsError, DTypeError, ShapeError

from .broadcasting import astype, broadcast_to, reshape, sum, unbroadcast
from .choice import where
from .comparison import equal, indicator, not_equal
from .families import composite, primitive
from .movement import moveaxis
from .softmax import log_softmax, softmax

DIVISORS: dict[str, Callable[[Type], int]] = {
    "sum": lambda t: 1,
    "mean": lambda t: t.size,
    "batchmean": lambda t: t.shape[0],
}
"""What the sum of the losses is divided by, for each reduction to one number."""


def divisor_of(name: str, reduction: str, t: Type) -> int | None:
    """The divisor of a reduction of losses of this type; None where they are left as they are."""
    if reduction == "none":
        return None
    if reduction not in DIVISORS:
        raise ArgumentError(f"{name}: reduction={reduction!r} is none of 'none', {', '.join(map(repr, DIVISORS))}.")
    return DIVISORS[reduction](t)


def reduced_loss(losses: Array, divisor: Any, axis: Any = None) -> Array:
    """The sum of the losses over the divisor; without one, the losses."""
    if divisor is None:
        return losses
    total = sum(losses, axis=axis) if typeof(losses).ndim else losses
    return total if isinstance(divisor, int) and divisor == 1 else total / divisor


# ---------------------------------------------------------------------------------------- classes as numbers
def check_labels(name: str, labels: Array, classes: int, ignore_index: int | None = None) -> None:
    """An error for the first label that is no class, and is not to be ignored."""
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        wrong = np.argwhere(outside if ignore_index is None else outside & (labels != ignore_index))
        if len(wrong):
            place = ", ".join(map(str, wrong[0]))
            more = f" ({len(wrong) - 1} more are wrong)" if len(wrong) > 1 else ""
            at = f" in row {place}" if place else ""
            raise BoundsError(f"{name}: the label{at} is {labels[tuple(wrong[0])]}, but there are {classes} classes, numbered 0 "
                              f"to {classes - 1}{more}. Number the classes from 0, or give logits for more classes.")


def trailing(x: Array) -> Array:
    """The array with one more axis, of size 1, at its end."""
    return reshape(x, shape=(*typeof(x).shape, 1))


def marked(labels: Array, classes: int) -> Array:
    """Whether each class is the labelled one, along a new last axis."""
    return equal(trailing(labels), np.arange(classes))


def one_hot_prepare(labels: Array, num_classes: int, dtype: Any = np.int64) -> Any:
    if typeof(labels).dtype.kind not in "iu":
        raise DTypeError(f"one_hot: labels are whole numbers, not {typeof(labels)}. Convert them with .astype('int64').")
    return (labels,), {"num_classes": int(num_classes), "dtype": np.dtype(dtype)}


@primitive(
    backward=(None,), result=lambda t, num_classes, dtype: Type((*t.shape, num_classes), dtype), prepare=one_hot_prepare,
    batch=lambda flags, labels, num_classes, dtype: one_hot(labels, num_classes, dtype),
    samples=lambda rng: [Sample((rng.integers(0, 5, (2, 3)),), {"num_classes": 5})])
def one_hot(labels: Array, *, num_classes: int, dtype: Any = np.int64) -> Array:
    """A row for each label, 1 at the labelled class and 0 elsewhere. Raises BoundsError for a label that is no class."""
    labels = np.asarray(labels)
    check_labels("one_hot", labels, num_classes)
    return np.equal(labels[..., None], np.arange(num_classes)).astype(dtype)


# ---------------------------------------------------------------------------------------- the gate
def softmax_cross_entropy_prepare(logits: Array, target: Array, ignore_index: int = -100) -> Any:
    scores, truth = typeof(logits), typeof(target)
    expected = scores.shape if is_float(truth.dtype) else scores.shape[:-1]
    if truth.shape != expected or not scores.ndim:
        if is_float(truth.dtype) and truth.shape == scores.shape[:-1]:
            raise DTypeError(f"cross_entropy: the target is {truth}, and class labels are whole numbers. Convert them with "
                             f".astype('int64'), or give a probability for each class, shape {scores.shape}.")
        raise ShapeError(f"cross_entropy: logits {scores} beside target {truth} do not fit. Give one label per row, of shape "
                         f"{scores.shape[:-1]}, or one probability per class, of shape {scores.shape}; classes are the last axis "
                         "here, and axis 1 in cross_entropy.")
    return (logits, target), {"ignore_index": ignore_index}


def softmax_cross_entropy_values(logits: Array, target: Array, ignore_index: int) -> Array:
    """The scores are shifted so that no exponential overflows; of the probabilities only the logarithms are computed."""
    logits, target = np.asarray(logits), np.asarray(target)
    shifted = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    total = np.log(np.add.reduce(np.exp(shifted), axis=-1))
    if is_float(target.dtype):
        return np.add.reduce(target * (total[..., None] - shifted), axis=-1)
    classes = logits.shape[-1]
    check_labels("cross_entropy", target, classes, ignore_index)
    rows = shifted.reshape(-1, classes)
    labels = target.reshape(-1) % classes  # those to be ignored must point somewhere
    chosen = rows[np.arange(len(rows)), labels].reshape(target.shape)
    return (total - chosen) * np.not_equal(target, ignore_index)


def softmax_cross_entropy_rule(g: Array, y: Array, logits: Array, target: Array, ignore_index: int) -> Array:
    """`p - y`: the probabilities less the truth."""
    p = softmax(logits, axis=-1)
    if is_float(typeof(target).dtype):
        d = p * sum(target, axis=-1, keepdims=True) - target
    else:
        d = p - marked(target, typeof(logits).shape[-1])
        g = g * not_equal(target, ignore_index)
    return unbroadcast(trailing(g) * d, logits)


def softmax_cross_entropy_batch(flags: list[bool], *args: Array, ignore_index: int) -> Array:
    size = next(typeof(a).shape[0] for a, batched in zip(args, flags) if batched)
    whole = (a if batched else broadcast_to(a, shape=(size, *typeof(a).shape)) for a, batched in zip(args, flags))
    return softmax_cross_entropy(*whole, ignore_index=ignore_index)


def softmax_cross_entropy_samples(rng: Generator) -> list[Sample]:
    logits, shares = rng.normal(size=(3, 4)), rng.uniform(size=(3, 4))
    return [Sample((logits, np.array([0, 3, 1]))), Sample((logits, np.array([0, 7, 1])), {"ignore_index": 7}),
            Sample((logits, np.array([0, 2, 1])), {"ignore_index": 2}),
            Sample((logits, shares / shares.sum(1, keepdims=True))), Sample((logits[0], shares[0])),
            Sample((logits[0], np.array(2)))]


@composite(
    backward=(softmax_cross_entropy_rule, lambda g, y, logits, target, ignore_index: unbroadcast(
        trailing(g) * -log_softmax(logits, axis=-1), target)),
    batch=softmax_cross_entropy_batch, prepare=softmax_cross_entropy_prepare, samples=softmax_cross_entropy_samples,
    result=lambda t, truth, ignore_index: Type(t.shape[:-1], promote(t, truth) if is_float(truth.dtype) else t.dtype),
    forward=softmax_cross_entropy_values, tex=r"-\sum {1} \log\,\mathrm{{softmax}}({0})")
def softmax_cross_entropy(logits: Array, target: Array, *, ignore_index: int = -100) -> Array:
    """The cross-entropy of each row of logits, its classes along the last axis, as one gate whose gradient is `p - y`.

    `target` is a whole number per row, or a probability (more generally, a weight) per class. A label equal to `ignore_index`
    counts nothing. Raises ShapeError, DTypeError, and BoundsError for a label that is no class.

    >>> import chainrule as cr, numpy as np
    >>> cr.grad(lambda z: cr.softmax_cross_entropy(z, 0))(np.array([0.0, 0.0]))
    array([-0.5,  0.5])
    """
    truth = target
    if not is_float(typeof(target).dtype):
        kept = trailing(not_equal(target, ignore_index))
        truth = indicator(kept & marked(target, typeof(logits).shape[-1]), logits)
    return -sum(truth * log_softmax(logits, axis=-1), axis=-1)


# ---------------------------------------------------------------------------------------- the losses
def classes_last(x: Array) -> Array:
    """PyTorch puts the classes along axis 1, in front of the places of an image or a sequence."""
    return moveaxis(x, 1, -1) if typeof(x).ndim > 2 else x


def shares_of(logits: Array, target: Array, weight: Array, ignore_index: int, label_smoothing: float) -> tuple[Array, Array]:
    """The truth as a weight per class, smoothed, and what the rows weigh together."""
    softmax_cross_entropy_prepare(logits, target)
    classes, soft = typeof(logits).shape[-1], is_float(typeof(target).dtype)
    if weight is not None and typeof(weight).shape != (classes,):
        raise ShapeError(f"cross_entropy: weight {typeof(weight)} beside logits {typeof(logits)}: give one number per class, "
                         f"shape ({classes},).")
    heavy = 1.0 if weight is None else weight
    if soft:
        return (target * (1 - label_smoothing) + label_smoothing / classes) * heavy, typeof(target).size // classes
    kept = not_equal(target, ignore_index)
    counts = trailing(indicator(kept, logits))
    shares = one_hot(where(kept, target, 0), classes, typeof(logits).dtype) * counts
    return (shares * (1 - label_smoothing) + counts * (label_smoothing / classes)) * heavy, sum(shares * heavy)


def rows_counted(target: Array, losses: Array, ignore_index: int) -> Array:
    """How many rows the mean is over: all, less those to be ignored."""
    if is_float(typeof(target).dtype):
        return typeof(losses).size
    if isinstance(target, np.ndarray):  # in every training step: five times faster than three operations
        return int(np.count_nonzero(target != ignore_index))
    return astype(sum(not_equal(target, ignore_index)), typeof(losses).dtype)


def cross_entropy(input: Array, target: Array, weight: Array = None, *, ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Array:
    """Cross-entropy between logits and the true classes, through one gate whose gradient is `p - y`.

    `input` has shape (classes,), (rows, classes) or (rows, classes, ...). `target` is either a whole number per row, in the
    shape of `input` without its classes, or a probability per class in the shape of `input`. `weight` counts some classes
    more than others; `label_smoothing` takes that share off the true class and spreads it evenly; rows labelled `ignore_index`
    do not count. `reduction` is "mean" (over the rows that count, by weight), "sum" or "none". Raises ShapeError, DTypeError,
    BoundsError.

    >>> import chainrule as cr, numpy as np
    >>> cr.cross_entropy(np.zeros((2, 4)), np.array([0, 3])) == np.log(4)
    np.True_
    """
    logits = classes_last(input)
    if is_float(typeof(target).dtype):
        target = classes_last(target)
    counted: Array = None
    if weight is not None or label_smoothing:
        target, counted = shares_of(logits, target, weight, ignore_index, label_smoothing)
    losses = softmax_cross_entropy(logits, target, ignore_index=ignore_index)
    divisor = divisor_of("cross_entropy", reduction, typeof(losses))
    if reduction == "mean" and typeof(losses).ndim:
        divisor = rows_counted(target, losses, ignore_index) if counted is None else counted
    return reduced_loss(losses, divisor)


def nll_loss(input: Array, target: Array, weight: Array = None, *, ignore_index: int = -100, reduction: str = "mean") -> Array:
    """The negative logarithm of the probability of the true class, from log-probabilities such as log_softmax gives.

    Shapes, options and errors are those of `cross_entropy` with a whole number per row.
    """
    logs = classes_last(input)
    if is_float(typeof(target).dtype):
        raise DTypeError(f"nll_loss: the target is {typeof(target)}, and class labels are whole numbers. Convert them with "
                         ".astype('int64').")
    shares, counted = shares_of(logs, target, weight, ignore_index, 0.0)
    losses = -sum(where(equal(shares, 0), 0.0, shares * logs), axis=-1)
    return reduced_loss(losses, counted if reduction == "mean" else divisor_of("nll_loss", reduction, typeof(losses)))
