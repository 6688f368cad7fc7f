"""SciPy's optimizers on chainrule's functions: trees of arrays, parameters of a module, every method that has derivatives."""
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, InputError
from chainrule.interop.scipy import GRADIENT, Problem, minimize

optimize = pytest.importorskip("scipy.optimize")
rng = np.random.default_rng(0)
A = rng.normal(size=(5, 5))
A = A @ A.T + np.eye(5)
START = {"a": [np.zeros((2, 2)), cr.tensor(np.float32(0.5), requires_grad=True)]}


def quadratic(p):
    x = cr.concat([cr.reshape(p["a"][0], (-1,)), cr.reshape(p["a"][1], (1,))])
    return 0.5 * (x * (A @ x)).sum() - x.sum() + 0.1 * (x ** 4).sum()


def solution(p):
    return np.concatenate([np.ravel(p["a"][0]), np.ravel(p["a"][1])])


EXPECTED = optimize.minimize(lambda x: 0.5 * x @ A @ x - x.sum() + 0.1 * (x ** 4).sum(), np.zeros(5), tol=1e-9).x


def test_the_derivatives_are_those_of_the_function():
    problem = Problem(quadratic, START)
    x, v = rng.normal(size=(2, 5))
    value, gradient = problem.value_and_gradient(x)
    assert problem.x0.tolist() == [0.0] * 4 + [0.5] and value == problem.value(x) and type(value) is float
    np.testing.assert_allclose(value, 0.5 * x @ A @ x - x.sum() + 0.1 * (x ** 4).sum(), rtol=1e-12)
    np.testing.assert_allclose(gradient, A @ x - 1 + 0.4 * x ** 3, rtol=1e-12)
    np.testing.assert_allclose(problem.hessp(x, v), A @ v + 1.2 * x ** 2 * v, rtol=1e-12)
    np.testing.assert_allclose(problem.hess(x), A + np.diag(1.2 * x ** 2), rtol=1e-12)
    assert gradient.dtype == problem.hess(x).dtype == np.float64


@pytest.mark.parametrize("method", [None, *GRADIENT, "nelder-mead", "powell", "COBYLA"])
def test_every_method_finds_the_minimum_without_a_warning(method):
    found = minimize(quadratic, START, method=method)
    np.testing.assert_allclose(solution(found.x), EXPECTED, atol=2e-3)
    assert found.x["a"][0].shape == (2, 2) and found.x["a"][1].shape == () and found.x["a"][1].dtype == np.float64
    if method is None or method in GRADIENT:
        assert found.get("grad", found.jac)["a"][0].shape == (2, 2)


@pytest.mark.parametrize("method", ["L-BFGS-B", "trust-ncg", "trust-exact"])
def test_compiled_it_finds_the_same(method):
    plain, compiled = (minimize(quadratic, START, method=method, compiled=flag) for flag in (False, True))
    np.testing.assert_allclose(solution(compiled.x), solution(plain.x), rtol=1e-6, atol=1e-9)
    problem = Problem(quadratic, START, compiled=True)
    for _ in range(3):
        problem.value_and_gradient(rng.normal(size=5))
    assert sum(map(len, problem.both.programs.values())) == 1


def test_value_and_gradient_are_computed_together():
    calls = []

    def f(x):
        calls.append(1)
        return (x ** 2).sum()
    found = minimize(f, np.ones(3), method="BFGS")
    assert len(calls) == found.nfev == found.njev


def test_a_network_is_trained_to_the_end():
    cr.random.seed(0)
    model = cr.nn.Sequential(cr.nn.Linear(2, 6), cr.nn.Tanh(), cr.nn.Linear(6, 1))
    x = rng.normal(size=(20, 2))
    y = np.sin(x[:, :1]) * x[:, 1:]

    def loss(parameters, inputs, targets):
        return ((cr.nn.functional_call(model, parameters, inputs) - targets) ** 2).mean()
    start = dict(model.named_parameters())
    found = minimize(loss, start, (x, y), method="BFGS", compiled=True, options={"maxiter": 300})
    assert found.fun < 0.02 * loss(Problem(loss, start).tree(np.zeros(25)), x, y)
    model.load_state_dict(found.x)
    np.testing.assert_allclose(((model(x.astype("float32")).numpy() - y) ** 2).mean(), found.fun, rtol=1e-3)


def test_bounds_and_what_else_scipy_takes_go_through():
    seen = []
    found = minimize(lambda x: ((x - 2) ** 2).sum(), np.zeros(2), method="L-BFGS-B", bounds=[(0, 1), (0, 3)], tol=1e-10,
                     callback=lambda x: seen.append(x))
    np.testing.assert_allclose(found.x, [1.0, 2.0], atol=1e-5)
    assert seen


def test_wrong_use_is_told(monkeypatch):
    with pytest.raises(ArgumentError, match="no arrays"):
        Problem(lambda p: 0.0, {})
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(InputError, match=r"chainrule\[scipy\]"):
        minimize(quadratic, START)
