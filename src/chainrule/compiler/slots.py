"""A slot is a place outside a compiled function whose numbers it reads at each call, and may replace."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.type import Array
from chainrule.eager import Contribution

Leaves = tuple[Any, ...]
"""The leaves of the arguments of one call."""


@dataclass(frozen=True, eq=False)
class Argument:
    """A leaf of the arguments; of a tensor its values."""

    number: int
    is_tensor: bool = False

    def get(self, leaves: Leaves) -> Array:
        return leaves[self.number].value if self.is_tensor else leaves[self.number]

    def put(self, leaves: Leaves, value: Array) -> None:
        leaves[self.number].value = value


@dataclass(frozen=True, eq=False)
class Values:
    """The values of a tensor that the function captured."""

    tensor: Any

    def get(self, leaves: Leaves) -> Array:
        return self.tensor.value

    def put(self, leaves: Leaves, value: Array) -> None:
        self.tensor.value = value


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of a tensor, captured or given as an argument (then `tensor` is its number)."""

    tensor: Any

    def of(self, leaves: Leaves) -> Any:
        return leaves[self.tensor] if isinstance(self.tensor, int) else self.tensor

    def get(self, leaves: Leaves) -> Array:
        return self.of(leaves).memo.total

    def put(self, leaves: Leaves, value: Array) -> None:
        memo = self.of(leaves).remember()
        memo.total = value
        memo.contributions = () if value is None else (Contribution(0, "a compiled step", value),)


@dataclass(frozen=True, eq=False)
class Cell:
    """An entry of a dict, such as what an optimizer remembers of a parameter."""

    container: dict[str, Any]
    key: str

    def get(self, leaves: Leaves) -> Array:
        return self.container[self.key]

    def put(self, leaves: Leaves, value: Array) -> None:
        self.container[self.key] = value


@dataclass(frozen=True, eq=False)
class Draw:
    """Random numbers, drawn at each call."""

    drawn: Callable[[], Array]

    def get(self, leaves: Leaves) -> Array:
        return self.drawn()


@dataclass(frozen=True, eq=False)
class Captured:
    """An array that somebody else holds too, and may write into."""

    array: np.ndarray[Any, Any]

    def get(self, leaves: Leaves) -> Array:
        return self.array


Slot = Argument | Values | Gradient | Cell | Draw | Captured
