"""A kernel's loops as LLVM: `build` writes one function for each phase of a kernel into a module."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import prod

import llvmlite.ir as ir

from ..loops.language import Array, Gather, Kernel, Let, Loop, Read, Start, Statement, Write
from .abi import Compiled, Phase
from .accumulators import Accumulator
from .division import Division, cost, divided
from .emission import ALONE, Environment, Lanes, Memory, Operand, emit_statements
from .host import Host
from .names import used, walk
from .preparing import Part, parts
from .representation import BIT, PLACE, WORD, constants, several

SIGNATURE = ir.FunctionType(ir.VoidType(), [PLACE, WORD, WORD, PLACE, PLACE])
Bind = Callable[[ir.Value], dict[str, ir.Value]]
CHUNK = 2048
"""About how many elements of a loop over lanes are one round."""
WRITTEN_OUT = 24
"""Statements up to which a short serial loop is written out, its variable known in each round."""


def build(kernel: Kernel, module: ir.Module, host: Host) -> Compiled:
    """Write the functions of a kernel into the module."""
    arrays = {a.name: a for a in kernel.arrays}
    return Compiled(tuple(emit_phase(part, kernel.arrays, arrays, module, host) for part in parts(kernel)))


def emit_phase(part: Part, order: Sequence[Array], arrays: dict[str, Array], module: ir.Module, host: Host) -> Phase:
    function = ir.Function(module, SIGNATURE, module.get_unique_name("kernel"))
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    walker = Walker(builder, arrays, host)
    environment = Environment(pointers(builder, order, (*part.common, *part.body)))
    walker.statements(part.common, environment, ALONE)
    rounds = 1
    if not part.shared:
        walker.statements(part.body, environment, ALONE)
    elif part.shared[0].kind == "vector":
        rounds = walker.chunks(part.shared[0], environment)
    else:
        rounds = walker.rounds(part, environment)
    builder.ret_void()
    in_lanes = part.shared and part.shared[0].kind == "vector"
    return Phase(function.name, rounds, cost(part.shared, arrays, host) if in_lanes else rounds * cost(part.body, arrays, host))


def pointers(builder: ir.IRBuilder, order: Sequence[Array], body: Iterable[Statement]) -> dict[str, Memory]:
    """The arrays that the statements touch, their pointers loaded from the function's first argument."""
    touched = {s.array for s in walk(body) if isinstance(s, Write)}
    touched |= {s.value.array for s in walk(body) if isinstance(s, Let) and isinstance(s.value, Read)}
    table = builder.function.args[0]
    return {a.name: Memory(a, builder.load(builder.gep(table, [WORD(i)], source_etype=PLACE), typ=PLACE, name=a.name))
            for i, a in enumerate(order) if a.name in touched}


