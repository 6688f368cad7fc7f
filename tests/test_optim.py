"""Update rules: against their formulas by hand, and as tools that say when they are used wrongly."""
import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.core.stage import stage
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError, GradientError
from chainrule.optim.lbfgs import two_loops
from chainrule.optim.line_search import ENOUGH, FLAT, Trial, strong_wolfe


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


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, momentum=0.9, nesterov=True), optim.Adam, optim.AdamW, optim.Adamax,
                                  optim.NAdam, optim.RAdam, optim.Adagrad, optim.Adadelta, optim.Lion,
                                  lambda p: optim.RMSprop(p, momentum=0.5, centered=True)])
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
    (lambda: optim.SGD([leaf(1.0)], lr="fast"), "lr is at least 0, not 'fast'"),
    (lambda: optim.Adam([leaf(1.0)], betas=0.9), "two numbers from 0 to below 1, not 0.9"),
    (lambda: optim.SGD([leaf(1.0)], nesterov=True), "nesterov"),
    (lambda: optim.Adam([leaf(1.0)], betas=(0.9, 1.0)), "betas"),
    (lambda: optim.SGD([{"params": [leaf(1.0)], "rate": 1}]), "'rate'"),
    (lambda: optim.SGD([w := leaf(1.0), w]), "given twice"),
    (lambda: optim.RMSprop([leaf(1.0)], alpha=1.5), "alpha is a number from 0 to 1"),
    (lambda: optim.Adagrad([leaf(1.0)], lr_decay=-1.0), "lr_decay is at least 0"),
    (lambda: optim.Lion([leaf(1.0)], betas=(0.9,)), "two numbers"),
    (lambda: optim.LBFGS([leaf(1.0)], line_search_fn="wolfe"), "None or 'strong_wolfe'"),
    (lambda: optim.LBFGS([leaf(1.0)], max_iter=0), "max_iter is a whole number"),
    (lambda: optim.LBFGS([{"params": [leaf(1.0)]}, {"params": [leaf(1.0)]}]), "one group"),
    (lambda: optim.LBFGS([leaf(1.0)]).step(), "a closure is needed"),
    (lambda: optim.Adam([leaf(1.0)]).load_state_dict(optim.SGD([leaf(1.0)]).state_dict()), "an optimizer with the options"),
    (lambda: optim.Adam([leaf(1.0)]).load_state_dict(optim.Adam([leaf(1.0)]).state_dict() | {"state": {7: {}}}), "parameter 7"),
])
def test_wrong_use_is_told(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_step_without_a_sweep_is_told():
    with pytest.raises(GradientError, match=r"loss\.backward"):
        optim.SGD([leaf(1.0)]).step()
    with pytest.raises(GradientError, match=r"loss\.backward"):
        optim.LBFGS([leaf(1.0)]).step(lambda: 1.0)


# ---------------------------------------------------------------------------------------- the formulas of the papers, in NumPy
def decayed(rule):
    """A rule whose weight decay is part of the gradient."""
    return lambda p, g, s, t, weight_decay=0.0, **o: rule(p, g + weight_decay * p, s, t, **o)


def uncoupled(rule):
    """A rule whose weight decay shrinks the parameter."""
    return lambda p, g, s, t, *, lr, weight_decay=0.0, **o: rule(p - lr * weight_decay * p, g, s, t, lr=lr, **o)


def moments(g, s, b1, b2):
    s["m"] = b1 * s.get("m", 0.0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0.0) + (1 - b2) * g ** 2
    return s["m"], s["v"]


def sgd(p, g, s, t, *, lr, momentum=0.0, dampening=0.0, nesterov=False):
    s["v"] = g if t == 1 else momentum * s["v"] + (1 - dampening) * g
    return p - lr * (g + momentum * s["v"] if nesterov else s["v"])


def adam(p, g, s, t, *, lr, betas=(0.9, 0.999), eps=1e-8, amsgrad=False):
    m, v = moments(g, s, *betas)
    s["top"] = np.maximum(s.get("top", 0.0), v)
    v = s["top"] if amsgrad else v
    return p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


def adamax(p, g, s, t, *, lr, betas=(0.9, 0.999), eps=1e-8):
    m, _ = moments(g, s, *betas)
    s["u"] = np.maximum(betas[1] * s.get("u", 0.0), np.abs(g) + eps)
    return p - lr / (1 - betas[0] ** t) * m / s["u"]


def nadam(p, g, s, t, *, lr, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3):
    mu = [betas[0] * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in range(1, t + 2)]
    m, v = moments(g, s, *betas)
    m_hat = mu[t] * m / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:-1]))
    return p - lr * m_hat / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


