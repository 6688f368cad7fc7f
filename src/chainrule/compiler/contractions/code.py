"""Code is being written: LLVM's instructions, with loops as functions of their bodies and known numbers folded at once."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeAlias

import llvmlite.ir as ir

from ..native.representation import PLACE, WORD, declared, intrinsic, shown_type

INDEX = ir.IntType(32)
LINE = 64  # bytes that come from memory at once
Number: TypeAlias = int | ir.Value
Values = tuple[ir.Value, ...]
Body = Callable[[Any, Values], Sequence[ir.Value] | None]


class Code:
    """Instructions at the end of a function; a number is an int that is known, or an i64 of the program."""

    def __init__(self, function: ir.Function) -> None:
        self.function = function
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))

    # ------------------------------------------------------------------------------------ numbers
    def word(self, n: Number) -> ir.Value:
        return ir.Constant(WORD, n) if isinstance(n, int) else n

    def plus(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.builder.add(self.word(a), self.word(b), flags=["nsw"])

    def minus(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.builder.sub(self.word(a), self.word(b), flags=["nsw"])

    def times(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a in (0, 1) or b in (0, 1):
            return 0 if 0 in (a, b) else b if a == 1 else a
        return self.builder.mul(self.word(a), self.word(b), flags=["nsw"])

    def least(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        a, b = self.word(a), self.word(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def divided(self, a: Number, n: int) -> tuple[Number, Number]:
        """Quotient and remainder."""
        if n == 1:
            return a, 0
        if isinstance(a, int):
            return divmod(a, n)
        quotient = self.builder.udiv(a, self.word(n))
        return quotient, self.builder.sub(a, self.word(self.times(quotient, n)))

    # ------------------------------------------------------------------------------------ flow
    def loop(self, start: Number, stop: Number, body: Body, carried: Sequence[ir.Value] = (), step: int = 1) -> Values:
        """Run body(index, carried), which returns the values to carry on; what they are at last."""
        if isinstance(start, int) and isinstance(stop, int):
            if start >= stop:
                return tuple(carried)
            if start + step >= stop:
                return tuple(body(start, tuple(carried)) or ())
            return self.repeat(start, stop, body, carried, step)
        b = self.builder
        before, inside, after = b.block, self.function.append_basic_block(), self.function.append_basic_block()
        b.cbranch(b.icmp_signed("<", self.word(start), self.word(stop)), inside, after)
        b.position_at_end(inside)
        made = self.repeat(start, stop, body, carried, step)
        last = b.block
        b.branch(after)
        b.position_at_end(after)
        return self.met(zip(carried, made), before, last)

    def met(self, pairs: Any, before: ir.Block, last: ir.Block) -> Values:
        """Values that are the first of each pair when coming from one block, and the second from the other."""
        out = []
        for first, second in pairs:
            phi = self.builder.phi(first.type)
            phi.add_incoming(first, before)
            phi.add_incoming(second, last)
            out.append(phi)
        return tuple(out)

    def repeat(self, start: Number, stop: Number, body: Body, carried: Sequence[ir.Value], step: int) -> Values:
        """A loop that is known to run at least once."""
        b = self.builder
        before, inside, after = b.block, self.function.append_basic_block(), self.function.append_basic_block()
        b.branch(inside)
        b.position_at_end(inside)
        index = b.phi(WORD)
        index.add_incoming(self.word(start), before)
        phis = [b.phi(value.type) for value in carried]
        for phi, value in zip(phis, carried):
            phi.add_incoming(value, before)
        made = tuple(body(index, tuple(phis)) or ())
        following = b.add(index, self.word(step), flags=["nsw"])
        index.add_incoming(following, b.block)
        for phi, value in zip(phis, made):
            phi.add_incoming(value, b.block)
        b.cbranch(b.icmp_signed("<", following, self.word(stop)), inside, after)
        b.position_at_end(after)
        return made

    def when(self, condition: ir.Value, body: Callable[[], Sequence[ir.Value] | None],
             otherwise: Sequence[ir.Value] = ()) -> Values:
        """Run the body only where the condition holds; its values, or the others."""
        b = self.builder
        before, inside, after = b.block, self.function.append_basic_block(), self.function.append_basic_block()
        b.cbranch(condition, inside, after)
        b.position_at_end(inside)
        made = tuple(body() or ())
        last = b.block
        b.branch(after)
        b.position_at_end(after)
        return self.met(zip(otherwise, made), before, last)

    # ------------------------------------------------------------------------------------ memory
    def place(self, pointer: ir.Value, elements: Number, kind: ir.Type) -> ir.Value:
        if isinstance(elements, int) and elements == 0:
            return pointer
        return self.builder.gep(pointer, [self.word(elements)], source_etype=kind)

    def fetch(self, place: ir.Value, *, written: bool = False) -> None:
        """Ask for a line of memory before it is read, or written."""
        function = declared(self.builder.module, "llvm.prefetch.p0", ir.VoidType(), (PLACE, INDEX, INDEX, INDEX))
        self.builder.call(function, [place, INDEX(int(written)), INDEX(3), INDEX(1)])

    def load(self, pointer: ir.Value, kind: ir.Type, mask: ir.Value | None = None) -> ir.Value:
        """Load; lanes outside of the mask are 0, and not read."""
        if mask is None:
            return self.builder.load(pointer, align=SIZES[str(scalar(kind))], typ=kind)
        passed = (pointer, ir.Constant(INDEX, SIZES[str(scalar(kind))]), mask, zero(kind))
        return intrinsic(self.builder, "masked.load", kind, passed, (kind, PLACE))

    def store(self, value: ir.Value, pointer: ir.Value) -> None:
        self.builder.store(value, pointer, align=SIZES[str(scalar(value.type))])

    def opaque(self, value: ir.Value) -> ir.Value:
        """The same pointer or number, of which LLVM does not know how it moves from round to round of a loop.

        LLVM would look for the best set of registers to step through all addresses of a tile, which takes longer than all else
        and finds nothing better than one pointer with known distances from it.
        """
        frozen = ir.Instruction(self.builder.block, value.type, "freeze", (value,))
        self.builder._insert(frozen)
        return frozen

    # ------------------------------------------------------------------------------------ arithmetic
    def added_product(self, a: ir.Value, b: ir.Value, total: ir.Value, *, fused: bool) -> ir.Value:
        if isinstance(scalar(total.type), ir.IntType):
            return self.builder.add(self.builder.mul(a, b), total)
        if fused:
            return intrinsic(self.builder, "fma", total.type, (a, b, total))
        return self.builder.fadd(self.builder.fmul(a, b), total)

    def sum(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.add(a, b) if isinstance(scalar(a.type), ir.IntType) else self.builder.fadd(a, b)

    def across(self, value: ir.Value) -> ir.Value:
        """The sum of all lanes, halves onto halves."""
        kind = scalar(value.type)
        if isinstance(kind, ir.IntType):
            return intrinsic(self.builder, "vector.reduce.add", kind, (value,), (value.type,))
        name = f"llvm.vector.reduce.fadd.{shown_type(value.type)}"
        known = declared(self.builder.module, name, kind, (kind, value.type))
        return self.builder.call(known, (ir.Constant(kind, -0.0), value), fastmath=("reassoc",))

    def spread(self, value: ir.Value, lanes: int) -> ir.Value:
        """The number in every lane."""
        if lanes == 1:
            return value
        nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
        return self.shuffled(self.builder.insert_element(nothing, value, ir.Constant(INDEX, 0)), nothing, (0,) * lanes)

    def shuffled(self, a: ir.Value, b: ir.Value, lanes: Iterable[int]) -> ir.Value:
        """The chosen lanes, out of those of `a` followed by those of `b`."""
        return self.builder.shuffle_vector(a, b, order(tuple(lanes)))


@cache
def zero(kind: ir.Type) -> ir.Constant:
    """0 in every lane."""
    return ir.Constant(kind, None if isinstance(kind, ir.VectorType) else 0)


@cache
def order(lanes: tuple[int, ...]) -> ir.Constant:
    return ir.Constant(ir.VectorType(INDEX, len(lanes)), list(lanes))


SIZES = {"float": 4, "double": 8, "i8": 1, "i16": 2, "i32": 4, "i64": 8}


def scalar(kind: ir.Type) -> ir.Type:
    return kind.element if isinstance(kind, ir.VectorType) else kind
