"""What the laws do not say of convolution and pooling: a reference written as loops, the conventions, and the errors."""
from itertools import product

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ShapeError

close = np.testing.assert_allclose


def drawn(*shapes):
    rng = np.random.default_rng(5)
    return [rng.normal(size=s) for s in shapes]


def slid(x, w, stride, padding, dilation, groups):
    """Convolution by its definition: one scalar product for each example, output channel and place."""
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    size = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], w.shape[2:], stride, dilation)]
    y = np.zeros((len(x), len(w), *size))
    each, depth = len(w) // groups, w.shape[1]
    for n, o, *place in product(range(len(x)), range(len(w)), *map(range, size)):
        window = [slice(p * s, p * s + d * (k - 1) + 1, d) for p, s, d, k in zip(place, stride, dilation, w.shape[2:])]
        first = o // each * depth
        y[(n, o, *place)] = np.sum(x[(n, slice(first, first + depth), *window)] * w[o])
    assert len(size) == rank
    return y


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolution_is_its_definition(stride, padding, dilation, groups):
    x, w = drawn((2, 4, 9), (8, 4 // groups, 3))
    y = cr.conv1d(x, w, None, stride, padding, dilation, groups)
    close(y, slid(x, w, [stride], [padding], [dilation], groups), atol=1e-12)
    x, w = drawn((1, 4, 6, 7), (4, 4 // groups, 2, 3))
    options = [(stride, 1), (padding, 0), (dilation, 1)]
    close(cr.conv2d(x, w, None, *options, groups), slid(x, w, *options, groups), atol=1e-12)


@pytest.mark.parametrize(("stride", "padding", "output_padding", "dilation", "groups"), [
    (1, 0, 0, 1, 1), (2, 1, 1, 1, 1), (3, 0, 2, 1, 2), (2, 2, 1, 3, 2), (1, 1, 0, 2, 1), (1, 1, 1, 2, 1)])
def test_transposed_convolution_is_the_transpose(stride, padding, output_padding, dilation, groups):
    g, w = drawn((2, 4, 5), (4, 3, 3))
    x = cr.conv_transpose1d(g, w, None, stride, padding, output_padding, groups, dilation)
    assert x.shape == (2, 3 * groups, (5 - 1) * stride - 2 * padding + dilation * 2 + output_padding + 1)
    h, = drawn(x.shape)
    back = cr.conv1d(h, w, None, stride, padding, dilation, groups)[..., :5]
    close(np.vdot(x, h), np.vdot(g, back))


def test_same_padding_keeps_the_size_and_puts_the_odd_zero_last():
    x, w = drawn((1, 1, 5), (1, 1, 4))
    y = cr.conv1d(x, w, padding="same")
    close(y, slid(np.pad(x, [(0, 0), (0, 0), (1, 2)]), w, [1], [0], [1], 1))
    assert cr.conv1d(x, w, padding="valid").shape == (1, 1, 2)
    with pytest.raises(ArgumentError, match="padding='same' keeps the size, which a stride of"):
        cr.conv1d(x, w, stride=2, padding="same")


def test_one_example_needs_no_first_axis():
    x, w = drawn((3, 6, 6), (2, 3, 3, 3))
    close(cr.conv2d(x, w), cr.conv2d(x[None], w)[0])
    close(cr.max_pool2d(x, 2), cr.max_pool2d(x[None], 2)[0])


def test_many_examples_are_convolved_in_parts_with_the_same_result():
    x, w = drawn((40, 8, 30, 30), (4, 8, 3, 3))
    close(cr.conv2d(x, w)[31], cr.conv2d(x[31:32], w)[0])
    g, = drawn((40, 4, 28, 28))
    dx, dw = cr.vjp(lambda x, w: cr.conv2d(x, w), x, w)[1](g)
    each = [cr.vjp(lambda x, w: cr.conv2d(x, w), x[i:i + 1], w)[1](g[i:i + 1]) for i in range(40)]
    close(dx, np.concatenate([e[0] for e in each]), atol=1e-12)
    close(dw, sum(e[1] for e in each), atol=1e-10)


@pytest.mark.parametrize(("words", "call"), [
    ("have 3 channels, but the kernel .* takes 2", lambda: cr.conv2d(*drawn((1, 3, 5, 5), (4, 2, 3, 3)))),
    ("larger than the data", lambda: cr.conv2d(*drawn((1, 2, 2, 2), (4, 2, 3, 3)))),
    ("give shape \\(4,\\)", lambda: cr.conv2d(*drawn((1, 2, 5, 5), (4, 2, 3, 3), (3,)))),
    ("conv2d: the data are float64\\[5,5\\]", lambda: cr.conv2d(*drawn((5, 5), (4, 2, 3, 3)))),
    ("one or more of space", lambda: cr.conv2d(*drawn((1, 2, 5, 5), (4, 2, 3)))),
    ("larger than the data", lambda: cr.max_pool2d(*drawn((1, 1, 2, 2)), 3))])
def test_shapes_that_do_not_fit_are_named(words, call):
    with pytest.raises(ShapeError, match=words):
        call()


def test_options_that_make_no_sense_are_named():
    x, w = drawn((1, 2, 5, 5), (4, 2, 3, 3))
    with pytest.raises(ArgumentError, match="stride=0: give an integer of at least 1"):
        cr.conv2d(x, w, stride=0)
    with pytest.raises(ArgumentError, match="padding=\\(1, 2, 3\\)"):
        cr.conv2d(x, w, padding=(1, 2, 3))
    with pytest.raises(ArgumentError, match="more than half of kernel_size"):
        cr.max_pool2d(x, 2, padding=2)
    with pytest.raises(ArgumentError, match="must be smaller than the stride"):
        cr.conv_transpose1d(*drawn((1, 2, 5), (2, 2, 3)), output_padding=1)


def test_max_pool_gives_the_gradient_to_the_first_maximum():
    x = np.array([[[1.0, 1.0, 2.0, 2.0, 0.0, 3.0]]])
    assert cr.grad(lambda x: cr.sum(cr.max_pool1d(x, 2)))(x).tolist() == [[[1, 0, 1, 0, 0, 1]]]
    assert cr.grad(lambda x: cr.sum(cr.max_pool1d(x, 3, 1)))(x).tolist() == [[[0, 0, 3, 0, 0, 1]]]


def test_max_pool_never_chooses_the_padding():
    x = -np.ones((1, 1, 4))
    close(cr.max_pool1d(x, 2, padding=1), -np.ones((1, 1, 3)))
    assert cr.max_pool1d(-np.ones((1, 1, 4), int), 2, padding=1).tolist() == [[[-1, -1, -1]]]


def test_average_pool_counts_the_padding_or_not():
    x = np.ones((1, 1, 4))
    close(cr.avg_pool1d(x, 2, padding=1), [[[0.5, 1, 0.5]]])
    close(cr.avg_pool1d(x, 2, padding=1, count_include_pad=False), [[[1, 1, 1]]])


def test_adaptive_pool_averages_stretches():
    close(cr.adaptive_avg_pool1d(np.arange(6.0)[None, None], 3), [[[0.5, 2.5, 4.5]]])
    close(cr.adaptive_avg_pool1d(np.arange(5.0)[None, None], 3), [[[0.5, 2.0, 3.5]]])
    x, = drawn((2, 3, 7, 5))
    close(cr.adaptive_avg_pool2d(x, 1)[..., 0, 0], x.mean((2, 3)))
