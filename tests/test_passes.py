"""Passes keep the results of a graph, and make it smaller in the ways their tables say."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.passes.lifetimes import Lifetimes
from chainrule.compiler.passes.recomputation import lightened, measure, recompute, twice
from chainrule.compiler.passes.running import TABLES, improve
from chainrule.core.stage import Graph, Symbol, stage
from chainrule.core.type import Type, typeof
from chainrule.errors import ArgumentError
from closeness import mismatch, replay
from random_graphs import random_program

F32, F64, I32, BOOL = (np.dtype(name) for name in ("float32", "float64", "int32", "bool"))
M = Type((3, 4), F32)
V = Type((4,), F32)
S = Type((), F32)
W = Type((), F64, weak=True)
Q = Type((3, 4), BOOL)
N = Type((3, 4), I32)
ZEROS, ONES = np.zeros((3, 4), F32), np.ones((3, 4), F32)


def improved(f: Callable[..., Any], *types: Type, without: frozenset[str] = frozenset(), known: bool = True) -> Graph:
    """The graph of `f` after all passes; each pass leaves a graph that checks, and the results as they were."""
    def flat(*args: Any) -> tuple[Any, ...]:
        out = f(*args)
        return out if isinstance(out, tuple) else (out,)
    graph = stage(flat, *types)
    better, after = improve(graph, lambda line: known, without=without)
    rng = np.random.default_rng(0)
    inputs = [float(rng.normal()) if t.weak else rng.normal(size=t.shape).astype(t.dtype) for t in types]
    expected = replay(graph, inputs)
    for name, step in after:
        step.check()
        assert [typeof(o) for o in step.output] == [typeof(o) for o in graph.output], name
        assert mismatch(graph, inputs, expected, replay(step, inputs)) is None, name
    return better


def operations(graph: Graph) -> list[str]:
    return [line.prim.name for line in graph.lines]


# ---------------------------------------------------------------------------------------- the tables
SIMPLER: dict[str, tuple[Callable[..., Any], tuple[Type, ...], str]] = {
    "x + -0.0 is x": (lambda x: x + -0.0, (M,), ""),
    "x + 0.0 is not x, where x is -0.0": (lambda x: x + 0.0, (M,), "add"),
    "x + 0 is x for whole numbers": (lambda x: x + 0, (N,), ""),
    "x - 0.0 is x": (lambda x: x - 0.0, (M,), ""),
    "x * 1 is x": (lambda x: 1 * x * ONES, (M,), ""),
    "x / 1 is x": (lambda x: x / 1, (M,), ""),
    "x * -1 is -x": (lambda x: x * -1, (M,), "negative"),
    "a number comes after a product": (lambda x: (x * 0.25) @ ZEROS.mT, (M,), "matmul multiply"),
    "a number comes after a product, transposed": (lambda x, y: y @ (x * 0.25).mT, (M, M), "permute_dims matmul multiply"),
    "a number that may overflow stays": (lambda x, y: (x * 1e-20) @ y.mT, (M, M), "multiply permute_dims matmul"),
    "a number stays with a factor that is small": (lambda x, y: (x[:, :1] * 0.25) @ y[:1], (M, Type((3, 20), F32)),
                                           "part multiply part matmul"),
    "0 * x stays, where x may be infinite": (lambda x: 0 * x, (M,), "multiply"),
    "a sum with zeros that broadcast is a repetition": (lambda x: x * ONES, (V,), "broadcast_to"),
    "x / 4 is x * 0.25": (lambda x: x / 4.0, (M,), "multiply"),
    "x / 3 stays": (lambda x: x / 3.0, (M,), "divide"),
    "- - x is x": (lambda x: cr.negative(-x), (M,), ""),
    "x + -y is x - y": (lambda x, y: x + -y, (M, V), "subtract"),
    "-x + y is y - x": (lambda x, y: -x + y, (M, V), "subtract"),
    "x - -y is x + y": (lambda x, y: x - -y, (M, V), "add"),
    "-x * -y is x * y": (lambda x, y: -x * -y, (M, V), "multiply"),
    "-x * 3 is x * -3": (lambda x: -x * 3.0, (M,), "multiply"),
    "the square of -x is that of x": (lambda x: cr.square(-x), (M,), "square"),
    "x ** 2 is a square": (lambda x: x ** 2, (M,), "square"),
    "x ** 3 is two products": (lambda x: x ** 3, (M,), "square multiply"),
    "x ** -1 is a reciprocal": (lambda x: x ** -1, (M,), "reciprocal"),
    "x ** 0.5 is a root": (lambda x: x ** 0.5, (M,), "sqrt"),
    "x ** 2.5 stays": (lambda x: x ** 2.5, (M,), "pow"),
    "a stopped gradient is a value": (lambda x: cr.stop_gradient(x), (M,), ""),
    "chain with 1 is the gradient": (lambda g: cr.ops.chain(g, ONES), (M,), ""),
    "chain with 0 is 0": (lambda g: cr.ops.chain(cr.exp(g), 0.0), (M,), "broadcast_to"),
    "chain with a number is a product": (lambda g: cr.ops.chain(g, 3.0), (M,), "multiply"),
    "chain with a condition is a choice": (lambda g, q: cr.ops.chain(g, q), (M, Q), "where"),
    "chain with an indicator is a choice": (lambda g, q: cr.ops.chain(cr.astype(q, F32), g), (M, Q), "where"),
    "chain of values stays": (lambda g, s: cr.ops.chain(g, s), (M, V), "chain"),
    "a choice between equals": (lambda q, x: cr.where(q, x, x), (Q, M), ""),
    "a choice that is known": (lambda x, y: cr.where(True, x, y), (M, M), ""),
    "a choice in a choice": (lambda q, x, y: cr.where(q, cr.where(q, x, y), y), (Q, M, M), "where"),
    "a choice by the opposite": (lambda q, x, y: cr.where(cr.logical_not(q), x, y), (Q, M, M), "where"),
    "a cast to the same dtype": (lambda x: cr.astype(x, F32), (M,), ""),
    "a cast there and back": (lambda x: cr.astype(cr.astype(x, F64), F32), (M,), ""),
    "a cast that loses digits stays": (lambda x: cr.astype(cr.astype(x, F32), F64), (Type((3,), F64),), "cast cast"),
    "a product of opposites": (lambda x, y: (-x) @ y, (M, V), "matmul negative"),
    "an axis of one factor alone": (lambda x, y: cr.einsum("ij,k->ik", x, y), (M, V), "sum einsum"),
    "an axis of a narrow factor alone is summed in the result's dtype": (
        lambda x, y: cr.einsum("ij,k->ik", x, y), (M, Type((4,), F64)), "cast sum einsum"),
    "rows of a product": (lambda x, y: cr.sum(x @ y.mT, axis=0), (M, M), "permute_dims sum matmul reshape"),
    "columns of a product": (lambda x, y: cr.sum(x @ y.mT, axis=1, keepdims=True), (M, M), "permute_dims sum matmul"),
    "rows and columns of a product": (lambda x, y: cr.sum(x @ y.mT), (M, M), "permute_dims sum sum matmul reshape"),
    "a stack of one factor alone": (lambda x, y: cr.sum(x @ y, axis=0), (Type((2, 3, 4), F32), Type((4, 2), F32)),
                                    "sum matmul reshape"),
    "a stack of both factors": (lambda x, y: cr.sum(x @ y, axis=0), (Type((2, 3, 4), F32), Type((2, 4, 2), F32)), "matmul sum"),
    "axes of both factors": (lambda x, y: cr.einsum("ij,j->i", x, y), (M, V), "einsum"),
    "reshape twice": (lambda x: cr.reshape(cr.reshape(x, (2, 6)), (4, 3)), (M,), "reshape"),
    "reshape there and back": (lambda x: cr.reshape(cr.reshape(x, (2, 6)), (3, 4)), (M,), ""),
    "transpose twice": (lambda x: x.mT.mT, (M,), ""),
    "transpose a row": (lambda x: x.mT, (Type((1, 4), F32),), "reshape"),
    "repeat twice": (lambda x: cr.broadcast_to(cr.broadcast_to(x, (3, 4)), (2, 3, 4)), (V,), "broadcast_to"),
    "a part of everything": (lambda x: x[:, 0:4], (M,), ""),
    "a part of what was embedded": (lambda x: cr.ops.part(cr.ops.embed(x, (8,), (slice(2, 6),)), (slice(2, 6),)), (V,), ""),
    "neighbours embedded and added are joined": (
        lambda x, y: cr.ops.embed(x, (8,), (slice(0, 4),)) + cr.ops.embed(y, (8,), (slice(4, 8),)), (V, V), "concat"),
    "a part of what was joined": (lambda x, y: cr.concat([x, y])[4:8], (V, V), ""),
    "joined twice": (lambda x, y: cr.concat([cr.concat([x, y]), y]), (V, V), "concat"),
    "elements of what is repeated": (lambda x: cr.exp(cr.broadcast_to(x, (3, 4))), (V,), "exp broadcast_to"),
    "what is repeated beside an array": (lambda x, y: cr.broadcast_to(x, (3, 4)) * y, (V, M), "multiply"),
    "a sum of one": (lambda x: cr.sum(x, axis=0), (Type((1, 4), F32),), "reshape"),
    "a sum over no axes": (lambda x: cr.sum(x, axis=()), (M,), ""),
    "a sum of what is repeated": (lambda x: cr.sum(cr.broadcast_to(x, (3, 4)), axis=0), (V,), "multiply"),
    "a mean of what is repeated": (lambda x: cr.mean(cr.broadcast_to(x, (3, 4)), axis=0), (V,), ""),
    "a maximum of what is repeated": (lambda x: cr.max(cr.broadcast_to(x, (3, 4))), (V,), "max"),
    "a sum of sums": (lambda x: cr.sum(cr.sum(x, axis=0)), (M,), "sum"),
    "a sum of opposites": (lambda x: cr.sum(-x), (M,), "sum negative"),
    "a constant": (lambda x: x + cr.exp(ONES), (V,), "add broadcast_to"),
    "a constant of a constant": (lambda x: x * cr.sum(cr.cos(ZEROS)), (V,), "multiply"),
    "a constant is not made large": (lambda x: x[0] + cr.ops.embed(np.arange(3.0), (40000,), (slice(0, 3),)), (V,),
                                     "part embed add"),
}


@pytest.mark.parametrize("case", SIMPLER)
def test_a_row_of_the_tables_is_used(case):
    f, types, expected = SIMPLER[case]
    assert operations(improved(f, *types)) == expected.split()


@pytest.mark.parametrize("case", SIMPLER)
def test_without_the_tables_everything_stays_right(case):
    f, types, _ = SIMPLER[case]
    for name in [*TABLES, "simplify", "share", "dead"]:
        improved(f, *types, without=frozenset({name}))


@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30])
@pytest.mark.parametrize("case", [case for case, (_, types, _) in SIMPLER.items() if {t.dtype for t in types} == {F32}])
def test_a_row_of_the_tables_holds_for_strange_numbers(case, x):
    f, types, _ = SIMPLER[case]
    graph = stage(lambda *args: (f(*args),), *types)
    better, _ = improve(graph, lambda line: True)
    inputs = [np.full(t.shape, x, t.dtype) for t in types]
    (a,), (b,) = replay(graph, inputs), replay(better, inputs)
    np.testing.assert_allclose(b, a, rtol=1e-6)


# ---------------------------------------------------------------------------------------- passes
def test_equal_lines_are_shared_and_dead_ones_dropped():
    def f(x):
        cr.cos(x)
        return cr.exp(x) + cr.exp(x) * cr.sum(x, axis=0) - cr.sum(x, axis=(0,))
    assert sorted(operations(improved(f, M))) == ["add", "exp", "multiply", "subtract", "sum"]


def test_options_that_only_look_equal_are_not_shared():
    def f(x):
        return (cr.sum(x, axis=0), cr.sum(x, axis=1), x[0:1], x[1:2], x[::-1], cr.astype(x, F64), x * 1.5, x * np.float32(1.5),
                x * 0.0, x * -0.0, x + True, x * 2)
    assert len(improved(f, M, without=frozenset({"simplify"})).lines) == 12
    whole = improved(lambda x: (x * 2, x * 2.0), N)
    assert [typeof(o).dtype for o in whole.output] == [I32, F64]


def test_arrays_are_shared_by_their_contents():
    a, b = np.arange(4.0), np.arange(4.0)
    assert operations(improved(lambda x: (x * a) + (x * b), Type((4,), F64))) == ["multiply", "add"]


def test_gates_that_cannot_be_lowered_are_opened_and_keep_their_source():
    graph = improved(lambda x: cr.softmax(cr.gelu(x)), M, known=False)
    assert {"max", "exp", "sum", "divide"} <= set(operations(graph))
    assert all(line.prim.body is None for line in graph.lines)
    assert all("test_passes.py" in line.source for line in graph.lines)


def test_a_weak_number_stays_weak():
    graph = improved(lambda x, w: (x * w, cr.sum(cr.broadcast_to(w, (3, 4)) * x)), M, W)
    assert typeof(graph.output[0]).dtype == F32
    assert typeof(graph.output[1]).dtype == F64


def test_a_weak_result_stays_weak():
    w, y, x = Symbol(None, W, "w"), Symbol(None, W, "y"), Symbol(None, M, "x")
    z = Symbol(None, M, "z")
    graph = Graph([w, x], [], (z,))
    staged = stage(lambda w, x: (cr.negative(-w), x * w), Type((), F64), M)
    negatives, product = staged.lines[:2], staged.lines[2]
    u = Symbol(None, W, "u")
    graph.lines = [negatives[0]._replace(targets=(u,), args=(w,)), negatives[1]._replace(targets=(y,), args=(u,)),
                   product._replace(targets=(z,), args=(x, y))]
    better, _ = improve(graph, lambda line: True)
    assert operations(better) == ["multiply"]
    assert better.lines[0].args == (x, w)


def test_a_gradient_has_no_ones_and_no_zeros_left():
    def loss(w, x):
        return cr.mean(cr.relu(x @ w) ** 2)
    names = operations(improved(cr.grad(loss), Type((4, 5), F32), M))
    assert "broadcast_to" not in names and names.count("chain") == 0


def test_the_pieces_of_a_split_array_are_joined_on_the_way_back():
    def loss(x):
        a, b, c = cr.split(x, 3)
        return cr.sum(cr.sin(a) * cr.cos(b) * cr.exp(c))
    names = operations(improved(cr.grad(loss), Type((6, 4), F32)))
    assert "embed" not in names and names.count("concat") == 1


def test_a_thousand_pieces_are_joined_in_one():
    def loss(x):
        total = 0.0
        for i in range(40):
            total = total + cr.sum(cr.sin(x[i]))
        return total
    graph = improved(cr.grad(loss), Type((40, 2), F32))
    assert operations(graph).count("concat") == 1 and "embed" not in operations(graph)


@pytest.mark.parametrize("seed", range(60))
def test_every_pass_keeps_the_results_of_random_programs(seed):
    program = random_program(seed)
    graph, inputs = program.graph(), program.inputs()
    expected = replay(graph, inputs)
    better, after = improve(graph, lambda line: line.prim.name in ("softmax", "relu", "linear"))
    for name, step in after:
        step.check()
        assert [typeof(o) for o in step.output] == [typeof(o) for o in graph.output], name
    assert len(better.lines) <= len(after[0][1].lines)
    again, _ = improve(better, lambda line: line.prim.name in ("softmax", "relu", "linear"))
    assert len(again.lines) == len(better.lines), "one walk reaches the point where no row fits"
    if all(line.prim.body is None or line.prim.name in ("softmax", "relu", "linear") for line in graph.lines):
        assert mismatch(graph, inputs, expected, replay(better, inputs)) is None


# ---------------------------------------------------------------------------------------- memory
LAYERS = 12


def deep_loss(x, *weights):
    for w in weights:
        x = cr.tanh(cr.exp(cr.sin(x @ w) * 0.5) - 1.0)
    return cr.mean(x ** 2)


def deep_gradient() -> Graph:
    types = [Type((256, 16), F64), *[Type((16, 16), F64)] * LAYERS]
    graph = stage(lambda x, *ws: tuple(cr.grad(lambda ws: deep_loss(x, *ws))(list(ws))), *types)
    return improve(graph, lambda line: True)[0]


def deep_inputs() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(256, 16)), *(rng.normal(size=(16, 16)) * 0.3 for _ in range(LAYERS))]


@pytest.mark.parametrize("share", [0.7, 0.5, 0.3])
def test_recomputation_stays_within_the_budget_and_changes_nothing(share):
    graph, inputs = deep_gradient(), deep_inputs()
    budget = int(measure(graph).peak * share)
    smaller, memory = recompute(graph, budget)
    smaller.check()
    assert memory.peak <= budget == memory.budget and measure(smaller).peak == memory.peak
    assert memory.recomputed and len(smaller.lines) > len(graph.lines)
    for a, b in zip(replay(graph, inputs), replay(smaller, inputs)):
        np.testing.assert_array_equal(a, b)


def test_what_is_cheap_is_computed_again_first():
    graph = deep_gradient()
    _, memory = recompute(graph, int(measure(graph).peak * 0.8))
    assert not {"matmul", "chain_matmul"} & {again.operation for again in memory.recomputed}
    dearer = recompute(graph, int(measure(graph).peak * 0.3))[1]
    assert sum(each.cost for each in dearer.recomputed) > sum(each.cost for each in memory.recomputed)


def test_a_large_enough_budget_changes_nothing():
    graph = deep_gradient()
    same, memory = recompute(graph, measure(graph).peak)
    assert same is graph and not memory.recomputed


def test_a_budget_that_cannot_be_met_names_one_that_can():
    graph = deep_gradient()
    with pytest.raises(ArgumentError, match="Give a budget of") as error:
        recompute(graph, 1000)
    least = int(str(error.value).split("Give a budget of ")[1].split()[0])
    assert recompute(graph, least)[1].peak <= least


def test_the_account_of_memory_can_be_read():
    graph = deep_gradient()
    text = str(recompute(graph, int(measure(graph).peak * 0.5))[1])
    assert "of a budget of" in text and "computed again" in text and "test_passes.py" in text and "kB" in text
    assert "nothing is kept" in str(measure(Graph([], [], ())))


def test_what_is_used_right_away_by_a_streaming_operation_takes_no_memory():
    graph = improved(lambda x: cr.sum(cr.exp(x) * 2.0), M)
    assert measure(graph).peak == 0
    kept = improved(lambda x: cr.exp(x) @ cr.cos(x).mT, M)
    assert measure(kept).peak == 2 * 12 * 4


@pytest.mark.parametrize(("after", "asked"), [(lambda y, w: y @ w, "relu"), (lambda y, w: y.sum(axis=1) ** 2, "matmul")],
                         ids=["a product keeps it", "nobody keeps it"])
def test_where_a_rectified_value_is_kept_it_says_what_was_positive(after, asked):
    types = Type((8, 8), F32), Type((256, 8), F32)
    graph = improved(cr.grad(lambda x, w: after(cr.relu(x @ w.mT), w).sum(), argnums=(0, 1)), *types)
    (value,) = [line.args[0] for line in graph.lines if line.prim.name == "greater"]
    assert [line.prim.name for line in graph.lines if line.targets[0] is value] == [asked]


def scaled(x, scale, *weights):
    for w in weights:
        x = cr.tanh((cr.tanh(x) * scale + 1.0) @ w)
    return (x * x).sum()


def test_what_costs_next_to_nothing_beside_a_product_is_computed_again_without_a_budget():
    def gradient(*args):
        return cr.grad(scaled, argnums=tuple(range(1, len(args))))(*args)
    types = [Type((64, 200), F64), Type((200,), F64), *[Type((200, 200), F64)] * 3]
    graph = improved(gradient, *types)
    lighter = lightened(graph)
    lighter.check()
    assert {again.operation for again in twice(lighter, graph)} == {"multiply", "add"}
    assert measure(lighter).peak < measure(graph).peak
    inputs = [np.random.default_rng(0).normal(size=t.shape) for t in types]
    for a, b in zip(replay(graph, inputs), replay(lighter, inputs)):
        np.testing.assert_array_equal(a, b)
    small = improved(gradient, *[Type(tuple(min(n, 32) for n in t.shape), F64) for t in types])
    assert lightened(small) is small  # the products are no longer much more work


def test_a_view_keeps_what_it_looks_at():
    graph = improved(lambda x: cr.max(cr.reshape(cr.exp(x), (4, 3)) @ x), M)
    lifetimes = Lifetimes(graph)
    made = graph.lines[0].targets[0]
    assert lifetimes.of[made].last == [line.prim.name for line in graph.lines].index("matmul")


# ---------------------------------------------------------------------------------------- loops
def looping(x, w):
    def step(carry, row):
        new = cr.tanh(carry * 1 + row @ w) - np.zeros(4, F32)
        return new, cr.softmax(cr.negative(-new))
    return cr.scan(step, np.zeros(4, F32), x)


def test_the_body_of_a_loop_is_improved():
    graph = improved(lambda x, w: looping(x, w), Type((5, 3), F32), Type((3, 4), F32))
    (body,) = [line.params["body"] for line in graph.lines if line.prim.name == "scan"]
    assert operations(body) == ["add", "tanh", "softmax"] or operations(body) == ["matmul", "add", "tanh", "softmax"]


def test_a_loop_keeps_nothing_for_nobody():
    graph = improved(lambda x, w: looping(x, w)[0], Type((5, 3), F32), Type((3, 4), F32))
    (body,) = [line.params["body"] for line in graph.lines if line.prim.name == "scan"]
    assert "softmax" not in operations(body)


def test_the_gradient_of_a_loop_stays_right():
    def loss(w, x):
        carry, rows = looping(x, w)
        return cr.sum(carry ** 2) + cr.sum(cr.sin(rows))
    for known in (True, False):
        improved(cr.grad(loss), Type((3, 4), F32), Type((5, 3), F32), known=known)


def test_the_budget_holds_for_what_a_program_weighs_really():
    graph = deep_gradient()

    def weigh(graph: Graph) -> int:
        return int(1.3 * measure(graph).peak) + 1000
    budget = int(measure(graph).peak * 0.8)
    smaller, memory = recompute(graph, budget, weigh)
    assert weigh(smaller) <= budget
    assert memory.peak < budget
    with pytest.raises(ArgumentError, match="at least"):
        recompute(graph, 5000, weigh)
