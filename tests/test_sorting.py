"""Sorting and searching beside NumPy, with ties, NaN and both directions; gradients go back to where elements stood."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ShapeError, StagingError

TIED = np.array([2.0, 1.0, 2.0, 1.0, 3.0])


def test_equal_elements_keep_their_order_in_both_directions():
    assert cr.argsort(TIED).tolist() == [1, 3, 0, 2, 4]
    assert cr.argsort(TIED, descending=True).tolist() == [4, 0, 2, 1, 3]
    assert cr.sort(TIED, descending=True).tolist() == [3, 2, 2, 1, 1]


@pytest.mark.parametrize("descending", [False, True])
def test_the_gradient_of_sort_follows_each_element_home(descending):
    weights = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    gradient = cr.grad(lambda x: (cr.sort(x, descending=descending) * weights).sum())(TIED)
    assert gradient.tolist() == weights[np.argsort(cr.argsort(TIED, descending=descending))].tolist()


def test_topk_gives_values_and_places_and_refuses_more_than_there_are():
    x = cr.tensor([[1.0, 5.0, 3.0], [9.0, 7.0, 8.0]], requires_grad=True)
    values, places = cr.topk(x, 2)
    assert values.tolist() == [[5.0, 3.0], [9.0, 8.0]]
    assert places.tolist() == [[1, 2], [0, 2]]
    values.sum().backward()
    assert x.grad.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert cr.topk(x, 1, axis=0, largest=False)[0].tolist() == [[1.0, 5.0, 3.0]]
    with pytest.raises(ArgumentError, match=r"topk: k=4, but there are 3 elements along axis 1"):
        cr.topk(x, 4)


@pytest.mark.parametrize("n", [1, 4, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_median_is_numpys(n, dtype):
    x = np.random.default_rng(n).permutation(20)[:3 * n].reshape(3, n).astype(dtype)
    np.testing.assert_array_equal(cr.median(x, axis=1), np.median(x, axis=1))
    assert cr.median(x, axis=1).dtype == np.median(x, axis=1).dtype


def test_median_of_nan_is_nan_and_of_nothing_an_error():
    assert np.isnan(cr.median(np.array([1.0, np.nan, 0.0])))
    with pytest.raises(ShapeError, match="median: float64"):
        cr.median(np.empty((2, 0)), axis=1)


def test_running_records_take_the_last_of_equal_ones():
    values, places = cr.cummax(TIED, 0)
    assert (values.tolist(), places.tolist()) == ([2, 2, 2, 2, 3], [0, 0, 2, 2, 4])
    values, places = cr.cummin(np.array([3.0, 1.0, np.nan, 0.0]), 0)
    assert (values.tolist()[:2], places.tolist()) == ([3, 1], [0, 1, 2, 2])
    assert np.isnan(values[2:]).all()


def test_places_of_the_greatest_are_numpys_and_nothing_has_none():
    x = np.array([[1.0, 3.0, 3.0], [4.0, 0.0, 4.0]])
    assert cr.argmax(x) == np.argmax(x)
    assert cr.argmin(x, axis=1, keepdims=True).tolist() == [[0], [1]]
    with pytest.raises(ShapeError, match="nothing to choose from"):
        cr.argmax(np.empty((0, 3)), axis=0)


def test_searchsorted_sides_sorter_and_a_bad_side():
    x = np.array([1.0, 2.0, 2.0, 3.0])
    assert cr.searchsorted(x, 2.0) == 1
    assert cr.searchsorted(x, np.array([2.0, 9.0]), side="right").tolist() == [3, 4]
    assert cr.searchsorted(x[::-1], 2.0, sorter=np.array([3, 2, 1, 0])) == 1
    with pytest.raises(ArgumentError, match="neither 'left' nor 'right'"):
        cr.searchsorted(x, 2.0, side="middle")


def test_nonzero_needs_numbers():
    assert [p.tolist() for p in cr.nonzero(cr.tensor([[0.0, 1.0], [2.0, 0.0]]))] == [[0, 1], [1, 0]]
    from chainrule.core.stage import stage
    from chainrule.core.type import typeof
    with pytest.raises(StagingError, match="nonzero"):
        stage(lambda x: cr.nonzero(x)[0], typeof(TIED))
