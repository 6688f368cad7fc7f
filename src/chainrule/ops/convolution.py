"""A convolution slides a small kernel over an array and takes the scalar product at each place.

Three operations are enough: the convolution, and its transposes in the data and in the kernel. Each is the scalar product
`sum(g * convolution(x, weight))` solved for one of its three factors, so the derivatives of any are the other two.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.primitive import Generator, Primitive, Sample
from chainrule.core.type import Array, Shape, Type, promote, typeof
from chainrule.errors import ArgumentError, ShapeError

from .broadcasting import broadcast_to, reshape, sum
from .columns import Padding, flipped, gathered, padded, pads, per_axis, slide, spread_out
from .families import primitive, several
from .matmul import fit, zero_wins
from .movement import moveaxis


# ---------------------------------------------------------------------------------------- the form of a call
def prepare(x: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
            groups: int = 1) -> Any:
    """In canonical form the windows end exactly where the padded data do: what no window reaches is cut off."""
    rank = typeof(weight).ndim - 2
    stride, dilation = per_axis("stride", stride, rank, 1), per_axis("dilation", dilation, rank, 1)
    kernel, size = typeof(weight).shape[2:], typeof(x).shape[2:]
    extent = tuple(d * (k - 1) for d, k in zip(dilation, kernel))
    around = pads(padding, extent, stride)
    rest = [max(n + low + high - e - 1, 0) % s for n, (low, high), e, s in zip(size, around, extent, stride)]
    padding = tuple((low, high - r) for (low, high), r in zip(around, rest))
    return (x, weight, bias), {"stride": stride, "padding": padding, "dilation": dilation, "groups": int(groups)}


def check_kernel(name: str, x: Type, weight: Type, bias: Type | None, channels: int, out: int, groups: int) -> None:
    if x.ndim != weight.ndim or weight.ndim < 3:
        raise ShapeError(f"{name}: the data {x} and the kernel {weight} need the same number of axes: examples, channels and "
                         "one or more of space; out, in and space. Add the missing axis with reshape.")
    if x.shape[1] != channels or weight.shape[0] % groups:
        raise ShapeError(f"{name}: the data {x} have {x.shape[1]} channels, but the kernel {weight} with groups={groups} "
                         f"takes {channels}, and its first axis must be a multiple of groups.")
    if bias is not None and bias.shape != (out,):
        raise ShapeError(f"{name}: the bias is {bias}, but there are {out} channels in the result; give shape ({out},).")


def convolution_type(x: Type, weight: Type, bias: Type | None, stride: Shape, padding: Padding, dilation: Shape,
                     groups: int) -> Type:
    check_kernel("convolution", x, weight, bias, weight.shape[1] * groups if weight.ndim > 1 else 0, weight.shape[0], groups)
    size = tuple((n + low + high - d * (k - 1) - 1) // s + 1 for n, (low, high), d, k, s in zip(
        x.shape[2:], padding, dilation, weight.shape[2:], stride))
    if min(size) < 1:
        raise ShapeError(f"convolution: the kernel {weight} with dilation {dilation} is larger than the data {x} with padding "
                         f"{padding}. Pad more, or use a smaller kernel.")
    return Type((x.shape[0], weight.shape[0], *size), promote(*(t for t in (x, weight, bias) if t is not None)))


def transposed_type(g: Type, weight: Type, bias: Type | None, stride: Shape, padding: Padding, dilation: Shape,
                    groups: int) -> Type:
    out = weight.shape[1] * groups if weight.ndim > 1 else 0
    check_kernel("transposed convolution", g, weight, bias, weight.shape[0], out, groups)
    size = tuple((n - 1) * s + d * (k - 1) + 1 - low - high for n, (low, high), d, k, s in zip(
        g.shape[2:], padding, dilation, weight.shape[2:], stride))
    if min(size) < 1:
        raise ShapeError(f"transposed convolution: padding {padding} leaves nothing of the result of {g} and {weight}.")
    return Type((g.shape[0], out, *size), promote(*(t for t in (g, weight, bias) if t is not None)))


def kernel_type(x: Type, g: Type, stride: Shape, padding: Padding, dilation: Shape, groups: int) -> Type:
    size = tuple((n + low + high - (m - 1) * s - 1) // d + 1 for n, (low, high), d, m, s in zip(
        x.shape[2:], padding, dilation, g.shape[2:], stride))
    return Type((g.shape[1], x.shape[1] // groups, *size), promote(x, g))


# ---------------------------------------------------------------------------------------- rules
def bias_gradient(g: Array, bias: Array) -> Array:
    return fit(sum(g, axis=(0, *range(2, typeof(g).ndim))), bias)


def moved(prim: Primitive) -> Callable[..., Any]:
    """The tangent of an operation linear in each of two arrays, and in the bias added to it."""
    def tangent(tangents: list[Array | None], y: Array, a: Array, b: Array, *bias: Array | None, **params: Any) -> Array:
        none = (None,) * len(bias)
        parts = [None if tangents[0] is None else prim(tangents[0], b, *none, **params),
                 None if tangents[1] is None else prim(a, tangents[1], *none, **params)]
        if bias and tangents[2] is not None:
            column = reshape(tangents[2], (-1, *[1] * (typeof(y).ndim - 2)))
            parts.append(broadcast_to(column, typeof(y).shape))
        first, *rest = [p for p in parts if p is not None]
        for p in rest:
            first = first + p
        return fit(first, y)
    return tangent


def folded(prim: Primitive, kernels: tuple[bool, bool, bool]) -> Callable[..., Any]:
    """The batch rule: with one kernel for all, the batch is more examples; else each member gets its own groups of channels.

    `kernels` says of the two arguments and the result which is a kernel.
    """
    def batch(flags: list[bool], a: Array, b: Array, *bias: Array | None, **params: Any) -> Array:
        none = (None,) * len(bias)
        size = next(typeof(x).shape[0] for x, many in zip((a, b, *bias), flags) if many)
        if not flags[0] and not flags[1]:
            y = prim(a, b, *none, **params)
        elif kernels[1] and not flags[1]:
            y = prim(reshape(a, (-1, *typeof(a).shape[2:])), b, *none, **params)
            y = reshape(y, (size, -1, *typeof(y).shape[1:]))
        else:
            full = (x if many else broadcast_to(x, (size, *typeof(x).shape)) for x, many in zip((a, b), flags))
            y = prim(*(joined(x, kernel) for x, kernel in zip(full, kernels)), *none,
                     **{**params, "groups": size * params["groups"]})
            shape = typeof(y).shape
            y = (reshape(y, (size, -1, *shape[1:])) if kernels[2]
                 else moveaxis(reshape(y, (shape[0], size, -1, *shape[2:])), 1, 0))
        if not bias or bias[0] is None:
            return y
        ones = [1] * (typeof(y).ndim - (2 if not flags[0] and not flags[1] else 3))
        return y + reshape(bias[0], (size, 1, -1, *ones) if flags[2] else (-1, *ones))
    return batch


def joined(x: Array, kernel: bool) -> Array:
    """The batch axis merged into the output channels of a kernel, or into the channels of data."""
    shape = typeof(x).shape
    if kernel:
        return reshape(x, (shape[0] * shape[1], *shape[2:]))
    return reshape(moveaxis(x, 0, 1), (shape[1], shape[0] * shape[2], *shape[3:]))


# ---------------------------------------------------------------------------------------- the three operations
def calls(*shapes: tuple[int, ...], biased: bool = True, **params: Any) -> Callable[[Generator], list[Sample]]:
    """A sample of two arrays, and a bias where the operation has one."""
    def make(rng: Generator) -> list[Sample]:
        a, b, *bias = (rng.normal(size=s) for s in shapes)
        return [Sample((a, b, *bias, *[None] * (biased and not bias)), params)]
    return make


def with_bias(y: Array, bias: Array | None) -> Array:
    if bias is None:
        return y
    column = bias.reshape(-1, *[1] * (y.ndim - 2))
    return np.add(y, column, out=y) if y.dtype == bias.dtype else y + column



@primitive(
    backward=(lambda g, y, x, weight, bias, **params: fit(transposed_convolution(g, weight, None, **params), x),
              lambda g, y, x, weight, bias, **params: fit(kernel_convolution(x, g, **params), weight),
              lambda g, y, x, weight, bias, **params: bias_gradient(g, bias)),
    tangent=lambda tangents, y, *args, **params: moved(convolution)(tangents, y, *args, **params),
    batch=lambda flags, *args, **params: folded(convolution, (False, True, False))(flags, *args, **params),
    result=convolution_type, prepare=prepare,
    samples=several(
        calls((2, 3, 7), (4, 3, 3), (4,)), calls((2, 2, 5, 6), (4, 1, 3, 2), (4,), stride=(2, 1), padding=1, groups=2),
        calls((1, 2, 6, 7), (3, 2, 2, 3), dilation=2, stride=2, padding=((1, 0), (2, 1))),
        calls((1, 1, 3, 4, 3), (2, 1, 2, 2, 2))),
    tex="{0} * {1}")
def convolution(x: Array, weight: Array, bias: Array | None, *, stride: Shape, padding: Padding, dilation: Shape,
                groups: int) -> Array:
    """The scalar products of kernels with every window of the data, in any number of spatial axes.

    x (N, C, *space), weight (O, C / groups, *kernel), bias (O,) or None. Options are one number for all axes or one for
    each; padding may be a pair (before, after) for each. As in all deep learning libraries the kernel is not reversed, which
    mathematics calls cross-correlation. Raises ShapeError where channels differ or the kernel is larger than the data.
    """
    size = convolution_type(typeof(x), typeof(weight), None, stride, padding, dilation, groups).shape[2:]
    return with_bias(slide(padded(x, padding), weight, size, stride, dilation, groups), bias)


def same_call(*args: Array, **params: Any) -> Any:
    return args, params


@primitive(
    backward=(lambda h, y, g, weight, bias, **params: fit(convolution(h, weight, None, **params), g),
              lambda h, y, g, weight, bias, **params: fit(kernel_convolution(h, g, **params), weight),
              lambda h, y, g, weight, bias, **params: bias_gradient(h, bias)),
    tangent=lambda tangents, y, *args, **params: moved(transposed_convolution)(tangents, y, *args, **params),
    batch=lambda flags, *args, **params: folded(transposed_convolution, (False, True, False))(flags, *args, **params),
    result=transposed_type, prepare=same_call,
    samples=several(
        calls((2, 4, 5), (4, 3, 3), (3,), stride=(1,), padding=((1, 1),), dilation=(1,), groups=1),
        calls((2, 4, 3, 4), (4, 1, 3, 2), (2,), stride=(2, 1), padding=((1, 1), (0, 1)), dilation=(1, 2), groups=2),
        calls((1, 2, 3), (2, 3, 3), stride=(2,), padding=((1, -1),), dilation=(2,), groups=1)),
    tex="{0} *^T {1}")
def transposed_convolution(g: Array, weight: Array, bias: Array | None, *, stride: Shape, padding: Padding, dilation: Shape,
                           groups: int) -> Array:
    """The transpose of a convolution in its data: every element of `g` adds its multiple of the kernel to a window.

    g (N, O, *space), weight (O, C / groups, *kernel); the result has C channels. The options are those of the convolution.
    """
    size = transposed_type(typeof(g), typeof(weight), None, stride, padding, dilation, groups).shape[2:]
    extent = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
    if set(stride) == {1} and len(weight) <= 2 * weight.shape[1] * groups:  # columns of g, not of the result: less to add up
        around = tuple((e - low, e - high) for e, (low, high) in zip(extent, padding))
        return with_bias(slide(padded(g, around), flipped(weight, groups), size, stride, dilation, groups), bias)
    wide = tuple((n - 1) * s + e + 1 for n, s, e in zip(g.shape[2:], stride, extent))
    cropped = padded(spread_out(g, weight, wide, stride, dilation, groups), tuple((-low, -high) for low, high in padding))
    return with_bias(cropped, bias)


@primitive(
    backward=(lambda h, y, x, g, **params: fit(transposed_convolution(g, h, None, **params), x),
              lambda h, y, x, g, **params: fit(convolution(x, h, None, **params), g)),
    tangent=lambda tangents, y, *args, **params: moved(kernel_convolution)(tangents, y, *args, **params),
    batch=lambda flags, *args, **params: folded(kernel_convolution, (False, False, True))(flags, *args, **params),
    result=kernel_type, prepare=same_call,
    samples=several(
        calls((2, 3, 7), (2, 4, 5), biased=False, stride=(1,), padding=((0, 0),), dilation=(1,), groups=1),
        calls((2, 2, 5, 6), (2, 4, 3, 5), biased=False, stride=(2, 1), padding=((1, 1), (0, 0)), dilation=(2, 1), groups=2)),
    tex="{0} * {1}")
def kernel_convolution(x: Array, g: Array, *, stride: Shape, padding: Padding, dilation: Shape, groups: int) -> Array:
    """The transpose of a convolution in its kernel: how much each element of `g` saw of `x` through each place of the kernel.

    x (N, C, *space), g (N, O, *space of the convolution); the result is (O, C / groups, *kernel). A window where `g` is 0
    counts for nothing, whatever it holds: data that are masked out later may be NaN.
    """
    kernel = kernel_type(typeof(x), typeof(g), stride, padding, dilation, groups).shape[2:]

    def product(x: Array, g: Array) -> Array:
        return gathered(padded(x, padding), g, kernel, stride, dilation, groups)
    return zero_wins(product, product(x, g), x, g)


# ---------------------------------------------------------------------------------------- the public names
def over(rank: int, name: str, x: Array, run: Callable[[Array], Array]) -> Array:
    """Apply to a batch of examples, or to a single one without the first axis."""
    ndim = typeof(x).ndim
    if ndim not in (rank + 1, rank + 2):
        raise ShapeError(f"{name}: the data are {typeof(x)}; give (examples, channels, {rank} spatial "
                         f"{'axis' if rank == 1 else 'axes'}), or one example without the first axis.")
    return run(x) if ndim == rank + 2 else run(x[None])[0]


def conv1d(x: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Array:
    """Convolution along one axis: x (N, C, L), weight (O, C / groups, K), bias (O,).

    `padding` is a number, "same" (keeps the length) or "valid" (none). Names and options as `torch.nn.functional.conv1d`.
    """
    return over(1, "conv1d", x, lambda x: convolution(x, weight, bias, stride, padding, dilation, groups))


def conv2d(x: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Array:
    """Convolution of images: x (N, C, H, W), weight (O, C / groups, KH, KW), bias (O,).

    `padding` is a number, one for each axis, "same" or "valid". Names and options as `torch.nn.functional.conv2d`.

    >>> import chainrule as cr, numpy as np
    >>> cr.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), padding="same")
    array([[[[4., 4., 2.],
             [4., 4., 2.],
             [2., 2., 1.]]]])
    """
    return over(2, "conv2d", x, lambda x: convolution(x, weight, bias, stride, padding, dilation, groups))


def conv3d(x: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Array:
    """Convolution of volumes: x (N, C, D, H, W), weight (O, C / groups, KD, KH, KW), bias (O,); options as `conv2d`."""
    return over(3, "conv3d", x, lambda x: convolution(x, weight, bias, stride, padding, dilation, groups))


def transposed(rank: int, x: Array, weight: Array, bias: Array | None, stride: Any, padding: Any, output_padding: Any,
               groups: int, dilation: Any) -> Array:
    """Extra size at the end is padding taken away there."""
    stride, dilation = per_axis("stride", stride, rank, 1), per_axis("dilation", dilation, rank, 1)
    padding, extra = per_axis("padding", padding, rank, 0), per_axis("output_padding", output_padding, rank, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise ArgumentError(f"output_padding={output_padding}: must be smaller than the stride {stride} or the "
                            f"dilation {dilation}.")
    return over(rank, f"conv_transpose{rank}d", x, lambda x: transposed_convolution(
        x, weight, bias, stride=stride, padding=tuple((p, p - e) for p, e in zip(padding, extra)), dilation=dilation,
        groups=int(groups)))


def conv_transpose1d(x: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Array:
    """The transpose of `conv1d`: x (N, C, L), weight (C, O / groups, K), bias (O,); as `torch.nn.functional`'s."""
    return transposed(1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(x: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Array:
    """The transpose of `conv2d`: x (N, C, H, W), weight (C, O / groups, KH, KW), bias (O,); as `torch.nn.functional`'s."""
    return transposed(2, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(x: Array, weight: Array, bias: Array | None = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Array:
    """The transpose of `conv3d`: x (N, C, D, H, W), weight (C, O / groups, KD, KH, KW), bias (O,); as `torch.nn.functional`'s."""
    return transposed(3, x, weight, bias, stride, padding, output_padding, groups, dilation)
