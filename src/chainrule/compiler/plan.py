"""A plan is what a compiled program does, in order: kernels launched on places in buffers, and calls of library routines."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from chainrule.core.primitive import Primitive

from .loops.language import AnyKernel, Origin


@dataclass(frozen=True)
class Buffer:
    """A flat piece of memory. Inputs and outputs belong to the caller, constants to the program, and scratch is one arena.

    A `constant` has its values in `initial`. A scratch buffer has an `offset` in bytes in the arena, given by the buffer
    planner; a `kept` one is its own for good, zero at first, and keeps what no launch writes (such as a border of zeros). A
    `rare` one has no memory until a call fills it.
    """

    name: str
    dtype: np.dtype[Any]
    size: int
    kind: Literal["input", "output", "constant", "scratch", "kept", "rare"] = "scratch"
    initial: np.ndarray[Any, Any] | None = field(default=None, compare=False)
    offset: int = 0


@dataclass(frozen=True)
class Place:
    """Where an array of a launch begins: in a buffer, `offset` elements in, plus each variable of an enclosing `Repeat` times
    its stride."""

    buffer: str
    offset: int = 0
    steps: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class View:
    """An array as NumPy sees it, in a buffer: strides are in elements."""

    place: Place
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Launch:
    """Run a kernel; `places` holds one for each of its arrays, in their order."""

    kernel: AnyKernel
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Call:
    """Run the forward of an operation in NumPy, where a library routine wins or no loop is known, and copy its results."""

    prim: Primitive
    args: tuple[View | Any, ...]  # views, and constants as they are
    params: dict[str, Any]
    targets: tuple[View, ...]
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True)
class Repeat:
    """Run the steps `count` times, for variable = 0, 1, ...: a loop over time."""

    variable: str
    count: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class When:
    """Run the steps if the boolean at `flag` is true, and make it false again: what is rarely needed, such as a product of
    matrices in which zero has to win over infinity. The flag lies in a kept buffer, and kernels only ever set it."""

    flag: Place
    steps: tuple[Step, ...]


Step = Launch | Call | Repeat | When


@dataclass(frozen=True)
class Plan:
    """Buffers, and the steps in order. `inputs` and `outputs` are the graph's, contiguous.

    `donated` maps the number of an output to that of the input whose memory it takes over: both are then one input buffer.
    """

    inputs: tuple[View, ...]
    outputs: tuple[View, ...]
    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    donated: dict[int, int] = field(default_factory=dict)

    @property
    def arena(self) -> int:
        """The bytes that the scratch buffers take up together."""
        return max((b.offset + b.size * b.dtype.itemsize for b in self.buffers if b.kind == "scratch"), default=0)
