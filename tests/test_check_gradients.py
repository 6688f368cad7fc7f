"""check_gradients finds a planted fault, and names the operation, the argument, the element and the line."""
from __future__ import annotations

import dataclasses
import inspect
import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.reverse import Reverse
from chainrule.errors import DTypeError, RuleError
from chainrule.ops.broadcasting import unbroadcast

X = np.array([0.3, -0.7, 1.2])
S = np.array([[0.3, -0.7], [1.2, 0.4]])
W = np.array([[1.0, 2.0, -1.0], [0.5, -0.3, 2.0]])


def rules(prim, i, rule):
    """The operation with another backward rule for argument `i`."""
    others = [r for _, r in zip(range(3), prim.backward)]
    return dataclasses.replace(prim, hurried=None, backward=tuple(rule if k == i else r for k, r in enumerate(others)))


FAULTS = {  # what: (the broken operation, a function that uses it, the argument, what the message says)
    "wrong sign": (rules(cr.sin, 0, lambda g, y, x: -g * cr.cos(x)), lambda op: lambda x: op(x * 2.0), X, "x",
                   "The sign is wrong"),
    "missing factor": (rules(cr.square, 0, lambda g, y, x: g * x), lambda op: op, X, "x", "A factor of 2 is missing"),
    "second argument": (rules(cr.multiply, 1, lambda g, y, a, b: unbroadcast(g * b, b)),
                        lambda op: lambda x: op(W @ x, cr.sin(x[:2])), X, "b", "1st order"),
    "transposed": (rules(cr.matmul, 0, lambda g, y, a, b: (g @ b.mT).mT), lambda op: lambda x: op(x, S), S, "a",
                   "It is transposed"),
    "forgotten sum": (rules(cr.add, 1, lambda g, y, a, b: g), lambda op: lambda x: op(W, x), X, "b",
                      r"shape \(2, 3\) for an argument of shape \(3,\).*unbroadcast"),
    "nothing": (rules(cr.exp, 0, lambda g, y, x: g * 0.0), lambda op: op, X, "x", "It gives nothing"),
    "one element": (rules(cr.tanh, 0, lambda g, y, x: g * (1 - y * y) * np.array([1.0, 1.0, 1.5])), lambda op: op, X, "x",
                    r"element \[2\], where x is 1.2"),
    "second derivative": (rules(cr.sin, 0, lambda g, y, x: g * cr.stop_gradient(cr.cos(x))), lambda op: op, X, "x", "2nd order"),
    "written in NumPy": (rules(cr.sin, 0, lambda g, y, x: g * np.cos(np.asarray(getattr(x, "value", x), dtype=float))),
                         lambda op: op, X, "x", "2nd order|differentiated again"),
    "tangent": (dataclasses.replace(cr.sin, tangent=lambda t, y, x: t[0] * cr.sin(x)), lambda op: op, X, "x",
                "tangent rule is wrong"),
    "an exception": (rules(cr.sin, 0, lambda g, y, x: g * x.nonsense), lambda op: op, X, "x", "the rule fails: AttributeError"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_the_fault_is_named(what):
    broken, using, x, argument, words = FAULTS[what]
    f = using(broken)
    with pytest.raises(RuleError) as caught:
        cr.check_gradients(lambda x: cr.sum(cr.cos(f(x)) * 3.0), x)
    assert re.match(rf"{broken.name}\(.*test_check_gradients.py:\d+: argument {argument}\b", str(caught.value)), caught.value
    assert re.search(words, str(caught.value)), caught.value


def test_the_line_is_the_line_of_the_call():
    broken = FAULTS["wrong sign"][0]

    def f(x):
        y = x * x
        return broken(y)

    line = inspect.getsourcelines(f)[1] + 2
    with pytest.raises(RuleError, match=rf"test_check_gradients.py:{line}: argument x: .* at element \[1\], where x is 0.49"):
        cr.check_gradients(f, X)


def test_a_custom_rule_is_checked_like_any_other():
    @cr.custom_rule(backward=lambda g, y, a, b: (g * b, g * b))
    def product(a, b):
        return a * b

    with pytest.raises(RuleError, match=r"product\(.*: argument number 1"):
        cr.check_gradients(lambda a, b: product(a, b), X, 2 * X)


RIGHT = {
    "a layer": (lambda w, b: cr.sum(cr.tanh(W @ w + b[:2])), X, X),
    "a tree": (lambda t: {"a": cr.sin(t["x"]) * t["s"], "b": (t["x"] / 3.0,)}, {"x": X, "s": 2.0}),
    "integers beside": (lambda x, i: x[i], X, np.array([0, 2])),
    "float32": (lambda x: cr.exp(x), np.float32(X)),
    "a tensor": (lambda x: x * x, cr.tensor(X, requires_grad=True)),
    "several outputs": (lambda s: cr.linalg.slogdet(s)[1] if hasattr(cr, "linalg") else cr.sum(s), S),
    "large": (lambda x: cr.sum(cr.sin(x) * x), np.linspace(-3, 3, 20_000)),
    "tiny and huge": (lambda x: cr.log(x), np.array([1e-8, 1.0, 1e8])),
    "a gradient inside": (lambda x: cr.grad(lambda y: cr.sum(y * y * y))(x), X),
    "dropout": (lambda x: cr.dropout(x, 0.5) * x, X),
    "a checkpoint": (cr.checkpoint(lambda x: cr.sin(x) * x), X),
    "a constant": (lambda x: 3.0, X),
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_is_right_passes(what):
    f, *args = RIGHT[what]
    report = cr.check_gradients(f, *args)
    assert report.worst < 1e-5 and not report.skipped


def test_the_report_lists_the_rules_and_their_agreement():
    report = cr.check_gradients(lambda x: cr.sin(x) * x, X)
    assert report.rules == ["sin: x", "multiply: a", "multiply: b"]
    assert report.worst < 1e-8
    assert str(report).startswith("3 rules of 2 operations agree with differences to ")
    assert "1st order" in str(cr.check_gradients(cr.sin, X, order=1))


def test_elements_on_a_kink_are_listed_not_judged():
    report = cr.check_gradients(lambda x: cr.relu(x), np.array([0.0, 1.0, -1.0, 0.0]))
    assert re.search(r"relu: x at .*test_check_gradients.py:\d+: 2 elements on a kink: \[0\], \[3\]", str(report))
    with pytest.raises(RuleError, match=r"element \[1\]"):  # a kink beside it excuses nothing
        cr.check_gradients(rules(cr.relu, 0, lambda g, y, x: g * (x > 0) * 2.0), np.array([0.0, 1.0, -1.0]))


def test_slopes_that_no_difference_can_see_are_listed():
    report = cr.check_gradients(lambda x: cr.sqrt(x), np.array([0.0, 4.0]), order=1)
    assert "1 element" in str(report) and "[0]" in str(report)


def test_what_is_computed_in_float32_is_too_coarse_to_judge():
    report = cr.check_gradients(lambda x: cr.astype(x, "float32") * 2.0, X)
    assert "less than float64" in str(report)


def test_a_cut_is_blamed_on_the_cut():
    with pytest.raises(RuleError, match=r"whole function: its 1st derivative in argument 0\[\d\].*cut by stop_gradient.*"
                                        r"test_check_gradients.py:\d+"):
        cr.check_gradients(lambda x: cr.stop_gradient(x) * x, X)


def test_a_fault_of_the_sweep_is_not_blamed_on_a_rule(monkeypatch):
    sweep = Reverse.sweep

    def forgetful(self, root, seed, **options):
        found = sweep(self, root, seed, **options)
        return {x: g * 0.5 if x.prim is None and x.shape == (3,) else g for x, g in found.items()}

    monkeypatch.setattr(Reverse, "sweep", forgetful)
    with pytest.raises(RuleError, match=r"whole function.*every rule alone agrees"):
        cr.check_gradients(lambda x: cr.sum(cr.sin(x) * 2.0), X, order=1)


def test_checking_changes_nothing():
    w = cr.tensor(X, requires_grad=True)
    cr.check_gradients(lambda x: cr.sum(x * w), X)
    assert w.grad is None


def test_integers_alone_are_refused():
    with pytest.raises(DTypeError, match=r"2\.0 instead of 2"):
        cr.check_gradients(lambda x: x, 2)
