"""Finishing runs the epilogue on the sums of a tile.

A long epilogue is a function of its own, called with the sums in memory: its constants would otherwise take registers from the
sums, all through the loops over the summed axes.
"""
from __future__ import annotations

from dataclasses import dataclass

import llvmlite.ir as ir

from ..loops.language import Constant, Contraction, Let
from ..native.emission import Environment, Lanes, Memory, Operand, emit_statements
from ..native.representation import PLACE, WORD, held
from .code import Code, Number, Values
from .fetching import Fetcher
from .flags import Flags
from .schedule import Schedule
from .tiles import lane_mask

Places = tuple[tuple[int, ...], ...]
STRAIGHT = 96  # statements that are written out for the sums of a tile one by one; more are a function


@dataclass(frozen=True)
class Panel:
    """Some columns of the result: the first, how many vectors, how many lanes the last one has (None: all), and the number of the
    panel's place, if it is packed."""

    first: Number
    vectors: int
    mask: int | None
    slot: Number = 0


def memories(code: Code, table: ir.Value, contraction: Contraction) -> dict[str, Memory]:
    """The arrays of a contraction, by name, out of the table of where they begin."""
    found = {}
    for number, array in enumerate(contraction.arrays):
        pointer = code.builder.load(code.place(table, number, PLACE), typ=PLACE, align=8)
        found[array.name] = Memory(array, pointer)
    return found


class Finisher:
    """Writes the epilogue into one function."""

    def __init__(self, plan: Schedule, code: Code, arrays: dict[str, Memory]) -> None:
        self.plan, self.code, self.arrays = plan, code, arrays
        self.flags = Flags(code, arrays, plan.contraction.epilogue)

    def one(self, variables: dict[str, Number], panel: Panel, n: Number, value: ir.Value, raised: Values) -> Values:
        """The epilogue for one vector of sums; the flags raised so far, with those that it raises."""
        plan, code = self.plan, self.code
        first = code.plus(panel.first, code.times(n, plan.width))
        known = {name: code.word(at) for name, at in (variables | {plan.lane.name: first}).items()}
        environment = Environment(self.arrays, known, {"sum": Operand(value, plan.contraction.dtype)})
        last = panel.mask is not None and isinstance(n, int) and n == panel.vectors - 1 and plan.width > 1
        mask = lane_mask(plan.width, panel.mask or 0) if last else None
        lanes = Lanes(plan.lane.name, plan.width, mask) if plan.width > 1 else Lanes()
        emit_statements(code.builder, self.flags.others, environment, lanes)
        return self.flags.raised(raised, environment, mask)

    def in_registers(self, variables: dict[str, Number], panel: Panel, first_row: Number, places: Places, sums: Values) -> None:
        """The epilogue written out for every vector of a tile."""
        first, *others = self.plan.tile.axes
        raised = self.flags.lowered
        for r, place in enumerate(places):
            known = {**variables, first.name: self.code.plus(first_row, place[0])}
            known.update(zip((a.name for a in others), place[1:]))
            for n in range(panel.vectors):
                raised = self.one(known, panel, n, sums[r * panel.vectors + n], raised)
        self.flags.set(raised)

    def in_memory(self, variables: dict[str, Number], panel: Panel, first_row: Number, rows: Number, tile: ir.Value) -> None:
        """The epilogue as a loop over a tile's sums, which lie in memory."""
        code, axes, width = self.code, self.plan.tile.axes, self.plan.width
        kind, vector = held(self.plan.contraction.dtype), held(self.plan.contraction.dtype, width)
        whole = panel.vectors - (panel.mask is not None)

        def row(number: Number, raised: Values) -> Values:
            known, rest = dict(variables), number
            for axis in reversed(axes[1:]):
                rest, known[axis.name] = code.divided(rest, axis.size)
            known[axes[0].name] = code.plus(first_row, rest)

            def column(n: Number, raised: Values) -> Values:
                offset = code.times(code.plus(code.times(number, panel.vectors), n), width)
                return self.one(known, panel, n, code.load(code.place(tile, offset, kind), vector), raised)
            raised = code.loop(0, whole, column, raised)
            return raised if panel.mask is None else column(whole, raised)
        self.flags.set(code.loop(0, rows, row, self.flags.lowered))


class Epilogue:
    """The epilogue as the function that holds the tiles sees it; `spilled` is memory for the sums of one tile."""

    def __init__(self, plan: Schedule, code: Code, table: ir.Value, spilled: ir.Value, registers: int) -> None:
        self.plan, self.code, self.table, self.spilled, self.registers = plan, code, table, spilled, registers
        self.arrays = memories(code, table, plan.contraction)
        self.finisher = Finisher(plan, code, self.arrays)
        self.fetcher = Fetcher(plan, code, self.arrays)
        self.functions: dict[tuple[int, int | None], ir.Function] = {}

    def short(self, sums: int) -> bool:
        """Whether the epilogue may be written out for so many vectors of sums: its constants find registers of their own."""
        epilogue = self.plan.contraction.epilogue
        constants = sum(isinstance(s, Let) and isinstance(s.value, Constant) for s in epilogue)
        tile = self.plan.tile
        held = tile.rows * tile.inner * tile.vectors + tile.vectors + 2
        return len(epilogue) * sums <= STRAIGHT and (held + constants <= self.registers or sums == 1)

    def finish(self, variables: dict[str, Number], panel: Panel, first_row: Number, places: Places, sums: Values) -> None:
        """Run the epilogue on every sum of a tile."""
        if self.short(len(sums)):
            self.finisher.in_registers(variables, panel, first_row, places, sums)
            return
        code, kind = self.code, held(self.plan.contraction.dtype)
        for i, value in enumerate(sums):
            code.store(value, code.place(self.spilled, i * self.plan.width, kind))
        key = (panel.vectors, panel.mask)
        if key not in self.functions:
            self.functions[key] = self.function(list(variables), *key)
        numbers = (panel.first, first_row, len(places), *variables.values())
        code.builder.call(self.functions[key], [self.table, self.spilled, *map(code.word, numbers)])

    def function(self, names: list[str], vectors: int, mask: int | None) -> ir.Function:
        """The epilogue of a tile of so many columns."""
        module = self.code.function.module
        kind = ir.FunctionType(ir.VoidType(), [PLACE, PLACE, *[WORD] * (3 + len(names))])
        made = ir.Function(module, kind, module.get_unique_name("epilogue"))
        made.linkage = "internal"
        made.attributes.add("noinline")
        made.args[1].add_attribute("noalias")
        code = Code(made)
        table, tile, column, first_row, rows, *others = made.args
        finisher = Finisher(self.plan, code, memories(code, table, self.plan.contraction))
        finisher.in_memory(dict(zip(names, others)), Panel(column, vectors, mask), first_row, rows, tile)
        code.builder.ret_void()
        return made
