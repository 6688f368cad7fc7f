"""A check says at once what a layer was given and what it needs, before an operation inside fails on its own terms."""
from __future__ import annotations

from typing import Any

from chainrule.core.type import Array, Type, typeof
from chainrule.errors import ArgumentError, ShapeError

SPACES = {1: "length", 2: "height, width", 3: "depth, height, width"}


def at_least(name: str, least: int, **sizes: int) -> None:
    """Raise ArgumentError for a size that is less than `least`, or no whole number."""
    for size, value in sizes.items():
        if not hasattr(value, "__index__") or value < least:
            raise ArgumentError(f"{name}: {size} must be at least {least}, not {value!r}.")


def chance(name: str, **chances: float) -> None:
    """Raise ArgumentError for what is no chance to be dropped."""
    for what, p in chances.items():
        if not 0 <= p <= 1:
            raise ArgumentError(f"{name}: {what} is the chance to be dropped, from 0 to 1, not {p}.")


def expected(module: Any, x: Array, ranks: tuple[int, ...], forms: str, axis: int = 0, **size: int) -> Type:
    """The type of an input, after checking its number of axes, and the size of one of them, which has a name.

    Raises ShapeError, which says what was given and what is needed.
    """
    t = typeof(x)
    if t.ndim not in ranks or any(t.shape[axis] != n for n in size.values()):
        sizes = "".join(f", with {n} {name}" for name, n in size.items())
        raise ShapeError(f"{type(module).__name__}: the input is {t}, and must be {forms}{sizes}.")
    return t


def places(rank: int, *, alone: bool = True) -> tuple[tuple[int, ...], str]:
    """The numbers of axes, and the forms, of data with channels and `rank` axes of space; `alone` without a batch too."""
    one, space = rank + 1, SPACES[rank]
    batch = f"(batch, channels, {space})"
    return ((one, one + 1), f"{batch} or (channels, {space})") if alone else ((one + 1,), batch)
