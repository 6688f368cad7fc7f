"""The generator writes machine code for a contraction: a schedule is chosen, and its loops are written as LLVM."""
from __future__ import annotations

import llvmlite.ir as ir

from ..loops.language import Contraction
from ..native.abi import Compiled, Phase
from ..native.host import Host
from ..native.representation import PLACE, WORD
from .blocking import schedule
from .code import Code
from .finishing import Finisher, memories
from .keeping import Kept
from .rounds import Rounds
from .schedule import Schedule

STEP = 0.3  # nanoseconds of a multiply-add of whole registers, about


def build(contraction: Contraction, module: ir.Module, host: Host) -> Compiled:
    """Write the functions of a contraction into the module."""
    if any(a.size == 0 and not a.summed for a in contraction.axes):
        return Compiled(())
    plan = schedule(contraction, host)
    itemsize = contraction.dtype.itemsize
    private = (plan.packed_elements + plan.rows_packed_elements + plan.tile_elements) * itemsize
    main = function(module, "contraction")
    Rounds(plan, main, host).write()
    phases = [Phase(main.name, plan.rounds, nanoseconds(plan))]
    if not plan.chunks:
        return Compiled(tuple(phases), 0, private)
    last = function(module, "contraction_end")
    combine(plan, last)
    phases.append(Phase(last.name, plan.rows_total, plan.rows_total * plan.padded / plan.width * (plan.filled + 4) * STEP))
    return Compiled(tuple(phases), plan.filled * plan.rows_total * plan.padded * itemsize, private)


def function(module: ir.Module, name: str) -> ir.Function:
    kind = ir.FunctionType(ir.VoidType(), [PLACE, WORD, WORD, PLACE, PLACE])
    made = ir.Function(module, kind, module.get_unique_name(name))
    for argument in (made.args[3], made.args[4]):
        argument.add_attribute("noalias")
    return made


def combine(plan: Schedule, function: ir.Function) -> None:
    """Write the function that adds up what the chunks left, a row a round."""
    table, begin, end, shared, _ = function.args
    code = Code(function)
    kept, finisher = Kept(plan, code, shared), Finisher(plan, code, memories(code, table, plan.contraction))
    code.loop(begin, end, lambda row, _: kept.combined(row, finisher))
    code.builder.ret_void()


def nanoseconds(plan: Schedule) -> float:
    """About how long all rounds take on one core."""
    vectors = plan.rows_total * plan.padded / plan.width
    return (plan.steps + vectors * (4 + len(plan.contraction.epilogue))) * STEP
