"""A sweep as LLVM: a function that calls those of its kernels one after another, for each round on its part of the arrays."""
from __future__ import annotations

from collections.abc import Sequence

import llvmlite.ir as ir

from ..contractions.code import Code, Values
from ..loops.language import Sweep, Turn
from .abi import Compiled, Phase
from .kernels import SIGNATURE
from .representation import BYTE, PLACE, stored

LINE = 64


class Memory:
    """What a thread has for itself, laid out."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, size: int) -> int:
        """Where so many bytes begin."""
        begin = self.size
        self.size += -(-size // LINE) * LINE
        return begin


def build(sweep: Sweep, made: Sequence[Compiled], module: ir.Module) -> Compiled:
    """Write the function of a sweep into the module; `made` says what the kernels of its turns consist of."""
    function = ir.Function(module, SIGNATURE, module.get_unique_name("sweep"))
    code, memory = Code(function), Memory()
    table, begin, end, _, private = function.args
    bases = {a.name: code.builder.load(code.place(table, i, PLACE), typ=PLACE) for i, a in enumerate(sweep.arrays)}
    bases |= {a.name: code.place(private, memory.take(a.size * a.dtype.itemsize), BYTE) for a in sweep.own}
    shared, packed = (code.place(private, memory.take(max(sizes)), BYTE)
                      for sizes in ([c.shared for c in made], [c.private for c in made]))
    given = code.builder.alloca(PLACE, max(len(turn.places) for turn in sweep.turns))

    def turn_of(turn: Turn, compiled: Compiled, number: ir.Value) -> None:
        for i, (array, (name, offset, step)) in enumerate(zip(turn.kernel.arrays, turn.places)):
            at = code.place(bases[name], code.plus(code.times(number, step), offset), stored(array.dtype))
            code.builder.store(at, code.place(given, i, PLACE))
        for phase in compiled.phases:
            called = module.globals[phase.function]
            called.attributes.add("noinline")
            code.builder.call(called, [given, code.word(0), code.word(phase.rounds), shared, packed])

    def body(number: ir.Value, _: Values) -> None:
        for turn, compiled in zip(sweep.turns, made):
            turn_of(turn, compiled, number)
    code.loop(begin, end, body)
    code.builder.ret_void()
    cost = sweep.rounds * sum(phase.cost for compiled in made for phase in compiled.phases)
    return Compiled((Phase(function.name, sweep.rounds, cost),), 0, memory.size)
