"""A library turns a problem into programs to be timed: the whole step, the loss alone, the loss with its gradient.

All three libraries get Adam with the same constants. PyTorch runs eagerly and updates all weights in one fused call; JAX has its
step jitted, with weights and Adam's means given away, so that their memory can be written over. Images go to PyTorch both as
they are and with channels last in memory, which its guide to performance advises.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .problem import Problem

RATE, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Programs:
    """What a library made of a problem; each returns when its work is done. Only `step` moves on from the first weights."""

    version: str
    step: Callable[[], Any]
    forward: Callable[[], Any]
    gradient: Callable[[], tuple[Any, dict[str, Any]]]
    peak: Callable[[], float]  # bytes that a step needs at its fullest, with weights, Adam's means, and data


class Inapplicable(Exception):
    """This way to write a step makes no difference for this problem."""


def chainrule_programs(problem: Problem) -> Programs:
    import chainrule as cr
    forward, gradient = cr.compile(problem.chainrule), cr.compile(cr.value_and_grad(problem.chainrule))
    weights = {name: cr.tensor(value, requires_grad=True, name=name) for name, value in problem.weights.items()}

    @cr.compile
    def step(*batch: Any) -> Any:
        loss = problem.chainrule(weights, *batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    optimizer = cr.optim.Adam(weights.values(), RATE, betas=(BETA1, BETA2), eps=EPS)

    def run() -> Any:
        return step(*problem.batch) if problem.trains else gradient(problem.weights, *problem.batch)[0]

    return Programs(cr.__version__, run, lambda: forward(problem.weights, *problem.batch),
                    lambda: gradient(problem.weights, *problem.batch), lambda: held((step if problem.trains else gradient).built))


def held(built: Any) -> float:
    """The bytes of a compiled program, all of which it holds at all times, of its arguments, and of new results."""
    program = built.execute
    new = [view for number, view in enumerate(program.plan.outputs) if number not in program.plan.donated]
    views = sum(math.prod(view.shape) * view.dtype.itemsize for view in (*program.plan.inputs, *new))
    return float(sum(program.memory().values()) + views)


def torch_programs(problem: Problem, *, channels_last: bool = False) -> Programs:
    import torch
    if channels_last and not problem.images:
        raise Inapplicable
    first, weights = ({k: torch.tensor(value, requires_grad=True) for k, value in problem.weights.items()} for _ in range(2))
    batch = [torch.from_numpy(array) for array in problem.batch]
    if channels_last:
        batch[0] = batch[0].contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(weights.values(), RATE, (BETA1, BETA2), EPS, fused=True)

    def step() -> Any:
        optimizer.zero_grad()
        loss = problem.torch(weights, *batch)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def forward() -> Any:
        with torch.no_grad():
            return problem.torch(first, *batch)

    def gradient() -> Any:
        loss = problem.torch(first, *batch)
        return loss.detach(), dict(zip(first, torch.autograd.grad(loss, list(first.values()))))

    def peak() -> float:
        held = sum(value.nbytes for value in problem.weights.values()) * (3 if problem.trains else 1)
        return held + sum(array.nbytes for array in problem.batch) + torch_peak(run)

    run = step if problem.trains else lambda: gradient()[0]
    return Programs(torch.__version__, run, forward, gradient, peak)


def torch_peak(step: Callable[[], Any]) -> float:
    """The most bytes that PyTorch's allocator had given out at once during a step, on top of what it held before."""
    from torch.profiler import profile
    with profile(profile_memory=True) as seen:
        step()
    sizes = [event.nbytes() for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    return float(max(0, *np.cumsum(sizes)))


def jax_programs(problem: Problem) -> Programs:
    import jax
    import jax.numpy as jnp
    jax.config.update("jax_enable_x64", problem.double)
    weights, batch = jax.tree.map(jnp.asarray, (problem.weights, problem.batch))
    value_and_grad = jax.value_and_grad(problem.jax)

    def train(state: Any, *batch: Any) -> Any:
        weights, mean, square, t = state
        loss, gradients = value_and_grad(weights, *batch)
        t = t + 1
        mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, mean, gradients)
        square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, square, gradients)
        rate, correction = RATE / (1 - BETA1 ** t), (1 - BETA2 ** t) ** -0.5
        weights = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) * correction + EPS), weights, mean, square)
        return loss, (weights, mean, square, t)

    forward, gradient, step = jax.jit(problem.jax), jax.jit(value_and_grad), jax.jit(train, donate_argnums=0)
    zeros = jax.tree.map(jnp.zeros_like, (weights, weights))
    kept = [(jax.tree.map(jnp.copy, weights), *zeros, jnp.zeros((), jnp.float32))]

    def run() -> Any:
        if not problem.trains:
            return jax.block_until_ready(gradient(weights, *batch))[0]
        loss, kept[0] = step(kept[0], *batch)
        jax.block_until_ready(kept[0])
        return loss

    def peak() -> float:
        lowered = step.lower(kept[0], *batch) if problem.trains else gradient.lower(weights, *batch)
        sizes = lowered.compile().memory_analysis()
        return float(sizes.temp_size_in_bytes + sizes.argument_size_in_bytes + sizes.output_size_in_bytes
                     - sizes.alias_size_in_bytes)

    return Programs(jax.__version__, run, lambda: jax.block_until_ready(forward(weights, *batch)),
                    lambda: jax.block_until_ready(gradient(weights, *batch)), peak)


LIBRARIES: dict[str, Callable[[Problem], Programs]] = {
    "chainrule": chainrule_programs, "torch": torch_programs,
    "torch, channels last": partial(torch_programs, channels_last=True), "jax": jax_programs,
}
