"""Building makes a traced program runnable: passes, lowering and native code, or a replay in NumPy."""
from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from chainrule.core.stage import Graph
from chainrule.core.type import typeof

from .execution import Execute, Replay, native_is_here
from .passes.recomputation import Memory, lightened, measure, recompute, twice
from .passes.running import improve
from .program import Program
from .running import Runner


class Built:
    """A program that can be run, and looked into."""

    def __init__(self, program: Program, stages: list[tuple[str, Graph]], memory: Memory | None, execute: Execute,
                 donated: dict[int, int]) -> None:
        self.program, self.stages, self.kept, self.execute = program, stages, memory, execute
        self.donated = donated
        self.runner = Runner(program, execute, donated)

    def graph(self) -> str:
        """The program as it was traced, and after each pass."""
        return "\n\n".join(f"{name}:\n{graph}" for name, graph in [("traced", self.program.graph), *self.stages])

    def loops(self) -> str:
        """The generated loops as pseudo-code."""
        return self.execute.loops()

    def llvm(self) -> str:
        """The generated code."""
        return self.execute.llvm()

    def memory(self) -> Memory:
        """What is kept, what is computed again, and the peak."""
        (_, before), (_, graph) = self.stages[-2:]
        if self.kept is None:
            self.kept = measure(graph, again=twice(graph, before))
        results = [size(out) for number, out in enumerate(graph.output) if number not in self.donated]
        return replace(self.kept, inputs=sum(map(size, graph.inputs)), results=sum(results), held=self.execute.held)


def size(x: Any) -> int:
    """The bytes of a value in a graph."""
    t = typeof(x)
    return t.size * t.dtype.itemsize


@contextmanager
def without_collection() -> Iterator[None]:
    """Python's search for cycles is put off: a program is many small objects, alive until it is written."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@without_collection()
def build(program: Program, budget: int | None = None) -> Built:
    """Bring a traced program into its best form. Raises ArgumentError for a budget that cannot be met."""
    native = native_is_here()
    if native:
        from .lowering.lowering import knows, lower
        from .native.driver import Program as Native
    graph, stages = improve(program.graph, knows if native else lambda line: True)
    memory = None
    if budget is not None:
        graph, memory = recompute(graph, budget, (lambda g: lower(g, program.donated()).arena) if native else None)
    elif native:
        graph = lightened(graph)
    stages.append(("recomputation", graph))
    if not native:
        return Built(program, stages, memory, Replay(graph), {})
    plan = lower(graph, program.donated())
    return Built(program, stages, memory, Native(plan), plan.donated)
