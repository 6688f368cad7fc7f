"""Every optimizer follows PyTorch's to 1e-10 over 50 steps in float64."""
import numpy as np
import pytest

import chainrule as cr
from chainrule import optim

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")

CASES = [
    ("SGD", {"lr": 0.02}), ("SGD", {"lr": 0.02, "momentum": 0.9}), ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}), ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}), ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
]


@pytest.mark.parametrize("name, options", CASES, ids=lambda x: x if isinstance(x, str) else ",".join(x))
def test_fifty_steps_agree_with_torch(name, options):
    rng = np.random.default_rng(0)
    start, data, target = rng.normal(size=(3, 4)), rng.normal(size=(8, 4)), rng.normal(size=(8, 3))
    ours = cr.tensor(start, requires_grad=True)
    theirs = torch.tensor(start, requires_grad=True)
    mine, peer = getattr(optim, name)([ours], **options), getattr(torch.optim, name)([theirs], **options)
    x, y = torch.tensor(data), torch.tensor(target)
    for _ in range(50):
        ((cr.linear(data, ours) - target) ** 2).sum().backward()
        mine.step()
        mine.zero_grad()
        peer.zero_grad()
        ((x @ theirs.T - y) ** 2).sum().backward()
        peer.step()
        np.testing.assert_allclose(ours.data.numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
