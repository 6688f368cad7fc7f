"""A number, while code is emitted: a value in a register, alone or in lanes, on which Python's operators emit instructions.

The operations of kernels and the functions of `mathematics` are written with it, so that they read like their formulas.
"""
from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from .representation import BIT, constant, intrinsic, lanes_of, several, splat

Operand = Any
"""A Number, or a Python number, which stands in every lane."""


class Number:
    """A value and the builder that goes on from it. Whole numbers are signed, unless `unsigned`."""

    __slots__ = ("builder", "unsigned", "value")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value, *, unsigned: bool = False) -> None:
        self.builder, self.value, self.unsigned = builder, value, unsigned

    @property
    def floating(self) -> bool:
        return not isinstance(getattr(self.value.type, "element", self.value.type), ir.IntType)

    @property
    def width(self) -> int:
        """Bits of one lane."""
        kind = getattr(self.value.type, "element", self.value.type)
        return kind.width if isinstance(kind, ir.IntType) else {"half": 16, "float": 32, "double": 64}[str(kind)]

    @property
    def lanes(self) -> int:
        return lanes_of(self.value)

    def new(self, value: ir.Value) -> Number:
        return Number(self.builder, value, unsigned=self.unsigned)

    def like(self, other: Operand) -> ir.Value:
        """Another operand in as many lanes as this one has."""
        if isinstance(other, Number):
            return splat(self.builder, other.value, self.lanes)
        return constant(self.value.type, other)

    def constant(self, number: Any) -> Number:
        return self.new(constant(self.value.type, number))

    # ------------------------------------------------------------------------------ arithmetic
    def binary(self, floating: str, whole: str, other: Operand) -> Number:
        return self.new(getattr(self.builder, floating if self.floating else whole)(self.value, self.like(other)))

    def __add__(self, other: Operand) -> Number:
        return self.binary("fadd", "add", other)

    def __sub__(self, other: Operand) -> Number:
        return self.binary("fsub", "sub", other)

    def __mul__(self, other: Operand) -> Number:
        return self.binary("fmul", "mul", other)

    def __truediv__(self, other: Operand) -> Number:
        """Quotient; of whole numbers, towards zero."""
        return self.binary("fdiv", "udiv" if self.unsigned else "sdiv", other)

    def __mod__(self, other: Operand) -> Number:
        """What is left over by a division towards zero."""
        return self.binary("frem", "urem" if self.unsigned else "srem", other)

    def __radd__(self, other: Operand) -> Number:
        return self.constant(other) + self

    def __rsub__(self, other: Operand) -> Number:
        return self.constant(other) - self

    def __rmul__(self, other: Operand) -> Number:
        return self.constant(other) * self

    def __rtruediv__(self, other: Operand) -> Number:
        return self.constant(other) / self

    def __neg__(self) -> Number:
        return self.new(self.builder.fneg(self.value)) if self.floating else self.constant(0) - self

    def fma(self, factor: Operand, summand: Operand) -> Number:
        """self * factor + summand, rounded once where the processor can."""
        return self.call("fmuladd", factor, summand)

    def call(self, name: str, *others: Operand) -> Number:
        """LLVM's intrinsic of this name, overloaded by this number's type."""
        return self.new(intrinsic(self.builder, name, self.value.type, (self.value, *map(self.like, others)), (self.value.type,)))

    # ------------------------------------------------------------------------------ bits
    def __and__(self, other: Operand) -> Number:
        return self.new(self.builder.and_(self.value, self.like(other)))

    def __or__(self, other: Operand) -> Number:
        return self.new(self.builder.or_(self.value, self.like(other)))

    def __xor__(self, other: Operand) -> Number:
        return self.new(self.builder.xor(self.value, self.like(other)))

    def __invert__(self) -> Number:
        return self ^ -1

    def __lshift__(self, other: Operand) -> Number:
        return self.new(self.builder.shl(self.value, self.like(other)))

    def __rshift__(self, other: Operand) -> Number:
        shift = self.builder.lshr if self.unsigned else self.builder.ashr
        return self.new(shift(self.value, self.like(other)))

    def bits(self) -> Number:
        """The bits of a floating number as a whole one, or back."""
        other = ir.IntType(self.width) if self.floating else {32: ir.FloatType(), 64: ir.DoubleType()}[self.width]
        return self.new(self.builder.bitcast(self.value, several(other, self.lanes)))

    # ------------------------------------------------------------------------------ choice
    def compare(self, sign: str, other: Operand) -> Number:
        if self.floating:
            emit = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        else:
            emit = self.builder.icmp_unsigned if self.unsigned else self.builder.icmp_signed
        return self.new(emit(sign, self.value, self.like(other)))

    def __lt__(self, other: Operand) -> Number:
        return self.compare("<", other)

    def __le__(self, other: Operand) -> Number:
        return self.compare("<=", other)

    def __gt__(self, other: Operand) -> Number:
        return self.compare(">", other)

    def __ge__(self, other: Operand) -> Number:
        return self.compare(">=", other)

    def equals(self, other: Operand) -> Number:
        return self.compare("==", other)

    def differs(self, other: Operand) -> Number:
        return self.compare("!=", other)

    def isnan(self) -> Number:
        return self.new(self.builder.fcmp_unordered("uno", self.value, self.value))

    def where(self, yes: Operand, no: Operand) -> Number:
        """In lanes where this condition is true `yes`, elsewhere `no`; one of the two is a Number."""
        example = yes if isinstance(yes, Number) else no
        count = max(self.lanes, example.lanes, no.lanes if isinstance(no, Number) else 1)
        kind = several(getattr(example.value.type, "element", example.value.type), count)
        a, b = (splat(self.builder, v.value, count) if isinstance(v, Number) else constant(kind, v) for v in (yes, no))
        return example.new(self.builder.select(splat(self.builder, self.value, count), a, b))

    # ------------------------------------------------------------------------------ other types
    def to(self, kind: ir.Type) -> Number:
        """The number in another type: floats are rounded to the nearest, or towards zero to whole ones."""
        target = several(kind, self.lanes)
        if target == self.value.type:
            return self
        whole = isinstance(kind, ir.IntType)
        if self.floating:
            emit = self.builder.fptosi if whole else self.builder.fpext if size(kind) > self.width else self.builder.fptrunc
        elif whole:
            widen = self.builder.zext if self.unsigned or self.width == 1 else self.builder.sext
            emit = widen if kind.width > self.width else self.builder.trunc
        else:
            emit = self.builder.uitofp if self.unsigned or self.width == 1 else self.builder.sitofp
        return self.new(emit(self.value, target))


def size(kind: ir.Type) -> int:
    return kind.width if isinstance(kind, ir.IntType) else {"half": 16, "float": 32, "double": 64}[str(kind)]


def truth(x: Number) -> Number:
    """Whether a number differs from 0 (NaN does)."""
    return x if x.width == 1 else x.differs(0)


__all__ = ["BIT", "Number", "Operand", "size", "truth"]
