"""Machine code does what the loops say: kernels against a reading of them statement by statement, on vectors of every width."""
from __future__ import annotations

import ctypes
import re
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import llvmlite.binding as llvm
import llvmlite.ir as ir

from chainrule.compiler.loops.checking import check
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
    Write,
)
from chainrule.compiler.native import kernels, runtime
from chainrule.compiler.native.division import divided
from chainrule.compiler.native.host import Host, this_host
from chainrule.compiler.native.machine import Loaded, translate

F32, F64, I32, I64, BOOL = (np.dtype(t) for t in ("float32", "float64", "int32", "int64", "bool"))
NATIVE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
COMBINE = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum, "any": np.logical_or, "all": np.logical_and}
NEUTRAL = {"sum": 0, "prod": 1, "max": -np.inf, "min": np.inf, "any": False, "all": True}
RENAMED = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh", "acosh": "arccosh",
           "atanh": "arctanh", "pow": "power", "round": "rint", "bitwise_left_shift": "left_shift",
           "bitwise_right_shift": "right_shift"}


def index(*terms: tuple[str, int], offset: int = 0) -> Index:
    return Index(offset, terms)


# ------------------------------------------------------------------------------------ the meaning of a kernel
def neutral(combine: str, dtype: np.dtype) -> float | int | bool:
    if dtype.kind in "iu" and combine in ("max", "min"):
        return np.iinfo(dtype).min if combine == "max" else np.iinfo(dtype).max
    return NEUTRAL[combine]


def meaning(operation: str, args: list, dtype: np.dtype):
    if operation == "cast":
        return args[0].astype(dtype)
    if operation == "select":
        return args[1] if args[0] else args[2]
    if operation == "sigmoid":
        return (1 / (1 + np.exp(-np.float64(args[0])))).astype(dtype)
    if operation == "fma":
        return args[0] * args[1] + args[2]
    return getattr(np, RENAMED.get(operation, operation))(*args)


def read_through(kernel: Kernel, arrays: list[np.ndarray]) -> None:
    """Do what a kernel says, one statement after the other."""
    memory = dict(zip((a.name for a in kernel.arrays), arrays))

    def place(i: Index, known: dict) -> int:
        return i.offset + sum(int(known[name]) * step for name, step in i.terms)

    def value(v, known: dict):
        if isinstance(v, Constant):
            return v.dtype.type(v.value)
        if isinstance(v, Position):
            return np.int64(known[v.variable])
        if isinstance(v, Read):
            array = memory[v.array]
            return array[place(v.index, known)] if v.guard is None or known[v.guard] else array.dtype.type(0)
        return meaning(v.operation, [known[a] for a in v.args], v.dtype)

    def run(body, known: dict, combines: dict) -> None:
        for s in body:
            if isinstance(s, Loop):
                for k in range(s.extent):
                    inner = dict(known) | {s.variable: k}
                    run(s.body, inner, combines)
                    known.update({name: inner[name] for name in combines if name in known})
            elif isinstance(s, Let):
                known[s.name] = value(s.value, known)
            elif isinstance(s, Start):
                combines[s.name] = COMBINE[s.combine]
                known[s.name] = s.dtype.type(neutral(s.combine, s.dtype))
            elif isinstance(s, Gather):
                known[s.accumulator] = combines[s.accumulator](known[s.accumulator], known[s.value])
            elif s.guard is None or known[s.guard]:
                memory[s.array][place(s.index, known)] = known[s.value]

    with np.errstate(all="ignore"):
        run(kernel.body, {}, {})


# ------------------------------------------------------------------------------------ running machine code
def hosts() -> list[Host]:
    """This processor, and itself with narrower vectors."""
    host = this_host()
    return [host] + [replace(host, lane_bits=bits, registers=16) for bits in (256, 128) if bits < host.lane_bits]


