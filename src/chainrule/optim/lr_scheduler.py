"""Schedules by PyTorch's names: each is a formula of the step's number `t`, and of the rate without it.

    >>> import chainrule as cr
    >>> optimizer = cr.optim.SGD([cr.tensor(1.0, requires_grad=True)], lr=0.1)
    >>> schedule = cr.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(2):
    ...     schedule.step()  # after each pass over the data, or each optimizer.step()
    >>> schedule.get_last_lr()
    [0.05]
"""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, inf, pi
from typing import Any

from .schedule import ChainedScheduler, LRScheduler, SequentialLR, of_group

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "ExponentialLR", "LRScheduler",
           "LambdaLR", "LinearLR", "MultiStepLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR"]


@dataclass(eq=False)
class LambdaLR(LRScheduler):
    """The rate times a function of the step, one for all groups or a list with one for each."""

    lr_lambda: Callable[[float], float] | Sequence[Callable[[float], float]]
    per_group = ("lr_lambda",)

    def at(self, rate: float, t: float, i: int) -> float:
        return rate * of_group(self.lr_lambda, i)(t)


@dataclass(eq=False)
class StepLR(LRScheduler):
    """The rate times `gamma` after every `step_size` steps."""

    step_size: int
    gamma: float = 0.1

    def check(self) -> None:
        self.must(self.step_size >= 1, "step_size", "at least 1")

    def at(self, rate: float, t: float, i: int) -> float:
        return rate * self.gamma ** (t // self.step_size)


@dataclass(eq=False)
class MultiStepLR(LRScheduler):
    """The rate times `gamma` at each of the `milestones`."""

    milestones: Sequence[int]
    gamma: float = 0.1

    def at(self, rate: float, t: float, i: int) -> float:
        return rate * self.gamma ** bisect_right(sorted(self.milestones), t)


@dataclass(eq=False)
class ConstantLR(LRScheduler):
    """The rate times `factor` in the first `total_iters` steps."""

    factor: float = 1 / 3
    total_iters: int = 5

    def check(self) -> None:
        self.must(0 <= self.factor <= 1, "factor", "from 0 to 1")

    def at(self, rate: float, t: float, i: int) -> float:
        return rate * (self.factor if t < self.total_iters else 1.0)


@dataclass(eq=False)
class LinearLR(LRScheduler):
    """The rate times a factor that goes evenly from `start_factor` to `end_factor` in `total_iters` steps: a warm-up."""

    start_factor: float = 1 / 3
    end_factor: float = 1.0
    total_iters: int = 5

    def check(self) -> None:
        self.must(0 < self.start_factor <= 1, "start_factor", "above 0 and at most 1")
        self.must(0 <= self.end_factor <= 1, "end_factor", "from 0 to 1")
        self.must(self.total_iters >= 1, "total_iters", "at least 1")

    def at(self, rate: float, t: float, i: int) -> float:
        return rate * (self.start_factor + (self.end_factor - self.start_factor) * min(t, self.total_iters) / self.total_iters)


@dataclass(eq=False)
class ExponentialLR(LRScheduler):
    """The rate times `gamma` at every step."""

    gamma: float

    def at(self, rate: float, t: float, i: int) -> float:
        return rate * self.gamma ** t


@dataclass(eq=False)
class PolynomialLR(LRScheduler):
    """The rate down to 0 in `total_iters` steps, as what is left of them to the given power."""

    total_iters: int = 5
    power: float = 1.0

    def check(self) -> None:
        self.must(self.total_iters >= 1, "total_iters", "at least 1")

    def at(self, rate: float, t: float, i: int) -> float:
        return rate * (1 - min(t, self.total_iters) / self.total_iters) ** self.power


@dataclass(eq=False)
class CosineAnnealingLR(LRScheduler):
    """The rate down to `eta_min` in `T_max` steps along half a cosine, up again in the next `T_max`, and so on.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
    """

    T_max: int
    eta_min: float = 0.0

    def check(self) -> None:
        self.must(self.T_max >= 1, "T_max", "at least 1")

    def at(self, rate: float, t: float, i: int) -> float:
        return self.eta_min + (rate - self.eta_min) * (1 + cos(pi * t / self.T_max)) / 2


@dataclass(eq=False)
class CosineAnnealingWarmRestarts(LRScheduler):
    """The rate down to `eta_min` along half a cosine, again and again: in `T_0` steps, then in `T_mult` times as many, and so on.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017. `step(epoch)` takes fractions.
    """

    T_0: int
    T_mult: int = 1
    eta_min: float = 0.0

    def check(self) -> None:
        for name in ("T_0", "T_mult"):
            value = getattr(self, name)
            self.must(value >= 1 and value == int(value), name, "a whole number from 1 on")

    def at(self, rate: float, t: float, i: int) -> float:
        length = self.T_0
        if self.T_mult == 1:
            t %= length
        while t >= length:
            t, length = t - length, length * self.T_mult
        return self.eta_min + (rate - self.eta_min) * (1 + cos(pi * t / length)) / 2


ANNEALING: dict[str, Callable[[float], float]] = {"cos": lambda x: (1 - cos(pi * x)) / 2, "linear": lambda x: x}


@dataclass(eq=False)
class OneCycleLR(LRScheduler):
    """The rate from `max_lr / div_factor` up to `max_lr` in the part `pct_start` of all steps, then down to a small part of where
    it began; with `cycle_momentum` the momentum (or the first of the betas) goes the other way.

    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2017. `step` is called
    after each batch; the number of all steps is `total_steps`, or `epochs` times `steps_per_epoch`. With `three_phase` the way
    down mirrors the way up, and the last phase goes on from there.
    """

    max_lr: float | Sequence[float]
    total_steps: int | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    cycle_momentum: bool = True
    base_momentum: float | Sequence[float] = 0.85
    max_momentum: float | Sequence[float] = 0.95
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False
    per_group = ("max_lr", "base_momentum", "max_momentum")

    def check(self) -> None:
        if self.total_steps is None:
            if not self.epochs or not self.steps_per_epoch:
                raise self.wrong("give total_steps, or both epochs and steps_per_epoch")
            self.total_steps = self.epochs * self.steps_per_epoch
        self.must(self.total_steps >= 1, "total_steps", "at least 1")
        self.must(0 <= self.pct_start <= 1, "pct_start", "from 0 to 1")
        self.must(self.anneal_strategy in ANNEALING, "anneal_strategy", " or ".join(map(repr, ANNEALING)))
        if self.cycle_momentum and not {"momentum", "betas"} & set(self.optimizer.defaults):
            raise self.wrong(f"{type(self.optimizer).__name__} has no momentum and no betas to cycle. Give cycle_momentum=False")

    def between(self, t: float, corners: Sequence[float]) -> float:
        """The value at step `t` on the way from corner to corner, which are reached at the ends of the phases."""
        if t > self.total_steps:  # type: ignore[operator]
            raise self.wrong(f"step {t} is beyond its {self.total_steps} steps. Give a larger total_steps")
        up, end = self.pct_start * self.total_steps - 1, self.total_steps - 1  # type: ignore[operator]
        ends = [0.0, up, 2 * up, end] if self.three_phase else [0.0, up, end]
        phases = list(zip(pairwise(ends), pairwise(corners)))
        (start, stop), (first, last) = next((phase for phase in phases if t < phase[0][1]), phases[-1])
        return first + (last - first) * ANNEALING[self.anneal_strategy]((t - start) / (stop - start))

    def at(self, rate: float, t: float, i: int) -> float:
        top = of_group(self.max_lr, i)
        low = top / self.div_factor
        return self.between(t, [low, top, *[low] * self.three_phase, low / self.final_div_factor])

    def momentum_at(self, t: float, i: int) -> float | None:
        high, low = of_group(self.max_momentum, i), of_group(self.base_momentum, i)
        return self.between(t, [high, low, high, *[high] * self.three_phase]) if self.cycle_momentum else None


BETTER: dict[tuple[str, str], Callable[[float, float, float], bool]] = {
    ("min", "rel"): lambda found, best, threshold: found < best * (1 - threshold),
    ("min", "abs"): lambda found, best, threshold: found < best - threshold,
    ("max", "rel"): lambda found, best, threshold: found > best * (1 + threshold),
    ("max", "abs"): lambda found, best, threshold: found > best + threshold,
}


@dataclass(eq=False)
class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor`, down to `min_lr`, whenever the number given to `step` did not improve for more than `patience`.

    An improvement is by more than `threshold`, relative to the best so far ("rel") or as a difference ("abs"), downwards (`mode`
    "min") or upwards ("max"). After a reduction, `cooldown` steps are not counted; one below `eps` is left out.
    """

    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float | Sequence[float] = 0.0
    eps: float = 1e-8
    best: float | None = None
    num_bad_epochs: int = 0
    cooldown_counter: int = 0
    reductions: int = 0
    per_group = ("min_lr",)
    steps_alone = False

    def check(self) -> None:
        self.must(self.factor < 1, "factor", "below 1")
        for name, known in zip(("mode", "threshold_mode"), zip(*BETTER)):
            self.must(getattr(self, name) in known, name, " or ".join(map(repr, dict.fromkeys(known))))

    def step(self, metrics: Any, epoch: float | None = None) -> None:  # type: ignore[override]
        """Look at the number, such as the loss on data held back, and reduce the rates if it does not improve."""
        found = float(metrics)
        worst = inf if self.mode == "min" else -inf
        if BETTER[self.mode, self.threshold_mode](found, worst if self.best is None else self.best, self.threshold):
            self.best, self.num_bad_epochs = found, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            self.reductions, self.cooldown_counter, self.num_bad_epochs = self.reductions + 1, self.cooldown, 0
        super().step(epoch)

    def at(self, rate: float, t: float, i: int) -> float:
        for _ in range(self.reductions):
            lower = max(rate * self.factor, of_group(self.min_lr, i))
            if rate - lower <= self.eps:
                break
            rate = lower
        return rate
