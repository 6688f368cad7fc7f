"""Kernels are checked before they are compiled, and read like the formulas they come from."""
from __future__ import annotations

import numpy as np
import pytest

from chainrule.compiler.loops.checking import KernelError, check
from chainrule.compiler.loops.language import (
    Apply,
    Array,
    Axis,
    Constant,
    Contraction,
    Gather,
    Index,
    Kernel,
    Let,
    Loop,
    Origin,
    Position,
    Read,
    Start,
    Write,
)
from chainrule.compiler.loops.printing import shown

F32, I64, BOOL = np.dtype("float32"), np.dtype("int64"), np.dtype(bool)
AT = Index(0, (("i", 1),))
ARRAYS = (Array("x", F32, 10), Array("y", F32, 10, written=True))
READ = Let("v", Read("x", AT))


def kernel(*body, arrays=ARRAYS) -> Kernel:
    return Kernel(arrays, body)


def loop(*body, kind="vector", extent=10) -> Loop:
    return Loop("i", extent, body, kind)


def contraction(*epilogue, rows: int = 4) -> Contraction:
    axes = (Axis("i", rows, 6, 0), Axis("j", 5, 0, 1), Axis("k", 6, 1, 5, summed=True))
    arrays = (Array("a", F32, 24), Array("b", F32, 30), Array("c", F32, 20, written=True))
    return Contraction(axes, arrays, ("a", 0), ("b", 0), F32, epilogue, title="matmul")


C_AT = Index(0, (("i", 5), ("j", 1)))
SOUND = [
    kernel(loop(READ, Write("y", AT, "v"))),
    kernel(loop(READ, Write("y", Index(9, (("i", -1),)), "v"))),
    kernel(Start("s", "sum", F32), loop(READ, Gather("s", "v")), Write("y", Index(), "s")),
    kernel(loop(READ, Write("y", AT, "v"), kind="parallel"), loop(READ, Write("y", AT, "v"), kind="parallel")),
    kernel(loop(Let("p", Position("i")), Let("n", Constant(3, I64)), Let("g", Apply("less", ("p", "n"), BOOL)),
                Let("v", Read("x", Index(7, (("i", 1),)), guard="g")), Write("y", AT, "v", guard="g"))),
    contraction(Write("c", C_AT, "sum")),
    kernel(loop(READ, Let("g", Apply("isnan", ("v",), BOOL)), Let("yes", Constant(True, BOOL)),  # a flag
                Write("f", Index(), "yes", guard="g"), kind="parallel"), arrays=(*ARRAYS, Array("f", BOOL, 1, written=True))),
]
WRONG = {
    "the name v has a meaning already": kernel(loop(READ, READ, Write("y", AT, "v"))),
    "the value w is not known here": kernel(loop(READ, Write("y", AT, "w"))),
    "there is no array z": kernel(loop(Let("v", Read("z", AT)), Write("y", AT, "v"))),
    "places 0 to 10 of the array x, which has 10": kernel(loop(Let("v", Read("x", AT)), Write("y", Index(), "v"), extent=11)),
    "places -1 to 8 of the array y": kernel(loop(READ, Write("y", Index(-1, (("i", 1),)), "v"))),
    "the array x is written, and not declared to be": kernel(loop(READ, Write("x", AT, "v"))),
    "the array is float32, the value int64": kernel(loop(Let("v", Position("i")), Write("y", AT, "v"))),
    "dtypes differ: float32 and int64": kernel(loop(READ, Let("p", Position("i")), Let("s", Apply("add", ("v", "p"), F32)),
                                                    Write("y", AT, "s"))),
    "dtypes differ: bool and float32": kernel(loop(READ, Let("g", Apply("less", ("v", "v"), F32)), Write("y", AT, "g"))),
    "there is no operation ad": kernel(loop(READ, Let("s", Apply("ad", ("v", "v"), F32)), Write("y", AT, "s"))),
    "add takes 2 values, not 1": kernel(loop(READ, Let("s", Apply("add", ("v",), F32)), Write("y", AT, "s"))),
    "bitwise_and is of whole numbers": kernel(loop(READ, Let("s", Apply("bitwise_and", ("v", "v"), F32)), Write("y", AT, "s"))),
    "the guard v is float32, not bool": kernel(loop(READ, Write("y", AT, "v", guard="v"))),
    "all rounds of the parallel loop i write the same place": kernel(loop(READ, Write("y", Index(), "v"), kind="parallel")),
    "all rounds of the vector loop i write the same place": kernel(loop(READ, Write("y", Index(), "v"))),
    "adds across the rounds of a parallel loop": kernel(Start("s", "sum", F32), loop(READ, Gather("s", "v"), kind="parallel"),
                                                        Write("y", Index(), "s")),
    "the accumulator is int64, the value float32": kernel(Start("s", "sum", I64), loop(READ, Gather("s", "v"))),
    "there is no accumulator s": kernel(loop(READ, Gather("s", "v"))),
    "a parallel loop stands outermost": kernel(Loop("j", 1, (loop(READ, Write("y", AT, "v"), kind="parallel"),))),
    "a vector loop contains no other": kernel(Loop("j", 1, (loop(READ, Write("y", AT, "v")),), "vector")),
    "the extent is negative": kernel(loop(READ, extent=-1)),
    "there is no loop over j here": kernel(loop(Let("p", Position("j")))),
    "the index uses v, which is float32, not int64": kernel(loop(READ, Let("w", Read("x", Index(0, (("v", 1),)))))),
    "rounds of the vector loop i meet at one place": kernel(loop(
        Let("v", Read("y", AT)), Write("y", Index(3, (("i", 1),)), "v"), extent=7)),
    "rounds of the parallel loop i meet": kernel(loop(
        READ, Loop("j", 2, (Write("y", Index(0, (("i", 1), ("j", 1))), "v"),)), kind="parallel", extent=9)),
    "two arrays have one name": kernel(arrays=(ARRAYS[0], ARRAYS[0])),
    "matmul, left: places 0 to 29 of the array a, which has 24": contraction(Write("c", C_AT, "sum"), rows=5),
    "an epilogue has no loops": contraction(loop(Write("c", C_AT, "sum"))),
    "all rounds of the parallel loop j write the same place": contraction(Write("c", Index(0, (("i", 5),)), "sum")),
}


