"""Schedules: their formulas by hand, alone and together, carried on from where they were, beside compiled steps."""
import json
import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.errors import ArgumentError, StagingError

S = optim.lr_scheduler


def optimizer(*rates, make=optim.SGD, **options):
    return make([{"params": [cr.tensor(np.ones(2), requires_grad=True)], "lr": rate} for rate in rates or (1.0,)], **options)


def rates(schedule, steps, group=0):
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[group])
        schedule.step()
    return found


def cosine(t, n, low=0.0, high=1.0):
    return low + (high - low) * (1 + math.cos(math.pi * t / n)) / 2


ONE_CYCLE = [0.04 + 0.96 * (1 - math.cos(math.pi * t / 2)) / 2 for t in range(3)] + [
    1 - (1 - 4e-6) * (1 - math.cos(math.pi * t / 7)) / 2 for t in range(1, 8)]
FORMULAS = {
    "lambda": (lambda o: S.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "step": (lambda o: S.StepLR(o, 3, 0.5), lambda t: 0.5 ** (t // 3)),
    "milestones": (lambda o: S.MultiStepLR(o, [2, 5], 0.5), lambda t: 0.5 ** ((t >= 2) + (t >= 5))),
    "constant": (lambda o: S.ConstantLR(o, 0.25, 4), lambda t: 0.25 if t < 4 else 1.0),
    "linear": (lambda o: S.LinearLR(o, 0.2, 1.0, 4), lambda t: 0.2 + 0.8 * min(t, 4) / 4),
    "exponential": (lambda o: S.ExponentialLR(o, 0.9), lambda t: 0.9 ** t),
    "polynomial": (lambda o: S.PolynomialLR(o, 6, 2.0), lambda t: (1 - min(t, 6) / 6) ** 2),
    "cosine": (lambda o: S.CosineAnnealingLR(o, 4, 0.1), lambda t: cosine(t, 4, 0.1)),
    "restarts": (lambda o: S.CosineAnnealingWarmRestarts(o, 2, 2), lambda t: cosine(t, 2) if t < 2 else cosine(t - 2, 4)
                 if t < 6 else cosine(t - 6, 8)),
    "one cycle": (lambda o: S.OneCycleLR(o, 1.0, 10, cycle_momentum=False), lambda t: ONE_CYCLE[t]),
    "sequence": (lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.5, total_iters=2), S.StepLR(o, 2, 0.1)], [3]),
                 lambda t: [0.5, 0.75, 1.0, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01, 0.001][t]),
    "chain": (lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.5, 2), S.ExponentialLR(o, 0.9)]),
              lambda t: (0.5 if t < 2 else 1.0) * 0.9 ** t),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_the_rate_follows_its_formula(name):
    make, formula = FORMULAS[name]
    np.testing.assert_allclose(rates(make(optimizer()), 10), [formula(t) for t in range(10)], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FORMULAS)
def test_every_group_keeps_its_own_rate(name):
    make, formula = FORMULAS[name]
    if name in ("cosine", "one cycle"):  # whose formulas name rates of their own
        return
    schedule = make(optimizer(1.0, 0.3))
    np.testing.assert_allclose(rates(schedule, 10, group=1), [0.3 * formula(t) for t in range(10)], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_schedule_goes_on_from_its_state_bit_for_bit(name):
    make, _ = FORMULAS[name]
    first = optimizer()
    schedule = make(first)
    rates(schedule, 4)
    states = json.loads(json.dumps([schedule.state_dict(), first.state_dict()]))
    second = optimizer(0.77)
    again = make(second)
    again.load_state_dict(states[0])
    second.load_state_dict(states[1])
    assert rates(again, 6) == rates(schedule, 6)


def test_one_cycle_moves_momentum_against_the_rate():
    for o, read in ((optimizer(momentum=0.5), lambda g: g["momentum"]), (optimizer(make=optim.Adam), lambda g: g["betas"][0])):
        schedule = S.OneCycleLR(o, 1.0, 10, anneal_strategy="linear", base_momentum=0.8, max_momentum=0.9)
        found = []
        for _ in range(10):
            found.append(read(o.param_groups[0]))
            schedule.step()
        np.testing.assert_allclose(found, [0.9, 0.85, *np.linspace(0.8, 0.9, 8)], rtol=1e-12)


def test_on_a_plateau_the_rate_goes_down_to_its_bound():
    o = optimizer(1.0, 0.1)
    schedule, found = S.ReduceLROnPlateau(o, factor=0.5, patience=1, min_lr=[0.2, 0.0]), []
    for loss in (1.0, 0.5, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, float("nan"), 0.1):
        schedule.step(loss)
        found.append(tuple(schedule.get_last_lr()))
    assert found == [(1.0, 0.1)] * 3 + [(0.5, 0.05)] * 3 + [(0.25, 0.025)] * 2 + [(0.2, 0.0125)] * 3
    state = json.loads(json.dumps(schedule.state_dict(), allow_nan=False))
    again = S.ReduceLROnPlateau(optimizer(1.0, 0.1), factor=0.5, patience=1, min_lr=[0.2, 0.0])
    json.dumps(again.state_dict(), allow_nan=False)
    again.load_state_dict(state)
    again.step(0.1)
    assert again.get_last_lr() == [0.2, 0.0125] and again.best == 0.1


def test_schedules_of_one_optimizer_work_together():
    o = optimizer()
    warm_up, decay = S.LinearLR(o, 0.5, total_iters=2), S.ExponentialLR(o, 0.9)
    found = []
    for _ in range(4):
        found += warm_up.get_last_lr()
        warm_up.step()
        decay.step()
    np.testing.assert_allclose(found, [0.5, 0.75 * 0.9, 0.9 ** 2, 0.9 ** 3], rtol=1e-12)


def test_to_change_the_rate_by_hand_one_changes_where_it_began():
    o = optimizer()
    schedule = S.ExponentialLR(o, 0.5)
    schedule.step()
    o.param_groups[0]["initial_lr"] = 8.0
    schedule.step()
    assert schedule.get_last_lr() == [2.0]


def test_restarts_take_fractions_of_a_step():
    schedule = S.CosineAnnealingWarmRestarts(optimizer(), 2)
    schedule.step(2.5)
    np.testing.assert_allclose(schedule.get_last_lr(), [cosine(0.5, 2)], rtol=1e-12)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, momentum=0.5), optim.AdamW, lambda p: optim.RMSprop(p, momentum=0.1)])