def radam(p, g, s, t, *, lr, betas=(0.9, 0.999), eps=1e-8):
    m, v = moments(g, s, *betas)
    most = 2 / (1 - betas[1]) - 1
    rho = most - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    m = m / (1 - betas[0] ** t)
    if rho <= 5:
        return p - lr * m
    r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return p - lr * r * m * np.sqrt(1 - betas[1] ** t) / (np.sqrt(v) + eps)


def adagrad(p, g, s, t, *, lr, lr_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    s["sum"] = s.get("sum", initial_accumulator_value) + g ** 2
    return p - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s["sum"]) + eps)


def adadelta(p, g, s, t, *, lr, rho=0.9, eps=1e-6):
    s["v"] = rho * s.get("v", 0.0) + (1 - rho) * g ** 2
    d = np.sqrt(s.get("u", 0.0) + eps) / np.sqrt(s["v"] + eps) * g
    s["u"] = rho * s.get("u", 0.0) + (1 - rho) * d ** 2
    return p - lr * d


def rmsprop(p, g, s, t, *, lr, alpha=0.99, eps=1e-8, momentum=0.0, centered=False):
    m, v = moments(g, s, alpha, alpha)
    s["b"] = momentum * s.get("b", 0.0) + g / (np.sqrt(v - m ** 2 * centered) + eps)
    return p - lr * s["b"]


def lion(p, g, s, t, *, lr, betas=(0.9, 0.99)):
    m = s.get("m", 0.0)
    s["m"] = betas[1] * m + (1 - betas[1]) * g
    return p - lr * np.sign(betas[0] * m + (1 - betas[0]) * g)


