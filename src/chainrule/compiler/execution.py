"""Execution runs the graph of a program: as native code where llvmlite is there, by replay in NumPy elsewhere."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.stage import Graph
from chainrule.errors import CompileWarning

if TYPE_CHECKING:
    from .program import Program


Look = Callable[[tuple[Any, ...]], Any]
"""Whether a call with these leaves is like the one before: None, or what keeps its arrays alive, which have then been taken."""


class Left(NamedTuple):
    """A Python number that a run leaves in memory: whether it is a float, where, and the entry of a dict it goes to."""

    is_float: bool
    address: int
    container: dict[str, Any]
    key: str


class Execute(Protocol):
    """What runs a graph: it takes arrays, and goes; `held` is how many bytes it holds besides, if that is known."""

    held: int | None

    def meet(self, arrays: list[Any]) -> None:
        """Take the arrays for a run, which must live until it is over."""

    def take(self, number: int, array: Any) -> None:
        """Take the array of one input."""

    def go(self) -> list[Any]:
        """Run on the arrays taken; the outputs, but for those that take an input's place."""

    def leave(self, numbers: Sequence[Left]) -> None:
        """After each run put these numbers into their dicts."""

    def look(self, program: Program, numbers: dict[int, int], leaves: Sequence[Any]) -> Look | None:
        """The look at calls of a program with leaves such as these; `numbers` are where its Python numbers go, by input."""

    def loops(self) -> str: ...

    def llvm(self) -> str: ...


class Replay:
    """Runs a graph line by line in NumPy."""

    held = None

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.arrays: list[Any] = []

    def meet(self, arrays: list[Any]) -> None:
        self.arrays = arrays

    def take(self, number: int, array: Any) -> None:
        self.arrays[number] = array

    def go(self) -> list[Any]:
        numbers = [a.item() if symbol.type.weak else a for a, symbol in zip(self.arrays, self.graph.inputs)]
        self.arrays = []
        with under(NUMPY), np.errstate(all="ignore"):
            return list(self.graph(*numbers))

    def leave(self, numbers: Sequence[Left]) -> None:
        """No number is left: each is an output."""

    def look(self, program: Program, numbers: dict[int, int], leaves: Sequence[Any]) -> None:
        """Calls are gathered in Python."""

    def loops(self) -> str:
        return "There are no loops: without llvmlite the program runs line by line in NumPy (see .graph())."

    def llvm(self) -> str:
        return "There is no native code: without llvmlite the program runs line by line in NumPy (see .graph())."


told = False


def native_is_here() -> bool:
    """Whether programs can become native code; says once how, where they cannot."""
    global told
    if find_spec("llvmlite") is not None:
        return True
    if not told:
        told = True
        warnings.warn("cr.compile: llvmlite is not installed, so compiled functions run in NumPy, slower. "
                      "Install it with pip install 'chainrule[compile]'.", CompileWarning, stacklevel=6)
    return False
