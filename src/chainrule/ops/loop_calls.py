"""The function of a loop is called for each row, or once for all: on symbols, which writes the body of the loop down."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.interpreter import Box, under
from chainrule.core.primitive import Primitive
from chainrule.core.source import user_line
from chainrule.core.stage import Stage, Symbol
from chainrule.core.tree import Structure, flatten, leaves_like, paths, tree_map, unflatten
from chainrule.core.type import Array, Type, typeof
from chainrule.errors import ArgumentError, ShapeError, StagingError

from .arithmetic import add, divide, floor_divide, multiply, negative, remainder, subtract
from .broadcasting import astype
from .loop import run, steps
from .loop_body import Body, Loop
from .movement import stack
from .power import pow

Function = Callable[[Any, Any], tuple[Any, Any]]


# ---------------------------------------------------------------------------------------- call after call
def unrolled(f: Function, carry: Any, xs: Any, count: int, reverse: bool) -> tuple[Any, Any]:
    """The loop in Python: every operation is computed, recorded and explained as if it stood there by itself."""
    first = carry
    rows: list[list[Array]] = []
    structure: Structure | None = None
    for t in steps(count, reverse):
        carry, y = pair(f(carry, tree_map(lambda x, t=t: x[t], xs)))
        carry = unchanged(first, carry, t)
        structure = structure or flatten(y)[1]
        rows.append(leaves_like(structure, y, f"scan: the row of step {t}"))
    assert structure is not None
    return carry, unflatten(structure, [stack(*(column[::-1] if reverse else column)) for column in zip(*rows)])


def pair(out: Any) -> tuple[Any, Any]:
    """The carry and the row that the function returns."""
    if not (isinstance(out, tuple) and len(out) == 2):
        raise ArgumentError(f"scan: the function returns (carry, y), not {flatten(out)[1]}. Return (carry, None) where no rows "
                            "are to be kept.")
    return out


def unchanged(init: Any, carry: Any, t: int) -> Any:
    """The carry, in the containers of `init`, after checking that every leaf has kept its type."""
    leaves, structure = flatten(init)
    after = leaves_like(structure, carry, f"scan: the carry after step {t}")
    for a, b, path in zip(leaves, after, paths(init)):
        old, new = typeof(a), typeof(b)
        if old.shape != new.shape or not (old.weak or new.weak or old.dtype == new.dtype):
            where = f" at {path!r}" if path else ""
            raise ShapeError(f"scan: the carry{where} begins as {old}, and is {new} after step {t}. It must keep its shape and "
                             "dtype: give init the type that f returns, or convert what f returns with .astype.")
    return unflatten(structure, after)


# ---------------------------------------------------------------------------------------- once, for all steps
ARITHMETIC = frozenset({add, subtract, multiply, divide, floor_divide, remainder, pow, negative})


class Capture(Stage):
    """Stage the body of a loop; a value from outside becomes an input, the same in every step."""

    __slots__ = ("captured",)
    name = "scan"

    def __init__(self) -> None:
        super().__init__()
        self.captured: dict[int, tuple[Array, Symbol]] = {}  # by id: == on arrays compares elements

    def inside(self, a: Array) -> Array:
        """A value as the body knows it; numbers are part of the body, arrays and boxes of others come in from outside."""
        if self.owns(a) or not isinstance(a, Box | np.ndarray) or (isinstance(a, np.ndarray) and not a.ndim):
            return a
        if id(a) not in self.captured:
            symbol = self.input(typeof(a), f"k{len(self.captured)}")
            if isinstance(a, Symbol):
                symbol.__class__ = type(a)  # a staged Python number stays one
            self.captured[id(a)] = a, symbol
        return self.captured[id(a)][1]

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        out = super().apply(prim, tuple(map(self.inside, args)), params)
        if prim in ARITHMETIC and all(typeof(a).weak for a in args):
            out._type = Type((), out.dtype, weak=True)  # between Python numbers, as in a loop of Python
        return out

    def draw(self, source: np.random.Generator, drawn: Callable[[], Array]) -> Array:
        raise StagingError(f"{user_line()}: the function of a scan draws random numbers, and it is staged once for all steps, "
                           "which would all get the same. Draw the numbers of all steps before, and scan over them.")


def as_type(x: Array, t: Type) -> Array:
    """A carry to begin with, in the dtype that it has in the loop."""
    if not isinstance(x, Box):
        return x if t.weak else np.asarray(x, t.dtype)
    return x if typeof(x) == t else astype(x, t.dtype)


class StagedBody:
    """The function of a scan, staged: its body, what it captured, and the containers of its rows."""

    def __init__(self, f: Function, init: Any, xs: Any) -> None:
        self.xs = flatten(xs)[0]
        inits, self.structure = flatten(init)
        types = [typeof(x) for x in inits]
        outputs = self.stage(f, xs, types)
        grown = [Type(t.shape, typeof(y).dtype, typeof(y).weak) if t.weak else t for t, y in zip(types, outputs)]
        if grown != types:  # a Python number takes the dtype of what it met
            types, outputs = grown, self.stage(f, xs, grown)
        unchanged(unflatten(self.structure, self.graph.inputs[:len(inits)]),
                  unflatten(self.structure, outputs[:len(inits)]), 0)
        self.inits = [as_type(x, t) for x, t in zip(inits, types)]
        self.outputs = outputs[len(inits):]
        self.body = Body(self.graph.inputs, self.graph.lines, tuple(outputs))

    def stage(self, f: Function, xs: Any, types: list[Type]) -> list[Array]:
        """Call the function once, on symbols; its carry and its row, as the body knows them."""
        capture = Capture()
        with under(capture):
            carry = [capture.input(t, f"c{i}") for i, t in enumerate(types)]
            rows = [capture.input(Type(typeof(x).shape[1:], typeof(x).dtype), f"x{i}") for i, x in enumerate(self.xs)]
            out, y = pair(f(unflatten(self.structure, carry), unflatten(flatten(xs)[1], rows)))
            leaves, self.rows = flatten(y)
            made = [*leaves_like(self.structure, out, "scan: the carry after step 0"), *leaves]
        outputs = [capture.inside(y if isinstance(y, Box) else np.asarray(y)) for y in made]
        self.graph, self.captured = capture.graph, capture.captured
        return outputs

    def run(self, count: int, reverse: bool) -> tuple[Any, Any]:
        """The real loop: its last carry, and its rows."""
        args = (*self.inits, *self.xs, *(a for a, _ in self.captured.values()))
        out = run(Loop(self.body, args, count, len(self.inits), len(self.xs), reverse))
        n = len(self.inits)
        return unflatten(self.structure, list(out[:n])), unflatten(self.rows, list(out[n:]))
