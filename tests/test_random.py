"""Random numbers: the same seed gives the same ones, and a kept state goes on where it stood."""
import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, DTypeError

DRAWS = [
    lambda g: cr.random.rand(3, 4, generator=g), lambda g: cr.random.randn(5, generator=g),
    lambda g: cr.random.randint(10, size=(20,), generator=g), lambda g: cr.random.permutation(20, generator=g),
    lambda g: cr.random.bernoulli(np.full(20, 0.3), generator=g), lambda g: cr.random.normal(2.0, 3.0, (4,), generator=g),
    lambda g: cr.random.uniform(-1.0, 1.0, (4,), generator=g), lambda g: cr.dropout(np.ones(20), generator=g)]


@pytest.mark.parametrize("draw", DRAWS)
def test_same_seed_same_numbers(draw):
    first, second, other = (np.asarray(draw(cr.random.Generator(s))) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize("draw", DRAWS)
def test_a_kept_state_goes_on_where_it_stood(draw):
    g = cr.random.Generator(1)
    draw(g)
    state = json.loads(json.dumps(g.get_state()))
    expected = np.asarray(draw(g))
    other = cr.random.Generator(99)
    other.set_state(state)
    np.testing.assert_array_equal(np.asarray(draw(other)), expected)


def test_the_common_generator_can_be_seeded_and_kept():
    cr.random.seed(5)
    state = cr.random.get_state()
    a = cr.random.randn(3)
    cr.random.set_state(state)
    assert (a == cr.random.randn(3)).all()
    cr.random.manual_seed(5)
    assert (a == cr.random.randn(3)).all()


def test_numbers_are_where_they_should_be():
    g = cr.random.Generator(0)
    u, n = cr.random.rand(10_000, generator=g).numpy(), cr.random.randn(10_000, generator=g).numpy()
    assert u.dtype == n.dtype == np.float32
    assert 0 <= u.min() < 0.01 < 0.99 < u.max() < 1
    assert abs(n.mean()) < 0.03
    assert abs(n.std() - 1) < 0.03
    whole = cr.random.randint(2, 5, (1000,), generator=g).numpy()
    assert set(whole.tolist()) == {2, 3, 4}
    assert abs(cr.random.bernoulli(0.3, (10_000,), generator=g).numpy().mean() - 0.3) < 0.02


def test_tensors_can_be_leaves_in_any_floating_dtype():
    w = cr.random.randn((2, 3), dtype="float64", requires_grad=True)
    assert w.requires_grad
    assert w.dtype == np.float64
    assert w.shape == (2, 3)


def test_a_permutation_of_rows_keeps_them():
    rows = np.arange(12).reshape(6, 2)
    mixed = cr.random.permutation(rows, generator=cr.random.Generator(0)).numpy()
    np.testing.assert_array_equal(mixed[np.argsort(mixed[:, 0])], rows)


def test_numpy_generators_serve_too():
    a, b = (cr.random.randn(3, generator=np.random.default_rng(1)) for _ in range(2))
    assert (a == b).all()


# ---------------------------------------------------------------------------------------- dropout
def test_dropout_keeps_the_mean_and_passes_the_gradient_where_it_keeps():
    x = cr.tensor(np.ones(10_000), requires_grad=True)
    y = cr.dropout(x, 0.25, generator=cr.random.Generator(0))
    assert set(y.tolist()) == {0.0, 1 / 0.75}
    assert abs(y.numpy().mean() - 1) < 0.03
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())


def test_dropout_does_nothing_out_of_training_and_all_at_one():
    x = np.ones(5)
    assert cr.dropout(x, 0.5, training=False) is x
    assert cr.dropout(x, 0.0) is x
    assert (cr.dropout(x, 1.0) == 0).all()


@pytest.mark.parametrize("kind, call, message", [
    (ArgumentError, lambda: cr.dropout(np.ones(2), 1.5), "from 0 to 1, not 1.5"),
    (ArgumentError, lambda: cr.random.randint(3, 3), "no whole number from 3 to 2"),
    (ArgumentError, lambda: cr.random.bernoulli(1.2, ()), "a number from 0 to 1"),
    (ArgumentError, lambda: cr.random.Generator(-1), "from 0 up, not -1"),
    (ArgumentError, lambda: cr.random.set_state({"state": 3}), "no state of a generator"),
    (DTypeError, lambda: cr.random.randn(3, dtype=int), "use randint")])
def test_errors_say_what_to_do(kind, call, message):
    with pytest.raises(kind, match=message):
        call()
