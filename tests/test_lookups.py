"""What is done to each row taken from a table is done to the table, where its rows are taken many times."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.passes.running import improve
from chainrule.core.stage import Graph, stage
from chainrule.core.type import Type, typeof

RNG = np.random.default_rng(0)
TABLE, WEIGHT, BIAS = (RNG.normal(size=s) for s in ((5, 3), (7, 3), (7,)))
MANY, FEW = RNG.integers(0, 5, (4, 6)), RNG.integers(-5, 5, (2, 2))


def programs(f: Any, *args: Any) -> tuple[Graph, Graph]:
    """The program of `f` as it is, and improved."""
    graph = stage(lambda *symbols: f(*symbols), *(Type(*typeof(a)[:2]) for a in args))
    graph.output = graph.output if isinstance(graph.output, tuple) else (graph.output,)
    return graph, improve(graph, lambda line: True)[0]


def products(graph: Graph) -> list[tuple[int, ...]]:
    """The shapes of all factors and results of products."""
    return [typeof(a).shape for line in graph.lines if line.prim.name in ("linear", "matmul", "chain_matmul")
            for a in (*line.args, *line.targets) if a is not None]


def loss(table: Any, weight: Any, bias: Any, index: Any) -> Any:
    return cr.sum(cr.sin(cr.linear(cr.embedding(index, table), weight, bias)))


def without_bias(table: Any, weight: Any, index: Any) -> Any:
    return cr.sum(cr.sin(cr.linear(cr.embedding(index, table), weight)))


def by_matmul(table: Any, weight: Any, index: Any) -> Any:
    return cr.sum(cr.sin(table[index] @ weight.mT))


CASES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "value": (loss, (TABLE, WEIGHT, BIAS)), "gradients": (cr.grad(loss, (0, 1, 2)), (TABLE, WEIGHT, BIAS)),
    "no bias": (cr.grad(without_bias, (0, 1)), (TABLE, WEIGHT)), "matmul": (cr.grad(by_matmul, (0, 1)), (TABLE, WEIGHT)),
    "weight alone": (cr.grad(by_matmul, 1), (TABLE, WEIGHT)), "table alone": (cr.grad(by_matmul, 0), (TABLE, WEIGHT)),
    "second derivatives": (cr.grad(lambda t, w, i: cr.sum(cr.grad(by_matmul, 1)(t, w, i) ** 2), (0, 1)), (TABLE, WEIGHT)),
}


@pytest.mark.parametrize("index", [MANY, MANY.ravel(), -1 - MANY, FEW], ids=["many", "flat", "from the end", "few"])
@pytest.mark.parametrize("name", CASES)
def test_the_numbers_stay_the_same(name: str, index: np.ndarray) -> None:
    f, args = CASES[name]
    before, after = programs(f, *args, index)
    after.check()
    for a, b in zip(after(*args, index), before(*args, index), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["value", "gradients", "no bias", "matmul"])
def test_no_product_has_a_side_as_long_as_the_index(name: str) -> None:
    f, args = CASES[name]
    before, after = programs(f, *args, MANY)
    assert any(MANY.size in s or MANY.shape == s[:2] for s in products(before))
    assert not any(MANY.size in s or MANY.shape == s[:2] for s in products(after))


def test_few_rows_are_multiplied_as_they_are() -> None:
    before, after = programs(loss, TABLE, WEIGHT, BIAS, FEW)
    assert products(before) == products(after)