def test_a_schedule_leads_to_no_other_program(make):
    def training():
        w = cr.tensor(np.array([1.0, -2.0]), requires_grad=True)
        o = make([w])
        schedule = S.OneCycleLR(o, 0.1, total_steps=12)

        def step():
            loss = (w ** 2).sum()
            loss.backward()
            o.step()
            o.zero_grad()
            return loss
        return w, schedule, step
    w, schedule, step = training()
    v, other, plain = training()
    step = cr.compile(step)
    for _ in range(12):
        step(), plain()
        schedule.step(), other.step()
        np.testing.assert_allclose(w.numpy(), v.numpy(), rtol=1e-12)
    assert sum(map(len, step.programs.values())) == 1 and len(step.built.program.known) == 1


def test_a_schedule_inside_a_compiled_step_is_told_to_go_outside():
    w = cr.tensor(np.ones(2), requires_grad=True)
    o = optim.SGD([w])
    schedule = S.ExponentialLR(o, 0.9)

    @cr.compile
    def step():
        (w * w).sum().backward()
        o.step()
        o.zero_grad()
        schedule.step()
    with pytest.raises(StagingError, match="last_epoch"):
        step()
    assert o.param_groups[0]["lr"] == 1e-3


@pytest.mark.parametrize("make, message", [
    (lambda o: S.StepLR([1.0], 3), "not of a list"),
    (lambda o: S.StepLR(o, 0), "step_size is at least 1, not 0"),
    (lambda o: S.LinearLR(o, 0.0), "start_factor"),
    (lambda o: S.CosineAnnealingWarmRestarts(o, 2, 1.5), "T_mult is a whole number"),
    (lambda o: S.LambdaLR(o, [lambda t: 1.0, lambda t: 1.0]), "a list of 1"),
    (lambda o: S.OneCycleLR(o, 0.1), "total_steps"),
    (lambda o: S.OneCycleLR(o, 0.1, 10, anneal_strategy="cosine"), "'cos' or 'linear'"),
    (lambda o: S.OneCycleLR(optim.Adagrad([cr.tensor(1.0, requires_grad=True)]), 0.1, 10), "no momentum and no betas"),
    (lambda o: [S.OneCycleLR(o, 0.1, 2).step() for _ in range(1)] and rates(S.OneCycleLR(o, 0.1, 2), 4), "beyond its 2 steps"),
    (lambda o: S.ReduceLROnPlateau(o, mode="down"), "'min' or 'max'"),
    (lambda o: S.ReduceLROnPlateau(o, threshold_mode="ratio"), "'rel' or 'abs'"),
    (lambda o: S.ReduceLROnPlateau(o, factor=1.0), "factor is below 1"),
    (lambda o: S.SequentialLR(o, [S.StepLR(o, 1), S.StepLR(o, 1)], [3, 5]), "a rising list of 1 steps"),
    (lambda o: S.SequentialLR(o, [S.StepLR(optimizer(), 1), S.StepLR(o, 1)], [3]), "another optimizer"),
    (lambda o: S.ChainedScheduler([]), "was given none"),
    (lambda o: S.ChainedScheduler([S.StepLR(o, 1), S.ReduceLROnPlateau(o)]), "ReduceLROnPlateau is none"),
    (lambda o: S.StepLR(o, 3).load_state_dict(S.ExponentialLR(o, 0.9).state_dict()), "its state has last_epoch"),
])
def test_wrong_use_is_told(make, message):
    with pytest.raises(ArgumentError, match=message):
        make(optimizer())
