"""Reductions and cumulative operations where they are delicate: zeros, ties, constants, infinities, large offsets."""
from fractions import Fraction

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError


@pytest.mark.parametrize("x", [[2.0, 3.0, 4.0], [0.0, 3.0, 4.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
def test_prod_is_exact_with_any_number_of_zeros_at_first_and_second_order(x):
    a, b, c = x
    gradient = cr.grad(lambda x: cr.prod(x))
    assert gradient(np.array(x)).tolist() == [b * c, a * c, a * b]
    for i, row in enumerate([[0, c, b], [c, 0, a], [b, a, 0]]):
        assert cr.grad(lambda x, i=i: cr.sum(gradient(x) * np.eye(3)[i]))(np.array(x)).tolist() == row


def test_cumprod_is_exact_with_zeros():
    x = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    jacobian = [cr.grad(lambda x, i=i: cr.sum(cr.cumprod(x) * np.eye(5)[i]))(x) for i in range(5)]
    for i in range(5):
        others = [np.prod(np.delete(x[:i + 1], j)) if j <= i else 0.0 for j in range(5)]
        assert jacobian[i].tolist() == others


def test_maxima_share_equally_within_each_group():
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    assert cr.grad(lambda x: cr.max(x, axis=1).sum())(x).tolist() == [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]
    assert cr.grad(lambda x: cr.min(x, axis=0).sum())(x).tolist() == [[1, 0, 0], [0, 1, 1]]
    assert cr.grad(lambda x: cr.max(x))(x).tolist() == [[0, 0.5, 0.5], [0, 0, 0]]


def test_the_greatest_of_nothing_is_an_error_that_says_so():
    with pytest.raises(ShapeError, match=r"max: float64\[3,0\] has nothing along axis \(1,\)"):
        cr.max(np.empty((3, 0)), axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_variance_survives_a_large_offset(dtype):
    x = (np.arange(7) + 10 ** (4 if dtype == np.float32 else 12)).astype(dtype)
    exact = [Fraction(float(v)) for v in x]
    centre = sum(exact) / 7
    np.testing.assert_allclose(cr.var(x, correction=1), float(sum((v - centre) ** 2 for v in exact) / 6), rtol=1e-6)
    np.testing.assert_allclose(cr.grad(lambda x: cr.var(x, correction=1))(x), [float((v - centre) / 3) for v in exact],
                               rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n", [3, 7, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_spread_of_a_constant_is_exactly_zero_whatever_its_rounding(n, dtype):
    x = np.full(n, 0.1, dtype)
    assert cr.std(x) == 0
    assert not cr.grad(lambda x: cr.std(x))(x).any()
    assert not cr.grad(lambda x: cr.sum(cr.grad(lambda x: cr.std(x))(x)))(x).any()


def test_logsumexp_of_huge_values_and_rows_of_minus_infinity():
    x = np.array([[1e4, 1e4], [-1e4, -1e4], [-np.inf, -np.inf], [-np.inf, 1.0]])
    np.testing.assert_allclose(cr.logsumexp(x, axis=1), [1e4 + np.log(2), -1e4 + np.log(2), -np.inf, 1.0])
    assert cr.grad(lambda x: cr.logsumexp(x[:3], axis=1).sum())(x).tolist() == [[0.5, 0.5], [0.5, 0.5], [0, 0], [0, 0]]


def test_the_weights_of_a_logsumexp_add_up_even_where_its_value_rounds():
    x = np.full(4, 1e8, np.float32)  # 1e8 + log 4 is 1e8 in float32
    assert cr.grad(lambda x: cr.logsumexp(x))(x).tolist() == [0.25] * 4


def test_a_recurrence_is_a_discounted_sum():
    b = np.array([1.0, 2.0, 0.0, 4.0])
    assert cr.linear_recurrence(0.5, b).tolist() == [1.0, 2.5, 1.25, 4.625]
    assert cr.linear_recurrence(0.5, b, reverse=True).tolist() == [2.5, 3.0, 2.0, 4.0]
    with pytest.raises(ShapeError, match="do not broadcast"):
        cr.linear_recurrence(np.ones(4), b[:3])


def test_an_option_by_pytorchs_name_is_told_its_name_here():
    with pytest.raises(TypeError, match=r"max: got an unexpected keyword argument 'dim'. Call it as "
                                        r"max\(x, axis=None, keepdims=False\). PyTorch's dim= is axis= here."):
        cr.max(np.ones(3), dim=0)


@pytest.mark.parametrize("f", [cr.sum, cr.mean, cr.max, cr.min, cr.prod, cr.var, cr.std, cr.logsumexp], ids=str)
def test_where_order_does_not_matter_to_the_value_it_does_not_to_the_gradient(f):
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.integers(0, 4, 6).astype(float)  # with ties and zeros
        order = rng.permutation(6)
        np.testing.assert_allclose(cr.grad(f)(x[order]), cr.grad(f)(x)[order], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("f", [cr.max, cr.min, cr.logsumexp, cr.median, cr.mean], ids=str)
def test_shares_add_up_to_one_whatever_is_tied(f):
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.integers(0, 3, (2, 5)).astype(np.float32)
        np.testing.assert_allclose(cr.grad(lambda x: f(x, axis=1).sum())(x).sum(1), 1.0, rtol=1e-6)


def test_a_variance_without_freedom_is_nan_as_its_gradient():
    with np.errstate(all="ignore"):
        assert np.isnan(cr.var(np.ones(1), correction=1))
        assert np.isnan(cr.grad(lambda x: cr.var(x, correction=1))(np.ones(1))).all()
