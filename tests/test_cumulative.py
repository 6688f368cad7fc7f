"""Cumulative operations: the standard's names, initial values, differences, and steps that start from nothing."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError


def test_the_initial_value_comes_first_and_takes_no_gradient():
    x = np.array([2.0, 3.0, 4.0])
    assert cr.cumulative_sum(x, include_initial=True).tolist() == [0, 2, 5, 9]
    assert cr.cumulative_prod(x, include_initial=True).tolist() == [1, 2, 6, 24]
    assert cr.grad(lambda x: cr.cumulative_prod(x, include_initial=True)[2])(x).tolist() == [3, 2, 0]
    assert cr.cumulative_sum(np.ones((2, 3), np.float32), axis=0, include_initial=True).shape == (3, 3)


def test_the_axis_must_be_named_where_there_are_several():
    with pytest.raises(ArgumentError, match="say along which with axis="):
        cr.cumulative_sum(np.ones((2, 3)))


@pytest.mark.parametrize("options", [{}, {"n": 2}, {"axis": 0}, {"prepend": 1.0, "append": np.zeros((3, 2))}])
def test_diff_is_numpys(options):
    x = np.arange(12.0).reshape(3, 4) ** 2
    np.testing.assert_array_equal(cr.diff(x, **options), np.diff(x, **options))


def test_logcumsumexp_starts_from_nothing_without_nan():
    x = np.array([-np.inf, -np.inf, 0.0, 1000.0])
    with np.errstate(all="ignore"):
        assert cr.logcumsumexp(x).tolist() == [-np.inf, -np.inf, 0.0, 1000.0]
        assert cr.grad(lambda x: cr.logcumsumexp(x)[2:].sum())(x).tolist() == [0.0, 0.0, 1.0, 1.0]
        assert cr.grad(lambda x: cr.logcumsumexp(x).sum())(x).tolist() == [0.0, 0.0, 1.0, 1.0]
        _, slope = cr.jvp(lambda x: cr.logcumsumexp(x), np.array([-1000.0, 0.0]), np.ones(2))
        assert slope.tolist() == [1.0, 1.0]