def run(kernel: Kernel, arrays: list[np.ndarray], host: Host, pieces: int = 1) -> None:
    """Run a kernel's machine code on arrays, the rounds of each phase in so many pieces."""
    module = ir.Module("test")
    compiled = kernels.build(kernel, module, host)
    loaded = Loaded([translate(str(module), host)], [phase.function for phase in compiled.phases])
    pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
    for phase in compiled.phases:
        function = NATIVE(loaded[phase.function])
        for k in range(pieces):
            begin, end = phase.rounds * k // pieces, phase.rounds * (k + 1) // pieces
            if begin < end:
                function(pointers, begin, end, None, None)


def assert_as_written(kernel: Kernel, arrays: list[np.ndarray], rtol: float = 1e-5) -> None:
    check(kernel)
    expected = [a.copy() for a in arrays]
    read_through(kernel, expected)
    for host in hosts():
        for pieces in (1, 3):
            found = [a.copy() for a in arrays]
            run(kernel, found, host, pieces)
            for array, a, b in zip(kernel.arrays, found, expected):
                np.testing.assert_allclose(a, b, rtol, 1e-6 if a.dtype == F32 else 1e-12,
                                           err_msg=f"{array.name}, {host.lane_bits} bits, {pieces} pieces")


def each(extent: int, value, *, dtype: np.dtype = F32, result: np.dtype | None = None, reads: int = 1,
         kind: str = "vector") -> Kernel:
    """y[i] = value(x0[i], x1[i], ...) for all i."""
    names = [f"x{k}" for k in range(reads)]
    result = result or dtype
    lets = tuple(Let(f"v{k}", Read(name, index(("i", 1)))) for k, name in enumerate(names))
    body = (*lets, Let("y", value), Write("out", index(("i", 1)), "y"))
    arrays = (*(Array(name, dtype, extent) for name in names), Array("out", result, extent, written=True))
    return Kernel(arrays, (Loop("i", extent, body, kind),))