PAPERS = [
    (optim.SGD, decayed(sgd), {"lr": 0.1, "weight_decay": 0.1}), (optim.SGD, decayed(sgd), {"lr": 0.1, "momentum": 0.9}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    (optim.Adam, decayed(adam), {"lr": 0.1, "weight_decay": 0.1}), (optim.Adam, adam, {"lr": 0.1, "amsgrad": True}),
    (optim.AdamW, uncoupled(adam), {"lr": 0.1, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    (optim.Adamax, decayed(adamax), {"lr": 0.1, "weight_decay": 0.1}),
    (optim.NAdam, decayed(nadam), {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.1}),
    (optim.RAdam, decayed(radam), {"lr": 0.1, "weight_decay": 0.1}), (optim.RAdam, radam, {"lr": 0.1, "betas": (0.5, 0.6)}),
    (optim.Adagrad, decayed(adagrad), {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.3}),
    (optim.Adadelta, decayed(adadelta), {"lr": 0.9, "rho": 0.8, "weight_decay": 0.1}),
    (optim.RMSprop, decayed(rmsprop), {"lr": 0.1, "weight_decay": 0.1}),
    (optim.RMSprop, rmsprop, {"lr": 0.1, "centered": True, "momentum": 0.7, "alpha": 0.9, "eps": 1e-3}),
    (optim.Lion, uncoupled(lion), {"lr": 0.1, "weight_decay": 0.1}),
]


@pytest.mark.parametrize("rule, paper, options", PAPERS, ids=lambda x: getattr(x, "__name__", None))
@pytest.mark.parametrize("sign", [1, -1])
def test_fifty_steps_follow_the_paper(rule, paper, options, sign):
    """And climb with `maximize` as they go down on the negative."""
    rng = np.random.default_rng(0)
    p, state = rng.normal(size=(2, 3)), {}
    w = leaf(*p)
    optimizer = rule([w], **options, maximize=sign < 0)
    for t in range(1, 51):
        g = p ** 3 + rng.normal(size=(2, 3))
        p = paper(p, g, state, t, **options)
        np.testing.assert_allclose(steps(optimizer, w, [sign * g]), p, rtol=1e-10, atol=1e-12)


# ---------------------------------------------------------------------------------------- states
def through_files(state, folder):
    """A state written as safetensors and JSON, and read again."""
    from safetensors.numpy import load_file, save_file
    arrays, rest = {}, {}
    for number, values in state["state"].items():
        arrays |= {f"{number}.{name}": v for name, v in values.items() if isinstance(v, np.ndarray)}
        rest[number] = {name: v for name, v in values.items() if not isinstance(v, np.ndarray)}
    save_file(arrays, folder / "state.safetensors")
    text = json.dumps({"state": rest, "param_groups": state["param_groups"]}, allow_nan=False)
    read = json.loads(text)
    for name, array in load_file(folder / "state.safetensors").items():
        number, _, name = name.partition(".")
        read["state"][number][name] = array
    return read


@pytest.mark.parametrize("rule, options", [*((rule, options) for rule, _, options in PAPERS), (optim.LBFGS, {"max_iter": 4}),
                                           (optim.LBFGS, {"max_iter": 4, "line_search_fn": "strong_wolfe", "history_size": 3})])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_training_goes_on_from_files_bit_for_bit(rule, options, dtype, tmp_path):
    rng = np.random.default_rng(0)
    start, data = [rng.normal(size=(3, 2)).astype(dtype), np.ones((), dtype)], rng.normal(size=(5, 3)).astype(dtype)

    def training(values, **options):
        w, b = (cr.tensor(v, requires_grad=True) for v in values)
        optimizer = rule([{"params": [w, b]}], **options)

        def closure():
            optimizer.zero_grad()
            loss = ((cr.tanh(data @ w) * b - 0.3) ** 2).sum() + 0.1 * (w ** 2).sum()
            loss.backward()
            return loss
        return (w, b), optimizer, closure
    one, first, closure = training(start, **options)
    for _ in range(3):
        first.step(closure)
    two, second, again = training([p.numpy() for p in one], **{**options, "lr": 0.77})
    second.load_state_dict(through_files(first.state_dict(), tmp_path))
    for _ in range(3):
        assert first.step(closure).item() == second.step(again).item()
    for p, q in zip(one, two):
        assert p.dtype == dtype
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_a_state_is_a_copy_that_later_steps_leave_alone():
    w = leaf(1.0)
    optimizer = optim.Adam([w], lr=0.1)
    steps(optimizer, w, [[1.0]])
    list(optimizer.cells())
    state = optimizer.state_dict()
    optimizer.param_groups[0]["betas"][0] = 0.5
    steps(optimizer, w, [[1.0]])
    assert state["param_groups"][0]["betas"] == [0.9, 0.999] and state["state"][0]["step"] == 1


# ---------------------------------------------------------------------------------------- L-BFGS
def rosenbrock(w):
    return (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()


def closure_of(optimizer, loss_of, w):
    def closure():
        optimizer.zero_grad()
        loss = loss_of(w)
        loss.backward()
        return loss
    return closure


@pytest.mark.parametrize("options", [{"lr": 1e-3, "max_iter": 2000}, {"line_search_fn": "strong_wolfe", "max_iter": 200},
                                     {"line_search_fn": "strong_wolfe", "max_iter": 200, "history_size": 3}])
def test_lbfgs_finds_the_end_of_the_valley(options):
    w = leaf(-1.2, 1.0, -0.5)
    optimizer = optim.LBFGS([w], **options)
    before = optimizer.step(closure_of(optimizer, rosenbrock, w)).item()
    assert before == rosenbrock(np.array([-1.2, 1.0, -0.5]))
    if "line_search_fn" in options:
        np.testing.assert_allclose(w.numpy(), 1.0, rtol=1e-3)
    assert rosenbrock(w.numpy()) < 0.1 * before


def test_on_a_quadratic_lbfgs_with_exact_curvature_needs_few_steps():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(6, 6))
    a = a @ a.T + np.eye(6)
    w = leaf(*rng.normal(size=6))
    optimizer = optim.LBFGS([w], max_iter=30, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe")
    optimizer.step(closure_of(optimizer, lambda w: 0.5 * (w * (a @ w)).sum() - w.sum(), w))
    np.testing.assert_allclose(w.numpy(), np.linalg.solve(a, np.ones(6)), rtol=1e-7)


def test_the_two_loops_are_the_inverse_hessian_of_bfgs():
    rng = np.random.default_rng(0)
    s, y = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    y *= np.sign((s * y).sum(1, keepdims=True))
    h = 0.7 * np.eye(5)
    for a, b in zip(s, y):  # Nocedal and Wright, 6.17
        v = np.eye(5) - np.outer(b, a) / (a @ b)
        h = v.T @ h @ v + np.outer(a, a) / (a @ b)
    q = rng.normal(size=5)
    np.testing.assert_allclose(two_loops(q, s, y, (s * y).sum(1), 0.7), h @ q, rtol=1e-10)


@pytest.mark.parametrize("length", [1e-4, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("f, slope", [
    (lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1)), (lambda t: np.cos(t + 1), lambda t: -np.sin(t + 1)),
    (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2)])
def test_a_line_search_ends_at_a_step_with_the_strong_wolfe_conditions(f, slope, length):
    start = Trial(0.0, f(0.0), np.array([slope(0.0)]), slope(0.0))
    found = strong_wolfe(lambda t: Trial(t, f(t), np.array([slope(t)]), slope(t)), start, length, 25, 1e-9)
    assert found.loss <= start.loss + ENOUGH * found.length * start.slope
    assert abs(found.slope) <= FLAT * abs(start.slope)


def test_every_rule_takes_a_closure():
    w = leaf(3.0)
    optimizer = optim.SGD([w], lr=0.1)
    assert optimizer.step(closure_of(optimizer, lambda w: (w ** 2).sum(), w)).item() == 9.0
    np.testing.assert_allclose(w.numpy(), 2.4)
