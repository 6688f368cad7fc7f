"""Graphs made into native code in tests: several at once, because most of the time goes into starting LLVM."""
from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from chainrule.compiler.passes.running import improve
from chainrule.core.stage import Graph, Line, Symbol

os.environ.setdefault("CHAINRULE_CACHE", "off")  # tests shall compile, and leave nothing behind


def improved(graph: Graph, without: frozenset[str] = frozenset()) -> Graph:
    """The graph after the passes, as the compiler runs them."""
    from chainrule.compiler.lowering.lowering import knows
    return improve(graph, knows, without=without)[0]


def joined(graphs: Sequence[Graph]) -> Graph:
    """Graphs side by side as one: its inputs and outputs are those of all, one after the other."""
    numbers = count()
    whole = Graph(output=())
    for graph in graphs:
        new: dict[Symbol, Symbol] = {}
        for symbol in graph.inputs:
            new[symbol] = Symbol(symbol.owner, symbol.type, f"x{next(numbers)}")
            whole.inputs.append(new[symbol])
        for line in graph.lines:
            args = tuple([new[a] if isinstance(a, Symbol) else a for a in line.args])
            for target in line.targets:
                new[target] = Symbol(target.owner, target.type, f"t{next(numbers)}")
            whole.lines.append(Line(tuple([new[t] for t in line.targets]), line.prim, args, line.params, line.source))
        whole.output += tuple([new[a] if isinstance(a, Symbol) else a for a in graph.output])
    return whole


def run_native(graph: Graph, inputs: Sequence[Any], threads: int = 1) -> list[np.ndarray]:
    """The outputs of a graph, lowered as it is and run as machine code."""
    from chainrule.compiler.lowering.lowering import lower
    from chainrule.compiler.native.driver import Program
    program = Program(lower(graph, {}), threads)
    return [np.array(out) for out in program([np.array(x, order="C") for x in inputs])]


def run_together(graphs: Sequence[Graph], inputs: Sequence[Sequence[Any]], threads: int = 1) -> list[list[np.ndarray]]:
    """The outputs of each graph, all compiled as one program."""
    found = iter(run_native(joined(graphs), [x for each in inputs for x in each], threads))
    return [[next(found) for _ in graph.output] for graph in graphs]
