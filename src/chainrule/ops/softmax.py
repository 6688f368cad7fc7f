"""A softmax turns scores along an axis into probabilities: each exponential over the sum of all."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.type import Array, normal_axis, typeof
from chainrule.errors import ShapeError

from .activation import sigmoid
from .arithmetic import negative
from .broadcasting import stop_gradient, sum
from .exponential import exp
from .families import Samples, arrays, composite, several
from .indexing import getitem
from .reduction import logsumexp, max


def along(name: str) -> Callable[..., Any]:
    """The canonical form of a call with one axis, by default the last: counted from the front."""
    def prepare(x: Array, axis: int = -1) -> Any:
        return (x,), {"axis": normal_axis(name, axis, typeof(x).ndim)}
    return prepare


def scores() -> Samples:
    return several(arrays((4,)), arrays((3, 4)), arrays((2, 3, 4), axis=1))


def softmax_values(x: Array, axis: int) -> Array:
    """The greatest score is taken off first: the result is the same, and no exponential overflows."""
    e = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True))
    return e / np.add.reduce(e, axis=axis, keepdims=True)


def softmax_rule(g: Array, y: Array, x: Array, axis: int) -> Array:
    """`y (g - g . y)`: the Jacobian is diag(y) - y y^T, which is symmetric and so serves both directions."""
    return y * (g - sum(g * y, axis=axis, keepdims=True))


@composite(
    backward=(softmax_rule,), tangent=lambda tangents, y, x, axis: softmax_rule(tangents[0], y, x, axis),
    batch=lambda flags, x, axis: softmax(x, axis=axis + 1), prepare=along("softmax"), samples=scores(), forward=softmax_values,
    tex=r"\mathrm{{softmax}}({0})")
def softmax(x: Array, *, axis: int = -1) -> Array:
    """Positive numbers that sum to one along `axis`, in proportion to the exponentials of the scores.

    >>> import chainrule as cr, numpy as np
    >>> cr.softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    e = exp(x - stop_gradient(max(x, axis=axis, keepdims=True)))
    return e / sum(e, axis=axis, keepdims=True)


def log_softmax_values(x: Array, axis: int) -> Array:
    shifted = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))


@composite(
    backward=(lambda g, y, x, axis: g - exp(y) * sum(g, axis=axis, keepdims=True),),
    tangent=lambda tangents, y, x, axis: tangents[0] - sum(exp(y) * tangents[0], axis=axis, keepdims=True),
    batch=lambda flags, x, axis: log_softmax(x, axis=axis + 1), prepare=along("log_softmax"), samples=scores(),
    forward=log_softmax_values, tex=r"\log\,\mathrm{{softmax}}({0})")
def log_softmax(x: Array, *, axis: int = -1) -> Array:
    """The logarithm of the softmax along `axis`, finite also where a probability would be rounded to 0."""
    return x - logsumexp(x, axis=axis, keepdims=True)


def softmin(x: Array, axis: int = -1) -> Array:
    """The softmax of the opposite scores: the smallest gets the most."""
    return softmax(negative(x), axis=axis)


def glu(x: Array, axis: int = -1) -> Array:
    """The first half along `axis`, gated by the sigmoid of the second half. Raises ShapeError where the size is odd.

    Source: Dauphin, Fan, Auli and Grangier, Language modeling with gated convolutional networks, 2016.
    """
    t = typeof(x)
    axis = normal_axis("glu", axis, t.ndim)
    half, odd = divmod(t.shape[axis], 2)
    if odd:
        raise ShapeError(f"glu: axis {axis} of {t} has {t.shape[axis]} elements, which do not halve. Give an even number.")
    front = (slice(None),) * axis
    return getitem(x, (*front, slice(0, half))) * sigmoid(getitem(x, (*front, slice(half, None))))
