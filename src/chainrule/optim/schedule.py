"""A schedule is a formula that says what an optimizer's learning rate is at each step."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from chainrule.errors import ArgumentError

from .optimizer import Optimizer


@dataclass(eq=False)
class LRScheduler:
    """The part that all schedules share; a schedule is a subclass with one pure function, `at`.

    The rate of each group is computed from the rate the group began with, kept as its "initial_lr", and the step's number: to
    change the rate by hand, change that. Schedules of one optimizer work together: each takes what the one before it says.
    A compiled step takes the rate as a number from outside, so that a schedule never leads to another program.
    """

    optimizer: Optimizer
    last_epoch: int = field(default=-1, kw_only=True)
    per_group: ClassVar[tuple[str, ...]] = ()  # options that may be lists, with an entry for each group
    steps_alone: ClassVar[bool] = True  # whether `step` needs nothing but the number of the step

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise self.wrong(f"it sets the rates of an optimizer, not of a {type(self.optimizer).__name__}")
        for name in self.per_group:
            value, groups = getattr(self, name), len(self.optimizer.param_groups)
            self.must(not isinstance(value, list | tuple) or len(value) == groups, name, f"one value, or a list of {groups}")
        self.check()
        for part in self.parts():
            if part in self.optimizer.schedules:
                self.optimizer.schedules.remove(part)
        self.optimizer.schedules.append(self)
        self.last_epoch += 1
        write_rates(self.optimizer)

    def at(self, rate: float, t: float, i: int) -> float:
        """The learning rate of group `i` at step `t`, where it would be `rate` without this schedule."""
        raise NotImplementedError

    def momentum_at(self, t: float, i: int) -> float | None:
        """The momentum (of Adam and its kin: the first of the betas) of group `i` at step `t`, or None to leave it alone."""
        return None

    def check(self) -> None:
        """Raise ArgumentError where an option is outside what the schedule accepts."""

    def must(self, holds: bool, name: str, bound: str) -> None:
        if not holds:
            raise self.wrong(f"{name} is {bound}, not {getattr(self, name)!r}")

    def wrong(self, why: str) -> ArgumentError:
        return ArgumentError(f"{type(self).__name__}: {why}.")

    def parts(self) -> Sequence[LRScheduler]:
        """The schedules this one is made of."""
        return ()

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next step, or to the given one, and set the rates. Call it after the optimizer's own step."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch  # type: ignore[assignment]
        write_rates(self.optimizer)

    def get_last_lr(self) -> list[float]:
        """The rates of the groups as they are now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    # ---------------------------------------------------------------- to go on later
    def state_dict(self) -> dict[str, Any]:
        """Where the schedule is, and its options, as numbers, text and lists that can be written as JSON.

        Functions are not in it: give them again when the schedule is made anew.
        """
        state = {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name not in ("optimizer", "schedulers")
                 and not has_function(getattr(self, f.name))}
        return state | ({"schedulers": [part.state_dict() for part in self.parts()]} if self.parts() else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict()` of a schedule of this kind; the rates themselves are in the optimizer's state. Raises
        ArgumentError where it does not fit."""
        own, parts = self.state_dict(), state.get("schedulers", [])
        if set(own) != set(state) or len(parts) != len(self.parts()):
            raise self.wrong(f"its state has {', '.join(own)}; the given one has {', '.join(state)}")
        for part, given in zip(self.parts(), parts):
            part.load_state_dict(given)
        for name in set(state) - {"schedulers"}:
            setattr(self, name, plain(state[name]))


def plain(value: Any) -> Any:
    """An option as JSON has it."""
    return list(value) if isinstance(value, tuple | list) else value


def has_function(value: Any) -> bool:
    return callable(value) or (isinstance(value, tuple | list) and any(map(callable, value)))


def write_rates(optimizer: Optimizer) -> None:
    """Set the rate of each group to what all schedules together say, and its momentum where one of them moves it."""
    for i, group in enumerate(optimizer.param_groups):
        rate = group.setdefault("initial_lr", group["lr"])
        for schedule in optimizer.schedules:
            rate = schedule.at(rate, schedule.last_epoch, i)
            momentum = schedule.momentum_at(schedule.last_epoch, i)
            if momentum is not None:
                set_momentum(group, momentum)
        group["lr"] = float(rate)


def set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "momentum" in group:
        group["momentum"] = momentum
    elif isinstance(group["betas"], list):
        group["betas"][0] = momentum  # a compiled step has hold of the list
    else:
        group["betas"] = [momentum, *group["betas"][1:]]


def of_group(value: Any, i: int) -> Any:
    """An option that may be given for each group."""
    return value[i] if isinstance(value, list | tuple) else value


# ---------------------------------------------------------------------------------------- schedules made of schedules
class Compound(LRScheduler):
    """A schedule made of others, which are its own from then on."""

    schedulers: Sequence[LRScheduler]

    def parts(self) -> Sequence[LRScheduler]:
        return self.schedulers

    def check(self) -> None:
        for part in self.schedulers:
            if not isinstance(part, LRScheduler) or not part.steps_alone:
                raise self.wrong(f"it is made of schedules that go on by themselves, and {type(part).__name__} is none")
            if part.optimizer is not self.optimizer:
                raise self.wrong("its schedules belong to another optimizer. Make them for the same one")


@dataclass(eq=False)
class SequentialLR(Compound):
    """One schedule after the other: the next begins, with its own step 0, at each of the `milestones`.

    >>> import chainrule as cr
    >>> optimizer = cr.optim.SGD([cr.tensor(1.0, requires_grad=True)], lr=1.0)
    >>> warm_up = cr.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> decay = cr.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> schedule, rates = cr.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, decay], milestones=[3]), []
    >>> for _ in range(6):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    """

    schedulers: Sequence[LRScheduler]
    milestones: Sequence[int]

    def check(self) -> None:
        super().check()
        self.must(len(self.milestones) == len(self.schedulers) - 1 and list(self.milestones) == sorted(self.milestones),
                  "milestones", f"a rising list of {len(self.schedulers) - 1} steps, between {len(self.schedulers)} schedules")

    def active(self, t: float) -> tuple[LRScheduler, float]:
        """The schedule in charge, and its own step."""
        k = bisect_right(self.milestones, t)
        return self.schedulers[k], t - (self.milestones[k - 1] if k else 0)

    def at(self, rate: float, t: float, i: int) -> float:
        part, t = self.active(t)
        return part.at(rate, t, i)

    def momentum_at(self, t: float, i: int) -> float | None:
        part, t = self.active(t)
        return part.momentum_at(t, i)


class ChainedScheduler(Compound):
    """All schedules at once: each takes the rate that the one before it gives."""

    def __init__(self, schedulers: Iterable[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self.schedulers = list(schedulers)
        if not self.schedulers:
            raise self.wrong("it is made of schedules, and was given none")
        super().__init__(optimizer or self.schedulers[0].optimizer)

    def at(self, rate: float, t: float, i: int) -> float:
        for part in self.schedulers:
            rate = part.at(rate, t, i)
        return rate

    def momentum_at(self, t: float, i: int) -> float | None:
        given = [m for part in self.schedulers if (m := part.momentum_at(t, i)) is not None]
        return given[-1] if given else None
