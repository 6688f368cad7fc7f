"""A compiled loop over time is a real loop, and computes what the loop in Python does."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.lowering.lowering import knows, lower
from chainrule.compiler.passes.running import improve
from chainrule.compiler.plan import Launch, Plan, Repeat
from chainrule.core.stage import Graph, stage
from chainrule.core.tree import flatten
from chainrule.core.type import Type, typeof
from lowered import agrees, slowly
from test_scan import H0, TRANSFORMED, U, W, X, squared

pytest.importorskip("llvmlite")
from chainrule.compiler.native.driver import Program
from chainrule.compiler.native.scheduling import Distinct

LAYERS = {"RNN": cr.nn.RNN, "LSTM": cr.nn.LSTM, "GRU": cr.nn.GRU}


def staged(f: Any, *args: Any) -> Graph:
    """The program of `f`, improved, with a flat tuple of outputs."""
    graph = stage(lambda *symbols: tuple(flatten(f(*symbols))[0]), *(Type(*typeof(a)[:2]) for a in args))
    return improve(graph, knows)[0]


def planned(f: Any, *args: Any) -> Plan:
    return lower(staged(f, *args), {})


def checked(f: Any, *args: Any) -> None:
    """Compiled, `f` computes what it does otherwise."""
    for ours, theirs in zip(flatten(cr.compile(f)(*args))[0], flatten(f(*args))[0], strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-9, atol=1e-12)


def repeats(plan: Plan) -> list[Repeat]:
    return [step for step in plan.steps if isinstance(step, Repeat)]


def launches(steps: Any) -> list[Launch]:
    return [step for step in steps if isinstance(step, Launch)]


# ---------------------------------------------------------------------------------------- the same numbers
@pytest.mark.parametrize("name", TRANSFORMED)
def test_a_compiled_scan_computes_what_the_loop_in_python_does(name: str) -> None:
    checked(TRANSFORMED[name], W, U, X, H0)


def nested(w: Any, x: Any, h: Any) -> Any:
    def outer(c: Any, row: Any) -> Any:
        k, ys = cr.scan(lambda k, r: (cr.sin(k * r + cr.sum(w)), k * row[0, 0] + c), c, row[:, 0] * c, reverse=True)
        return k, cr.sum(ys)
    c, ys = cr.scan(outer, h[0, 0], x)
    return c * c + cr.sum(ys)


def nested_with_products(w: Any, x: Any, h: Any) -> Any:
    def outer(h: Any, row: Any) -> Any:
        k, ys = cr.scan(lambda k, _: (cr.tanh(k @ U + row @ w.mT), k), h, None, length=3)
        return k, ys
    h, ys = cr.scan(outer, h, x)
    return cr.sum(h) + cr.sum(ys * ys)


def exchanged(x: Any, h: Any) -> Any:
    (a, b), ys = cr.scan(lambda c, r: ((c[1], c[0] + r[:, :2]), c[0] * 2.0), (h, h * 2.0), x)
    return a, b, ys


def turned(x: Any, h: Any) -> Any:
    """The next state needs elements of the old one elsewhere than where it is written."""
    h, ys = cr.scan(lambda h, r: (cr.sin(h[::-1]) + cr.roll(h, 1, axis=1), cr.sum(h, axis=0, keepdims=True)), h, x)
    return h, ys


def tree(x: Any, h: Any) -> Any:
    def step(c: Any, row: Any) -> Any:
        a, b = c["a"], c["b"]
        return {"a": cr.tanh(a + row["first"][:, :2]), "b": (b[0] + 1, b[1] * 0.5)}, [a, {"b": b[0] * row["second"], "c": b[1]}]
    return cr.scan(step, {"a": h, "b": (0, 1.0)}, {"first": x, "second": cr.sum(x, axis=(1, 2))})


def counted(x: Any) -> Any:
    index = np.array([2, 0, 1])
    n, (rows, counts) = cr.scan(lambda n, i: (n + i, (x[i], n)), 0, index)
    return cr.asarray(n), rows, counts


OTHERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "nested": (nested, (W, X, H0)),
    "grad of nested": (cr.grad(nested, (0, 1, 2)), (W, X, H0)),
    "grad of grad of nested": (cr.grad(squared(cr.grad(nested, (0, 1, 2))), (0, 1, 2)), (W, X, H0)),
    "vmap of nested": (cr.vmap(nested, in_axes=(None, 1, None)), (W, X[:, None], H0)),
    "nested, with products": (nested_with_products, (W, X, H0)),
    "grad of nested, with products": (cr.grad(nested_with_products, (0, 1, 2)), (W, X, H0)),
    "exchanged carries": (exchanged, (X, H0)),
    "a carry read elsewhere": (turned, (X, H0)),
    "grad of a carry read elsewhere": (cr.grad(lambda x, h: cr.sum(cr.sin(turned(x, h)[0]))), (X, H0)),
    "trees and numbers": (tree, (X, H0)),
    "whole numbers": (counted, (X[:, 0],)),
    "one step": (lambda x, h: cr.scan(lambda h, r: (h * r[:, :2], h), h, x), (X[:1], H0)),
    "one step back": (lambda x, h: cr.scan(lambda h, r: (h * r[:, :2], h), h, x, reverse=True), (X[:1], H0)),
    "no steps": (lambda x, h: cr.scan(lambda h, r: (h * r[:, :2], h), h, x), (X[:0], H0)),
    "rows turned round": (lambda x, h: cr.scan(lambda h, r: (cr.sin(h + r[:, :2]), h), h, x[::-1, ::-1]), (X, H0)),
    "rows that repeat": (lambda x, h: cr.scan(lambda h, r: (cr.sin(h + r), h), h, cr.broadcast_to(h, (4, *h.shape))), (X, H0)),
    "a carry that stays": (lambda x, h: cr.scan(lambda c, r: ((c[0], c[1] + r[:, :2] * c[0]), c[0]), (h, h), x), (X, H0)),
    "a carry put together": (
        lambda x, h: cr.scan(lambda c, r: (cr.concat([c[:, 1:], r[:, :1]], axis=1), cr.stack([c[0], r[1, :2]])), h, x), (X, H0)),
    "rows looked up": (lambda x, i: cr.scan(lambda c, k: (c + x[k], cr.sum(c)), x[0], i), (X, np.array([0, 3, 1, 2, 2, 4]))),
    "truths": (lambda x: cr.scan(lambda c, r: (cr.logical_xor(c, r), c), np.zeros(H0.shape, bool), x), (X[:, :, :2] > 0,)),
    "nothing to compute with": (lambda x: cr.scan(lambda c, r: (c + 1.0, r), np.zeros((0, 3)), x), (np.zeros((4, 0)),)),
    "nothing changes": (lambda x, h: cr.scan(lambda c, r: (c, None), h, x)[0], (X, H0)),
    "what is captured or constant": (lambda x, h: cr.scan(lambda c, r: (h, (c, 1.0, x[0])), np.zeros(H0.shape), x), (X, H0)),
    "calls of NumPy": (lambda x, h: cr.scan(lambda h, r: (cr.cumulative_sum(h + r[:, :2], axis=0), cr.sort(h, axis=1)), h, x),
                       (X, H0)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_so_it_does_in_other_forms(name: str) -> None:
    f, args = OTHERS[name]
    checked(f, *args)
    agrees(staged(f, *args), list(args), slowly)


# ---------------------------------------------------------------------------------------- recurrent layers
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}], ids=["one", "many"])
def test_compiled_training_gives_the_weights_of_eager_training(layer: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(5, 5, 3)).astype(np.float32), rng.integers(0, 4, 25)

    def trained(compiled: bool) -> list[Any]:
        cr.random.seed(2)
        model = LAYERS[layer](3, 6, **options)
        head = cr.nn.Linear(6 * (2 if options else 1), 4)
        optimizer = cr.optim.Adam([*model.parameters(), *head.parameters()], lr=0.01, eps=1e-4)

        def step(x: Any, y: Any) -> Any:
            states, _ = model(x)
            loss = cr.nn.functional.cross_entropy(cr.reshape(head(states), (25, 4)), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss
        run = cr.compile(step) if compiled else step
        losses = [run(x, y).numpy() for _ in range(6)]
        return [*losses, *(p.numpy() for p in (*model.parameters(), *head.parameters()))]

    for ours, theirs in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5 * max(np.abs(theirs).max(), 0.1))


def lstm_gradient(size: int) -> Any:
    module = cr.nn.LSTM(size, size)

    def loss(x: Any, w: Any) -> Any:
        h = np.zeros((x.shape[1], size), np.float32)

        def step(c: Any, z: Any) -> Any:
            i, f, g, o = cr.split(z @ module.weight_ih_l0.mT + c[0] @ w, 4, axis=-1)
            c = cr.sigmoid(f) * c[1] + cr.sigmoid(i) * cr.tanh(g)
            return (cr.sigmoid(o) * cr.tanh(c), c), cr.sigmoid(o) * cr.tanh(c)
        return cr.sum(cr.scan(step, (h, h), x)[1] ** 2)
    return cr.grad(loss, (0, 1))


def test_one_thread_and_two_give_the_same_bits() -> None:
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(9, 33, 64)).astype(np.float32), rng.normal(size=(64, 256)).astype(np.float32)
    plan = lower(staged(lstm_gradient(64), x, w), {})
    one, two = (Program(plan, threads)([x, w]) for threads in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()


# ---------------------------------------------------------------------------------------- what is made of them
def test_what_is_compiled_does_not_depend_on_the_number_of_steps() -> None:
    def sizes(length: int) -> tuple[int, int]:
        x = np.zeros((length, 32, 64), np.float32)
        plan = planned(lstm_gradient(64), x, np.zeros((64, 256), np.float32))
        return len(Distinct(plan).kernels), len(plan.steps)
    assert sizes(20) == sizes(500)


def test_a_step_of_an_lstm_is_a_product_and_one_kernel() -> None:
    def states(x: Any, w: Any, h: Any) -> Any:
        def step(c: Any, z: Any) -> Any:
            i, f, g, o = cr.split(z + c[0] @ w, 4, axis=-1)
            c = cr.sigmoid(f) * c[1] + cr.sigmoid(i) * cr.tanh(g)
            return (cr.sigmoid(o) * cr.tanh(c), c), cr.sigmoid(o) * cr.tanh(c)
        return cr.scan(step, (h, h), x)[1]
    (repeat,) = repeats(planned(states, *(np.zeros(s, np.float32) for s in ((7, 32, 256), (64, 256), (32, 64)))))
    assert len(repeat.steps) == 2 and repeat.count == 7


def test_a_step_back_has_one_kernel_besides_the_products_for_inputs_and_states() -> None:
    plan = planned(lstm_gradient(64), *(np.zeros(s, np.float32) for s in ((7, 32, 64), (64, 256))))
    back = repeats(plan)[1]
    assert sorted(type(launch.kernel).__name__ for launch in launches(back.steps)) == ["Contraction", "Contraction", "Kernel"]


def test_a_carry_is_written_in_its_place_where_nothing_reads_the_old_one_later() -> None:
    big = np.zeros((200, 300))
    (repeat,) = repeats(planned(lambda h: cr.scan(lambda h, _: (cr.sin(h), None), h, None, length=4)[0], big))
    (launch,) = launches(repeat.steps)
    assert len({place.buffer for place in launch.places}) == 1
    (repeat,) = repeats(planned(lambda h: cr.scan(lambda h, _: (cr.sin(h[::-1]), None), h, None, length=4)[0], big))
    assert len(launches(repeat.steps)) == 2


def test_a_carry_that_is_kept_lies_in_its_rows() -> None:
    (repeat,) = repeats(planned(lambda h: cr.scan(lambda h, _: (cr.sin(h), h), h, None, length=4), np.zeros((200, 300))))
    (launch,) = launches(repeat.steps)
    read, written = launch.places
    assert read.buffer == written.buffer and written.offset - read.offset == 60000
    assert read.steps == written.steps == (("time1", 60000),)


def test_small_steps_are_a_loop_inside_of_one_kernel() -> None:
    plan = planned(lambda x: cr.scan(lambda c, r: (cr.tanh(c + r), c), x[0], x), np.zeros((50, 8)))
    assert not repeats(plan) and any("for t in 50" in text for text in [Program(plan).loops()])


def test_what_is_the_same_in_every_step_is_computed_before_the_loop() -> None:
    graph = staged(lambda k, h: cr.scan(lambda h, _: (h @ cr.layer_norm(k, (2,)), None), h, None, length=3)[0], U, H0)
    (line,) = [line for line in graph.lines if line.prim.name == "scan"]
    assert [inner.prim.name for inner in line.params["body"].lines] == ["matmul"]
