"""What is picked is what NumPy picks, and its gradient goes back to the place it came from."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stage import stage
from chainrule.core.type import typeof
from chainrule.errors import BoundsError, DTypeError, ImmutableError, ShapeError, StagingError

x = np.random.default_rng(0).normal(size=(4, 5, 6))
i, j = np.array([0, 2, -1]), np.array([[1], [3]])
mask = x[..., 0] > 0

KEYS = [
    1, -1, (1, 2, 3), slice(1, 3), (Ellipsis, 0), (slice(None, None, -2), None, slice(1, None)), (), None, Ellipsis,
    i, [0, 1], [], (i, j), (slice(None), i), (slice(None), i, j), (i, slice(None), j), (0, slice(None), i), (slice(1, 3), 0, i),
    (None, i, None), (Ellipsis, i), (slice(None), 0, None, i), (Ellipsis, None, i, 1), np.array(2), np.int64(3),
    (i, Ellipsis, j, j), (0, Ellipsis, slice(None), i), (slice(None), Ellipsis, x[0, 0] > 0),
    mask, (mask, 0), (slice(None), x[0] > 0), (x[:, 0, 0] > 0,), (mask, slice(2)), mask & False,
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_an_index_picks_what_numpy_picks(key):
    np.testing.assert_array_equal(cr.getitem(x, key), x[key])
    t = cr.tensor(x, requires_grad=True)
    picked = t[key]
    np.testing.assert_array_equal(picked.numpy(), x[key])
    weights = np.random.default_rng(1).normal(size=picked.shape)
    (picked * weights).sum().backward()
    expected = np.zeros_like(x)
    np.add.at(expected, key, weights)
    np.testing.assert_allclose(t.grad.numpy(), expected, atol=1e-15)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_updates_do_what_numpy_does_in_place(key):
    v = np.random.default_rng(2).normal(size=x[key].shape)
    places = cr.at(x)[key]
    np.testing.assert_array_equal(places.get(), x[key])
    expected = x.copy()
    expected[key] = v
    np.testing.assert_array_equal(places.set(v), expected)
    for update, ufunc in [(places.add, np.add), (places.multiply, np.multiply), (places.max, np.maximum),
                          (places.min, np.minimum)]:
        expected = x.copy()
        ufunc.at(expected, key, v)
        np.testing.assert_allclose(update(v), expected, rtol=1e-13)
    np.testing.assert_array_equal(places.set(7.0)[key], np.full_like(v, 7.0))


def test_an_update_leaves_the_old_array_alone():
    t = cr.tensor([1.0, 2.0, 3.0], requires_grad=True)
    new = t.at[0].set(9.0)
    assert t.tolist() == [1, 2, 3] and new.tolist() == [9, 2, 3]
    (new * cr.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert t.grad.tolist() == [0, 10, 100]


def test_of_several_values_set_at_one_place_the_last_gets_the_gradient():
    def f(v):
        return (cr.at(np.zeros(3))[[1, 1, 2]].set(v) * np.array([1.0, 2.0, 3.0])).sum()
    np.testing.assert_array_equal(cr.grad(f)(np.ones(3)), [0, 2, 3])


def test_products_at_one_place_have_exact_gradients_at_zeros():
    def f(v):
        return cr.at(np.array([2.0, 1.0]))[[0, 0, 1]].multiply(v).sum()
    np.testing.assert_array_equal(cr.grad(f)(np.array([0.0, 5.0, 3.0])), [10, 0, 1])
    np.testing.assert_array_equal(cr.grad(f)(np.zeros(3)), [0, 0, 1])
    mixed = cr.grad(lambda v: cr.grad(f)(v)[0])(np.zeros(3))
    np.testing.assert_array_equal(mixed, [0, 2, 0])


def test_equals_that_meet_at_one_place_share_the_gradient():
    np.testing.assert_array_equal(cr.grad(lambda v: cr.at(np.zeros(2))[[0, 0, 1]].max(v).sum())(np.array([1.0, 1.0, 0.0])),
                                  [0.5, 0.5, 0.5])


def test_assignment_shows_its_replacement():
    t = cr.tensor([[1.0, 2.0], [3.0, 4.0]], name="w")
    with pytest.raises(ImmutableError, match=r"w = w\.at\[0, 1:\]\.set\(1\.5\)"):
        t[0, 1:] = 1.5
    with pytest.raises(ImmutableError, match=r"\.set\("):
        cr.grad(lambda x: x.__setitem__(0, 1.0))(np.ones(3))


@pytest.mark.parametrize("key, error, words", [
    (9, BoundsError, r"x\[9\] of x: float64\[4,5,6\]"), ((0, 0, 0, 0), BoundsError, "too many"),
    (np.array([1, 7, -9]), BoundsError, "index 7, -9 is beyond axis 0 of float64.4,5,6.: it takes -4 to 3"),
    (np.array([0.5]), DTypeError, "integers"), (1.0, DTypeError, "integers"), ("a", DTypeError, "integers"),
    (mask[0], ShapeError, "both must be equal"),
    ((Ellipsis, mask[:, 0]), ShapeError, r"shape \(4,\) for axes of sizes \(6,\)"),
    ((i, i, i, i), BoundsError, "4 indices for .* 3 axes"),
    ((i, np.array([0, 1])), ShapeError, "do not broadcast"),
])
def test_an_index_that_does_not_fit_is_shown(key, error, words):
    with pytest.raises(error, match=words):
        cr.getitem(x, key)


def test_values_that_do_not_fit_are_refused():
    for key in (0, [0]):
        with pytest.raises(ShapeError, match="do not broadcast"):
            cr.at(x)[key].set(np.zeros(9))
        with pytest.raises(DTypeError, match="do not fit into an array of int64"):
            cr.at(np.arange(3))[key].set(np.array(0.5))
    with pytest.raises(BoundsError, match="index 9 "):
        cr.at(np.zeros(3))[[0, 9]].multiply(2.0)


def test_boolean_indices_need_numbers():
    with pytest.raises(StagingError, match=r"test_indexing\.py:.*boolean index"):
        cr.vmap(lambda x: x[x > 0])(np.ones((2, 3)))
    with pytest.raises(StagingError, match="boolean index"):
        stage(lambda x: x[x > 0], typeof(np.ones(3)))
    np.testing.assert_array_equal(cr.grad(lambda x: (x[x > 0] * x[x > 0]).sum())(np.array([1.0, -2.0, 3.0])), [2, 0, 6])


def test_indices_may_be_tensors_or_batched():
    t = cr.tensor([10.0, 20.0, 30.0])
    assert t[cr.tensor([2, 0])].tolist() == [30, 10]
    assert t[cr.tensor(1)].item() == 20
    rows, numbers = np.arange(12.0).reshape(3, 4), np.array([[0, 1], [3, 3], [2, 0]])
    np.testing.assert_array_equal(cr.vmap(lambda r, n: r[n])(rows, numbers), np.take_along_axis(rows, numbers, 1))
    np.testing.assert_array_equal(cr.vmap(lambda r, n: cr.at(r)[n].set(0.0))(rows, numbers)[1], [4, 5, 6, 0])
    np.testing.assert_array_equal(cr.vmap(lambda n: cr.take(rows, n, axis=1))(numbers)[2], rows[:, [2, 0]])


def test_taking_and_scattering_along_an_axis():
    order = np.argsort(x, axis=1)
    np.testing.assert_array_equal(cr.take_along_axis(x, order, axis=1), np.sort(x, axis=1))
    np.testing.assert_array_equal(cr.take(x, j, axis=-1), np.take(x, j, axis=-1))
    np.testing.assert_array_equal(cr.take(x, [0, 100]), np.take(x, [0, 100]))
    source, index = np.arange(1.0, 11.0).reshape(2, 5), np.array([[0, 1, 2, 0]])  # the example of torch.scatter
    np.testing.assert_array_equal(cr.scatter(np.zeros((3, 5)), 0, index, source),
                                  [[1, 0, 0, 4, 0], [0, 2, 0, 0, 0], [0, 0, 3, 0, 0]])
    np.testing.assert_array_equal(cr.scatter_add(np.ones((3, 5)), 0, np.zeros((2, 5), int), source)[0], source.sum(0) + 1)
    np.testing.assert_array_equal(cr.gather(np.array([[1.0, 2.0], [3.0, 4.0]]), 1, np.array([[0, 0], [1, 0]])), [[1, 1], [4, 3]])


def test_segments():
    data, ids = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]]), np.array([2, 0, 2])
    np.testing.assert_array_equal(cr.segment_sum(data, ids), [[3, 4], [0, 0], [6, 2]])
    np.testing.assert_array_equal(cr.segment_mean(data, ids, 4), [[3, 4], [0, 0], [3, 1], [0, 0]])
    np.testing.assert_array_equal(cr.segment_max(data, ids), [[3, 4], [-np.inf, -np.inf], [5, 2]])
    with pytest.raises(BoundsError, match="segment number -1 is negative"):
        cr.segment_sum(data, np.array([0, -1, 1]))
    with pytest.raises(BoundsError, match="add_at: index 7 is beyond"):
        cr.segment_sum(data, np.array([0, 7, 1]), 3)
    np.testing.assert_array_equal(cr.grad(lambda d: cr.segment_mean(d, ids).sum())(data), [[0.5, 0.5], [1, 1], [0.5, 0.5]])


def test_a_loop_over_the_rows_of_an_array_sweeps_in_linear_time():
    rows = np.random.default_rng(6).normal(size=(4000, 500))  # as whole arrays, the rows' gradients would be 64 GB

    def f(rows):
        return sum(((row * row).sum() for row in rows), 0.0) + (rows[::2] * 1.0).sum() + rows.sum()
    t = cr.tensor(rows, requires_grad=True)
    f(t).backward()
    expected = 2 * rows + 1
    expected[::2] += 1
    np.testing.assert_allclose(t.grad.numpy(), expected)
    small = rows[:3, :2]
    np.testing.assert_allclose(cr.grad(f)(small), expected[:3, :2])
    np.testing.assert_allclose(cr.grad(lambda x: cr.grad(f)(x).sum())(small), np.full((3, 2), 2.0))


def test_rows_gathered_many_times_add_up_as_one_by_one():
    table, ids = np.random.default_rng(3).normal(size=(50, 7)), np.random.default_rng(4).integers(-50, 50, (9, 30))
    weights = np.random.default_rng(5).normal(size=(9, 30, 7))
    expected = np.zeros_like(table)
    np.add.at(expected, ids, weights)
    np.testing.assert_allclose(cr.grad(lambda t: (t[ids] * weights).sum())(table), expected, rtol=1e-12)
