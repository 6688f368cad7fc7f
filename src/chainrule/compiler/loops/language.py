"""A kernel is a nest of loops over arrays, written down as data: what a compiled step does, small enough to read.

A value is computed from values that have names; a statement gives a value its name, writes it to an array, adds it to an
accumulator, or repeats statements in a loop. Arrays are flat: an index says where to look, in elements.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

DType = np.dtype
Combine = Literal["sum", "prod", "max", "min", "any", "all"]
Kind = Literal["serial", "parallel", "vector"]


@dataclass(frozen=True)
class Index:
    """A place in a flat array: `offset`, plus each term's name (a loop's variable, or an int64 value) times its stride."""

    offset: int = 0
    terms: tuple[tuple[str, int], ...] = ()


# ---------------------------------------------------------------------------------------- values
@dataclass(frozen=True)
class Constant:
    """A number known when the kernel is made."""

    value: float | int | bool
    dtype: DType


@dataclass(frozen=True)
class Read:
    """The element at `index` of the array; where the value `guard` is false, 0, and nothing is read."""

    array: str
    index: Index
    guard: str | None = None


@dataclass(frozen=True)
class Apply:
    """A scalar operation of named values, by its name in `loops.operations`; `dtype` is the result's."""

    operation: str
    args: tuple[str, ...]
    dtype: DType


@dataclass(frozen=True)
class Position:
    """The variable of a loop as an int64 value."""

    variable: str


Value = Constant | Read | Apply | Position


# ---------------------------------------------------------------------------------------- statements
@dataclass(frozen=True)
class Origin:
    """Where a statement comes from: the operation and the user's line. It is shown, and is no part of what is computed."""

    operation: str = ""
    source: str = ""


@dataclass(frozen=True)
class Let:
    """Give a value its name, for the rest of the enclosing loop's body."""

    name: str
    value: Value
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True)
class Write:
    """Put the named value at `index` of the array, unless the value `guard` is false."""

    array: str
    index: Index
    value: str
    guard: str | None = None
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True)
class Start:
    """Begin an accumulator at the neutral element of `combine`; after the loops that add to it, its name is a value."""

    name: str
    combine: Combine
    dtype: DType


@dataclass(frozen=True)
class Gather:
    """Combine the named value into the accumulator."""

    accumulator: str
    value: str
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True)
class Loop:
    """Repeat `body` for variable = 0, 1, ..., extent - 1.

    The rounds of a `parallel` loop are independent, and may run on several threads; it stands outermost. The rounds of a
    `vector` loop are independent but for accumulators, and run several at once, a lane each; it may contain serial loops, and
    no other vector loop.
    """

    variable: str
    extent: int
    body: tuple[Statement, ...]
    kind: Kind = "serial"


Statement = Let | Write | Start | Gather | Loop


# ---------------------------------------------------------------------------------------- kernels
@dataclass(frozen=True)
class Array:
    """An array a kernel is given: its name inside the kernel, dtype, and size in elements; `written` if it may be changed."""

    name: str
    dtype: DType
    size: int
    written: bool = False


@dataclass(frozen=True)
class Kernel:
    """Statements over arrays. Two arrays may be the same memory only where each element is read before it is written, in the
    same round of the innermost loop."""

    arrays: tuple[Array, ...]
    body: tuple[Statement, ...]
    title: str = field(default="kernel", compare=False)


@dataclass(frozen=True)
class Axis:
    """One loop of a contraction: how far a step along it goes in the left and in the right array, in elements.

    A `summed` axis does not appear in the result. A stride of 0 means that this array is the same along the axis.
    """

    name: str
    size: int
    left: int
    right: int
    summed: bool = False


@dataclass(frozen=True)
class Contraction:
    """Sums of products: for every place along the free axes, the value `sum` = sum over the summed axes of left x right.

    Matrix products, stacks of them, convolutions and their gradients are all of this form (reads may overlap). `left` and
    `right` name two of the arrays, with the offsets of the first element. What is done with each sum is said by `epilogue`,
    statements without loops that may use the free axes' names as variables, and end in writing. A `rare` one hardly ever runs:
    its code is short, and its sums are the same to the bit.
    """

    axes: tuple[Axis, ...]
    arrays: tuple[Array, ...]
    left: tuple[str, int]
    right: tuple[str, int]
    dtype: DType
    epilogue: tuple[Statement, ...]
    title: str = field(default="contraction", compare=False)
    rare: bool = False


# ---------------------------------------------------------------------------------------- sweeps
@dataclass(frozen=True)
class Turn:
    """A kernel in a sweep: for each of its arrays, in which of the sweep's it lies, where it begins there in the first round, and
    how much further in each of the others, in elements."""

    kernel: Kernel | Contraction
    places: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Sweep:
    """Kernels that are run one after another in each round. The rounds are independent, and a thread does a round alone.

    The arrays in `own` are memory that each thread has for itself: a round begins with anything in them.
    """

    rounds: int
    arrays: tuple[Array, ...]
    own: tuple[Array, ...]
    turns: tuple[Turn, ...]
    title: str = field(default="sweep", compare=False)


AnyKernel = Kernel | Contraction | Sweep
