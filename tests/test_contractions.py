"""Contractions, compiled, give what NumPy gives: for every layout, size and dtype, and the same bits however they are divided."""
from __future__ import annotations

import ctypes
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from math import prod

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.contractions.forms import form, needs
from chainrule.compiler.loops.language import Apply, Array, Axis, Constant, Contraction, Index, Let, Position, Read, Write
from chainrule.core.stage import stage
from chainrule.core.type import typeof
from chainrule.ops.convolution import convolution, kernel_convolution, transposed_convolution

pytestmark = pytest.mark.skipif(find_spec("llvmlite") is None, reason="machine code is made by llvmlite")
FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


# ---------------------------------------------------------------------------------------- running one contraction
def run(contraction: Contraction, *arrays: np.ndarray, parts: int = 1, **host) -> None:
    """Compile a contraction and run it on flat arrays, its rounds divided into parts that each have their own memory."""
    import llvmlite.ir as ir

    from chainrule.compiler.contractions.generator import build
    from chainrule.compiler.native.host import this_host
    from chainrule.compiler.native.machine import Loaded, translate
    chosen = replace(this_host(), **host)
    module = ir.Module("contraction")
    compiled = build(contraction, module, chosen)
    loaded = Loaded([translate(str(module), chosen)], [phase.function for phase in compiled.phases])
    places = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
    shared = garbage(compiled.shared)
    for phase in compiled.phases:
        for begin, end in pairwise(phase.rounds * part // parts for part in range(parts + 1)):
            private = garbage(compiled.private)
            FUNCTION(loaded[phase.function])(places, begin, end, shared.ctypes.data, private.ctypes.data)


def garbage(size: int) -> np.ndarray:
    """Memory that begins at a multiple of 64 bytes, and holds NaN."""
    memory = np.full(size + 64, 255, np.uint8)
    return memory[-memory.ctypes.data % 64:]


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(-9, 9, shape).astype(dtype)


def tolerance(dtype: np.dtype) -> float:
    return {"float32": 2e-6, "float64": 4e-15}.get(dtype.name, 0)


def assert_same(ours: np.ndarray, expected: np.ndarray, length: int = 1) -> None:
    """Equal up to rounding, which grows with the root of the number of terms."""
    assert ours.shape == expected.shape
    bound = tolerance(ours.dtype) * max(length, 1) ** 0.5 * max(float(np.abs(expected).max(initial=0)), 1)
    assert np.abs(ours - expected).max(initial=0) <= bound


def index(names: str, strides: tuple[int, ...], offset: int = 0) -> Index:
    return Index(offset, tuple(zip(names, strides)))


def steps(x: np.ndarray) -> tuple[int, ...]:
    return tuple(s // x.itemsize for s in x.strides)


def flat(x: np.ndarray) -> np.ndarray:
    """The memory of an array, in the order in which it lies."""
    return x.transpose(np.argsort([-s for s in x.strides], kind="stable")).reshape(-1)


def product_of(a: np.ndarray, b: np.ndarray, epilogue=None, more=()) -> Contraction:
    """The contraction of stacks of matrices that have the same number of axes; the result `y` lies in C order."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*lead, a.shape[-2], b.shape[-1])
    ones = [tuple(0 if n == 1 else s for n, s in zip(x.shape[:-2], steps(x))) for x in (a, b)]
    names = "pqr"[:len(lead)]
    axes = [Axis(name, n, *s) for name, n, *s in zip(names, lead, *ones)]
    axes += [Axis("i", a.shape[-2], steps(a)[-2], 0), Axis("j", b.shape[-1], 0, steps(b)[-1]),
             Axis("k", a.shape[-1], steps(a)[-1], steps(b)[-2], summed=True)]
    strides = steps(np.empty(shape, a.dtype))
    plain = (Write("y", index(names + "ij", strides), "sum"),)
    arrays = (Array("a", a.dtype, a.size), Array("b", b.dtype, b.size), Array("y", a.dtype, prod(shape), written=True))
    return Contraction(tuple(axes), (*arrays, *more), ("a", 0), ("b", 0), a.dtype, epilogue or plain)


def product(a: np.ndarray, b: np.ndarray, **options) -> np.ndarray:
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    y = np.full(shape, 77, a.dtype)
    run(product_of(a, b), flat(a), flat(b), y.reshape(-1), **options)
    return y


# ---------------------------------------------------------------------------------------- products of matrices
SIZES = [(1, 1, 1), (3, 17, 5), (17, 3, 1), (1, 64, 33), (1, 1000, 1), (17, 1000, 3), (32, 64, 32), (130, 50, 70), (3, 1, 1000)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_product_does_not_depend_on_how_its_matrices_lie(sizes, dtype):
    m, k, n = sizes
    rng = np.random.default_rng(0)
    a, b = numbers(rng, (m, k), dtype), numbers(rng, (k, n), dtype)
    for left in (a, np.asfortranarray(a)):
        for right in (b, np.asfortranarray(b)):
            assert_same(product(left, right), a @ b, k)


@pytest.mark.parametrize("shapes", [((4, 5, 6), (4, 6, 7)), ((1, 5, 6), (4, 6, 7)), ((2, 1, 33, 8), (1, 3, 8, 40))], ids=str)
def test_stacks_of_matrices_broadcast(shapes):
    rng = np.random.default_rng(0)
    a, b = (numbers(rng, s, "float32") for s in shapes)
    assert_same(product(a, b), a @ b, a.shape[-1])


def test_an_empty_sum_is_zero_and_an_empty_result_is_left_alone():
    assert (product(np.ones((3, 0), np.float32), np.ones((0, 5), np.float32)) == 0).all()
    assert product(np.ones((0, 3), np.float32), np.ones((3, 5), np.float32)).shape == (0, 5)


@pytest.mark.parametrize("sizes", [(40, 300, 70), (200, 64, 129), (6, 20000, 5)], ids=str)
def test_any_division_among_threads_gives_the_same_bits(sizes):
    m, k, n = sizes
    rng = np.random.default_rng(0)
    a, b = numbers(rng, (m, k), "float32"), np.asfortranarray(numbers(rng, (k, n), "float32"))
    one = product(a, b)
    for parts in (2, 3, 7):
        assert (product(a, b, parts=parts) == one).all()


def test_long_sums_are_cut_into_chunks_and_added_up():
    rng = np.random.default_rng(0)
    a, b = numbers(rng, (20000, 9), "float64"), numbers(rng, (20000, 12), "float64")
    assert_same(product(a.T, b), a.T @ b, 20000)


@pytest.mark.parametrize(("bits", "registers"), [(128, 16), (256, 16), (512, 32)])
def test_code_for_other_widths_of_vectors_computes_the_same(bits, registers):
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        a, b = numbers(rng, (37, 50), dtype), numbers(rng, (50, 45), dtype)
        assert_same(product(a, np.asfortranarray(b), lane_bits=bits, registers=registers), a @ b, 50)


@pytest.mark.parametrize(("bits", "registers"), [(128, 16), (256, 16), (512, 32)])
@pytest.mark.parametrize(("stack", "sizes"), [
    ((), (128, 256, 70)), ((), (130, 3500, 129)), ((), (250, 130, 45)), ((3,), (128, 64, 100))])
def test_rows_that_lie_side_by_side_are_packed_where_each_step_leaps_far(stack, sizes, bits, registers):
    from chainrule.compiler.contractions.blocking import schedule
    from chainrule.compiler.native.host import this_host
    m, k, n = sizes
    rng, packed = np.random.default_rng(0), 0
    for dtype in ("float32", "float64"):
        wide = numbers(rng, (*stack, k, 512), dtype)
        a, b = wide.swapaxes(-1, -2), numbers(rng, (*stack, k, n), dtype)
        here = product_of(a, b)
        axes = tuple(replace(axis, size=m) if axis.name == "i" else axis for axis in here.axes)
        host = {"lane_bits": bits, "registers": registers}
        y = np.full((*stack, 512, n), 77, dtype)
        run(replace(here, axes=axes), wide.reshape(-1), flat(b), y.reshape(-1), parts=3, **host)
        assert_same(y[..., :m, :], a[..., :m, :] @ b, k)
        assert (y[..., m:, :] == 77).all()
        packed += schedule(replace(here, axes=axes), replace(this_host(), **host)).rows_packed
    assert packed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [*SIZES, (130, 3000, 129), (6, 20000, 5)], ids=str)
def test_what_hardly_ever_runs_has_short_code_and_the_same_bits(sizes, dtype):
    m, k, n = sizes
    rng = np.random.default_rng(0)
    a, b = numbers(rng, (m, k), dtype), numbers(rng, (k, n), dtype)
    for left in (a, np.asfortranarray(a)):
        y = np.full((m, n), 77, dtype)
        run(replace(product_of(left, b), rare=True), flat(left), flat(b), y.reshape(-1))
        assert (y == product(left, b)).all()


def test_infinities_and_nan_stay_in_their_rows():
    a, b = np.ones((5, 7), np.float32), np.ones((7, 19), np.float32)
    a[1, 2], a[3, 3], b[4, 18] = np.inf, np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(product(a, b), a @ b)


# ---------------------------------------------------------------------------------------- epilogues
FLOAT = np.dtype("float32")
HERE = Index(0, (("i", 33), ("j", 1)))


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_an_epilogue_sees_every_sum_once(rows):
    rng = np.random.default_rng(0)
    a, b = numbers(rng, (rows, 20), "float32"), numbers(rng, (20, 33), "float32")
    bias, residual = numbers(rng, (33,), "float32"), numbers(rng, (rows, 33), "float32")
    epilogue = (
        Let("bias", Read("bias", Index(0, (("j", 1),)))), Let("v", Apply("add", ("sum", "bias"), FLOAT)),
        Let("zero", Constant(0.0, FLOAT)), Let("relu", Apply("maximum", ("v", "zero"), FLOAT)),
        Let("r", Read("residual", HERE)), Let("out", Apply("add", ("relu", "r"), FLOAT)),
        Write("y", HERE, "out"), Write("before", HERE, "v"))
    more = (Array("bias", FLOAT, 33), Array("residual", FLOAT, rows * 33), Array("before", FLOAT, rows * 33, written=True))
    y, before = np.zeros((rows, 33), FLOAT), np.zeros((rows, 33), FLOAT)
    run(product_of(a, b, epilogue, more), *(x.reshape(-1) for x in (a, b, y, bias, residual, before)))
    assert_same(before, a @ b + bias, 20)
    assert_same(y, np.maximum(a @ b + bias, 0) + residual, 20)


@pytest.mark.parametrize(("rows", "length"), [(1, 20), (40, 20), (9, 30000)])
def test_a_flag_is_set_if_any_sum_raises_it(rows, length):
    rng = np.random.default_rng(0)
    logical = np.dtype(bool)
    epilogue = (
        Let("finite", Apply("isfinite", ("sum",), logical)), Let("wrong", Apply("logical_not", ("finite",), logical)),
        Let("yes", Constant(value=True, dtype=logical)), Write("flag", Index(1), "yes", "wrong"), Write("y", HERE, "sum"))
    for bad in (None, np.nan, np.inf):
        a, b = numbers(rng, (rows, length), "float32"), numbers(rng, (length, 33), "float32")
        y, flag = np.zeros((rows, 33), FLOAT), np.zeros(3, bool)
        if bad is not None:
            b[-1, 32] = bad
        run(product_of(a, b, epilogue, (Array("flag", logical, 3, written=True),)), *(x.reshape(-1) for x in (a, b, y)), flag)
        assert flag.tolist() == [False, bad is not None, False]
        assert np.isfinite(y[:, :32]).all()


def test_an_epilogue_may_ask_for_its_place_and_write_elsewhere():
    rng = np.random.default_rng(0)
    a, b = numbers(rng, (6, 20), "float64"), numbers(rng, (20, 33), "float64")
    real, whole = np.dtype("float64"), np.dtype("int64")
    epilogue = (
        Let("row", Position("i")), Let("column", Position("j")), Let("at", Apply("add", ("row", "column"), whole)),
        Let("f", Apply("cast", ("at",), real)), Let("out", Apply("add", ("sum", "f"), real)),
        Write("y", Index(0, (("i", 1), ("j", 6))), "out"))
    y = np.zeros((33, 6))
    run(product_of(a, b, epilogue), a.reshape(-1), b.reshape(-1), y.reshape(-1))
    assert_same(y.T, a @ b + np.add.outer(np.arange(6), np.arange(33)), 20)


# ---------------------------------------------------------------------------------------- operations
def laid_out(x: np.ndarray, need, last: bool) -> np.ndarray:
    """An operand with its border, in the order that is wished for or in C order."""
    padded = np.zeros([(n - 1) * s + 1 for n, s in zip(x.shape, need.spread)], x.dtype)
    padded[tuple(slice(None, None, s) for s in need.spread)] = x
    low = [(max(a, 0), max(b, 0)) for a, b in need.pads]
    padded = np.pad(padded, low)
    padded = padded[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(padded.shape, need.pads))]
    assert padded.shape == need.shape(x.shape)
    if need.order and last:
        return np.ascontiguousarray(padded.transpose(need.order)).transpose(np.argsort(need.order))
    return np.ascontiguousarray(padded)


class Seen:
    def __init__(self, x: np.ndarray) -> None:
        self.shape, self.strides = x.shape, steps(x)


def by_form(f, *args: np.ndarray, last: bool = True) -> np.ndarray:
    """What the first line of a staged function gives by its form."""
    line = stage(f, *map(typeof, args)).lines[-1]
    operands = [laid_out(x, need, last) for x, need in zip(args, needs(line))]
    made = form(line, [Seen(x) for x in operands])
    y = np.zeros(made.shape, made.dtype)
    terms = tuple((name, step * stride) for place, stride in zip(made.places, steps(y)) for name, step in place)
    epilogue = [Write("y", Index(0, terms), "sum")]
    arrays = [Array("a", made.dtype, operands[0].size), Array("b", made.dtype, operands[1].size),
              Array("y", made.dtype, y.size, written=True)]
    contraction = Contraction(made.axes, tuple(arrays), ("a", made.left), ("b", made.right), made.dtype, tuple(epilogue))
    run(contraction, flat(operands[0]), flat(operands[1]), y.reshape(-1))
    return y


EINSUMS = [("ij,jk->ik", (3, 4), (4, 5)), ("ij,kj->ki", (30, 40), (50, 40)), ("bij,bjk->kib", (4, 6, 20), (4, 20, 12)),
           ("iij,k->ji", (3, 3, 2), (3,)), ("ab,ab->", (5, 6), (5, 6)), ("ab,bc->b", (5, 6), (6, 4)), ("i,i->i", (40,), (40,))]


@pytest.mark.parametrize(("subscripts", "a", "b"), EINSUMS, ids=str)
def test_an_einsum_of_two_arrays_is_a_contraction(subscripts, a, b):
    rng = np.random.default_rng(0)
    args = [rng.normal(size=s) for s in (a, b)]
    assert_same(by_form(lambda x, y: cr.einsum(subscripts, x, y), *args), np.einsum(subscripts, *args), 40)


PRODUCTS = [((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)),
            ((2, 1, 3, 4), (3, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,))]


@pytest.mark.parametrize("shapes", PRODUCTS, ids=str)
def test_matmul_linear_and_vecdot_are_contractions(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=s) for s in shapes)
    assert_same(by_form(cr.matmul, a, b), np.matmul(a, b), 4)
    if b.ndim == 2:
        weight = np.ascontiguousarray(b.T)
        assert_same(by_form(lambda x, w: cr.linear(x, w), a, weight), a @ b, 4)
    if a.ndim == b.ndim == 1:
        assert_same(by_form(cr.vecdot, a, b), np.vecdot(a, b), 4)


CONVOLUTIONS = [
    ((2, 3, 7), (4, 3, 3), {}), ((2, 3, 9, 8), (20, 3, 3, 3), {"padding": 1}),
    ((2, 18, 6, 7), (3, 18, 3, 3), {"padding": "same"}),
    ((2, 2, 5, 6), (4, 1, 3, 2), {"stride": (2, 1), "padding": 1, "groups": 2}),
    ((1, 2, 6, 7), (3, 2, 2, 3), {"dilation": 2, "stride": 2, "padding": ((1, 0), (2, 1))}),
    ((1, 1, 3, 4, 3), (2, 1, 2, 2, 2), {}), ((3, 16, 5, 5), (16, 1, 3, 3), {"groups": 16, "padding": 1})]


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("x", "weight", "options"), CONVOLUTIONS, ids=str)
def test_a_convolution_and_its_two_transposes_are_contractions(x, weight, options, last):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=x), rng.normal(size=weight)
    y = convolution(x, weight, None, **options)
    params = convolution.prepare(x, weight, None, **options)[1]
    g = rng.normal(size=y.shape)
    assert_same(by_form(lambda x, w: convolution(x, w, None, **options), x, weight, last=last), y, 100)
    back = transposed_convolution(g, weight, None, **params)
    assert_same(by_form(lambda g, w: transposed_convolution(g, w, None, **params), g, weight, last=last), back, 100)
    kernel = kernel_convolution(x, g, **params)
    assert_same(by_form(lambda x, g: kernel_convolution(x, g, **params), x, g, last=last), kernel, 100)
