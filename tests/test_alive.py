"""The first test to run: is the engine alive? Seconds, and a failure here makes all others moot."""
import numpy as np

import chainrule as cr


def test_a_gradient_by_hand():
    x = np.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(cr.grad(lambda x: (cr.sin(x) * x).sum())(x), np.cos(x) * x + np.sin(x))


def test_a_tensor_collects_its_gradient():
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    assert w.grad is None
    (w * w).sum().backward()
    assert w.grad.tolist() == [2.0, 4.0]


def test_contributions_add_where_paths_meet():
    x = cr.tensor(3.0, requires_grad=True)
    u = x * x
    (u * x + u).backward()
    assert x.grad.item() == 3 * 9 + 2 * 3


def test_derivatives_nest():
    third = cr.grad(cr.grad(cr.grad(lambda x: x * x * x * x)))
    assert third(2.0) == 48.0
