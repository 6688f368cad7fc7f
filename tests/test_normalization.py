"""Normalizations give mean 0 and variance 1 where they say so, also to constants and to far numbers."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError

X = np.random.default_rng(0).normal(size=(4, 6, 5)) * 3 + 2


def is_standard(y, axis):
    np.testing.assert_allclose(y.mean(axis=axis), 0.0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=axis), 1.0, rtol=1e-4)


def test_each_normalizes_over_its_own_axes():
    is_standard(cr.layer_norm(X, (6, 5)), (1, 2))
    is_standard(cr.layer_norm(X, 5), -1)
    is_standard(cr.batch_norm(X), (0, 2))
    is_standard(cr.instance_norm(X), 2)
    is_standard(cr.group_norm(X, 2).reshape(4, 2, 15), 2)
    np.testing.assert_allclose(np.square(cr.rms_norm(X, 5)).mean(-1), 1.0)


def test_the_gate_also_gives_the_mean_and_the_variance_and_their_gradients():
    _, mean, variance = cr.standardize(X, axis=(0, 2))
    assert mean.shape == variance.shape == (1, 6, 1)
    np.testing.assert_allclose(variance[0, :, 0], X.var(axis=(0, 2)))
    of_mean = cr.grad(lambda x: cr.standardize(x, axis=(0, 2))[1].sum())(X)
    np.testing.assert_allclose(of_mean, 1 / 20)
    of_variance = cr.grad(lambda x: cr.standardize(x, axis=(0, 2))[2].sum())(X)
    np.testing.assert_allclose(of_variance, 2 * (X - X.mean(axis=(0, 2), keepdims=True)) / 20)


def test_a_constant_has_finite_gradients():
    for normalize in (lambda x: cr.layer_norm(x, 4), lambda x: cr.batch_norm(x), lambda x: cr.rms_norm(x, 4)):
        for x in (np.zeros((3, 4)), np.full((3, 4), 1e4)):
            assert np.isfinite(cr.grad(lambda x, f=normalize: (f(x) * np.arange(4.0)).sum())(x)).all()


def test_float32_stays_float32():
    x = cr.tensor(X.astype("float32"), requires_grad=True)
    w = cr.tensor(np.ones(5, "float32"), requires_grad=True)
    y = cr.layer_norm(x, 5, w)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == w.grad.dtype == np.float32


def test_given_statistics_are_constants_of_batch_norm():
    mean, var = np.arange(6.0), np.arange(1.0, 7.0)
    y = cr.batch_norm(X, mean, var)
    np.testing.assert_allclose(y[:, 3], (X[:, 3] - 3) / np.sqrt(4 + 1e-5))
    np.testing.assert_allclose(cr.grad(lambda x: cr.batch_norm(x, mean, var).sum())(X)[0, 3], 1 / np.sqrt(4 + 1e-5))
    is_standard(cr.batch_norm(X, mean, var, training=True), (0, 2))


def test_running_statistics_move_towards_the_batch_and_pass_no_gradient():
    x = cr.tensor(X, requires_grad=True)
    mean, var = cr.running_statistics(x, np.zeros(6), np.ones(6), momentum=1.0)
    assert not mean.requires_grad
    np.testing.assert_allclose(mean.numpy(), X.mean(axis=(0, 2)))
    np.testing.assert_allclose(var.numpy(), X.var(axis=(0, 2), ddof=1))
    with pytest.raises(ShapeError, match="one value per channel"):
        cr.running_statistics(np.zeros((1, 6)), np.zeros(6), np.ones(6))


@pytest.mark.parametrize("call, message", [
    (lambda: cr.layer_norm(X, 6), r"normalized_shape \(6,\) is not how float64\[4,6,5\] ends"),
    (lambda: cr.layer_norm(X, 5, np.ones(6)), r"weight and bias have the shape \(5,\)"),
    (lambda: cr.batch_norm(np.zeros(3)), "no axis 1 for the channels"),
    (lambda: cr.batch_norm(X, weight=np.ones(5)), r"6 channels \(axis 1\), and was given float64\[5\]"),
    (lambda: cr.group_norm(X, 4), "6 channels do not split into 4 equal groups")])
def test_errors_name_the_shapes(call, message):
    with pytest.raises(ShapeError, match=message):
        call()
