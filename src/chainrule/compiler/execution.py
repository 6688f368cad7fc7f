"""Execution runs the graph of a program: as native code where llvmlite is there, by replay in NumPy elsewhere."""
from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.stage import Graph
from chainrule.errors import CompileWarning


class Execute(Protocol):
    """What runs a graph: arrays in, arrays out; `held` is how many bytes it holds besides, if that is known."""

    held: int | None

    def __call__(self, arrays: list[Any]) -> list[Any]: ...

    def trust(self, numbers: Iterable[int]) -> None: ...

    def meet(self, number: int, array: Any) -> None: ...

    def loops(self) -> str: ...

    def llvm(self) -> str: ...


class Replay:
    """Runs a graph line by line in NumPy."""

    held = None

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __call__(self, arrays: list[Any]) -> list[Any]:
        numbers = [a.item() if symbol.type.weak else a for a, symbol in zip(arrays, self.graph.inputs)]
        with under(NUMPY), np.errstate(all="ignore"):
            return list(self.graph(*numbers))

    def trust(self, numbers: Iterable[int]) -> None:
        """Nothing is remembered of arrays from call to call."""

    def meet(self, number: int, array: Any) -> None:
        """Nothing is remembered of arrays from call to call."""

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