@pytest.mark.parametrize("sound", SOUND)
def test_a_sound_kernel_passes(sound) -> None:
    check(sound)


@pytest.mark.parametrize("message", WRONG)
def test_an_error_names_what_is_wrong(message: str) -> None:
    with pytest.raises(KernelError) as caught:
        check(WRONG[message])
    assert message in str(caught.value)


def test_values_used_once_are_written_where_they_are_used() -> None:
    body = (Let("a", Read("x", AT), Origin("add", "net.py:3")), Let("b", Read("bias", AT)),
            Let("c", Apply("add", ("a", "b"), F32), Origin("add", "net.py:3")),
            Let("d", Apply("tanh", ("c",), F32), Origin("tanh", "net.py:4")), Write("y", AT, "d"))
    text = shown(Kernel((*ARRAYS, Array("bias", F32, 10)), (loop(*body),), "layer"))
    assert text.splitlines() == [
        "layer(x: float32[10], y: float32[10] written, bias: float32[10])",
        "  vector for i in 10:",
        f"{'    y[i] = tanh(x[i] + bias[i])':<72}  # add (net.py:3); tanh (net.py:4)",
    ]


def test_values_used_twice_have_a_line() -> None:
    body = (READ, Let("s", Apply("multiply", ("v", "v"), F32)), Let("two", Constant(2.0, F32)),
            Let("t", Apply("add", ("s", "two"), F32)), Let("u", Apply("multiply", ("t", "two"), F32)), Write("y", AT, "u"))
    assert shown(kernel(loop(*body))).splitlines()[2:] == ["    v = x[i]", "    y[i] = (v * v + 2) * 2"]


def test_accumulators_guards_and_places_are_readable() -> None:
    lines = shown(kernel(
        Start("most", "max", F32), loop(READ, Gather("most", "v")), Write("y", Index(3), "most"),
        loop(Let("p", Position("i")), Let("n", Constant(4, I64)), Let("g", Apply("less", ("p", "n"), BOOL)),
             Let("w", Read("x", Index(1, (("i", 2),)), guard="g")), Write("y", Index(9, (("i", -1),)), "w")))).splitlines()
    assert lines[1:] == [
        "  most = -inf: float32", "  vector for i in 10:", "    most = max(most, x[i])", "  y[3] = most",
        "  vector for i in 10:", "    y[-i + 9] = x[i*2 + 1] if i < 4 else 0"]


def test_a_contraction_reads_like_its_formula() -> None:
    bias = Let("b", Read("b", Index(0, (("j", 1),))))
    text = shown(contraction(bias, Let("r", Apply("add", ("sum", "b"), F32)), Write("c", C_AT, "r")))
    assert text.splitlines()[1:] == [
        "  each i in 4, j in 5", "    sum = a[i*6 + k] * b[j + k*5], summed over k in 6", "    c[i*5 + j] = sum + b[j]"]
