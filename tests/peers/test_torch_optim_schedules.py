"""Schedules give PyTorch's rates over 100 steps, alone, together, and attached to an optimizer that moves."""
import warnings

import numpy as np
import pytest
from test_torch_optim import must_agree, pair, step_both

from chainrule import optim

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")


def sequence(s, o):
    parts = [s.LinearLR(o, 0.1, total_iters=10), s.ConstantLR(o, 0.5, 5), s.CosineAnnealingLR(o, 60, 1e-3)]
    return s.SequentialLR(o, parts, [10, 25])


def chain(s, o):
    return s.ChainedScheduler([s.LinearLR(o, 0.1, total_iters=20), s.ExponentialLR(o, 0.97), s.MultiStepLR(o, [30, 60], 0.3)])


def nested(s, o):
    return s.ChainedScheduler([s.SequentialLR(o, [s.ConstantLR(o, 0.2, 5), s.StepLR(o, 7, 0.8)], [8])])


SCHEDULES = {
    "lambda": lambda s, o: s.LambdaLR(o, lambda t: 0.95 ** t), "step": lambda s, o: s.StepLR(o, 30), "exponential": lambda s, o:
    s.ExponentialLR(o, 0.9), "lambda of each group": lambda s, o: s.LambdaLR(o, [lambda t: 1 / (1 + t), lambda t: 1.0 + t]),
    "step with gamma": lambda s, o: s.StepLR(o, step_size=7, gamma=0.5),
    "milestones": lambda s, o: s.MultiStepLR(o, [20, 20, 55], 0.2),
    "constant": lambda s, o: s.ConstantLR(o), "constant with options": lambda s, o: s.ConstantLR(o, factor=0.2, total_iters=40),
    "linear": lambda s, o: s.LinearLR(o), "linear with options": lambda s, o: s.LinearLR(o, 0.01, 0.7, 50),
    "polynomial": lambda s, o: s.PolynomialLR(o), "polynomial with options": lambda s, o: s.PolynomialLR(o, 60, 2.0),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 100), "cosine, twice": lambda s, o: s.CosineAnnealingLR(o, 30, eta_min=0.01),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 13), "restarts, longer each time": lambda s, o:
    s.CosineAnnealingWarmRestarts(o, 5, 3, eta_min=0.002), "one cycle": lambda s, o: s.OneCycleLR(o, 0.3, total_steps=101),
    "one cycle of three phases": lambda s, o: s.OneCycleLR(o, [0.3, 0.1], epochs=11, steps_per_epoch=10, pct_start=0.4,
                                                           anneal_strategy="linear", three_phase=True, div_factor=10.0,
                                                           base_momentum=0.7, max_momentum=[0.9, 0.8], final_div_factor=100.0),
    "one cycle without momentum": lambda s, o: s.OneCycleLR(o, 0.3, total_steps=120, cycle_momentum=False),
    "sequence": sequence, "chain": chain, "nested": nested,
}


def sides(make, name="SGD", **options):
    ours, theirs = pair()
    made = []
    for module, (w, b) in ((optim, ours), (torch.optim, theirs)):
        optimizer = getattr(module, name)([{"params": [w]}, {"params": [b], "lr": 0.02}], lr=0.1, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.append((optimizer, make(module.lr_scheduler, optimizer)))
    return made, ours, theirs


def options_of(optimizer):
    return [[g["lr"], *(g["betas"] if "betas" in g else [g["momentum"]])] for g in optimizer.param_groups]


@pytest.mark.parametrize("name, options", [("SGD", {"momentum": 0.6}), ("Adam", {})])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.filterwarnings("ignore")
def test_a_hundred_rates_are_those_of_torch(schedule, name, options):
    ((mine, own), (peer, theirs)), *_ = sides(SCHEDULES[schedule], name, **options)
    for _ in range(100):
        np.testing.assert_allclose(options_of(mine), options_of(peer), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(own.get_last_lr(), theirs.get_last_lr(), rtol=1e-10, atol=1e-14)
        own.step()
        theirs.step()


@pytest.mark.filterwarnings("ignore")
def test_schedules_of_one_optimizer_work_together_as_in_torch():
    ((mine, own), (peer, theirs)), *_ = sides(lambda s, o: (s.ExponentialLR(o, 0.98), s.StepLR(o, 10, 0.5)))
    for t in range(60):
        np.testing.assert_allclose(options_of(mine), options_of(peer), rtol=1e-10)
        for each in (own, theirs):
            each[0].step()
            if t % 2:
                each[1].step()


@pytest.mark.parametrize("options", [
    {}, {"mode": "max", "patience": 2}, {"threshold_mode": "abs", "threshold": 0.1, "patience": 1},
    {"mode": "max", "threshold_mode": "abs", "patience": 0, "cooldown": 3, "factor": 0.7},
    {"patience": 1, "min_lr": [0.01, 0.001], "factor": 0.5}, {"patience": 0, "eps": 0.01}], ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_reductions_on_a_plateau_are_those_of_torch(options, sign):
    ((mine, own), (peer, theirs)), *_ = sides(lambda s, o: s.ReduceLROnPlateau(o, **options))
    rng = np.random.default_rng(1)
    for t in range(100):
        loss = float(sign * (1 / (1 + t // 12) + 0.02 * rng.normal())) if t != 50 else float("nan")
        own.step(loss)
        theirs.step(loss)
        np.testing.assert_allclose(options_of(mine), options_of(peer), rtol=1e-10)


@pytest.mark.parametrize("name, schedule", [("SGD", "one cycle"), ("Adam", "one cycle of three phases"), ("AdamW", "sequence"),
                                            ("NAdam", "one cycle"), ("RMSprop", "chain"), ("Adagrad", "cosine, twice"),
                                            ("RMSprop", "one cycle"), ("Adadelta", "restarts"), ("RAdam", "nested")])
@pytest.mark.filterwarnings("ignore")
def test_an_optimizer_with_a_schedule_follows_torch(name, schedule):
    ((mine, own), (peer, theirs)), our_weights, their_weights = sides(SCHEDULES[schedule], name)
    torch.set_default_dtype(torch.float64)
    for _ in range(50):
        step_both(mine, peer, our_weights, their_weights)
        own.step()
        theirs.step()
        must_agree(our_weights, their_weights)
    torch.set_default_dtype(torch.float32)


def test_restarts_take_fractions_of_a_step_as_in_torch():
    ((mine, own), (peer, theirs)), *_ = sides(lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 2))
    for k in range(100):
        own.step(k / 3)
        theirs.step(k / 3)
        np.testing.assert_allclose(options_of(mine), options_of(peer), rtol=1e-10, atol=1e-14)
