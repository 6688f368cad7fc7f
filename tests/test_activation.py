"""Activations at the ends of the number line and at their corners: finite, silent, and as the conventions say."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ShapeError

FAR = np.array([-np.inf, -1e30, -1e4, -100.0, -1e-30, 0.0, 1e-30, 100.0, 1e4, 1e30, np.inf])
BOUNDED_ON_THE_LEFT = [cr.relu, cr.elu, cr.selu, cr.celu, cr.silu, cr.mish, cr.gelu, cr.softplus, cr.hardswish]
BOUNDED = [cr.sigmoid, cr.hardsigmoid, cr.hardtanh, cr.relu6, cr.ndtr, cr.tanh]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gate", [*BOUNDED_ON_THE_LEFT, *BOUNDED, cr.logsigmoid, cr.leaky_relu, cr.softsign], ids=str)
def test_slopes_are_finite_everywhere_and_nothing_warns(gate, dtype):
    x = FAR.astype(dtype)
    if gate is cr.softsign:
        x = x[1:-1]  # at infinity it is infinity over infinity
    gradient, = cr.vjp(gate, x)[1](np.ones_like(x))
    assert np.isfinite(gradient).all()
    assert gradient.dtype == dtype


@pytest.mark.parametrize("gate", BOUNDED_ON_THE_LEFT, ids=str)
def test_values_have_their_limits(gate):
    left, right = gate(np.array([-np.inf, np.inf]))
    assert np.isfinite(left)
    assert right == np.inf


@pytest.mark.parametrize("gate", BOUNDED, ids=str)
def test_squashing_gates_reach_their_bounds(gate):
    y = gate(FAR)
    assert np.isfinite(y).all()
    assert (np.diff(y) >= 0).all()


def test_second_derivatives_are_finite_far_out():
    for gate in (cr.sigmoid, cr.silu, cr.mish, cr.gelu, cr.softplus, cr.elu):
        second = cr.grad(lambda x, gate=gate: cr.grad(lambda x: gate(x).sum())(x).sum())(FAR[1:-1])
        assert np.isfinite(second).all(), gate


@pytest.mark.parametrize("gate, at, slope", [
    (cr.relu, 0.0, 0.0), (cr.relu, -0.0, 0.0), (cr.leaky_relu, 0.0, 0.01), (cr.elu, 0.0, 1.0), (cr.relu6, 6.0, 0.0),
    (cr.hardtanh, 1.0, 0.0), (cr.hardtanh, -1.0, 0.0), (cr.hardsigmoid, 3.0, 0.0), (cr.hardsigmoid, -3.0, 0.0),
    (lambda x: cr.elu(x, alpha=0.5), 0.0, 0.5), (lambda x: cr.prelu(x, np.array(0.25)), 0.0, 0.25)])
def test_slopes_at_corners(gate, at, slope):
    assert cr.grad(gate)(at) == slope


def test_the_slope_of_sigmoid_keeps_its_digits_where_it_saturates():
    x = np.float32(20.0)
    assert cr.grad(cr.sigmoid)(x) == pytest.approx(np.exp(-20.0), rel=1e-6)  # s (1 - s) is 0 in float32


def test_options_can_be_given_by_position():
    x = np.array([-2.0, 1.0])
    np.testing.assert_array_equal(cr.leaky_relu(x, 0.5), [-1.0, 1.0])
    np.testing.assert_array_equal(cr.hardtanh(x, -1.5, 0.5), [-1.5, 0.5])
    np.testing.assert_array_equal(cr.threshold(x, 0.0, 7.0), [7.0, 1.0])
    np.testing.assert_array_equal(cr.gelu(x, "tanh"), cr.gelu(x, approximate="tanh"))


def test_a_slope_per_channel_stands_along_axis_1():
    x = -np.ones((2, 3, 4))
    y = cr.prelu(x, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(y[0, :, 0], [-1.0, -2.0, -3.0])
    with pytest.raises(ShapeError, match=r"2 slopes for the 3 channels"):
        cr.prelu(x, np.array([1.0, 2.0]))


def test_an_unknown_approximation_is_refused():
    with pytest.raises(ArgumentError, match="'sigmoid' is none of"):
        cr.gelu(np.zeros(2), approximate="sigmoid")


# ---------------------------------------------------------------------------------------- softmax
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_probabilities_sum_to_one_whatever_the_scores(axis):
    x = np.random.default_rng(0).normal(size=(4, 5)) * 1e4
    for scores in (x, x + 1e300, np.float32(x)):
        p = cr.softmax(scores, axis=axis)
        assert (p >= 0).all()
        np.testing.assert_allclose(p.sum(axis=axis), 1.0, rtol=1e-6)


def test_softmax_knows_masked_scores():
    x = np.array([0.0, -np.inf, 0.0])
    np.testing.assert_array_equal(cr.softmax(x), [0.5, 0.0, 0.5])
    assert np.isfinite(cr.grad(lambda x: cr.softmax(x)[0])(x)).all()


def test_log_softmax_is_finite_where_softmax_is_rounded_to_zero():
    x = np.array([0.0, -1e4])
    assert cr.softmax(x)[1] == 0.0
    assert cr.log_softmax(x)[1] == -1e4
    np.testing.assert_array_equal(cr.grad(lambda x: cr.log_softmax(x)[1])(x), [-1.0, 1.0])


def test_softmax_opens_without_overflow():
    x = np.array([1000.0, 999.0])
    np.testing.assert_allclose(cr.softmax.body(x, axis=0), cr.softmax(x))


def test_glu_halves_an_even_axis():
    x = np.array([[1.0, 2.0, 0.0, 1e4]])
    np.testing.assert_array_equal(cr.glu(x), [[0.5, 2.0]])
    with pytest.raises(ShapeError, match="do not halve"):
        cr.glu(np.zeros((2, 3)))