def numbers(n: int, dtype: np.dtype, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype.kind == "b":
        return rng.random(n) < 0.5
    if dtype.kind in "iu":
        return rng.integers(-9 if dtype.kind == "i" else 0, 9, n).astype(dtype)
    return rng.normal(size=n).astype(dtype)


@pytest.mark.parametrize("extent", [0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 100, 1000, 5000])
@pytest.mark.parametrize("kind", ["vector", "serial", "parallel"])
def test_a_loop_of_any_length_does_every_element_once(extent: int, kind: str) -> None:
    kernel = each(extent, Apply("multiply", ("v0", "v0"), F32), kind=kind)
    x, y = numbers(extent, F32), np.full(extent + 8, 7, np.float32)
    assert_as_written(kernel, [x, y])


EVERY = (F32, F64, I32, I64, np.dtype("int8"), np.dtype("uint16"), BOOL)
REDUCTIONS = [(dtype, combine) for dtype in EVERY for combine in COMBINE
              if (combine in ("any", "all")) == (dtype == BOOL) and (combine != "prod" or dtype.itemsize >= 4)]


@pytest.mark.parametrize(("dtype", "combine"), REDUCTIONS)
@pytest.mark.parametrize("extent", [1, 17, 300])
def test_an_accumulator_combines_all_lanes(dtype: np.dtype, combine: str, extent: int) -> None:
    x = numbers(extent, dtype)
    x = x if combine != "prod" else (1 + x * 1e-3).astype(dtype)
    if dtype.kind in "iu" and combine in ("max", "min"):
        expected = getattr(np, combine)(x)
    else:
        expected = COMBINE[combine].reduce(x, dtype=dtype)
    body = (Start("a", combine, dtype), Loop("i", extent, (Let("v", Read("x", index(("i", 1)))), Gather("a", "v")), "vector"),
            Write("y", index(), "a"))
    kernel = Kernel((Array("x", dtype, extent), Array("y", dtype, 1, written=True)), body)
    check(kernel)
    for host in hosts():
        y = np.zeros(1, dtype)
        run(kernel, [x, y], host)
        np.testing.assert_allclose(y[0], expected, rtol=1e-4)


def test_softmax_uses_accumulators_one_after_the_other() -> None:
    rows, columns = 5, 37
    at = index(("i", columns), ("j", 1))
    body = (
        Start("most", "max", F32), Loop("j", columns, (Let("v", Read("x", at)), Gather("most", "v")), "vector"),
        Start("total", "sum", F32),
        Loop("j", columns, (Let("v", Read("x", at)), Let("d", Apply("subtract", ("v", "most"), F32)),
                            Let("e", Apply("exp", ("d",), F32)), Gather("total", "e"), Write("y", at, "e")), "vector"),
        Loop("j", columns, (Let("e", Read("y", at)), Let("p", Apply("divide", ("e", "total"), F32)), Write("y", at, "p")),
             "vector"))
    kernel = Kernel((Array("x", F32, rows * columns), Array("y", F32, rows * columns, written=True)),
                    (Loop("i", rows, body, "parallel"),))
    assert_as_written(kernel, [numbers(rows * columns, F32), np.zeros(rows * columns, F32)])


def test_column_sums_run_in_lanes_beside_each_other() -> None:
    rows, columns = 19, 45
    body = (Start("a", "sum", F64), Loop("i", rows, (Let("v", Read("x", index(("i", columns), ("j", 1)))), Gather("a", "v"))),
            Write("y", index(("j", 1)), "a"))
    arrays = (Array("x", F64, rows * columns), Array("y", F64, columns, written=True))
    kernel = Kernel(arrays, (Loop("j", columns, body, "vector"),))
    assert_as_written(kernel, [numbers(rows * columns, F64), np.zeros(columns)])


def test_strides_of_every_kind_are_read_and_written() -> None:
    n = 41
    lets = (Let("a", Read("x", index(("i", 1), offset=3))), Let("b", Read("x", index(("i", 2), offset=1))),
            Let("c", Read("x", index(("i", -1), offset=n - 1))), Let("d", Read("x", index(offset=5))),
            Let("e", Read("x", index(("i", -3), offset=3 * n))),
            Let("s", Apply("add", ("a", "b"), F32)), Let("t", Apply("multiply", ("c", "d"), F32)),
            Let("u", Apply("add", ("s", "t"), F32)), Let("w", Apply("subtract", ("u", "e"), F32)))
    writes = (Write("y", index(("i", 1)), "w"), Write("z", index(("i", 3), offset=1), "u"),
              Write("w", index(("i", -1), offset=n - 1), "s"))
    kernel = Kernel((Array("x", F32, 4 * n), Array("y", F32, n, written=True), Array("z", F32, 3 * n, written=True),
                     Array("w", F32, n, written=True)), (Loop("i", n, (*lets, *writes), "vector"),))
    assert_as_written(kernel, [numbers(4 * n, F32), np.zeros(n, F32), np.zeros(3 * n, F32), np.zeros(n, F32)])


@pytest.mark.parametrize("kind", ["vector", "serial"])
def test_guards_hold_off_reads_and_writes(kind: str) -> None:
    n = 50
    lets = (Let("p", Position("i")), Let("three", Constant(3, I64)), Let("many", Constant(n - 5, I64)),
            Let("low", Apply("greater_equal", ("p", "three"), BOOL)), Let("high", Apply("less", ("p", "many"), BOOL)),
            Let("both", Apply("logical_and", ("low", "high"), BOOL)),
            Let("v", Read("x", index(("i", 1), offset=-3), guard="both")),
            Let("w", Read("x", index(("i", 2), offset=-6), guard="both")), Let("one", Read("x", index(), guard="low")),
            Let("s", Apply("add", ("v", "w"), F32)), Let("t", Apply("add", ("s", "one"), F32)))
    writes = (Write("y", index(("i", 1)), "t"), Write("z", index(("i", 1)), "v", guard="low"),
              Write("z", index(("i", 2), offset=n), "v", guard="high"))
    kernel = Kernel((Array("x", F32, 2 * n), Array("y", F32, n, written=True), Array("z", F32, 3 * n, written=True)),
                    (Loop("i", n, (*lets, *writes), kind),))
    assert_as_written(kernel, [numbers(2 * n, F32), np.zeros(n, F32), np.zeros(3 * n, F32)])


def test_values_read_from_arrays_are_places() -> None:
    n, rows = 33, 7
    lets = (Let("k", Read("where", index(("i", 1)))), Let("v", Read("x", index(("k", 2), offset=1))))
    kernel = Kernel((Array("where", I64, n), Array("x", F32, 2 * rows), Array("y", F32, n, written=True)),
                    (Loop("i", n, (*lets, Write("y", index(("i", 1)), "v")), "vector"),))
    assert_as_written(kernel, [np.random.default_rng(1).integers(0, rows, n), numbers(2 * rows, F32), np.zeros(n, F32)])


def test_sums_scattered_to_places_meet_there() -> None:
    n, rows = 100, 7
    body = (Let("k", Read("where", index(("i", 1)))), Let("v", Read("x", index(("i", 1)))),
            Let("old", Read("y", index(("k", 1)))), Let("new", Apply("add", ("old", "v"), F32)),
            Write("y", index(("k", 1)), "new"))
    kernel = Kernel((Array("where", I64, n), Array("x", F32, n), Array("y", F32, rows, written=True)), (Loop("i", n, body),))
    assert_as_written(kernel, [np.random.default_rng(1).integers(0, rows, n), numbers(n, F32), np.zeros(rows, F32)])


def test_what_does_not_change_is_read_once_even_if_names_repeat() -> None:
    rows, columns = 6, 20
    def block(source: str) -> Loop:
        return Loop("j", columns, (
            Let("scale", Read(source, index(("i", 1)))), Let("v", Read("x", index(("i", columns), ("j", 1)))),
            Let("w", Apply("multiply", ("v", "scale"), F32)), Write("y", index(("i", columns), ("j", 1)), "w")), "vector")
    kernel = Kernel((Array("x", F32, rows * columns), Array("a", F32, rows), Array("b", F32, rows),
                     Array("y", F32, rows * columns, written=True)), (Loop("i", rows, (block("a"), block("b")), "parallel"),))
    size = rows * columns
    assert_as_written(kernel, [numbers(size, F32), numbers(rows, F32, 1), numbers(rows, F32, 2), np.zeros(size, F32)])


def test_nests_of_parallel_loops_share_all_their_rounds() -> None:
    shape = (3, 4, 25)
    size = 300
    at = index(("a", 100), ("b", 25), ("c", 1))
    body = (Let("v", Read("x", at)), Let("w", Apply("negative", ("v",), F32)), Write("y", at, "w"))
    nest = Loop("a", shape[0], (Loop("b", shape[1], (Loop("c", shape[2], body, "vector"),), "parallel"),), "parallel")
    kernel = Kernel((Array("x", F32, size), Array("y", F32, size, written=True)), (nest,))
    assert_as_written(kernel, [numbers(size, F32), np.zeros(size, F32)])
    assert kernels.build(kernel, ir.Module("m"), this_host()).phases[0].rounds == 12


def test_equal_values_are_computed_once_but_where_an_array_changes() -> None:
    n = 40
    lets = (Let("a", Read("x", index(("i", 1)))), Let("e", Apply("exp", ("a",), F32)), Let("y0", Read("y", index(("i", 1)))),
            Let("s", Apply("add", ("e", "y0"), F32)))
    again = (Let("b", Read("x", index(("i", 1)))), Let("f", Apply("exp", ("b",), F32)), Let("y1", Read("y", index(("i", 1)))),
             Let("zero", Constant(0.0, F32)), Let("other", Constant(-0.0, F32)), Let("q", Apply("divide", ("f", "other"), F32)),
             Let("m", Apply("minimum", ("q", "y1"), F32)), Let("t", Apply("subtract", ("y1", "f"), F32)))
    at = index(("i", 1))
    body = (*lets, Write("y", at, "s"), *again, Write("z", at, "t"), Write("w", at, "m"))
    kernel = Kernel((Array("x", F32, n), Array("y", F32, n, written=True), Array("z", F32, n, written=True),
                     Array("w", F32, n, written=True)), (Loop("i", n, body, "vector"),))
    assert_as_written(kernel, [numbers(n, F32), numbers(n, F32, 1), np.zeros(n, F32), np.zeros(n, F32)])
    module = ir.Module("m")
    kernels.build(kernel, module, this_host())
    widths = len(divided(kernel.body[0], {a.name: a for a in kernel.arrays}, this_host()).widths)
    assert len(re.findall(r'call .*chainrule\.exp\.', str(module))) == widths


def test_an_array_may_be_changed_in_place() -> None:
    kernel = each(1000, Apply("add", ("v0", "v0"), F32))
    x = numbers(1000, F32)
    for host in hosts():
        y = x.copy()
        run(kernel, [y, y], host)
        assert (y == 2 * x).all()


def test_common_values_and_two_loops_are_two_phases() -> None:
    n = 5000
    body = (Let("rate", Read("r", index())),
            Loop("i", n, (Let("v", Read("x", index(("i", 1)))), Let("w", Apply("multiply", ("v", "rate"), F32)),
                          Write("y", index(("i", 1)), "w")), "vector"),
            Loop("i", n, (Let("v", Read("y", index(("i", 1)))), Let("w", Apply("add", ("v", "rate"), F32)),
                          Write("z", index(("i", 1)), "w")), "vector"))
    kernel = Kernel((Array("x", F32, n), Array("r", F32, 1), Array("y", F32, n, written=True),
                     Array("z", F32, n, written=True)), body)
    assert len(kernels.build(kernel, ir.Module("m"), this_host()).phases) == 2
    assert_as_written(kernel, [numbers(n, F32), numbers(1, F32), np.zeros(n, F32), np.zeros(n, F32)])


# ------------------------------------------------------------------------------------ operations
FLOATS = ["add", "subtract", "multiply", "divide", "floor_divide", "remainder", "negative", "abs", "sign", "copysign", "minimum",
          "maximum", "fmin", "fmax", "square", "sqrt", "reciprocal", "pow", "floor", "ceil", "round", "trunc", "hypot",
          "nextafter"]
WHOLE = ["add", "subtract", "multiply", "floor_divide", "remainder", "negative", "abs", "sign", "minimum", "maximum", "square",
         "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift", "pow"]
COMPARED = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
CURVES = ["exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh",
          "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt"]
PAIRS = {"add", "subtract", "multiply", "divide", "floor_divide", "remainder", "copysign", "minimum", "maximum", "fmin", "fmax",
         "pow", "hypot", "nextafter", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift",
         "atan2", "logical_and", "logical_or", "logical_xor", *COMPARED}
STRANGE = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1.5, -7.25, 1e-40, -1e-40, 1e30, -1e30, np.inf, -np.inf, np.nan]


