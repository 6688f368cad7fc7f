"""A rule somebody wrote for a function of their own works under every transform, and says when it does not fit."""
from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stage import stage
from chainrule.core.type import Type
from chainrule.errors import ArgumentError, ShapeError

close = np.testing.assert_allclose
X = np.array([0.3, -0.7])
F64 = np.dtype("float64")


@cr.custom_rule(backward=lambda g, y, x: (g * 2 * x,))
def square(x):
    """The square, with a rule of its own."""
    return x * x


@cr.custom_rule(backward=lambda g, y, x, w: (g * w, cr.sum(g * x)))
def scaled(x, w):
    return x * w


@cr.custom_rule(backward=lambda g, y, x: (cr.clip(g, -1.0, 1.0),))
def clipped(x):
    """The identity, whose gradient is clipped: a rule that no difference agrees with."""
    return x * 1.0


def test_its_rule_is_used():
    assert cr.grad(lambda x: 100.0 * clipped(x))(2.0) == 1.0
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    cr.sum(clipped(x) * 100.0).backward()
    assert x.grad.tolist() == [1.0, 1.0]
    assert square.__name__ == "square" and "square" in square.__doc__


def test_it_is_one_node():
    y = square(cr.tensor(3.0, requires_grad=True))
    assert y.prim.name == "square" and y.item() == 9.0


TRANSFORMED = {
    "grad": lambda f: cr.grad(lambda x: cr.sum(f(x)))(X),
    "grad of grad": lambda f: cr.grad(lambda x: cr.sum(cr.grad(lambda x: cr.sum(f(x) * f(x)))(x)))(X),
    "jvp": lambda f: cr.jvp(f, X, 2 * X)[1],
    "jvp of grad": lambda f: cr.jvp(cr.grad(lambda x: cr.sum(f(x))), X, X)[1],
    "hessian": lambda f: cr.hessian(lambda x: cr.sum(f(x) * x))(X),
    "jacobian forward": lambda f: cr.jacobian(f, mode="forward")(X),
    "jacobian reverse": lambda f: cr.jacobian(f, mode="reverse")(X),
    "vmap": lambda f: cr.vmap(f)(X),
    "vmap of vmap": lambda f: cr.vmap(cr.vmap(f))(np.ones((2, 3))),
    "vmap of grad": lambda f: cr.vmap(cr.grad(f))(X),
    "grad of vmap": lambda f: cr.grad(lambda x: cr.sum(cr.vmap(f)(x)))(X),
    "vmap of jvp": lambda f: cr.vmap(lambda x: cr.jvp(f, x, 1.0)[1])(X),
    "checkpoint": lambda f: cr.grad(cr.checkpoint(lambda x: cr.sum(f(x))))(X),
    "stage": lambda f: stage(f, Type((2,), F64))(X),
    "stage of grad": lambda f: stage(cr.grad(lambda x: cr.sum(f(x))), Type((2,), F64))(X),
}


@pytest.mark.parametrize("how", TRANSFORMED)
def test_a_right_rule_agrees_with_the_engine_everywhere(how):
    close(TRANSFORMED[how](square), TRANSFORMED[how](lambda x: x * x))


def test_shared_arguments_of_a_batch_add_up():
    rows = np.arange(6.0).reshape(3, 2)
    close(cr.grad(lambda w: cr.sum(cr.vmap(scaled, in_axes=(0, None))(rows, w)))(2.0), rows.sum())
    close(cr.vmap(cr.grad(lambda x, w: cr.sum(scaled(x, w)), 1), in_axes=(0, None))(rows, 2.0), rows.sum(1))


Pair = namedtuple("Pair", "a b")