class Walker:
    """Emits statements with loops in one function; it knows the accumulators that are open."""

    def __init__(self, builder: ir.IRBuilder, arrays: dict[str, Array], host: Host) -> None:
        self.builder, self.arrays, self.host = builder, arrays, host
        self.accumulators: dict[str, Accumulator] = {}

    def statements(self, body: Iterable[Statement], environment: Environment, lanes: Lanes) -> None:
        for statement in body:
            if isinstance(statement, Loop):
                self.loop(statement, environment, lanes)
                continue
            if isinstance(statement, Start):
                self.accumulators[statement.name] = Accumulator(statement.combine, statement.dtype, lanes.count)
                environment.values.pop(statement.name, None)
                continue
            self.finish(statement, environment)
            if isinstance(statement, Gather):
                value = environment.values[statement.value].value
                self.accumulators[statement.accumulator].gather(self.builder, value, lanes.count, lanes.mask)
            else:
                emit_statements(self.builder, (statement,), environment, lanes)

    def finish(self, statement: Statement, environment: Environment) -> None:
        """The accumulators whose value the statement asks for, and to which it adds nothing, become values."""
        inside = list(walk((statement,)))
        added = {s.accumulator for s in inside if isinstance(s, Gather)}
        begun = {s.name for s in inside if isinstance(s, Start)}
        for name in sorted(used(statement) - added - begun):
            if name in self.accumulators and name not in environment.values:
                accumulator = self.accumulators[name]
                environment.values[name] = Operand(accumulator.value(self.builder), accumulator.dtype)

    # ------------------------------------------------------------------------------ loops
    def loop(self, loop: Loop, environment: Environment, lanes: Lanes) -> None:
        self.finish(loop, environment)
        if loop.kind == "vector" and lanes.count == 1:
            division = divided(loop, self.arrays, self.host)
            full = Lanes(loop.variable, division.lanes)
            if division.rounds == 1:
                self.statements(loop.body, environment.inner(**{loop.variable: WORD(0)}), full)
            elif division.rounds:
                self.repeat(loop.variable, loop.body, environment, full, (WORD(0), WORD(division.rounds * division.lanes)))
            self.rest(loop, division, environment)
        elif loop.extent == 1 or (loop.extent <= 4 and loop.extent * sum(1 for _ in walk(loop.body)) <= WRITTEN_OUT):
            for k in range(loop.extent):
                self.statements(loop.body, environment.inner(**{loop.variable: WORD(k)}), lanes)
        else:
            self.repeat(loop.variable, loop.body, environment, lanes, (WORD(0), WORD(loop.extent)))

    def rest(self, loop: Loop, division: Division, environment: Environment) -> None:
        """What full vectors leave over, under a mask."""
        if division.rest == 0:
            return
        count = division.rest_lanes
        mask = None if division.rest == count else constants(several(BIT, count), [k < division.rest for k in range(count)])
        variable = WORD(division.rounds * division.lanes)
        self.statements(loop.body, environment.inner(**{loop.variable: variable}), Lanes(loop.variable, count, mask))

    def repeat(self, name: str, body: Sequence[Statement], environment: Environment, lanes: Lanes,
               span: tuple[ir.Value, ir.Value], bind: Bind | None = None) -> None:
        """The body for variable = first, first + step, ... below last, at least once; the step is 1, or all lanes together.

        `bind` says which variables that makes, if not one of the given name.
        """
        step, (first, last) = lanes.count if lanes.variable == name else 1, span
        cells = [(self.accumulators[name], count) for name, count in self.carried(body, lanes)]
        outside = [accumulator.cell(count) for accumulator, count in cells]
        before, inside = self.builder.block, self.builder.append_basic_block(name)
        self.builder.branch(inside)
        self.builder.position_at_end(inside)
        variable = self.builder.phi(WORD, name)
        variable.add_incoming(first, before)
        phis = []
        for (accumulator, count), value in zip(cells, outside):
            phi = self.builder.phi(value.type)
            phi.add_incoming(value, before)
            accumulator.cells[count] = phi
            phis.append(phi)
        self.statements(body, environment.inner(**(bind(variable) if bind else {name: variable})), lanes)
        following = self.builder.add(variable, WORD(step))
        variable.add_incoming(following, self.builder.block)
        for (accumulator, count), phi in zip(cells, phis):
            phi.add_incoming(accumulator.cells[count], self.builder.block)
        after = self.builder.append_basic_block("after")
        self.builder.cbranch(self.builder.icmp_signed("<", following, last), inside, after)
        self.builder.position_at_end(after)

    def carried(self, body: Iterable[Statement], lanes: Lanes) -> list[tuple[str, int]]:
        """The accumulators begun outside to which the statements add, each with the lanes that do it."""
        begun = {s.name for s in walk(body) if isinstance(s, Start)}
        found: dict[tuple[str, int], None] = {}
        for s in body:
            if isinstance(s, Gather) and s.accumulator not in begun:
                found[s.accumulator, lanes.count] = None
            elif isinstance(s, Loop):
                widths = divided(s, self.arrays, self.host).widths if s.kind == "vector" and lanes.count == 1 else (lanes.count,)
                for count in widths:
                    found |= {c: None for c in self.carried(s.body, replace(lanes, count=count)) if c[0] not in begun}
        return list(found)

    # ------------------------------------------------------------------------------ rounds of a phase
    def rounds(self, part: Part, environment: Environment) -> int:
        """The rounds of parallel loops from the function's first number to its second; how many there are in all."""
        begin, end = self.builder.function.args[1:3]

        def bind(number: ir.Value) -> dict[str, ir.Value]:
            variables: dict[str, ir.Value] = {}
            for loop in reversed(part.shared[1:]):
                variables[loop.variable] = self.builder.urem(number, WORD(loop.extent))
                number = self.builder.udiv(number, WORD(loop.extent))
            return variables | {part.shared[0].variable: number}

        with self.builder.if_then(self.builder.icmp_signed("<", begin, end)):
            self.repeat("round", part.body, environment, ALONE, (begin, end), bind)
        return prod(loop.extent for loop in part.shared)

    def chunks(self, loop: Loop, environment: Environment) -> int:
        """A loop over lanes in pieces that threads can share; the last piece has the rest too."""
        begin, end = self.builder.function.args[1:3]
        division = divided(loop, self.arrays, self.host)
        chunk = max(1, CHUNK // division.lanes) * division.lanes
        whole = division.rounds * division.lanes
        total = max(1, -(-whole // chunk))
        if whole:
            first = self.builder.mul(begin, WORD(chunk))
            last = self.builder.mul(end, WORD(chunk))
            last = self.builder.select(self.builder.icmp_signed("<", last, WORD(whole)), last, WORD(whole))
            with self.builder.if_then(self.builder.icmp_signed("<", first, last)):
                self.repeat(loop.variable, loop.body, environment, Lanes(loop.variable, division.lanes), (first, last))
        if division.rest:
            with self.builder.if_then(self.builder.icmp_signed("==", end, WORD(total))):
                self.rest(loop, division, environment)
        return total