def pairs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(values, values)
    return a.ravel().copy(), b.ravel().copy()


def compared(operation: str, dtype: np.dtype, values: np.ndarray, result: np.dtype | None = None, **tolerance: float) -> None:
    """An operation's machine code against NumPy, on all values or all pairs of them."""
    result = result or dtype
    args = list(pairs(values)) if operation in PAIRS else [np.tile(values, 3)]
    n = args[0].size
    value = Apply(operation, tuple(f"v{k}" for k in range(len(args))), result)
    kernel = each(n, value, dtype=dtype, result=result, reads=len(args))
    check(kernel)
    with np.errstate(all="ignore"):
        expected = np.asarray(getattr(np, RENAMED.get(operation, operation))(*args)).astype(result)
    for host in hosts():
        y = np.zeros(n, result)
        run(kernel, [*args, y], host)
        np.testing.assert_allclose(y, expected, **({"rtol": 2e-6 if dtype == F32 else 1e-14} | tolerance), err_msg=operation)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("operation", FLOATS + CURVES)
def test_floats_behave_as_in_numpy_at_every_edge(operation: str, dtype: np.dtype) -> None:
    compared(operation, dtype, np.array(STRANGE, dtype))


@pytest.mark.parametrize("dtype", [F32, F64, I32, I64, np.dtype("uint8")])
@pytest.mark.parametrize("operation", COMPARED)
def test_comparisons_behave_as_in_numpy(operation: str, dtype: np.dtype) -> None:
    values = STRANGE if dtype.kind == "f" else [0, 1, 2, np.iinfo(dtype).min, np.iinfo(dtype).max]
    compared(operation, dtype, np.array(values, dtype), BOOL)


