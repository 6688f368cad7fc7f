"""A normalization gives values mean 0 and variance 1, over features, examples or groups, so that layers meet known scales."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.type import Array, Shape, Type, normal_axes, typeof
from chainrule.errors import ShapeError

from .broadcasting import chain, reshape, stop_gradient
from .families import Samples, arrays, composite, past_batch, primitive, reduced_shape, several
from .power import sqrt, square
from .reduction import count
from .statistics import mean, var


# ---------------------------------------------------------------------------------------- the two gates
def over(name: str) -> Any:
    """The canonical form of a call with axes: sorted, counted from the front."""
    def prepare(x: Array, axis: Any, eps: float = 1e-5) -> Any:
        return (x,), {"axis": normal_axes(name, axis, typeof(x).ndim), "eps": eps}
    return prepare


def samples() -> Samples:
    return several(arrays((3, 4), axis=-1), arrays((2, 3, 4), axis=(0, 2), eps=0.1))


def standardize_rule(g: Any, y: Any, x: Array, axis: Shape, eps: float) -> Array:
    """The three terms: what arrives, less its mean, less its part along the result; all over the standard deviation.

    What arrives at the mean and at the variance joins the two small terms. Source: Ioffe and Szegedy, Batch normalization,
    2015, the equations of section 3 put together.
    """
    (g, at_mean, at_variance), (y, _, variance) = g, y
    n, deviation = count(x, axis), sqrt(variance + eps)
    level = mean(g, axis=axis, keepdims=True) - chain(at_mean, deviation) / n
    along = mean(g * y, axis=axis, keepdims=True) - 2 * chain(at_variance, variance + eps) / n
    return (g - level - y * along) / deviation


def standardize_tangent(tangents: list[Array], y: Any, x: Array, axis: Shape, eps: float) -> Any:
    (t,), (y, _, variance) = tangents, y
    deviation = sqrt(variance + eps)
    level, along = mean(t, axis=axis, keepdims=True), mean(t * y, axis=axis, keepdims=True)
    return (t - level - y * along) / deviation, level, 2 * along * deviation


def standardize_body(x: Array, axis: Shape, eps: float) -> Any:
    center = mean(x, axis=axis, keepdims=True)
    variance = mean(square(x - center), axis=axis, keepdims=True)
    return (x - center) / sqrt(variance + eps), center, variance


def standardize_types(t: Type, axis: Shape, eps: float) -> list[Type]:
    small = Type(reduced_shape(t.shape, axis, True), t.dtype)
    return [t, small, small]


@primitive(
    backward=(standardize_rule,), tangent=standardize_tangent, result=standardize_types, body=standardize_body,
    batch=lambda flags, x, axis, eps: standardize(x, axis=past_batch(axis), eps=eps), prepare=over("standardize"),
    samples=samples(), tex=r"\frac{{{0} - \mu}}{{\sqrt{{\sigma^2 + \epsilon}}}}")
def standardize(x: Array, *, axis: Shape, eps: float) -> Any:
    """`(x - mean) / sqrt(variance + eps)` over the axes, and the mean and the variance, whose axes stay with size 1.

    The variance is the mean of the squares, without Bessel's correction.
    """
    n = count(x, axis)
    center = np.add.reduce(x, axis=axis, keepdims=True) / n
    centered = x - center
    variance = np.add.reduce(np.square(centered), axis=axis, keepdims=True) / n
    centered /= np.sqrt(variance + eps)
    return centered, center, variance


def divide_by_rms_rule(g: Array, y: Array, x: Array, axis: Shape, eps: float) -> Array:
    """Two of the three terms of `standardize`: nothing is subtracted, so no mean is."""
    return (g - y * mean(g * y, axis=axis, keepdims=True)) / sqrt(mean(square(x), axis=axis, keepdims=True) + eps)


@composite(
    backward=(divide_by_rms_rule,), tangent=lambda tangents, y, x, axis, eps: divide_by_rms_rule(tangents[0], y, x, axis, eps),
    batch=lambda flags, x, axis, eps: divide_by_rms(x, axis=past_batch(axis), eps=eps), prepare=over("divide_by_rms"),
    samples=samples(), tex=r"\frac{{{0}}}{{\mathrm{{rms}}({0})}}")
def divide_by_rms(x: Array, *, axis: Shape, eps: float) -> Array:
    """`x` over the square root of its mean square plus eps, over the axes."""
    return x / sqrt(mean(square(x), axis=axis, keepdims=True) + eps)


# ---------------------------------------------------------------------------------------- what networks use
def scaled(x: Array, weight: Array, bias: Array) -> Array:
    """What a normalization learns: a scale and a shift, either of which may be missing."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def features(name: str, x: Array, normalized_shape: int | Shape, *learned: Array) -> Shape:
    """The last axes, after checking that they have the shape said, and so have the learned arrays."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    t = typeof(x)
    if t.shape[t.ndim - len(shape):] != shape:
        raise ShapeError(f"{name}: normalized_shape {shape} is not how {t} ends. Give the sizes of its last axes.")
    for a in learned:
        if a is not None and typeof(a).shape != shape:
            raise ShapeError(f"{name}: weight and bias have the shape {shape} of what is normalized, not {typeof(a).shape}.")
    return tuple(range(t.ndim - len(shape), t.ndim))


def layer_norm(input: Array, normalized_shape: int | Shape, weight: Array = None, bias: Array = None,
               eps: float = 1e-5) -> Array:
    """Each example standardized over its last axes, which have `normalized_shape`; then times weight, plus bias.

    Source: Ba, Kiros and Hinton, Layer normalization, 2016. Raises ShapeError.
    """
    axes = features("layer_norm", input, normalized_shape, weight, bias)
    return scaled(standardize(input, axis=axes, eps=eps)[0], weight, bias)


def rms_norm(input: Array, normalized_shape: int | Shape, weight: Array = None, eps: float | None = None) -> Array:
    """Each example over its root mean square along its last axes; `eps` is by default the spacing of the dtype at 1.

    Source: Zhang and Sennrich, Root mean square layer normalization, 2019. Raises ShapeError.
    """
    axes = features("rms_norm", input, normalized_shape, weight)
    if eps is None:
        eps = float(np.finfo(typeof(input).dtype).eps)
    return scaled(divide_by_rms(input, axis=axes, eps=eps), weight, None)


def per_channel(name: str, x: Array, *learned: Array) -> list[Array]:
    """Arrays with a number for each channel (axis 1), shaped to broadcast against `x`."""
    t = typeof(x)
    if t.ndim < 2:
        raise ShapeError(f"{name}: {t} has no axis 1 for the channels. Give (examples, channels, ...).")
    for a in learned:
        if a is not None and typeof(a).shape != t.shape[1:2]:
            raise ShapeError(f"{name}: {t} has {t.shape[1]} channels (axis 1), and was given {typeof(a)}. Give one number for "
                             "each channel.")
    return [None if a is None else reshape(a, shape=(t.shape[1], *[1] * (t.ndim - 2))) for a in learned]


def batch_norm(input: Array, running_mean: Array = None, running_var: Array = None, weight: Array = None,
               bias: Array = None, *, training: bool = False, eps: float = 1e-5) -> Array:
    """Each channel (axis 1) standardized over all examples and places; then times weight, plus bias.

    In training, or without running statistics, the mean and variance are those of the batch, and the gradient flows through
    them; else the given ones are used as constants. Values are immutable: `running_statistics` gives the new averages.

    Source: Ioffe and Szegedy, Batch normalization, 2015. Raises ShapeError.
    """
    center, variance, weight, bias = per_channel("batch_norm", input, running_mean, running_var, weight, bias)
    if training or center is None or variance is None:
        others = tuple(i for i in range(typeof(input).ndim) if i != 1)
        return scaled(standardize(input, axis=others, eps=eps)[0], weight, bias)
    return scaled((input - center) / sqrt(variance + eps), weight, bias)


def running_statistics(input: Array, running_mean: Array, running_var: Array, momentum: float = 0.1) -> tuple[Array, Array]:
    """The running mean and variance of each channel moved towards those of this batch, the share `momentum` of the way.

    The variance is the unbiased one (over n - 1), as in PyTorch. No gradient flows.
    """
    others = tuple(i for i in range(typeof(input).ndim) if i != 1)
    if count(input, others) < 2:
        raise ShapeError(f"running_statistics: {typeof(input)} has one value per channel, and one value has no variance.")
    batch = stop_gradient(input)
    return (running_mean + momentum * (mean(batch, axis=others) - running_mean),
            running_var + momentum * (var(batch, axis=others, correction=1) - running_var))


def group_norm(input: Array, num_groups: int, weight: Array = None, bias: Array = None, eps: float = 1e-5) -> Array:
    """Each example's channels (axis 1) standardized in groups, over their places; then times weight, plus bias.

    Source: Wu and He, Group normalization, 2018. Raises ShapeError.
    """
    weight, bias = per_channel("group_norm", input, weight, bias)
    shape = typeof(input).shape
    if shape[1] % num_groups:
        raise ShapeError(f"group_norm: {shape[1]} channels do not split into {num_groups} equal groups.")
    groups = reshape(input, shape=(shape[0], num_groups, count(input, tuple(range(1, len(shape)))) // num_groups))
    return scaled(reshape(standardize(groups, axis=(2,), eps=eps)[0], shape=shape), weight, bias)


def instance_norm(input: Array, weight: Array = None, bias: Array = None, *, eps: float = 1e-5) -> Array:
    """Each channel (axis 1) of each example standardized over its places; then times weight, plus bias.

    Source: Ulyanov, Vedaldi and Lempitsky, Instance normalization, 2016. Raises ShapeError.
    """
    weight, bias = per_channel("instance_norm", input, weight, bias)
    return scaled(standardize(input, axis=tuple(range(2, typeof(input).ndim)), eps=eps)[0], weight, bias)
