"""Random kernels: nests of loops with reads and writes of every kind do what a reading of them says."""
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from chainrule.compiler.loops.language import (
    Apply,
    Array,
    Constant,
    Gather,
    Index,
    Kernel,
    Let,
    Loop,
    Position,
    Read,
    Start,
    Statement,
    Write,
)
from test_native import BOOL, F32, F64, I32, I64, assert_as_written, numbers

EXTENTS = (1, 2, 3, 5, 8, 16, 17, 31, 40, 70)
BINARY = ("add", "subtract", "multiply", "maximum", "minimum")
SHAPES = ("flat", "rows", "columns", "sums", "nested")


class Maker:
    """Makes one kernel; what its arrays must hold is found on the way."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = self.pick([F32, F32, F64, I32])
        self.sizes: dict[str, int] = {}
        self.count = 0

    def pick(self, items):
        return items[self.rng.integers(len(items))]

    def name(self, prefix: str = "v") -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def place(self, array: str, extents: dict[str, int], steps: dict[str, int]) -> Index:
        """An index that stays in the array, which is made large enough."""
        reach = [step * (extents[name] - 1) for name, step in steps.items()]
        offset = int(self.rng.integers(4)) - sum(r for r in reach if r < 0)
        self.sizes[array] = max(self.sizes.get(array, 0), offset + sum(r for r in reach if r > 0) + 1)
        return Index(offset, tuple(steps.items()))

    def values(self, extents: dict[str, int], names: list[str]) -> list[Statement]:
        """Some reads, constants and operations; their names are added to `names`."""
        made: list[Statement] = []
        for _ in range(self.rng.integers(2, 6)):
            choice = self.rng.random()
            name = self.name()
            if choice < 0.4 or len(names) < 2:
                array = self.pick(["a", "b"])
                steps = {v: int(self.pick([0, 1, 1, 1, 2, -1, 7])) for v in extents}
                guard = None
                if self.rng.random() < 0.3:
                    guard, lets = self.guard(extents)
                    made += lets
                made.append(Let(name, Read(array, self.place(array, extents, steps), guard)))
            elif choice < 0.5:
                made.append(Let(name, Constant(int(self.rng.integers(-3, 4)), self.dtype)))
            elif choice < 0.6:
                condition = self.name("c")
                a, b, c = (self.pick(names) for _ in range(3))
                made += [Let(condition, Apply("less", (a, b), BOOL)), Let(name, Apply("select", (condition, b, c), self.dtype))]
            else:
                made.append(Let(name, Apply(self.pick(BINARY), (self.pick(names), self.pick(names)), self.dtype)))
            names.append(name)
        return made

    def guard(self, extents: dict[str, int]) -> tuple[str, list[Statement]]:
        variable = self.pick(list(extents))
        position, limit, condition = self.name("p"), self.name("p"), self.name("g")
        return condition, [Let(position, Position(variable)), Let(limit, Constant(extents[variable] // 2, I64)),
                           Let(condition, Apply(self.pick(["less", "greater_equal"]), (position, limit), BOOL))]

    def write(self, extents: dict[str, int], value: str) -> list[Statement]:
        """Each element of an array of its own is written once, in the order of the loops or another."""
        array, steps, step = self.name("y"), {}, int(self.pick([1, 1, 1, 2]))
        order = list(extents)[::-1]
        if self.rng.random() < 0.3:
            self.rng.shuffle(order)
        for name in order:
            steps[name] = step
            step *= extents[name]
        guard, lets = self.guard(extents) if self.rng.random() < 0.3 else (None, [])
        return [*lets, Write(array, self.place(array, extents, dict(sorted(steps.items()))), value, guard)]

    def body(self, extents: dict[str, int], inherited: list[str]) -> list[Statement]:
        names = list(inherited)
        lets = self.values(extents, names)
        return [*lets, *(s for _ in range(self.rng.integers(1, 3)) for s in self.write(extents, self.pick(names)))]

    def summed(self, extents: dict[str, int], inner: str, kind: str) -> list[Statement]:
        """A reduction over one more loop, and what is done with it."""
        total, combine, inside = self.name("s"), self.pick(["sum", "max", "min"]), {**extents, inner: int(self.pick(EXTENTS))}
        names: list[str] = []
        lets = self.values(inside, names)
        loop = Loop(inner, inside[inner], (*lets, Gather(total, self.pick(names))), kind)
        return [Start(total, combine, self.dtype), loop, *self.body(extents, [total])]

    def kernel(self, shape: str) -> Kernel:
        i, j = int(self.pick(EXTENTS)), int(self.pick(EXTENTS))
        if shape == "flat":
            body = [Loop("i", i * j, tuple(self.body({"i": i * j}, [])), self.pick(["vector", "parallel", "serial"]))]
        elif shape == "rows":
            inner = self.values({"i": i}, names := [])
            inner.append(Loop("j", j, tuple(self.body({"i": i, "j": j}, names)), "vector"))
            body = [Loop("i", i, tuple(inner), self.pick(["parallel", "serial"]))]
        elif shape == "columns":
            body = [Loop("i", i, tuple(self.summed({"i": i}, "j", "serial")), "vector")]
        elif shape == "sums":
            body = [Loop("i", i, tuple(self.summed({"i": i}, "j", "vector")), "parallel")]
        else:
            inner = Loop("k", 3, (Loop("j", j, tuple(self.body({"i": i, "k": 3, "j": j}, [])), "vector"),))
            body = [Loop("i", i, (inner,), "parallel"), *self.kernel("flat").body]
        made = [Array(name, self.dtype, size, written=name.startswith("y")) for name, size in sorted(self.sizes.items())]
        return Kernel(tuple(made), tuple(body))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(12))
def test_a_random_kernel_does_what_is_written(shape: str, seed: int) -> None:
    kernel = Maker(100 * seed + SHAPES.index(shape)).kernel(shape)
    arrays = [np.zeros(a.size, a.dtype) if a.written else numbers(a.size, a.dtype, seed) for a in kernel.arrays]
    assert_as_written(kernel, arrays, rtol=1e-4)
