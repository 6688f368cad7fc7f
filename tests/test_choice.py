"""Choices pass the gradient to what was chosen, and nothing anywhere else."""
import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize("f", [
    lambda x: cr.where(x > 0, cr.log(x), 0 * x), lambda x: cr.where(x > 0, 1 / x, 0 * x),
    lambda x: cr.where(x > 0, cr.log(x) * cr.log(x), 0 * x)], ids=["log", "1/x", "log^2"])
def test_a_side_not_chosen_gives_no_nan_at_first_and_second_order(f):
    x = np.array([-1.0, 0.0, 2.0])
    with np.errstate(all="ignore"):
        first = cr.grad(lambda x: f(x).sum())
        assert first(x)[:2].tolist() == [0.0, 0.0]
        second = cr.grad(lambda x: first(x).sum())(x)
        assert second[:2].tolist() == [0.0, 0.0]
        assert np.isfinite(second).all()


def test_where_takes_numbers_and_keeps_float32():
    x = cr.tensor([-1.0, 2.0], requires_grad=True)
    y = cr.where(x > 0, x, 0.0)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32
    assert x.grad.tolist() == [0.0, 1.0]


def test_clip_passes_at_its_ends_and_hands_the_rest_to_the_bounds():
    def f(x, low, high):
        return cr.clip(x, low, high).sum()

    x = np.array([-2.0, -1.0, 0.0, 1.0, 5.0])
    gx, low, high = cr.grad(f, argnums=(0, 1, 2))(x, -1.0, 1.0)
    assert gx.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert (low, high) == (1.0, 1.0)
    gx, low, high = cr.grad(f, argnums=(0, 1, 2))(x, 3.0, 1.0)  # crossed bounds: the upper one is the result
    assert (gx.tolist(), low, high) == ([0.0] * 5, 0.0, 5.0)


def test_clip_takes_one_bound_both_or_none_by_position_or_name():
    x = np.array([-2.0, 0.5, 2.0])
    for made, expected in [(cr.clip(x), x), (cr.clip(x, 0.0), [0, 0.5, 2]), (cr.clip(x, max=1.0), [-2, 0.5, 1]),
                           (cr.clip(x, 0.0, 1.0), [0, 0.5, 1])]:
        np.testing.assert_array_equal(made, expected)


def test_fmax_gives_all_to_the_number_that_is_there():
    gradients = cr.grad(lambda a, b: cr.fmax(a, b).sum(), argnums=(0, 1))(np.array([np.nan, 1.0]), np.array([2.0, np.nan]))
    assert [g.tolist() for g in gradients] == [[0.0, 1.0], [1.0, 0.0]]


def test_replaced_numbers_get_no_gradient():
    x = np.array([1.0, np.nan, np.inf])
    assert cr.grad(lambda x: (cr.nan_to_num(x, posinf=1.0) * 3.0).sum())(x).tolist() == [3.0, 0.0, 0.0]


def test_the_slope_of_clip_reads_as_python_would_read_it():
    x = cr.tensor(2.0, requires_grad=True, name="x")
    assert "(x >= 0) & (x <= 1)" in cr.explain(cr.clip(x, 0.0, 1.0) * x).text()