def test_trees_in_and_out_options_and_none():
    def backward(g, y, pair, counts, *, scale):
        return Pair(g["p"] * pair.b * scale, None), None

    @cr.custom_rule(backward=backward)
    def f(pair, counts, *, scale=2.0):
        return {"p": pair.a * pair.b * scale, "n": cr.sum(counts)}

    def loss(pair, **options):
        out = f(pair, np.array([1, 2]), **options)
        return out["p"] * out["n"]

    g = cr.grad(loss)(Pair(3.0, 5.0), scale=7.0)
    assert g == Pair(3 * 5.0 * 7.0, 0.0)
    a, b = (cr.tensor(v, requires_grad=True) for v in (3.0, 5.0))
    loss(Pair(a, b)).backward()
    assert a.grad.item() == 30.0
    assert b.grad is None  # nothing flows: None, not a zero


def test_a_forward_rule_of_its_own():
    @cr.custom_rule(backward=lambda g, y, x, w: (g * 10, g * 20), tangent=lambda t, y, x, w: t[0] * 3 + t[1] * 4)
    def f(x, w):
        return x * w

    assert cr.grad(f)(1.0, 1.0) == 10.0
    assert cr.jvp(f, (1.0, 1.0), (1.0, 1.0))[1] == 7.0
    assert cr.jvp(lambda x: f(x, 1.0), 1.0, 1.0)[1] == 3.0
    close(cr.vmap(lambda x: cr.jvp(lambda w: f(x, w), 1.0, 1.0)[1])(X), [4.0, 4.0])
    close(cr.jacobian(f, mode="forward")(X, X), 3 * np.eye(2))


def test_float32_stays_float32():
    x = np.float32([1.0, 2.0])
    halved = cr.custom_rule(backward=lambda g, y, x: (g * np.float64(0.5),))(lambda x: x * 0.5)
    assert cr.grad(lambda x: cr.sum(halved(x)))(x).dtype == np.float32


def test_methods_work_inside_in_every_mode():
    f = cr.custom_rule(backward=lambda g, y, x: (g * x.sum() * 0.0 + (g * x).sum(),))(lambda x: (x * x).sum() * x)
    x = cr.tensor(X, requires_grad=True)
    cr.sum(f(x)).backward()
    close(x.grad.numpy(), cr.grad(lambda x: cr.sum(f(x)))(X))


BAD = {
    "too many gradients": (lambda g, y, x, w: (g, g, g), ArgumentError, r"f: its backward rule \(.*test_custom_rule.py:\d+\) "
                                                                      r"returned 3 gradients for 2 arguments"),
    "too few": (lambda g, y, x, w: g, ArgumentError, "1 gradients for 2 arguments"),
    "the wrong shape": (lambda g, y, x, w: (g, g), ShapeError, r"shape \(2,\) for array 1, which is float64\[\].*sum over"),
    "the wrong tree": (lambda g, y, x, w: ({"x": g}, None), ArgumentError, r"gradient of argument 0.*\{x: \*\}"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_rule_that_does_not_fit_says_so(what):
    rule, error, words = BAD[what]
    f = cr.custom_rule(backward=rule)(named_f)
    with pytest.raises(error, match=f"(?s){words}"):
        cr.grad(lambda x, w: cr.sum(f(x, w)))(X, 2.0)
    with pytest.raises(error):
        cr.sum(f(cr.tensor(X, requires_grad=True), np.float64(2.0))).backward()


def named_f(x, w):
    return x * w


named_f.__name__ = "f"


def test_a_captured_value_that_is_being_differentiated_is_refused():
    w = cr.tensor(2.0, requires_grad=True)
    f = cr.custom_rule(backward=lambda g, y, x: (g,))(lambda x: x * w)
    with pytest.raises(ArgumentError, match="captured a value"):
        f(3.0)
    with pytest.raises(ArgumentError, match="Pass it as an argument"):
        cr.grad(lambda a: cr.custom_rule(backward=lambda g, y, x: (g,))(lambda x: x * a)(2.0))(3.0)
    constant = cr.tensor(2.0)
    x = cr.tensor(3.0, requires_grad=True)
    cr.custom_rule(backward=lambda g, y, x: (g * constant,))(lambda x: x * constant)(x).backward()
    assert x.grad.item() == 2.0
