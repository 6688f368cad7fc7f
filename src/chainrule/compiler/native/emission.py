"""Emission turns the statements of a kernel into LLVM instructions, for one element or for several in lanes.

Kernels and the epilogues of contractions share it: whoever emits a loop around the statements says what is known in an
`Environment`, and calls `emit_statements`.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import llvmlite.ir as ir
import numpy as np

from ..loops.language import Apply, Array, Constant, Index, Let, Position, Read, Statement, Value, Write
from . import arithmetic, memory
from .representation import WORD, constant, constants, element, several, splat

INT64 = np.dtype(np.int64)


class Operand(NamedTuple):
    """A value of a kernel while its code is emitted: in a register, one number or one for each lane, and its dtype."""

    value: ir.Value
    dtype: np.dtype[Any]


class Memory(NamedTuple):
    """An array of a kernel while its code is emitted: its declaration, and the pointer to its first element."""

    array: Array
    pointer: ir.Value


@dataclass
class Environment:
    """What is known where statements are emitted.

    `arrays`: by name, what each array is and where it begins. `variables`: the loops' variables as i64; of the one that runs
    along the lanes, its value in lane 0. `values`: the named values. `starts`: places already computed, by index; whoever goes
    on with other variables begins with none.
    """

    arrays: dict[str, Memory]
    variables: dict[str, ir.Value] = field(default_factory=dict)
    values: dict[str, Operand] = field(default_factory=dict)
    starts: dict[Any, ir.Value] = field(default_factory=dict)

    def inner(self, **variables: ir.Value) -> Environment:
        """A copy for a loop inside: what is defined there is not seen outside."""
        return replace(self, variables=self.variables | variables, values=dict(self.values), starts=dict(self.starts))


@dataclass(frozen=True)
class Lanes:
    """How many elements are computed at once, along which loop's variable, and which of them count (a mask; None: all).

    At least one of them counts.
    """

    variable: str | None = None
    count: int = 1
    mask: ir.Value | None = None


ALONE = Lanes()


def emit_statements(builder: ir.IRBuilder, statements: Iterable[Statement], environment: Environment,
                    lanes: Lanes = ALONE) -> None:
    """Emit `Let` and `Write` statements at the builder's place; afterwards the environment has the new values.

    With `lanes=Lanes("j", 16)` the statements are done for j, j + 1, ..., j + 15 at once, where j is
    `environment.variables["j"]`: arrays with stride 1 along j are read and written as vectors, with stride 0 as one number, with
    other strides lane by lane. Values of the environment may be single numbers or have `lanes.count` lanes. With a mask (a
    vector of i1), lanes whose bit is 0 read and write nothing. Writes under a guard may end the builder's block and leave it in
    another one, which the block before always reaches.
    """
    for statement in statements:
        if isinstance(statement, Let):
            environment.values[statement.name] = emit_value(builder, statement.value, environment, lanes)
        elif isinstance(statement, Write):
            emit_write(builder, statement, environment, lanes)
        else:
            raise TypeError(f"{type(statement).__name__} stands in kernels only, which hold loops and accumulators")


def emit_value(builder: ir.IRBuilder, value: Value, environment: Environment, lanes: Lanes) -> Operand:
    if isinstance(value, Apply):
        args = [environment.values[name] for name in value.args]
        return Operand(arithmetic.apply(builder, value.operation, args, value.dtype), value.dtype)
    if isinstance(value, Read):
        array, pointer = environment.arrays[value.array]
        guard = environment.values[value.guard].value if value.guard is not None else None
        place = emit_place(builder, value.index, environment, lanes)
        return Operand(memory.read(builder, array, pointer, place, guard, lanes), array.dtype)
    if isinstance(value, Constant):
        return Operand(constant(element(value.dtype), value.value), value.dtype)
    assert isinstance(value, Position)
    return Operand(emit_variable(builder, value.variable, environment, lanes), INT64)


def emit_variable(builder: ir.IRBuilder, name: str, environment: Environment, lanes: Lanes) -> ir.Value:
    """The variable of a loop as a value: along the lanes, 0, 1, 2, ... more than in lane 0."""
    first = environment.variables[name]
    if name != lanes.variable or lanes.count == 1:
        return first
    key = ("position", name)
    if key not in environment.starts:
        steps = constants(several(WORD, lanes.count), range(lanes.count))
        environment.starts[key] = builder.add(splat(builder, first, lanes.count), steps)
    return environment.starts[key]


def emit_write(builder: ir.IRBuilder, write: Write, environment: Environment, lanes: Lanes) -> None:
    array, pointer = environment.arrays[write.array]
    guard = environment.values[write.guard].value if write.guard is not None else None
    place = emit_place(builder, write.index, environment, lanes)
    memory.write(builder, array, pointer, place, environment.values[write.value].value, guard, lanes)


def emit_place(builder: ir.IRBuilder, index: Index, environment: Environment, lanes: Lanes) -> memory.Spot:
    """Where an index leads: the element of lane 0, how far on the next is, and what each lane adds by a value of its own."""
    start: ir.Value | None = None
    scattered: ir.Value | None = None
    offset, stride = index.offset, 0
    done: tuple[tuple[str, int], ...] = ()
    for name, step in sorted(index.terms, key=lambda term: (term[0] == lanes.variable, term[0] in environment.values)):
        if step == 0:
            continue
        if name == lanes.variable:
            stride += step
        value = environment.values[name].value if name in environment.values else environment.variables[name]
        if isinstance(value, ir.Constant):
            offset += step * int(value.constant)
            continue
        if isinstance(value.type, ir.VectorType):
            scattered = sum_of(builder, scattered, scaled(builder, value, step))
            continue
        done = (*done, (name, step))
        if done not in environment.starts:
            environment.starts[done] = sum_of(builder, start, scaled(builder, value, step))
        start = environment.starts[done]
    return memory.Spot(start, offset, stride, scattered)


def scaled(builder: ir.IRBuilder, value: ir.Value, step: int) -> ir.Value:
    return value if step == 1 else builder.mul(value, constant(value.type, step))


def sum_of(builder: ir.IRBuilder, a: ir.Value | None, b: ir.Value) -> ir.Value:
    return b if a is None else builder.add(a, b)