@pytest.mark.parametrize("operation", ["isnan", "isinf", "isfinite", "signbit"])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_tests_of_floats_behave_as_in_numpy(operation: str, dtype: np.dtype) -> None:
    compared(operation, dtype, np.array(STRANGE, dtype), BOOL)


@pytest.mark.parametrize("dtype", [I32, I64, np.dtype("int8"), np.dtype("uint8"), np.dtype("uint32")])
@pytest.mark.parametrize("operation", WHOLE)
def test_whole_numbers_wrap_and_divide_as_in_numpy(operation: str, dtype: np.dtype) -> None:
    """Division by 0 gives 0, and the least number divided by -1 does not stop the program."""
    known = np.iinfo(dtype)
    values = np.array([0, 1, 2, 3, 5, 7, known.max, known.max - 1], dtype)
    if operation != "pow" and dtype.kind == "i":
        values = np.concatenate([values, np.array([-1, -2, -3, known.min, known.min + 1], dtype)])
    compared(operation, dtype, values)


@pytest.mark.parametrize("source", [F32, F64, I32, I64, np.dtype("uint8"), BOOL])
@pytest.mark.parametrize("target", [F32, F64, I32, I64, np.dtype("uint8"), np.dtype("int16"), BOOL])
def test_casts_behave_as_in_numpy(source: np.dtype, target: np.dtype) -> None:
    x = np.arange(100).astype(source) if source.kind != "f" else np.linspace(0, 99.5, 200, dtype=source)
    kernel = each(x.size, Apply("cast", ("v0",), target), dtype=source, result=target)
    for host in hosts():
        y = np.zeros(x.size, target)
        run(kernel, [x, y], host)
        np.testing.assert_array_equal(y, x.astype(target))


