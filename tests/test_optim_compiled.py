"""Compiled steps: every rule gives the weights of eager steps, and takes what a schedule moves as numbers from outside."""
import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import StagingError

F = cr.nn.functional
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(16, 6)).astype("float32"), rng.integers(0, 3, 16)

RULES = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01, maximize=True),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "dampening": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01, weight_decay=0.01),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01, weight_decay=0.01, decoupled_weight_decay=True),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01),
    "RAdam, short memory": lambda p: optim.RAdam(p, lr=0.01, betas=(0.5, 0.6)),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1, initial_accumulator_value=0.1),
    "Adadelta": lambda p: optim.Adadelta(p, lr=0.5),
    # centred, the mean of squares less the square of the mean cancels: with a small eps eager float32 is itself off by 1e-5
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True, eps=1e-2),
    "RMSprop, plain": lambda p: optim.RMSprop(p, lr=0.01),
    "Lion": lambda p: optim.Lion(p, lr=0.01, weight_decay=0.1),
}


def training(make):
    cr.random.seed(3)
    model = cr.nn.Sequential(cr.nn.Linear(6, 5), cr.nn.Tanh(), cr.nn.Linear(5, 3))
    optimizer = make(model.parameters())

    def step():
        loss = F.cross_entropy(model(X), Y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss
    return model, optimizer, step


def must_be_close(model, other):
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_compiled_steps_give_the_weights_of_eager_ones(rule):
    plain_model, plain, eager = training(RULES[rule])
    model, optimizer, step = training(RULES[rule])
    step = cr.compile(step)
    for _ in range(12):
        np.testing.assert_allclose(step().numpy(), eager().numpy(), rtol=1e-5)
    must_be_close(model, plain_model)
    for p, q in zip(model.parameters(), plain_model.parameters()):
        for name, value in plain.state[q].items():
            found = optimizer.state[p][name]
            assert type(found) is type(value) and np.asarray(found).dtype == np.asarray(value).dtype, name
            np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-5 * np.abs(value).max())


def programs(step):
    return sum(map(len, step.programs.values()))


MOVES = {
    "lr": lambda group, k: group.update(lr=0.1 / (k + 1)),
    "momentum": lambda group, k: group.update(momentum=0.5 + 0.01 * k),
    "betas": lambda group, k: group["betas"].__setitem__(0, 0.8 + 0.01 * k) if k else group.update(betas=(0.8, 0.99)),
}


@pytest.mark.parametrize("rule, option", [
    ("SGD", "lr"), ("momentum", "momentum"), ("dampening", "momentum"), ("RMSprop", "momentum"), ("Adam", "betas"),
    ("Adam", "lr"), ("AdamW", "betas"), ("Adamax", "betas"), ("NAdam", "betas"), ("RAdam", "betas"), ("Lion", "betas")])
def test_options_that_a_schedule_moves_are_read_at_each_call(rule, option):
    plain_model, plain, eager = training(RULES[rule])
    model, optimizer, step = training(RULES[rule])
    step = cr.compile(step)
    seen = []
    for k in range(6):
        for each in (plain, optimizer):
            list(each.cells())  # a pair is kept as a list from then on
            MOVES[option](each.param_groups[0], k)
        eager(), step()
        seen.append(programs(step))
        must_be_close(model, plain_model)
    assert seen[1:] == seen[1:2] * 5 or rule == "dampening"


def test_switching_momentum_on_is_another_program_that_is_right():
    plain_model, plain, eager = training(lambda p: optim.SGD(p, lr=0.1))
    model, optimizer, step = training(lambda p: optim.SGD(p, lr=0.1))
    step = cr.compile(step)
    for momentum in (0.0, 0.9, 0.5, 0.0):
        for each in (plain, optimizer):
            each.param_groups[0]["momentum"] = momentum
        eager(), step()
        must_be_close(model, plain_model)


def test_a_rate_that_is_no_python_float_is_read_at_each_call_too():
    model, optimizer, step = training(lambda p: optim.SGD(p, lr=1))
    step = cr.compile(step)
    for rate in (np.float64(0.1), np.float32(0.2), 0, 0.3):
        optimizer.param_groups[0]["lr"] = rate
        before = [p.numpy().copy() for p in model.parameters()]
        step()
        assert all(np.array_equal(a, p.numpy()) for a, p in zip(before, model.parameters())) == (rate == 0)
    assert programs(step) == 1


def test_a_resumed_state_goes_on_in_the_same_program():
    model, optimizer, step = training(RULES["Adam"])
    step = cr.compile(step)
    for _ in range(3):
        step()
    state, weights = optimizer.state_dict(), [p.numpy().copy() for p in model.parameters()]
    state = {"state": {k: {n: np.copy(v) if np.ndim(v) else v for n, v in s.items()} for k, s in state["state"].items()},
             "param_groups": state["param_groups"]}
    after = [step().item() for _ in range(3)]
    for p, value in zip(model.parameters(), weights):
        p.data = value
    optimizer.load_state_dict(state)
    assert [step().item() for _ in range(3)] == after and programs(step) == 1


def test_gradients_may_be_forgotten_before_the_sweep_instead_of_after_it():
    model, _, after = training(RULES["Adam"])
    other, second, _ = training(RULES["Adam"])

    @cr.compile
    def before():
        second.zero_grad()
        loss = F.cross_entropy(other(X), Y)
        loss.backward()
        second.step()
        return loss
    for _ in range(12):
        before(), after()
    must_be_close(other, model)
    assert programs(before) == 1 and len(before.built.program.known) == 2  # without a gradient, and with one


def test_what_can_be_compiled_of_lbfgs_is_its_closure():
    plain_model, plain, _ = training(lambda p: optim.LBFGS(p, max_iter=4, line_search_fn="strong_wolfe"))
    model, optimizer, _ = training(lambda p: optim.LBFGS(p, max_iter=4, line_search_fn="strong_wolfe"))

    def closure_of(model, optimizer):
        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(X), Y)
            loss.backward()
            return loss
        return closure
    eager, compiled = closure_of(plain_model, plain), cr.compile(closure_of(model, optimizer))
    np.testing.assert_allclose(optimizer.step(compiled).item(), plain.step(eager).item(), rtol=1e-6)
    np.testing.assert_allclose(optimizer.step(compiled).item(), plain.step(eager).item(), rtol=1e-4)
    assert programs(compiled) == 1
    with pytest.raises(StagingError, match="Compile the closure"):
        cr.compile(lambda: optimizer.step(eager))()
