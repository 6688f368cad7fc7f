"""A flag is an element that an epilogue sets to a constant where a guard holds, whichever sum it is.

Many sums may raise it, but it is set at most once for a tile, after all of them: until then a flag is bits in a register.
"""
from __future__ import annotations

from typing import NamedTuple

import llvmlite.ir as ir

from ..loops.language import Constant, Let, Statement, Write
from ..native.emission import Environment, Memory, emit_statements
from .code import Code, Values

BITS = ir.IntType(64)


class Flag(NamedTuple):
    """The guard that raises it, and the statements that set it."""

    guard: str
    setting: tuple[Let, Write]


class Flags:
    """The flags of an epilogue, and `others`, the rest of its statements."""

    def __init__(self, code: Code, arrays: dict[str, Memory], epilogue: tuple[Statement, ...]) -> None:
        self.code, self.arrays = code, arrays
        self.others: list[Statement] = []
        self.found: list[Flag] = []
        constants = {s.name: s for s in epilogue if isinstance(s, Let) and isinstance(s.value, Constant)}
        for s in epilogue:
            if isinstance(s, Write) and s.guard is not None and not s.index.terms and s.value in constants:
                self.found.append(Flag(s.guard, (constants[s.value], Write(s.array, s.index, s.value, origin=s.origin))))
            else:
                self.others.append(s)
        self.lowered: Values = (ir.Constant(BITS, 0),) * len(self.found)

    def raised(self, before: Values, environment: Environment, mask: ir.Value | None) -> Values:
        """The bits raised before, and those of the lanes that count and whose guard holds."""
        return tuple(self.joined(bits, environment.values[flag.guard].value, mask) for bits, flag in zip(before, self.found))

    def joined(self, bits: ir.Value, guard: ir.Value, mask: ir.Value | None) -> ir.Value:
        b = self.code.builder
        if mask is not None and isinstance(guard.type, ir.VectorType):
            guard = b.and_(guard, mask)
        if isinstance(guard.type, ir.VectorType):
            guard = b.bitcast(guard, ir.IntType(guard.type.count))
        return b.or_(bits, b.zext(guard, BITS))

    def set(self, raised: Values) -> None:
        """Set the flags for which there is a bit."""
        for bits, flag in zip(raised, self.found):
            self.set_one(bits, flag)

    def set_one(self, bits: ir.Value, flag: Flag) -> None:
        builder = self.code.builder
        self.code.when(builder.icmp_unsigned("!=", bits, ir.Constant(BITS, 0)),
                       lambda: emit_statements(builder, flag.setting, Environment(self.arrays)))
