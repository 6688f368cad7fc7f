"""Plans run slowly and plainly: kernels one element at a time, to see whether lowering says the right thing."""
from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from chainrule.compiler.loops.language import Apply, Constant, Contraction, Gather, Index, Let, Loop, Position, Read, Start, Sweep
from chainrule.compiler.lowering.lowering import lower
from chainrule.compiler.plan import Call, Launch, Place, Plan, Repeat, View, When
from chainrule.core.interpreter import NUMPY, under
from chainrule.core.stage import Graph
from chainrule.ops.special import erf, erfc

UFUNCS = {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh, "acosh": np.arccosh,
          "atanh": np.arctanh, "pow": np.power, "round": np.rint, "bitwise_left_shift": np.left_shift,
          "bitwise_right_shift": np.right_shift, "bitwise_invert": np.invert, "erf": erf.forward, "erfc": erfc.forward}
NEUTRAL = {"sum": 0, "prod": 1, "any": False, "all": True, "max": -math.inf, "min": math.inf}
COMBINE = {"sum": np.add, "prod": np.multiply, "any": np.logical_or, "all": np.logical_and, "max": np.maximum, "min": np.minimum}


def operation(name: str, args: list[Any], dtype: np.dtype) -> Any:
    if name == "cast":
        return np.asarray(args[0]).astype(dtype)[()]
    if name == "select":
        return args[1] if args[0] else args[2]
    if name == "fma":
        return dtype.type(np.longdouble(args[0]) * np.longdouble(args[1]) + np.longdouble(args[2]))
    if name == "sigmoid":
        e = np.exp(-np.abs(args[0]))
        return dtype.type(1 / (1 + e) if args[0] >= 0 else e / (1 + e) if args[0] < 0 else args[0])
    if name == "pow":  # of single numbers NumPy asks the C library, which knows another root of -inf
        args = [np.array([a]) for a in args]
    made = np.asarray(UFUNCS.get(name, getattr(np, name, None))(*args)).reshape(())
    assert made.dtype == dtype, f"{name} of {[a.dtype for a in args]} is said to be {dtype}"
    return made[()]


class Machine:
    """A kernel's arrays and the names that are known."""

    def __init__(self, arrays: dict[str, np.ndarray], times: dict[str, int]) -> None:
        self.arrays = arrays
        self.names: dict[str, Any] = dict(times)

    def at(self, index: Index) -> int:
        return index.offset + sum(int(self.names[name]) * step for name, step in index.terms)

    def value(self, value: Any) -> Any:
        if isinstance(value, Constant):
            return value.dtype.type(value.value)
        if isinstance(value, Position):
            return np.int64(self.names[value.variable])
        if isinstance(value, Apply):
            return operation(value.operation, [self.names[a] for a in value.args], value.dtype)
        assert isinstance(value, Read)
        array = self.arrays[value.array]
        if value.guard is not None and not self.names[value.guard]:
            return array.dtype.type(0)
        return array[self.inside(array, value.index)]

    def inside(self, array: np.ndarray, index: Index) -> int:
        place = self.at(index)
        assert 0 <= place < array.size, f"{index} is outside of an array of {array.size}"
        return place

    def run(self, body: Any) -> None:
        for s in body:
            if isinstance(s, Let):
                self.names[s.name] = self.value(s.value)
            elif isinstance(s, Start):
                low = {"max": True, "min": False}.get(s.combine)
                whole = s.dtype.kind in "iu" and low is not None
                bound = (np.iinfo(s.dtype).min if low else np.iinfo(s.dtype).max) if whole else NEUTRAL[s.combine]
                self.names[s.name] = s.dtype.type(bound)
            elif isinstance(s, Gather):
                a, b = self.names[s.accumulator], self.names[s.value]
                self.names[s.accumulator] = COMBINE[self.combines[s.accumulator]](a, b)
            elif isinstance(s, Loop):
                for i in range(s.extent):
                    self.names[s.variable] = i
                    self.run(s.body)
            elif s.guard is None or self.names[s.guard]:
                array = self.arrays[s.array]
                assert np.asarray(self.names[s.value]).dtype == array.dtype, f"{s} into {array.dtype}"
                array[self.inside(array, s.index)] = self.names[s.value]

    def starts(self, body: Any) -> dict[str, str]:
        found = {}
        for s in body:
            if isinstance(s, Start):
                found[s.name] = s.combine
            if isinstance(s, Loop):
                found |= self.starts(s.body)
        return found


