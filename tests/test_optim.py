"""Update rules: against their formulas by hand, and as tools that say when they are used wrongly."""
import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.core.stage import stage
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError, GradientError


def leaf(*values):
    return cr.tensor(np.array(values), requires_grad=True, name="w")


def steps(optimizer, w, gradients):
    for g in gradients:
        w.grad = np.array(g)
        optimizer.step()
    return w.data.numpy()


def test_gradient_descent_by_hand():
    w = leaf(1.0, -2.0)
    np.testing.assert_allclose(steps(optim.SGD([w], lr=0.1), w, [[1.0, 2.0], [3.0, 4.0]]), [0.6, -2.6], rtol=1e-15)


def test_momentum_by_hand():
    w = leaf(1.0)
    # v = 1, then 0.5 * 1 + 3 = 3.5
    np.testing.assert_allclose(steps(optim.SGD([w], lr=0.1, momentum=0.5), w, [[1.0], [3.0]]), [1 - 0.1 - 0.35], rtol=1e-15)


def test_nesterov_looks_ahead_by_hand():
    w = leaf(1.0)
    # 1 + 0.5 * 1 = 1.5, then 3 + 0.5 * 3.5 = 4.75
    np.testing.assert_allclose(steps(optim.SGD([w], lr=0.1, momentum=0.5, nesterov=True), w, [[1.0], [3.0]]), [1 - 0.15 - 0.475],
                               rtol=1e-15)


@pytest.mark.parametrize("g", [1e-3, 1.0, 1e3])
def test_the_first_step_of_adam_has_the_size_of_the_rate(g):
    w = leaf(1.0)
    np.testing.assert_allclose(steps(optim.Adam([w], lr=0.1), w, [[g]]), [0.9], rtol=1e-5)


@pytest.mark.parametrize("make", [
    lambda p: optim.SGD(p, lr=0.1), lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), lambda p: optim.Adam(p, lr=0.1),
    lambda p: optim.AdamW(p, lr=0.1)])
def test_float32_stays_float32_and_values_are_not_changed_in_place(make):
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    optimizer, before = make([w]), w.value
    loss = (w * w).sum()
    loss.backward()
    optimizer.step()
    optimizer.step()
    assert w.dtype == np.float32 and before.tolist() == [1.0, 2.0]
    assert all(v.dtype == np.float32 for s in optimizer.state.values() for v in s.values() if isinstance(v, np.ndarray))


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, momentum=0.9, nesterov=True), optim.Adam, optim.AdamW])
def test_an_update_is_a_function_that_can_be_differentiated_and_staged(make):
    optimizer = make([leaf(1.0)])
    options = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
    p, g = np.array([1.0, -2.0]), np.array([0.5, 0.3])

    def after(lr):
        return (optimizer.update(p, g, {}, **{**options, "lr": lr})[0] ** 2).sum()

    slope = (after(0.1 + 1e-6) - after(0.1 - 1e-6)) / 2e-6
    np.testing.assert_allclose(cr.grad(after)(0.1), slope, rtol=1e-6)
    program = stage(lambda p, g: optimizer.update(p, g, {}, **options)[0], typeof(p), typeof(g))
    np.testing.assert_allclose(program(p, g), optimizer.update(p, g, {}, **options)[0], rtol=1e-15)


def test_groups_have_options_of_their_own():
    a, b = leaf(1.0), leaf(1.0)
    optimizer = optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.01}], lr=0.1)
    a.grad, b.grad = np.ones(1), np.ones(1)
    optimizer.step()
    assert (a.item(), b.item()) == (0.9, 0.99)


def test_a_parameter_without_a_gradient_stays():
    a, b = leaf(1.0), leaf(1.0)
    a.grad = np.ones(1)
    optim.SGD([a, b], lr=0.1).step()
    assert (a.item(), b.item()) == (0.9, 1.0)


def test_zero_grad_forgets():
    w = leaf(1.0)
    w.grad = np.ones(1)
    optim.SGD([w]).zero_grad()
    assert w.grad is None


def test_training_goes_on_from_a_saved_state_bit_for_bit():
    gradients = np.random.default_rng(0).normal(size=(6, 2))
    w = leaf(1.0, 2.0)
    whole = steps(optim.Adam([w], lr=0.1), w, gradients)
    a = leaf(1.0, 2.0)
    first = optim.Adam([a], lr=0.1)
    middle = steps(first, a, gradients[:3])
    b = leaf(*middle)
    second = optim.Adam([b], lr=0.5)
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(steps(second, b, gradients[3:]), whole)


def test_a_state_of_other_parameters_is_refused():
    one, two = optim.Adam([leaf(1.0)]), optim.Adam([leaf(1.0), leaf(2.0)])
    with pytest.raises(ArgumentError, match="groups of"):
        one.load_state_dict(two.state_dict())
    w, wide = leaf(1.0), leaf(1.0, 2.0)
    other = optim.Adam([wide])
    steps(other, wide, [[1.0, 1.0]])
    with pytest.raises(ArgumentError, match="has shape"):
        optim.Adam([w]).load_state_dict(other.state_dict())


@pytest.mark.parametrize("make, message", [
    (lambda: optim.SGD([]), "no parameters"),
    (lambda: optim.SGD([np.zeros(3)]), "cannot be trained"),
    (lambda: optim.SGD([cr.tensor([1.0])]), "cannot be trained"),
    (lambda: optim.SGD([leaf(1.0)], lr=-1), "lr is at least 0"),
    (lambda: optim.SGD([leaf(1.0)], nesterov=True), "nesterov"),
    (lambda: optim.Adam([leaf(1.0)], betas=(0.9, 1.0)), "betas"),
    (lambda: optim.SGD([{"params": [leaf(1.0)], "rate": 1}]), "'rate'"),
    (lambda: optim.SGD([w := leaf(1.0), w]), "given twice"),
])
def test_wrong_use_is_told(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_step_without_a_sweep_is_told():
    with pytest.raises(GradientError, match=r"loss\.backward"):
        optim.SGD([leaf(1.0)]).step()
