"""Every optimizer follows PyTorch's to 1e-10 over 50 steps in float64."""
import numpy as np
import pytest

import chainrule as cr
from chainrule import optim

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")

CASES = [
    ("SGD", {"lr": 0.02}), ("SGD", {"lr": 0.02, "momentum": 0.9}), ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.002, "momentum": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"lr": 0.05}), ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1}), ("Adam", {"lr": 0.05, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05}), ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "betas": (0.5, 0.6)}), ("AdamW", {"lr": 0.05, "maximize": True}),
    ("Adamax", {"lr": 0.05}), ("Adamax", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True}),
    ("RAdam", {"lr": 0.05}), ("RAdam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True}),
    ("RAdam", {"lr": 0.05, "betas": (0.5, 0.6)}),
    ("Adagrad", {"lr": 0.1}), ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5,
                                           "eps": 1e-3}), ("Adagrad", {"lr": 0.1, "maximize": True}),
    ("Adadelta", {"lr": 1.0}), ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.02}), ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.8}),
    ("RMSprop", {"lr": 0.02, "centered": True, "momentum": 0.8}), ("RMSprop", {"lr": 0.02, "centered": True, "maximize": True}),
]
rng = np.random.default_rng(0)
START, DATA, TARGET = rng.normal(size=(3, 4)), rng.normal(size=(8, 4)), rng.normal(size=(8, 3))
X, Y = torch.tensor(DATA), torch.tensor(TARGET)


@pytest.fixture(autouse=True)
def float64_in_torch():
    """PyTorch keeps NAdam's product of momenta in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def pair():
    """The same weights twice: ours and theirs."""
    return (cr.tensor(START, requires_grad=True), cr.tensor(START[:, 0], requires_grad=True)), (
        torch.tensor(START, requires_grad=True), torch.tensor(START[:, 0].copy(), requires_grad=True))


def our_loss(w, b):
    return ((cr.tanh(cr.linear(DATA, w)) + b - TARGET) ** 2).sum()


def their_loss(w, b):
    return ((torch.tanh(X @ w.T) + b - Y) ** 2).sum()


def step_both(mine, peer, ours, theirs):
    our_loss(*ours).backward()
    mine.step()
    mine.zero_grad()
    peer.zero_grad()
    their_loss(*theirs).backward()
    peer.step()


def must_agree(ours, theirs):
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12)


def named(x):
    return x if isinstance(x, str) else ",".join(x)


@pytest.mark.parametrize("name, options", CASES, ids=named)
def test_fifty_steps_agree_with_torch(name, options):
    ours, theirs = pair()
    mine, peer = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for _ in range(50):
        step_both(mine, peer, ours, theirs)
        must_agree(ours, theirs)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adagrad", "Adadelta", "RMSprop"])
def test_groups_with_options_of_their_own_agree_with_torch(name):
    ours, theirs = pair()
    mine, peer = (getattr(module, name)([{"params": [w], "weight_decay": 0.2}, {"params": [b], "lr": 0.03}], lr=0.01)
                  for module, (w, b) in ((optim, ours), (torch.optim, theirs)))
    for _ in range(50):
        step_both(mine, peer, ours, theirs)
        must_agree(ours, theirs)


def test_defaults_are_those_of_torch():
    for name in ("SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adagrad", "Adadelta", "RMSprop", "LBFGS"):
        ours, theirs = pair()
        own, peer = getattr(optim, name)(ours).defaults, getattr(torch.optim, name)(theirs).defaults
        ignored = {"foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay"}  # how, or fixed by the class
        assert {k: v for k, v in peer.items() if k not in ignored} == {k: v for k, v in own.items() if k not in ignored}, name


# ---------------------------------------------------------------------------------------- L-BFGS
def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def closure_of(optimizer, loss_of, parameters):
    def closure():
        optimizer.zero_grad()
        loss = loss_of(*parameters)
        loss.backward()
        closure.losses.append(loss.item())
        return loss
    closure.losses = []
    return closure


SEARCHES = [{}, {"lr": 0.01, "max_iter": 7}, {"history_size": 3, "lr": 0.1, "max_eval": 9},
            *({"line_search_fn": "strong_wolfe", **options} for options in (
                {}, {"history_size": 2}, {"max_eval": 4}, {"history_size": 1, "lr": 0.5},
                {"tolerance_change": 1e-2, "max_iter": 5}))]


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_lbfgs_on_a_network_agrees_with_torch(options):
    ours, theirs = pair()
    mine, peer = optim.LBFGS(ours, **options), torch.optim.LBFGS(theirs, **options)

    def decayed(loss_of):  # else the loss is so flat at its minimum that the last place of a number decides where a step goes
        return lambda w, b: loss_of(w, b) + (w ** 2).sum() + (b ** 2).sum()
    a, b = closure_of(mine, decayed(our_loss), ours), closure_of(peer, decayed(their_loss), theirs)
    for _ in range(3):
        assert mine.step(a).item() == pytest.approx(peer.step(b).item(), rel=1e-10)
        must_agree(ours, theirs)
    np.testing.assert_allclose(a.losses, b.losses, rtol=1e-10)
    memory = mine.state[ours[0]]
    assert {n: memory[n] for n in ("n_iter", "func_evals")} == {n: peer.state[theirs[0]][n] for n in ("n_iter", "func_evals")}


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_lbfgs_in_the_valley_of_rosenbrock_agrees_with_torch(options):
    start = np.array([-1.2, 1.0, 0.5, -0.3])
    options = options | {"lr": options.get("lr", 1.0) * (1 if "line_search_fn" in options else 1e-2)}
    x, y = cr.tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    mine, peer = optim.LBFGS([x], **options), torch.optim.LBFGS([y], **options)
    a, b = closure_of(mine, rosenbrock, [x]), closure_of(peer, rosenbrock, [y])
    for _ in range(3):
        mine.step(a)
        peer.step(b)
        np.testing.assert_allclose(x.numpy(), y.detach().numpy(), rtol=1e-10)
    assert len(a.losses) == len(b.losses)


# ---------------------------------------------------------------------------------------- clipping
@pytest.mark.parametrize("clip", [lambda u, p: u.clip_grad_norm_(p, 0.7), lambda u, p: u.clip_grad_norm_(p, 0.7, np.inf),
                                  lambda u, p: u.clip_grad_norm_(p, 50.0, 1.0), lambda u, p: u.clip_grad_value_(p, 0.1)])
def test_clipped_training_agrees_with_torch(clip):
    ours, theirs = pair()
    mine, peer = optim.SGD(ours, lr=0.05, momentum=0.9), torch.optim.SGD(theirs, lr=0.05, momentum=0.9)
    for _ in range(50):
        mine.zero_grad()
        peer.zero_grad()
        our_loss(*ours).backward()
        their_loss(*theirs).backward()
        found, expected = clip(cr.nn.utils, ours), clip(torch.nn.utils, theirs)
        if expected is not None:
            assert found.item() == pytest.approx(expected.item(), rel=1e-10)
            after = cr.nn.utils.get_total_norm(p.grad for p in ours).item()
            assert after == pytest.approx(torch.nn.utils.get_total_norm([p.grad for p in theirs]).item(), rel=1e-10)
        mine.step()
        peer.step()
        must_agree(ours, theirs)
