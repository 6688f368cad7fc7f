"""Sameness of programs: whether a function, traced again because a Python value changed, still does the same."""
from __future__ import annotations

from operator import is_
from types import FunctionType
from typing import Any

import numpy as np

from chainrule.core.stage import Graph, Symbol

from .program import Program
from .slots import Draw, Slot


def same_program(a: Program, b: Program) -> bool:
    """Whether two programs of one function do the same, so that the code made for one serves the other."""
    return (len(a.tensors) == len(b.tensors) and all(map(is_, a.tensors, b.tensors))
            and a.structure == b.structure and a.reached == b.reached
            and [type(leaf) for leaf in a.result] == [type(leaf) for leaf in b.result]
            and all(same_value(x[0], y[0]) for x, y in zip(a.result, b.result))
            and all(len(x) == len(y) and all(map(same_slot, x, y))
                    for x, y in ((a.inputs, b.inputs), (a.places, b.places), (a.cleared, b.cleared)))
            and same_graph(a.graph, b.graph))


def same_slot(a: Slot, b: Slot) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, Draw):
        return same_function(a.drawn, b.drawn)  # type: ignore[union-attr]
    return all(x is y or (isinstance(x, int | str) and x == y) for x, y in zip(vars(a).values(), vars(b).values()))


def same_function(a: Any, b: Any) -> bool:
    """Whether two functions have the same code and hold the same values."""
    if not (isinstance(a, FunctionType) and isinstance(b, FunctionType)):
        return same_value(a, b)
    cells = zip(a.__closure__ or (), b.__closure__ or ())
    return a.__code__ is b.__code__ and all(same_function(x.cell_contents, y.cell_contents) for x, y in cells)


def same_value(a: Any, b: Any) -> bool:
    """Whether two constants are the same: arrays and numbers by type and value, other objects if they are one."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same_value, a, b))
    return isinstance(a, bool | int | float | str | np.generic | np.dtype | slice) and repr(a) == repr(b)


def same_graph(a: Graph, b: Graph) -> bool:
    """Whether two graphs have the same lines, whatever their symbols are called."""
    known: dict[Symbol, Symbol] = {}

    def pair(x: Symbol, y: Symbol) -> bool:
        known[x] = y
        return x.type == y.type

    def same(x: Any, y: Any) -> bool:
        return known.get(x) is y if isinstance(x, Symbol) else same_value(x, y)

    return (len(a.inputs) == len(b.inputs) and len(a.lines) == len(b.lines) and all(map(pair, a.inputs, b.inputs))
            and all(x.prim is y.prim and len(x.args) == len(y.args) and all(map(same, x.args, y.args))
                    and x.params.keys() == y.params.keys() and all(same_value(v, y.params[k]) for k, v in x.params.items())
                    and len(x.targets) == len(y.targets) and all(map(pair, x.targets, y.targets))
                    for x, y in zip(a.lines, b.lines))
            and len(a.output) == len(b.output) and all(map(same, a.output, b.output)))
