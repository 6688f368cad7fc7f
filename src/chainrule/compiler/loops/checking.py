"""The checker says whether a kernel is sound: names, dtypes, places in arrays, and loops that may run in parallel.

Everything is known when a kernel is made, so everything is checked, but for indices read from arrays.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .language import (
    AnyKernel,
    Apply,
    Array,
    Constant,
    Contraction,
    Gather,
    Index,
    Let,
    Loop,
    Position,
    Read,
    Start,
    Statement,
    Sweep,
    Value,
    Write,
)
from .operations import ALL, BITWISE, COMPARISONS, CURVES, LOGICAL, TESTS
from .races import races

DType = np.dtype[Any]
BOOL, INT64 = np.dtype(bool), np.dtype(np.int64)
UNARY = TESTS | {"logical_not", "bitwise_invert", "cast", "negative", "abs", "sign", "square", "sqrt", "reciprocal", "floor",
                 "ceil", "round", "trunc"} | (CURVES - {"atan2", "hypot", "nextafter"})
TERNARY = frozenset({"select", "fma"})


class KernelError(ValueError):
    """A kernel is not sound; the message shows the statement."""


@dataclass(frozen=True)
class Scope:
    """What is known where a statement stands: values and their dtypes, loops around it, accumulators that may be added to."""

    arrays: dict[str, Array]
    values: dict[str, DType] = field(default_factory=dict)
    loops: tuple[Loop, ...] = ()
    accumulators: dict[str, tuple[DType, int]] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)

    @property
    def extents(self) -> dict[str, int]:
        return {loop.variable: loop.extent for loop in self.loops}

    def inner(self, loop: Loop) -> Scope:
        return replace(self, values=dict(self.values), loops=(*self.loops, loop), accumulators=dict(self.accumulators),
                       constants=set(self.constants))


def check(kernel: AnyKernel) -> None:
    """Raise a `KernelError` that names the statement at fault, if there is one."""
    arrays = {a.name: a for a in kernel.arrays}
    if len(arrays) < len(kernel.arrays):
        raise KernelError(f"{kernel.title}: two arrays have one name: {[a.name for a in kernel.arrays]}")
    if isinstance(kernel, Sweep):
        check_sweep(kernel)
        return
    if isinstance(kernel, Contraction):
        check_contraction(kernel, arrays)
    else:
        check_body(kernel.body, Scope(arrays))
        for loop, statement in races(kernel.body, arrays):
            raise KernelError(f"{statement}: rounds of the {loop.kind} loop {loop.variable} meet at one place")
    body = kernel.epilogue if isinstance(kernel, Contraction) else kernel.body
    for name in {s.array for s in every(body) if isinstance(s, Write)}:
        if not arrays[name].written:
            raise KernelError(f"{kernel.title}: the array {name} is written, and not declared to be")


def check_sweep(sweep: Sweep) -> None:
    """Each turn's arrays are inside of the sweep's, of their dtype, and what is written is not met by another round."""
    arrays = {a.name: a for a in (*sweep.arrays, *sweep.own)}
    round_ = Scope(arrays, loops=(Loop("round", sweep.rounds, ()),))
    reach: dict[str, list[tuple[int, int, int]]] = {}
    written = set()
    for turn in sweep.turns:
        check(turn.kernel)
        for array, (name, offset, step) in zip(turn.kernel.arrays, turn.places):
            title = f"{sweep.title}, {turn.kernel.title}"
            if array.dtype != arrays[name].dtype:
                raise KernelError(f"{title}: {array.name} is {array.dtype}, and lies in {name}, which is {arrays[name].dtype}")
            for at in (offset, offset + array.size - 1):
                inside(Index(at, (("round", step),)), arrays[name], round_, title)
            reach.setdefault(name, []).append((step, offset, offset + array.size))
            if array.written and array.size > 1:
                written.add(name)
    for name in written - {a.name for a in sweep.own}:
        steps, low, high = {s for s, _, _ in reach[name]}, min(a for _, a, _ in reach[name]), max(b for _, _, b in reach[name])
        if len(steps) > 1 or high - low > max(steps):
            raise KernelError(f"{sweep.title}: rounds meet in {name}")


def check_contraction(contraction: Contraction, arrays: dict[str, Array]) -> None:
    axes = {a.name: a for a in contraction.axes}
    if len(axes) < len(contraction.axes):
        raise KernelError(f"{contraction.title}: two axes have one name")
    if any(isinstance(s, Loop | Start | Gather) for s in contraction.epilogue):
        raise KernelError(f"{contraction.title}: an epilogue has no loops and no accumulators")
    everywhere = tuple(Loop(a.name, a.size, ()) for a in contraction.axes)
    for side, (name, offset) in (("left", contraction.left), ("right", contraction.right)):
        index = Index(offset, tuple((a.name, getattr(a, side)) for a in contraction.axes))
        inside(index, arrays[name], Scope(arrays, loops=everywhere), f"{contraction.title}, {side}")
    free = tuple(Loop(a.name, a.size, (), "parallel") for a in contraction.axes if not a.summed)
    check_body(contraction.epilogue, Scope(arrays, {"sum": contraction.dtype}, free))


def check_body(body: Iterable[Statement], scope: Scope) -> None:
    for s in body:
        if isinstance(s, Loop):
            check_loop(s, scope)
        elif isinstance(s, Let):
            fresh(s.name, scope, s)
            scope.values[s.name] = dtype_of(s.value, scope, s)
            if isinstance(s.value, Constant):
                scope.constants.add(s.name)
        elif isinstance(s, Start):
            fresh(s.name, scope, s)
            scope.accumulators[s.name] = s.dtype, len(scope.loops)
        elif isinstance(s, Gather):
            check_gather(s, scope)
        else:
            check_write(s, scope)


def fresh(name: str, scope: Scope, s: Statement) -> None:
    if name in scope.values or name in scope.extents or name in scope.accumulators:
        raise KernelError(f"{s}: the name {name} has a meaning already")


def check_loop(loop: Loop, scope: Scope) -> None:
    shown = f"loop {loop.kind} {loop.variable} in {loop.extent}"
    fresh(loop.variable, scope, loop)
    if loop.extent < 0:
        raise KernelError(f"{shown}: the extent is negative")
    if loop.kind == "parallel" and any(outer.kind != "parallel" for outer in scope.loops):
        raise KernelError(f"{shown}: a parallel loop stands outermost, or in parallel loops")
    if loop.kind == "vector" and any(outer.kind == "vector" for outer in scope.loops):
        raise KernelError(f"{shown}: a vector loop contains no other")
    check_body(loop.body, scope.inner(loop))


def check_gather(s: Gather, scope: Scope) -> None:
    if s.accumulator not in scope.accumulators:
        raise KernelError(f"{s}: there is no accumulator {s.accumulator} here")
    dtype, depth = scope.accumulators[s.accumulator]
    if value(s.value, scope, s) != dtype:
        raise KernelError(f"{s}: the accumulator is {dtype}, the value {value(s.value, scope, s)}")
    if any(loop.kind == "parallel" for loop in scope.loops[depth:]):
        raise KernelError(f"{s}: it adds across the rounds of a parallel loop")


def check_write(s: Write, scope: Scope) -> None:
    array = known_array(s.array, scope, s)
    if value(s.value, scope, s) != array.dtype:
        raise KernelError(f"{s}: the array is {array.dtype}, the value {value(s.value, scope, s)}")
    check_guard(s.guard, scope, s)
    check_index(s.index, array, scope, s, s.guard)
    named = {name for name, step in s.index.terms if step}
    read = named - set(scope.extents)  # places that come from values are the maker's promise
    for loop in scope.loops:
        alike = s.value in scope.constants  # a flag: whoever writes it writes the same
        if loop.kind != "serial" and loop.extent > 1 and loop.variable not in named and not read and not alike:
            raise KernelError(f"{s}: all rounds of the {loop.kind} loop {loop.variable} write the same place")


def value(name: str, scope: Scope, s: Statement) -> DType:
    """The dtype of a named value; an accumulator is a value once nothing more is added to it."""
    if name in scope.values:
        return scope.values[name]
    if name in scope.accumulators:
        return scope.accumulators[name][0]
    raise KernelError(f"{s}: the value {name} is not known here")


def known_array(name: str, scope: Scope, s: Statement) -> Array:
    if name not in scope.arrays:
        raise KernelError(f"{s}: there is no array {name}; there are {', '.join(scope.arrays)}")
    return scope.arrays[name]


def check_guard(guard: str | None, scope: Scope, s: Statement) -> None:
    if guard is not None and value(guard, scope, s) != BOOL:
        raise KernelError(f"{s}: the guard {guard} is {value(guard, scope, s)}, not bool")


# ------------------------------------------------------------------------------------ places
def check_index(index: Index, array: Array, scope: Scope, s: Statement, guard: str | None) -> None:
    for name, _ in index.terms:
        if name not in scope.extents and value(name, scope, s) != INT64:
            raise KernelError(f"{s}: the index uses {name}, which is {value(name, scope, s)}, not int64")
    if guard is None:  # a guard may say that a place is outside
        inside(index, array, scope, str(s))


def inside(index: Index, array: Array, scope: Scope, shown: str) -> None:
    """Whether an index of loop variables stays in its array."""
    extents = scope.extents
    if any(extent == 0 for extent in extents.values()) or any(name not in extents for name, _ in index.terms):
        return
    reach = [step * (extents[name] - 1) for name, step in index.terms]
    low, high = index.offset + sum(r for r in reach if r < 0), index.offset + sum(r for r in reach if r > 0)
    if low < 0 or high >= array.size:
        raise KernelError(f"{shown}: places {low} to {high} of the array {array.name}, which has {array.size}")


# ------------------------------------------------------------------------------------ values
def dtype_of(v: Value, scope: Scope, s: Statement) -> DType:
    if isinstance(v, Constant):
        return np.dtype(v.dtype)
    if isinstance(v, Position):
        if v.variable not in scope.extents:
            raise KernelError(f"{s}: there is no loop over {v.variable} here")
        return INT64
    if isinstance(v, Read):
        array = known_array(v.array, scope, s)
        check_guard(v.guard, scope, s)
        check_index(v.index, array, scope, s, v.guard)
        return array.dtype
    return check_apply(v, scope, s)


def check_apply(v: Apply, scope: Scope, s: Statement) -> DType:
    if v.operation not in ALL:
        raise KernelError(f"{s}: there is no operation {v.operation}")
    count = 1 if v.operation in UNARY else 3 if v.operation in TERNARY else 2
    if len(v.args) != count:
        raise KernelError(f"{s}: {v.operation} takes {count} values, not {len(v.args)}")
    dtypes = [value(name, scope, s) for name in v.args]
    if v.operation == "cast":
        return np.dtype(v.dtype)
    if v.operation == "select":
        if dtypes.pop(0) != BOOL:
            raise KernelError(f"{s}: select chooses by a bool")
    elif v.operation in COMPARISONS | TESTS | LOGICAL:
        expected(BOOL, v.dtype, s)
        expected(dtypes[0], dtypes[-1], s)
        return BOOL
    if v.operation in BITWISE and dtypes[0].kind == "f":
        raise KernelError(f"{s}: {v.operation} is of whole numbers")
    if v.operation in CURVES and dtypes[0].kind != "f":
        raise KernelError(f"{s}: {v.operation} is of floats")
    for dtype in dtypes:
        expected(v.dtype, dtype, s)
    return np.dtype(v.dtype)


def expected(dtype: DType, found: DType, s: Statement) -> None:
    if dtype != found:
        raise KernelError(f"{s}: dtypes differ: {dtype} and {found}")


def every(body: Iterable[Statement]) -> Iterable[Statement]:
    for s in body:
        yield s
        if isinstance(s, Loop):
            yield from every(s.body)