class Slow:
    """A plan and its memory."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.arena = np.full(plan.arena + 64, 0xA5, np.uint8)
        self.memory = {b.name: self.piece(b) for b in plan.buffers}

    def piece(self, b: Any) -> np.ndarray:
        if b.kind == "scratch":
            return self.arena[b.offset:b.offset + b.size * b.dtype.itemsize].view(b.dtype)
        if b.kind == "constant":
            return b.initial.ravel()
        return np.zeros(b.size, b.dtype)

    def __call__(self, *arrays: Any) -> list[np.ndarray]:
        for view, a in zip(self.plan.inputs, arrays):
            self.memory[view.place.buffer] = np.array(a, view.dtype).ravel()
        with np.errstate(all="ignore"):
            for step in self.plan.steps:
                self.step(step, {})
        return [self.seen(view, {}).copy() for view in self.plan.outputs]

    def start(self, place: Any, times: dict[str, int]) -> int:
        return place.offset + sum(times[name] * step for name, step in place.steps)

    def seen(self, view: View, times: dict[str, int]) -> np.ndarray:
        flat = self.memory[view.place.buffer]
        if 0 in view.shape:
            return np.zeros(view.shape, view.dtype)
        size = flat.itemsize
        start = self.start(view.place, times)
        last = start + sum((n - 1) * s for n, s in zip(view.shape, view.strides) if s > 0)
        assert start >= 0 and last < flat.size
        return np.lib.stride_tricks.as_strided(flat[start:], view.shape, tuple(s * size for s in view.strides))

    def step(self, step: Any, times: dict[str, int]) -> None:
        if isinstance(step, Launch):
            self.launch(step, times)
        elif isinstance(step, Repeat):
            for i in range(step.count):
                for inner in step.steps:
                    self.step(inner, {**times, step.variable: i})
        elif isinstance(step, When):
            flag = self.memory[step.flag.buffer]
            if flag[step.flag.offset]:
                flag[step.flag.offset] = False
                for inner in step.steps:
                    self.step(inner, times)
        else:
            assert isinstance(step, Call)
            args = [self.seen(a, times) if isinstance(a, View) else a for a in step.args]
            with under(NUMPY):
                made = step.prim.forward(*args, **step.params)
            for view, y in zip(step.targets, made if isinstance(made, tuple) else (made,)):
                self.seen(view, times)[...] = y

    def launch(self, step: Launch, times: dict[str, int]) -> None:
        kernel = step.kernel
        if isinstance(kernel, Sweep):
            return self.sweep(kernel, step, times)
        arrays = {}
        for array, place in zip(kernel.arrays, step.places):
            start = self.start(place, times)
            piece = self.memory[place.buffer][start:start + array.size]
            assert piece.size == array.size and piece.dtype == array.dtype, f"{array} of {kernel.title} does not fit {place}"
            arrays[array.name] = piece
        machine = Machine(arrays, {})
        if isinstance(kernel, Contraction):
            return self.contract(kernel, machine)
        machine.combines = machine.starts(kernel.body)
        return machine.run(kernel.body)

    def sweep(self, sweep: Sweep, step: Launch, times: dict[str, int]) -> None:
        given = {array.name: (place.buffer, self.start(place, times)) for array, place in zip(sweep.arrays, step.places)}
        for number in range(sweep.rounds):
            for array in sweep.own:
                self.memory[array.name] = np.full(array.size * array.dtype.itemsize, 0xA5, np.uint8).view(array.dtype)
                given[array.name] = array.name, 0
            for turn in sweep.turns:
                places = [Place(given[name][0], given[name][1] + offset + number * move) for name, offset, move in turn.places]
                self.launch(Launch(turn.kernel, tuple(places)), {})

    def contract(self, kernel: Contraction, machine: Machine) -> None:
        free, summed = ([a for a in kernel.axes if a.summed is kind] for kind in (False, True))
        left, right = machine.arrays[kernel.left[0]], machine.arrays[kernel.right[0]]
        for rounds in product(*(range(a.size) for a in free)):
            l0 = kernel.left[1] + sum(i * a.left for i, a in zip(rounds, free))
            r0 = kernel.right[1] + sum(i * a.right for i, a in zip(rounds, free))
            places = np.array([(sum(i * a.left for i, a in zip(ks, summed)), sum(i * a.right for i, a in zip(ks, summed)))
                               for ks in product(*(range(a.size) for a in summed))]).reshape(-1, 2)
            assert l0 + places[:, 0].min(initial=0) >= 0 and r0 + places[:, 1].min(initial=0) >= 0
            machine.names = {a.name: i for a, i in zip(free, rounds)}
            terms = left[l0 + places[:, 0]].astype(kernel.dtype) * right[r0 + places[:, 1]].astype(kernel.dtype)
            machine.names["sum"] = kernel.dtype.type(terms.sum())
            machine.run(kernel.epilogue)


def slowly(graph: Graph, arrays: list[Any], donated: dict[int, int] | None = None) -> list[np.ndarray]:
    """The outputs of a graph by its plan."""
    return Slow(lower(graph, donated or {}))(*arrays)


def natively(graph: Graph, arrays: list[Any], donated: dict[int, int] | None = None, threads: int = 1) -> list[np.ndarray]:
    """The outputs of a graph by machine code."""
    from chainrule.compiler.native.driver import Program
    program = Program(lower(graph, donated or {}), threads)
    return program([np.array(a, s.type.dtype, order="C") for a, s in zip(arrays, graph.inputs)])


def agrees(graph: Graph, arrays: list[Any], run: Any = slowly, tolerance: float | None = None,
           floor: float = 0.0) -> None:
    """What the plan computes is what the graph says, relative to the size of the numbers, or to `floor`."""
    with under(NUMPY), np.errstate(all="ignore"):
        expected = graph(*arrays)
    expected = expected if isinstance(expected, tuple) else (expected,)
    found = run(graph, arrays)
    assert len(found) == len(expected)
    for y, e in zip(found, expected):
        e = np.asarray(e)
        assert y.shape == e.shape and y.dtype == e.dtype, f"{y.dtype}{y.shape} instead of {e.dtype}{e.shape}"
        if e.dtype.kind != "f":
            np.testing.assert_array_equal(y, e)
            continue
        rtol = tolerance or (2e-5 if e.dtype == np.float32 else 1e-11)
        finite = np.isfinite(e)
        scale = float(np.abs(e[finite]).max(initial=floor))
        np.testing.assert_allclose(y, e, rtol=rtol, atol=rtol * scale)
