"""Lowering keeps the meaning of every operation: a plan computes what its graph says, in few kernels."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.compiler.loops.language import Apply, Contraction, Kernel, Let, Loop
from chainrule.compiler.lowering.arena import lifetimes
from chainrule.compiler.lowering.gates import TABLE
from chainrule.compiler.lowering.lowering import lower
from chainrule.compiler.plan import Call, Launch, Plan, When
from chainrule.core.primitive import Primitive
from chainrule.core.stage import Graph, stage
from chainrule.core.type import Type, is_float, typeof
from chainrule.errors import ChainruleError
from chainrule.ops.matmul import chain_matmul
from laws import canonical, curried, samples, weighed
from lowered import Slow, agrees, natively, slowly

FLOAT = np.dtype("float32")


def kernels(plan: Plan) -> list[Any]:
    """What a plan launches in any case."""
    return [step.kernel for step in plan.steps if isinstance(step, Launch)]


def program(prim: Primitive, sample: Any, dtype: Any) -> tuple[Graph, list[Any]]:
    """An operation on a sample as a graph, floats in this dtype, and its inputs."""
    args, params = canonical(prim, sample)
    args = tuple(np.asarray(a, dtype) if a is not None and is_float(typeof(a).dtype) else a for a in args)
    arrays = [np.asarray(a) for a in args if a is not None]

    def whole(*given: Any) -> Any:
        supply = iter(given)
        return prim(*(None if a is None else next(supply) for a in args), **params)
    return stage(whole, *map(typeof, arrays)), arrays


def staged(f: Callable[..., Any], *shapes: tuple[int, ...], dtype: Any = FLOAT) -> tuple[Graph, list[np.ndarray]]:
    """A function of arrays of these shapes as a graph, and arrays."""
    rng = np.random.default_rng(0)
    return stage(f, *(Type(s, np.dtype(dtype)) for s in shapes)), [rng.normal(size=s).astype(dtype) for s in shapes]


# ---------------------------------------------------------------------------------------- meaning
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("prim", ops.ALL, ids=lambda p: p.name)
def test_every_operation_is_lowered_to_what_it_means(prim: Primitive, dtype: Any) -> None:
    for sample in samples(prim):
        agrees(*program(prim, sample, dtype), run=slowly)


@pytest.mark.parametrize("prim", ops.ALL, ids=lambda p: p.name)
def test_its_gradient_and_the_gradient_of_that_are_lowered_too(prim: Primitive) -> None:
    for sample in samples(prim):
        for x, f in curried(prim, sample):
            first = cr.grad(lambda x, f=f: weighed(f(x)))
            second = cr.grad(lambda x, first=first: cr.sum(first(x) * np.ones(x.shape)))
            for gradient in (first, second):
                agrees(stage(gradient, typeof(x)), [x], run=slowly, tolerance=1e-9, floor=1.0)


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "softmax of rows": lambda x: cr.softmax(x, axis=-1), "softmax of columns": lambda x: cr.softmax(x, axis=0),
    "sum of columns": lambda x: x.sum(axis=0), "sum of all": lambda x: (x * x).sum(),
    "distance from the mean": lambda x: x - x.mean(axis=0, keepdims=True), "variance": lambda x: cr.var(x, axis=0),
    "with its transpose": lambda x: x + x.mT if x.shape[0] == x.shape[-1] and x.ndim > 1 else x * 1,
    "backwards": lambda x: x[::-1] * 2, "a part of a row": lambda x: cr.reshape(x * 2, (-1,))[1:],
    "rows times rows": lambda x: x @ x.mT if x.ndim > 1 else x * 1, "steps": lambda x: cr.cumsum(x, axis=0),
    "the greatest": lambda x: cr.argmax(x, axis=-1), "logsumexp": lambda x: cr.logsumexp(x, axis=0),
    "joined": lambda x: cr.concat([x, x * 2, x[:1]], axis=0), "spread": lambda x: cr.exp(x.sum(axis=-1))[..., None] * x,
    "a triangle": lambda x: cr.tril(x) if x.ndim > 1 else x * 1,
    "gradient": lambda x: cr.grad(lambda x: (cr.softmax(x, axis=-1) ** 2).sum() + cr.sin(x).mean())(x),
}


@pytest.mark.parametrize("shape", [(1,), (3,), (17,), (1000,), (1, 1), (3, 1), (1, 17), (17, 3), (5, 5), (2, 3, 4), (0,), (0, 3),
                                   (3, 0)], ids=str)
@pytest.mark.parametrize("name", PROGRAMS)
def test_odd_and_empty_shapes_are_lowered(name: str, shape: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the mean of nothing
        try:
            graph, arrays = staged(PROGRAMS[name], shape, dtype=np.float64)
            graph(*arrays)
        except (ChainruleError, ValueError):
            return  # it has no meaning for this shape
        agrees(graph, arrays, run=slowly, tolerance=1e-10, floor=1.0)


STRANGE = np.array([0, -0.0, 1, -1, 0.5, 2, -2.5, 1e-3, 30, -30, 200, -200, 1e10, -1e10, 1e-40, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("prim", [p for p in ops.ALL if p.name in TABLE], ids=lambda p: p.name)
def test_strange_numbers_give_what_they_give_in_numpy(prim: Primitive, dtype: Any) -> None:
    args, params = canonical(prim, samples(prim)[0])
    given = [a for a in args if a is not None]
    grids = [g.ravel().astype(dtype) for g in np.meshgrid(*[STRANGE] * min(len(given), 2), indexing="ij")]
    arrays = [*grids, *(np.full(grids[0].shape, 2.0, dtype) for _ in given[2:])]

    def whole(*symbols: Any) -> Any:
        supply = iter(symbols)
        return prim(*(None if a is None else next(supply) for a in args), **params)
    try:
        graph = stage(whole, *map(typeof, arrays))
        with np.errstate(all="ignore"):
            expected = graph(*arrays)
    except ChainruleError:
        return  # bits of floats, chances outside of 0 to 1
    np.testing.assert_allclose(slowly(graph, arrays)[0], expected, rtol=1e-5 if dtype == np.float32 else 1e-11, atol=1e-37)


WHOLE: dict[str, Callable[[Any], Any]] = {
    "sums": lambda x: (x.sum(axis=0), x.sum()), "extremes": lambda x: (cr.max(x, axis=0), cr.min(x)),
    "questions": lambda x: (cr.any(x, axis=0), cr.all(x), cr.count_nonzero(x)), "places": lambda x: cr.argmax(x, axis=1),
    "mean": lambda x: cr.mean(x, axis=0), "quotients": lambda x: (x / 3, x // 3, x % 3), "product": lambda x: x @ x.mT,
    "cast": lambda x: cr.astype(x, "float32") * 0.5, "steps": lambda x: cr.cumsum(x, axis=0),
    "choice": lambda x: cr.where(x, x, 7), "one of many": lambda x: cr.one_hot(abs(x) % 5, 5),
    "rows": lambda x: cr.take(np.arange(100.0).reshape(20, 5), abs(x), axis=0),
    "sigmoid": cr.sigmoid, "decimals": lambda x: cr.round(x * 1.2345, decimals=2),
}


@pytest.mark.parametrize("dtype", ["int32", "int64", "int8", "uint8", "bool"])
@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_and_booleans_are_lowered(name: str, dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 9, (5, 4)).astype(dtype)
    try:
        graph = stage(WHOLE[name], typeof(x))
        with np.errstate(all="ignore"):
            graph(x)
    except ChainruleError:
        return  # it has no meaning for this dtype
    agrees(graph, [x], run=slowly)


# ---------------------------------------------------------------------------------------- fusion
def test_a_chain_of_elementwise_operations_is_one_loop_and_stores_its_result_alone() -> None:
    graph, arrays = staged(lambda x, y: cr.tanh(cr.exp(-x * x) * y + 1) * x, (5, 7), (7,))
    plan = lower(graph, {})
    (kernel,) = kernels(plan)
    assert [a.written for a in kernel.arrays].count(True) == 1
    assert not [b for b in plan.buffers if b.kind == "scratch"]
    agrees(graph, arrays)


def statements(body: Any) -> Any:
    for s in body:
        yield s
        if isinstance(s, Loop):
            yield from statements(s.body)


def test_a_softmax_is_one_kernel_that_computes_each_exponential_once() -> None:
    graph, arrays = staged(lambda x, y: cr.softmax(x + y, axis=-1) * 2, (40, 9), (9,))
    (kernel,) = kernels(lower(graph, {}))
    names = [s.value.operation for s in statements(kernel.body) if isinstance(s, Let) and isinstance(s.value, Apply)]
    assert names.count("exp") == 1
    agrees(graph, arrays)


def test_a_layer_with_its_activation_and_what_is_added_is_one_contraction() -> None:
    graph, arrays = staged(lambda x, w, b, y: cr.gelu(cr.linear(x, w, b)) + y, (6, 4), (5, 4), (5,), (6, 5))
    (kernel,) = kernels(lower(graph, {}))
    assert isinstance(kernel, Contraction)
    agrees(graph, arrays)


def test_sums_over_the_same_array_share_one_reading() -> None:
    graph, arrays = staged(lambda x, y: (x.sum(axis=0), (x * y).sum(axis=0), (x * x).sum(axis=0)), (600, 60), (600, 60))
    assert sum(any(a.size == x.size for a in k.arrays) for k in kernels(lower(graph, {})) for x in arrays[:1]) == 1
    agrees(graph, arrays, tolerance=1e-4)


def test_sums_over_a_middle_axis_are_kept_apart_by_the_rounds_of_the_outer_loop() -> None:
    graph, _ = staged(lambda x: (cr.exp(x), cr.exp(x).sum(axis=1)), (25, 400, 64))
    first, *_ = kernels(lower(graph, {}))
    (outer,) = [s for s in first.body if isinstance(s, Loop)]
    assert (outer.kind, outer.extent) == ("parallel", 25)


def turned(x: Any) -> Any:
    """Parts of queries, keys and values, (parts, times, heads, width), as rows of one matrix."""
    return cr.reshape(cr.permute_dims(x, (1, 0, 2, 3)), (x.shape[1], -1))


def test_parts_are_written_as_the_matrix_that_a_product_reads() -> None:
    def f(a: Any, b: Any, w: Any) -> Any:
        whole = cr.stack([a @ a.mT, b @ b.mT], axis=0)
        return turned(whole) @ w, whole[1] * 2, turned(whole).mT @ turned(whole)
    graph, arrays = staged(f, (3, 2, 4), (3, 2, 4), (8, 5))
    plan = lower(graph, {})
    assert len(kernels(plan)) == 5  # four products, and what is doubled
    assert [b.size for b in plan.buffers if b.kind == "scratch"] == [24]
    agrees(graph, arrays, tolerance=1e-4)
    agrees(graph, arrays, run=slowly, tolerance=1e-4)


@pytest.mark.parametrize("last", [True, False], ids=["a result", "joined once more"])
def test_parts_lie_in_one_order_for_all_who_read_them(last: bool) -> None:
    def f(a: Any, b: Any, w: Any) -> Any:
        whole = cr.stack([a * 2, cr.exp(b)], axis=0)
        kept = whole if last else cr.concat([whole, whole * 3], axis=0)
        rows = cr.reshape(whole, (6, -1)) @ w[:4], turned(whole) @ w, turned(kept) @ turned(kept).mT
        return (*rows, cr.reshape(cr.permute_dims(whole, (2, 1, 0, 3)), (2, -1)) @ w[:1].mT.repeat(3, axis=0)[:12], kept)
    graph, arrays = staged(f, (3, 2, 2), (3, 2, 2), (8, 5))
    agrees(graph, arrays, tolerance=1e-4)
    agrees(graph, arrays, run=slowly, tolerance=1e-4)


def test_what_is_read_in_two_shapes_is_copied_once() -> None:
    def f(x: Any, w: Any) -> Any:
        swapped = cr.permute_dims(cr.exp(x), (1, 0, 2))
        rows = cr.reshape(swapped, (3, -1))
        return rows @ w, cr.reshape(swapped, (6, -1)).mT @ cr.reshape(swapped, (6, -1)), rows.sum(axis=0)
    graph, arrays = staged(f, (4, 3, 2), (8, 5))
    assert sum(b.size == 24 for b in lower(graph, {}).buffers if b.kind == "scratch") == 1
    agrees(graph, arrays, tolerance=1e-4)


def test_what_nothing_needs_is_not_computed() -> None:
    graph, _ = staged(lambda x: (cr.exp(x), x + 1)[1], (3,))
    (kernel,) = kernels(lower(graph, {}))
    assert [s.value.operation for s in statements(kernel.body) if isinstance(s, Let) and isinstance(s.value, Apply)] == ["add"]


def test_equal_layers_have_equal_kernels() -> None:
    def network(x: Any, *weights: Any) -> Any:
        for w in weights:
            x = cr.layer_norm(cr.relu(cr.linear(x, w)), (8,))
        return x
    graph, arrays = staged(network, (4, 8), (8, 8), (8, 8), (8, 8))
    made = kernels(lower(graph, {}))
    assert len(set(made)) == 2 < len(made)
    agrees(graph, arrays, tolerance=1e-4)


def test_a_network_of_convolutions_keeps_its_channels_last_and_its_borders_zero() -> None:
    def network(x: Any, a: Any, b: Any) -> Any:
        x = cr.max_pool2d(cr.relu(cr.conv2d(x, a, padding=1)), 2)
        return cr.conv2d(x, b, padding=(2, 1), stride=2)
    graph, arrays = staged(cr.grad(lambda x, a, b: cr.sin(network(x, a, b)).sum(), argnums=(0, 1, 2)),
                           (2, 3, 8, 6), (4, 3, 3, 3), (5, 4, 3, 3), dtype=np.float64)
    plan = lower(graph, {})
    machine = Slow(plan)
    assert not [s for s in plan.steps if isinstance(s, Call)]
    for _ in range(2):  # the second time over what the first has left
        for y, e in zip(machine(*arrays), graph(*arrays)):
            np.testing.assert_allclose(y, e, rtol=1e-10, atol=1e-10)


# ---------------------------------------------------------------------------------------- memory
def update(p: Any, m: Any, a: Any, b: Any) -> Any:
    """A step of gradient descent with momentum, whose gradient is a product."""
    m = 0.9 * m + 0.1 * chain_matmul(a, b)
    return p - 0.5 * m, m


def test_parameters_are_updated_in_place() -> None:
    graph, arrays = staged(update, (3, 4), (3, 4), (3, 5), (5, 4))
    plan = lower(graph, {0: 0, 1: 1})
    assert plan.donated == {0: 0, 1: 1}
    assert [v.place.buffer for v in plan.outputs] == [v.place.buffer for v in plan.inputs[:2]]
    agrees(graph, arrays, run=lambda graph, arrays: slowly(graph, arrays, {0: 0, 1: 1}))


def test_an_input_that_is_read_later_is_not_overwritten() -> None:
    graph, arrays = staged(lambda p, a: (p + a.sum(), a @ (p + a.sum()) @ p), (4, 4), (4, 4))
    donated = lower(graph, {0: 0}).donated
    agrees(graph, arrays, run=lambda graph, arrays: slowly(graph, arrays, {0: 0}), tolerance=1e-4)
    assert donated in ({}, {0: 0})
    graph, arrays = staged(lambda p: (p.mT + 1, p * 2), (3, 3))
    assert lower(graph, {0: 0}).donated == {}


@pytest.mark.parametrize("donated", [{}, {0: 0, 1: 1}], ids=["apart", "in place"])
def test_zero_wins_over_infinity_in_products(donated: dict[int, int]) -> None:
    graph, arrays = staged(update, (3, 4), (3, 4), (3, 5), (5, 4))
    arrays[2][1] = arrays[2][0, 0] = 0
    arrays[3][2, 1], arrays[3][0, 2] = np.inf, np.nan
    machine = Slow(lower(graph, donated))
    with np.errstate(all="ignore"):
        expected = graph(*arrays)
    for _ in range(2):
        for y, e in zip(machine(*arrays), expected):
            np.testing.assert_allclose(y, e, rtol=1e-5)


def test_what_is_not_overwritten_is_right_where_a_product_is_computed_again() -> None:
    def kept(m: Any, a: Any, b: Any) -> tuple[Any, Any]:
        gradient = chain_matmul(a, b)
        return 0.9 * m + 0.1 * gradient, m - gradient
    graph, arrays = staged(kept, (30, 40), (30, 50), (50, 40))
    arrays[1][1], arrays[2][2, 1] = 0, np.inf
    plain, together = (Slow(lower(graph, donated))(*arrays) for donated in ({}, {0: 0}))
    assert np.isinf(together[1]).sum() == 29
    for x, y in zip(plain, together):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)  # of sums that are near 30


def test_finite_products_are_not_computed_again() -> None:
    graph, _ = staged(update, (3, 4), (3, 4), (3, 5), (5, 4))
    assert [type(step) for step in lower(graph, {}).steps] == [Launch, When]


def test_a_weight_moves_on_as_soon_as_its_gradient_is_there() -> None:
    def forward(x: Any, weights: Any) -> Any:
        for w in weights:
            x = cr.tanh(x @ w)
        return x.sum()

    def step(t: Any, x: Any, *weights: Any) -> Any:
        gradients = cr.grad(lambda weights: forward(x, weights))(list(weights))
        rate = 0.1 / cr.sqrt(t * t + 1.0)  # not known before the gradients, in the order of the program
        return tuple(w - rate * g for w, g in zip(weights, gradients))
    count = 6
    graph, arrays = staged(step, (), (8, 8), *[(8, 8)] * count)
    donated = {i: i + 2 for i in range(count)}
    plan = lower(graph, donated)
    assert plan.donated == donated
    written = [{p.buffer for a, p in zip(s.kernel.arrays, s.places) if a.written} for s in plan.steps if isinstance(s, Launch)]
    moved = [next(i for i, buffers in enumerate(written) if f"x{k + 2}" in buffers) for k in range(count)]
    assert moved == sorted(moved, reverse=True) and min(a - b for a, b in pairwise(moved[1:])) > 1
    agrees(graph, arrays, run=lambda graph, arrays: slowly(graph, arrays, donated))


def sloped(a: Any, b: Any, x: Any) -> Any:
    """A product times slopes that were computed before, as a gradient is; what it gives is needed in memory."""
    return chain_matmul(cr.chain(chain_matmul(a, b), cr.cos(x.mT @ x)), b)


def test_a_product_lies_where_the_slopes_lay_that_it_is_multiplied_by() -> None:
    graph, arrays = staged(sloped, (5, 5), (5, 5), (3, 5))
    plan = lower(graph, {})
    first = next(s for s in plan.steps if isinstance(s, Launch) and "chain" in s.kernel.title.split(", "))
    read, = [p.buffer for a, p in zip(first.kernel.arrays, first.places) if a.dtype == FLOAT and a.written]
    before = [s for s in plan.steps[:plan.steps.index(first)] if isinstance(s, Launch)]
    assert any(read == p.buffer for step in before for p in step.places)
    agrees(graph, arrays, tolerance=1e-4)
    arrays[0][1] = arrays[0][0, 0] = 0
    arrays[1][2, 1], arrays[1][0, 2] = np.inf, np.nan
    machine = Slow(plan)
    with np.errstate(all="ignore"):
        expected = graph(*arrays)
    for _ in range(2):
        np.testing.assert_allclose(machine(*arrays)[0], expected, rtol=1e-4)


def test_values_that_live_together_do_not_overlap() -> None:
    def network(x: Any, *weights: Any) -> Any:
        kept = []
        for w in weights:
            x = cr.softmax(x @ w, axis=-1)
            kept.append(x)
        return sum((k.sum(axis=0) for k in kept), 0.0)
    graph, arrays = staged(cr.grad(lambda x, *w: network(x, *w).sum()), (6, 8), *[(8, 8)] * 4)
    plan = lower(graph, {})
    life, scratch = lifetimes(plan.steps), [b for b in plan.buffers if b.kind == "scratch"]
    for a, b in combinations(scratch, 2):
        (first, last), (other_first, other_last) = life[a.name], life[b.name]
        apart = last < other_first or other_last < first
        assert apart or a.offset + a.size * a.dtype.itemsize <= b.offset or b.offset + b.size * b.dtype.itemsize <= a.offset
    assert all(b.offset % b.dtype.itemsize == 0 and (b.size < 16 or b.offset % 64 == 0) for b in scratch)
    agrees(graph, arrays, tolerance=1e-3, floor=1.0)


# ---------------------------------------------------------------------------------------- machine code
@pytest.mark.parametrize("name", PROGRAMS)
def test_one_thread_and_two_give_the_same_bits(name: str) -> None:
    pytest.importorskip("llvmlite")
    graph, arrays = staged(PROGRAMS[name], (700, 90))
    one, two = (natively(graph, arrays, threads=n) for n in (1, 2))
    for a, b in zip(one, two):
        assert a.tobytes() == b.tobytes()
    agrees(graph, arrays, run=natively, tolerance=1e-4, floor=1.0)


def test_kernels_are_data() -> None:
    graph, _ = staged(lambda x: cr.exp(x).sum(axis=0), (8, 4))
    first, second = (kernels(lower(graph, {})) for _ in range(2))
    assert first == second
    assert all(isinstance(k, Kernel) for k in first)


def loops_in(body: Any) -> list[Loop]:
    return [loop for s in body if isinstance(s, Loop) for loop in (s, *loops_in(s.body))]


def test_sums_over_rows_that_are_normalized_run_in_vectors_and_reach_memory_once_a_row():
    def pooled(x):
        centred = x - x.mean((0, 2), keepdims=True)
        y = cr.relu(centred / cr.sqrt((centred ** 2).mean((0, 2), keepdims=True) + 1e-5))
        return y, y.mean(2)
    graph, arrays = staged(pooled, (4, 8, 64))
    agrees(graph, arrays)
    agrees(graph, arrays, run=natively)
    kernels = [step.kernel for step in lower(graph, {}).steps if isinstance(step, Launch)]
    long = [loop for kernel in kernels for loop in loops_in(kernel.body) if loop.extent == 64]
    assert len(long) == 3 and all(loop.kind == "vector" for loop in long)
