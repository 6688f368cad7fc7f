"""A line search looks along a direction for a step that lowers the loss enough, and after which the slope is flat enough.

Nocedal and Wright, "Numerical optimization", second edition, algorithms 3.5 and 3.6: first the step grows until a good one lies
before it, then the bracket around that one shrinks. The constants and the safeguards are PyTorch's.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

ENOUGH, FLAT = 1e-4, 0.9  # c1 and c2 of the strong Wolfe conditions


class Trial(NamedTuple):
    """A step that was tried: its length, the loss there, the gradient, and the slope along the direction."""

    length: float
    loss: float
    gradient: np.ndarray[Any, Any]
    slope: float


Try = Callable[[float], Trial]


def strong_wolfe(attempt: Try, start: Trial, length: float, most: int, narrow: float) -> Trial:
    """A trial that fulfils the strong Wolfe conditions, or the best found.

    `start` is where the search begins, with length 0; `length` is tried first. It ends after `most` trials beyond the first, or
    when the bracket is below `narrow`.
    """
    bracket, trials = bracketed(attempt, start, length, most)
    if len(bracket) > 1 and trials < most:
        bracket = narrowed(attempt, start, bracket, trials, most, narrow)
    return bracket[lowest(bracket)]


def bracketed(attempt: Try, start: Trial, length: float, most: int) -> tuple[list[Trial], int]:
    """Two trials with a good step between them, or a good one alone; and the number of trials beyond the first."""
    before, here, trials = start, attempt(length), 0
    while trials < most:
        if too_high(here, start) or (trials > 1 and here.loss >= before.loss):
            return [before, here], trials
        if flat(here, start):
            return [here], trials
        if here.slope >= 0:
            return [before, here], trials
        step = here.length - before.length
        longer = cubic(before, here, here.length + 0.01 * step, here.length * 10)
        before, here, trials = here, attempt(longer), trials + 1
    return [start, here], trials


def narrowed(attempt: Try, start: Trial, bracket: list[Trial], trials: int, most: int, narrow: float) -> list[Trial]:
    """The bracket with its ends moved towards each other until the lower one is a good step."""
    bracket, stuck = list(bracket), False
    while trials < most:
        left, right = sorted(trial.length for trial in bracket)
        if right - left < narrow:
            break
        length, margin = cubic(bracket[0], bracket[1], left, right), 0.1 * (right - left)
        near = min(right - length, length - left) < margin
        if near and (stuck or not left < length < right):
            length, near = (right - margin if right - length < length - left else left + margin), False
        stuck = near  # once an end may be right; twice, the polynomial does not know
        here, trials = attempt(length), trials + 1
        low = lowest(bracket)
        if too_high(here, start) or here.loss >= bracket[low].loss:
            bracket[1 - low] = here
            continue
        done = flat(here, start)
        if not done and here.slope * (bracket[1 - low].length - bracket[low].length) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = here
        if done:
            break
    return bracket


def lowest(bracket: list[Trial]) -> int:
    return int(bracket[0].loss > bracket[-1].loss)


def too_high(here: Trial, start: Trial) -> bool:
    """Whether the loss did not go down in proportion to the step."""
    return here.loss > start.loss + ENOUGH * here.length * start.slope


def flat(here: Trial, start: Trial) -> bool:
    """Whether the slope is small, compared with the one in the beginning."""
    return abs(here.slope) <= -FLAT * start.slope


def cubic(a: Trial, b: Trial, least: float, most: float) -> float:
    """The length, within bounds, at which the cubic through two trials and their slopes is lowest (Nocedal and Wright, 3.59)."""
    if a.length > b.length:
        a, b = b, a
    with np.errstate(all="ignore"):
        mean = a.slope + b.slope - 3 * (a.loss - b.loss) / np.float64(a.length - b.length)
        square = mean ** 2 - a.slope * b.slope
        if not square >= 0:
            return (least + most) / 2
        root = np.sqrt(square)
        found = b.length - (b.length - a.length) * ((b.slope + root - mean) / (b.slope - a.slope + 2 * root))
    return float(min(max(found, least), most))
