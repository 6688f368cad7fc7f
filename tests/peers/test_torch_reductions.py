"""Reductions, running operations, sorting and choices have PyTorch's values and gradients, to 1e-9 in float64."""
import numpy as np
import pytest

import chainrule as cr

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")

AXES = (0, 1, -1)
RANDOM = np.random.default_rng(0).normal(size=(3, 4, 5))
TIED = np.random.default_rng(1).integers(0, 3, (3, 4, 5)).astype(float)

OVER_AXES = {
    "mean": (lambda x, a, k: cr.mean(x, axis=a, keepdims=k), lambda t, a, k: t.mean(a, keepdim=k)),
    "var": (lambda x, a, k: cr.var(x, axis=a, correction=1, keepdims=k), lambda t, a, k: t.var(a, keepdim=k)),
    "std": (lambda x, a, k: cr.std(x, axis=a, keepdims=k), lambda t, a, k: t.std(a, correction=0, keepdim=k)),
    "max": (lambda x, a, k: cr.max(x, axis=a, keepdims=k), lambda t, a, k: t.amax(a, keepdim=k)),
    "min": (lambda x, a, k: cr.min(x, axis=a, keepdims=k), lambda t, a, k: t.amin(a, keepdim=k)),
    "logsumexp": (lambda x, a, k: cr.logsumexp(x, axis=a, keepdims=k), lambda t, a, k: t.logsumexp(a, keepdim=k)),
    "prod": (lambda x, a, k: cr.prod(x, axis=a, keepdims=k), lambda t, a, k: t.prod(a, keepdim=k)),
    "cumsum": (lambda x, a, k: cr.cumsum(x, axis=a), lambda t, a, k: t.cumsum(a)),
    "cumprod": (lambda x, a, k: cr.cumprod(x, axis=a), lambda t, a, k: t.cumprod(a)),
    "logcumsumexp": (lambda x, a, k: cr.logcumsumexp(x, axis=a), lambda t, a, k: t.logcumsumexp(a)),
    "cummax": (lambda x, a, k: cr.cummax(x, a)[0], lambda t, a, k: t.cummax(a)[0]),
    "cummin": (lambda x, a, k: cr.cummin(x, a)[0], lambda t, a, k: t.cummin(a)[0]),
    "sort": (lambda x, a, k: cr.sort(x, axis=a, descending=k), lambda t, a, k: t.sort(dim=a, descending=k, stable=True)[0]),
    "diff": (lambda x, a, k: cr.diff(x, n=1 + k, axis=a), lambda t, a, k: t.diff(n=1 + k, dim=a)),
}


def agree(ours, theirs, x):
    value, gradient = cr.value_and_grad(lambda x: cr.sin(ours(x)).sum())(x)
    t = torch.tensor(x, requires_grad=True)
    loss = torch.sin(theirs(t)).sum()
    loss.backward()
    np.testing.assert_allclose(value, loss.item(), rtol=1e-9)
    np.testing.assert_allclose(gradient, t.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("flag", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", OVER_AXES)
def test_along_an_axis(name, axis, flag):
    ours, theirs = OVER_AXES[name]
    agree(lambda x: ours(x, axis, flag), lambda t: theirs(t, axis, flag), RANDOM)


@pytest.mark.parametrize("name", ["max", "min", "prod", "cumprod", "cummax", "cummin"])
def test_ties_and_zeros(name):
    ours, theirs = OVER_AXES[name]
    agree(lambda x: ours(x, 1, False), lambda t: theirs(t, 1, False), TIED)


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
def test_choices_between_two(name):
    other = TIED[::-1].copy()
    if name.startswith("f"):  # PyTorch gives all of a tie to one side here; equals share at chainrule
        other = other + 0.5
    agree(lambda x: getattr(cr, name)(x, other), lambda t: getattr(torch, name)(t, torch.tensor(other)), TIED)


@pytest.mark.parametrize("largest", [False, True])
def test_topk(largest):
    agree(lambda x: cr.topk(x, 2, largest=largest)[0], lambda t: t.topk(2, largest=largest)[0], RANDOM)


def test_clip_and_where():
    agree(lambda x: cr.clip(x, -1.0, 1.0), lambda t: t.clip(-1.0, 1.0), TIED - 1)
    agree(lambda x: cr.where(x > 0, x * x, -x), lambda t: torch.where(t > 0, t * t, -t), TIED - 1)