@pytest.mark.parametrize("operation", ["logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_xor", "maximum",
                                       "add"])
def test_truth_values_behave_as_in_numpy(operation: str) -> None:
    compared(operation, BOOL, np.array([True, False] * 20))


def test_halves_are_computed_in_float32_and_rounded() -> None:
    half = np.dtype(np.float16)
    compared("exp", half, np.linspace(-10, 10, 50, dtype=half), rtol=0)
    compared("multiply", half, np.linspace(-10, 10, 20, dtype=half), rtol=0)


OTHERS = [
    Host("aarch64-unknown-linux-gnu", "neoverse-n1", "", 128, 32, fma=True),
    Host("arm64-apple-macosx", "apple-m1", "", 128, 32, fma=True),
    Host("x86_64-unknown-linux-gnu", "x86-64", "", 128, 16, fma=False),
]


@pytest.mark.parametrize("host", OTHERS, ids=lambda host: host.cpu)
def test_code_is_made_for_other_processors(host: Host) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module = ir.Module("test")
    for dtype in (F32, F64):
        for operation in (*FLOATS, *CURVES, "sigmoid", "erf"):
            args = ("v0", "v1")[:1 + (operation in PAIRS)]
            kernels.build(each(100, Apply(operation, args, dtype), dtype=dtype, reads=2), module, host)
    assert len(translate(str(module), host)) > 10_000
    assert len(translate(runtime.text(host), host)) > 1000


def test_rounds_that_are_not_independent_run_one_after_the_other() -> None:
    n = 60
    body = (Let("v", Read("y", index(("i", 1)))), Let("w", Read("x", index(("i", 1)))), Let("s", Apply("add", ("v", "w"), F32)),
            Write("y", index(("i", 1), offset=3), "s"))
    kernel = Kernel((Array("x", F32, n), Array("y", F32, n + 3, written=True)), (Loop("i", n, body, "vector"),))
    x, y, expected = numbers(n, F32), np.zeros(n + 3, F32), np.zeros(n + 3, F32)
    read_through(kernel, [x, expected])
    run(kernel, [x, y], this_host())
    np.testing.assert_allclose(y, expected, rtol=1e-6)
