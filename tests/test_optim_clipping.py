"""Clipping of gradients: by one norm, by a norm for each parameter, by value; eager and compiled."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.core.tree import tree_map
from chainrule.errors import ArgumentError, GradientError, StagingError

U = cr.nn.utils
rng = np.random.default_rng(0)
GRADIENTS = [rng.normal(size=(3, 4)), 0.1 * rng.normal(size=5), np.array(2.0)]
X, Y = rng.normal(size=(16, 4)).astype("float32"), rng.integers(0, 3, 16)


def parameters(dtype="float64"):
    made = [cr.tensor(np.zeros(g.shape, dtype), requires_grad=True) for g in GRADIENTS]
    for p, g in zip(made, GRADIENTS):
        p.grad = g.astype(dtype)
    return [*made, cr.tensor(np.zeros(2), requires_grad=True)]  # the last has no gradient


def norm(arrays, order):
    return np.linalg.norm(np.concatenate([np.ravel(a) for a in arrays]), ord=order)


@pytest.mark.parametrize("order", [2.0, 1.0, np.inf, 3.0])
@pytest.mark.parametrize("most", [0.5, 100.0])
def test_all_gradients_are_scaled_by_one_factor(order, most):
    made = parameters()
    before = U.clip_grad_norm_(made, most, norm_type=order)
    total = norm(GRADIENTS, order)
    np.testing.assert_allclose(before.item(), total, rtol=1e-12)
    for p, g in zip(made, GRADIENTS):
        np.testing.assert_allclose(p.grad.numpy(), g * min(1.0, most / (total + 1e-6)), rtol=1e-12)
    after = U.get_total_norm((p.grad for p in made), order).item()
    np.testing.assert_allclose(after, min(total, most), rtol=1e-5)
    assert made[-1].grad is None


def test_each_gradient_is_scaled_by_its_own_factor():
    made = parameters()
    before = U.clip_grad_norm_each_(made, 1.0)
    np.testing.assert_allclose([n.item() for n in before], [norm([g], 2) for g in GRADIENTS], rtol=1e-12)
    for p, g in zip(made, GRADIENTS):
        np.testing.assert_allclose(p.grad.numpy(), g * min(1.0, 1 / (norm([g], 2) + 1e-6)), rtol=1e-12)


def test_values_are_cut():
    made = parameters()
    assert U.clip_grad_value_(made, 0.3) is None
    for p, g in zip(made, GRADIENTS):
        np.testing.assert_array_equal(p.grad.numpy(), np.clip(g, -0.3, 0.3))


@pytest.mark.parametrize("clip", [lambda p: U.clip_grad_norm_(p, 0.5), lambda p: U.clip_grad_norm_each_(p, 0.5),
                                  lambda p: U.clip_grad_value_(p, 0.5)])
def test_float32_stays_and_one_tensor_is_enough(clip):
    p = parameters("float32")[0]
    clip(p)
    assert p.grad.dtype == np.float32 and not p.grad.requires_grad


def test_nothing_to_clip_is_a_norm_of_0():
    assert U.clip_grad_norm_([cr.tensor(1.0, requires_grad=True)], 1.0).item() == 0.0


def test_a_norm_that_is_not_finite_can_be_an_error():
    made = parameters()
    made[0].grad = np.full((3, 4), np.nan)
    with pytest.raises(GradientError, match="is nan"):
        U.clip_grad_norm_(made, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(made[1].grad.numpy(), GRADIENTS[1])
    U.clip_grad_norm_(made, 1.0)
    assert np.isnan(made[1].grad.numpy()).all()


@pytest.mark.parametrize("clip", [lambda p: U.clip_grad_norm_(p, -1.0), lambda p: U.clip_grad_norm_each_(p, float("nan")),
                                  lambda p: U.clip_grad_value_(p, -1.0)])
def test_a_bound_below_0_is_refused(clip):
    with pytest.raises(ArgumentError, match="at least 0"):
        clip(parameters())


def training(clip):
    cr.random.seed(0)
    model = cr.nn.Sequential(cr.nn.Linear(4, 8), cr.nn.Tanh(), cr.nn.Linear(8, 3))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)

    def step():
        loss = 10 * cr.nn.functional.cross_entropy(model(X), Y)
        loss.backward()
        before = clip(list(model.parameters()))
        after = U.get_total_norm(p.grad for p in model.parameters())
        optimizer.step()
        optimizer.zero_grad()
        return before, after
    return model, step


@pytest.mark.parametrize("clip", [lambda p: U.clip_grad_norm_(p, 0.5), lambda p: U.clip_grad_norm_each_(p, 0.2),
                                  lambda p: U.clip_grad_value_(p, 0.05), lambda p: U.clip_grad_norm_(p, 0.5, norm_type=np.inf)],
                         ids=["norm", "each", "value", "largest"])
def test_a_compiled_step_clips_and_reports_as_the_eager_one(clip):
    plain_model, plain = training(clip)
    model, step = training(clip)
    step = cr.compile(step)
    for _ in range(8):
        (before, after), (plain_before, plain_after) = step(), plain()
        np.testing.assert_allclose(after.numpy(), plain_after.numpy(), rtol=1e-5)
        tree_map(lambda a, b: np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4), before, plain_before)
    for p, q in zip(model.parameters(), plain_model.parameters()):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-5, atol=1e-6)


def test_inside_a_compiled_step_a_norm_cannot_be_an_error():
    p = parameters()[0]
    with pytest.raises(StagingError, match="error_if_nonfinite"):
        cr.compile(lambda: U.clip_grad_norm_(p, 1.0, error_if_nonfinite=True))()
