"""Losses: their conventions, their answers to extreme predictions, and their errors."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, BoundsError, DTypeError, ShapeError

A, Y = np.array([[1.0, 5.0], [2.0, 2.0]]), np.array([[1.0, 2.0], [0.0, 2.0]])


# ---------------------------------------------------------------------------------------- conventions
@pytest.mark.parametrize("loss, value, gradient", [
    (lambda a: cr.mse_loss(a, Y), 13 / 4, (A - Y) * 2 / 4),
    (lambda a: cr.mse_loss(a, Y, reduction="sum"), 13.0, (A - Y) * 2),
    (lambda a: cr.half_squared_error(a, Y), 13 / 2, A - Y),
    (lambda a: cr.half_squared_error(a, Y, reduction="batchmean"), 13 / 4, (A - Y) / 2),
    (lambda a: cr.l1_loss(a, Y), 5 / 4, np.sign(A - Y) / 4),
    (lambda a: cr.huber_loss(a, Y), (2.5 + 1.5) / 4, np.clip(A - Y, -1, 1) / 4),
    (lambda a: cr.smooth_l1_loss(a, Y, beta=2.0), (2.0 + 1.0) / 4, np.clip(A - Y, -2, 2) / 8)])
def test_the_half_and_the_mean_are_where_the_name_says(loss, value, gradient):
    found, g = cr.value_and_grad(loss)(A)
    assert found == pytest.approx(value)
    np.testing.assert_allclose(g, gradient)


def test_without_reduction_the_losses_stay_apart():
    np.testing.assert_array_equal(cr.mse_loss(A, Y, reduction="none"), (A - Y) ** 2)
    assert cr.cross_entropy(A, np.array([0, 1]), reduction="none").shape == (2,)


def test_hinge_stops_at_the_margin():
    x, y = np.array([2.0, 0.5, -1.0]), np.array([1.0, 1.0, 1.0])
    np.testing.assert_array_equal(cr.hinge_loss(x, y, reduction="none"), [0.0, 0.5, 2.0])
    np.testing.assert_array_equal(cr.grad(lambda x: cr.hinge_loss(x, y, reduction="sum"))(x), [0.0, -1.0, -1.0])


# ---------------------------------------------------------------------------------------- cross-entropy
def test_the_gradient_of_cross_entropy_is_p_minus_y():
    z, labels = np.random.default_rng(0).normal(size=(3, 4)), np.array([2, 0, 3])
    truth = cr.one_hot(labels, 4)
    p = cr.softmax(z)
    np.testing.assert_allclose(cr.grad(lambda z: cr.cross_entropy(z, labels, reduction="sum"))(z), p - truth)
    np.testing.assert_allclose(cr.grad(lambda z: cr.cross_entropy(z, truth * 1.0))(z), (p - truth) / 3)
    opened = cr.grad(lambda z: cr.softmax_cross_entropy.body(z, labels, ignore_index=-100).sum())(z)
    np.testing.assert_allclose(opened, p - truth, atol=1e-15)


@pytest.mark.parametrize("z", [[1e4, -1e4, 0.0], [1e300, 0.0, -1e300], [-np.inf, 0.0, 1.0]])
def test_extreme_logits_give_finite_gradients(z):
    z = np.array([z])
    value, gradient = cr.value_and_grad(lambda z: cr.cross_entropy(z, np.array([1])))(z)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient.sum(), 0.0, atol=1e-15)


def test_binary_losses_of_extreme_logits_and_certainties():
    x, y = np.array([-1e4, 1e4, -np.inf, 0.0]), np.array([1.0, 0.0, 0.0, 0.5])
    value, gradient = cr.value_and_grad(lambda x: cr.binary_cross_entropy_with_logits(x[:2], y[:2], reduction="sum"))(x)
    assert value == 2e4
    np.testing.assert_array_equal(gradient, [-1.0, 1.0, 0.0, 0.0])
    sure, truth = np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0])
    value, gradient = cr.value_and_grad(lambda p: cr.binary_cross_entropy(p, truth, reduction="sum"))(sure)
    assert value == 100.0
    assert np.isfinite(gradient).all()


def test_tiny_losses_keep_their_digits():
    assert cr.binary_cross_entropy_with_logits(np.array([50.0]), np.array([1.0])) == pytest.approx(np.exp(-50.0), rel=1e-12)


def test_ignored_rows_count_for_nothing():
    z = np.random.default_rng(0).normal(size=(3, 4))
    some = cr.cross_entropy(z, np.array([1, -100, 2]))
    assert some == pytest.approx(cr.cross_entropy(z[[0, 2]], np.array([1, 2])))
    assert (cr.grad(lambda z: cr.cross_entropy(z, np.array([1, -100, 2])))(z)[1] == 0).all()


def test_losses_map_over_examples():
    z, labels = np.random.default_rng(0).normal(size=(3, 4)), np.array([2, 0, 3])
    np.testing.assert_allclose(cr.vmap(cr.cross_entropy)(z, labels), cr.cross_entropy(z, labels, reduction="none"))
    np.testing.assert_allclose(cr.vmap(cr.mse_loss)(A, Y), ((A - Y) ** 2).mean(1))


def test_a_tensor_of_labels_and_float32_scores():
    z = cr.tensor(np.zeros((2, 3), "float32"), requires_grad=True)
    loss = cr.cross_entropy(z, cr.tensor([0, 2]))
    loss.backward()
    assert loss.dtype == z.grad.dtype == np.float32
    np.testing.assert_allclose(z.grad.numpy()[0], np.array([-2, 1, 1]) / 6, rtol=1e-6)


# ---------------------------------------------------------------------------------------- errors
Z = np.zeros((3, 4))


@pytest.mark.parametrize("kind, call, message", [
    (BoundsError, lambda: cr.cross_entropy(Z, np.array([0, 4, 7])), r"label in row 1 is 4, but there are 4 classes, .* \(1 more"),
    (BoundsError, lambda: cr.cross_entropy(Z, np.array([0, 1, -1])), "the label in row 2 is -1"),
    (BoundsError, lambda: cr.cross_entropy(Z, np.array([0, 4, 1]), np.ones(4)), "the label in row 1 is 4"),
    (DTypeError, lambda: cr.cross_entropy(Z, np.array([0.0, 1.0, 2.0])), r"target is float64\[3\], and class labels are whole"),
    (DTypeError, lambda: cr.nll_loss(Z, Z), "class labels are whole numbers"),
    (ShapeError, lambda: cr.cross_entropy(Z, np.array([0, 1])), r"logits float64\[3,4\] beside target int64\[2\] do not fit"),
    (ShapeError, lambda: cr.cross_entropy(Z, np.zeros(3, int), np.ones(3)), r"give one number per class, shape \(4,\)"),
    (ArgumentError, lambda: cr.cross_entropy(Z, np.zeros(3, int), reduction="average"), "'average' is none of 'none', 'sum'"),
    (ShapeError, lambda: cr.mse_loss(np.zeros((3, 1)), np.zeros(3)), r"prediction float64\[3,1\] beside target float64\[3\]"),
    (ArgumentError, lambda: cr.binary_cross_entropy(np.array([1.5]), np.array([1.0])), "1.5 is no chance between 0 and 1"),
    (DTypeError, lambda: cr.one_hot(np.zeros(3), 4), "labels are whole numbers")])
def test_errors_name_what_is_wrong(kind, call, message):
    with pytest.raises(kind, match=message):
        call()


# ---------------------------------------------------------------------------------------- look-ups and attention
def test_embedding_adds_up_the_gradients_of_a_row_used_twice():
    weight = np.arange(6.0).reshape(3, 2)
    gradient = cr.grad(lambda w: cr.embedding(np.array([2, 2, 0]), w).sum())(weight)
    np.testing.assert_array_equal(gradient, [[1, 1], [0, 0], [2, 2]])
    still = cr.grad(lambda w: cr.embedding(np.array([2, 2, 0]), w, padding_idx=-1).sum())(weight)
    np.testing.assert_array_equal(still, [[1, 1], [0, 0], [0, 0]])
    with pytest.raises(BoundsError):
        cr.embedding(np.array([3]), weight)
    with pytest.raises(DTypeError, match="The indices come first"):
        cr.embedding(weight, np.array([3]))


def test_causal_attention_does_not_look_ahead():
    q, k, v = np.random.default_rng(0).normal(size=(3, 5, 4))
    gradient = cr.grad(lambda v: cr.scaled_dot_product_attention(q, k, v, is_causal=True)[1].sum())(v)
    assert (gradient[2:] == 0).all()
    assert (gradient[:2] > 0).all()
    with pytest.raises(ArgumentError, match="not both"):
        cr.scaled_dot_product_attention(q, k, v, np.ones((5, 5), bool), is_causal=True)
