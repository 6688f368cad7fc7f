"""A scan computes what a loop in Python computes, under every transform, and staged it is a real loop, as is its gradient."""
from __future__ import annotations

from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stage import Graph, stage
from chainrule.core.type import Type, typeof
from chainrule.errors import ArgumentError, ShapeError, StagingError
from chainrule.ops import loop, loop_keeping
from chainrule.ops.loop_body import pruned
from chainrule.tensor import Tensor

RNG = np.random.default_rng(0)
T, B, F, H = 5, 3, 4, 2
W, U, X, H0 = (RNG.normal(size=s) for s in ((H, F), (H, H), (T, B, F), (B, H)))
State = namedtuple("State", "h scale count")


def rnn(w, u, xs, h, scan=cr.scan, **options):
    """A recurrent network with a tree of carries, rows of several kinds, and captured matrices."""
    def step(state, x):
        h = cr.tanh(x["x"] @ w.mT + state.h @ u.mT) * state.scale
        return State(h, state.scale * 0.9, state.count + 1), (cr.sum(h), {"rows": h[:, 0], "count": state.count})
    state, (sums, rest) = scan(step, State(h, 1.0, 0), {"x": xs}, **options)
    return cr.sum(state.h * state.h) + cr.sum(sums) + cr.sum(rest["rows"] * rest["count"][:, None])


def by_hand(f, carry, xs, reverse=False):
    """The loop that a scan stands for."""
    order = range(T)[::-1] if reverse else range(T)
    made = {}
    for t in order:
        carry, made[t] = f(carry, {"x": xs["x"][t]})
    rows = [made[t] for t in range(T)]
    return carry, (cr.stack([r[0] for r in rows]), {"rows": cr.stack([r[1]["rows"] for r in rows]),
                                                    "count": np.array([r[1]["count"] for r in rows])})


def agree(a, b):
    a, b = (v if isinstance(v, tuple) else (v,) for v in (a, b))
    assert len(a) == len(b)
    for x, y in zip(a, b):
        assert typeof(x)[:2] == typeof(y)[:2]
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-9, atol=1e-12)


def checked(f, *args) -> Graph:
    """The staged program of `f`, after checking that it and every body in it are well-formed, and that it computes the same."""
    graph = stage(lambda *symbols: f(*symbols), *(Type(*typeof(a)[:2]) for a in args))
    check_deeply(graph)
    agree(graph(*args), f(*args))
    return graph


def check_deeply(graph):
    graph.check()
    for line in loops(graph):
        check_deeply(line.params["body"])


def loops(graph):
    return [line for line in graph.lines if line.prim.name == "scan"]


def squared(f):
    return lambda *args: sum(cr.sum(g * g) for g in f(*args))


TRANSFORMED = {
    "as it is": rnn,
    "reverse": lambda *a: rnn(*a, reverse=True),
    "grad": cr.grad(rnn, (0, 1, 2, 3)),
    "grad in one argument": cr.grad(rnn, 1),
    "grad of reverse": cr.grad(lambda *a: rnn(*a, reverse=True), (0, 1, 2, 3)),
    "grad of grad": cr.grad(squared(cr.grad(rnn, (0, 1, 2, 3))), (0, 1, 2, 3)),
    "three times": cr.grad(squared(cr.grad(squared(cr.grad(rnn, (0, 1))), (0, 3))), (1, 2)),
    "jvp": lambda *a: cr.jvp(rnn, a, tuple(map(cr.sin, a)))[1],
    "jvp in one argument": lambda w, u, x, h: cr.jvp(lambda u: rnn(w, u, x, h), u, u * u)[1],
    "jvp of jvp": lambda w, u, x, h: cr.jvp(lambda u: cr.jvp(lambda w: rnn(w, u, x, h), w, w)[1], u, u * u)[1],
    "jvp of grad": lambda *a: cr.jvp(cr.grad(rnn), a, a)[1],
    "grad of jvp": cr.grad(lambda *a: cr.jvp(rnn, a, tuple(map(cr.sin, a)))[1], (0, 1, 2, 3)),
    "hessian": lambda w, u, x, h: cr.hessian(lambda u: rnn(w, u, x, h))(u),
    "jacobian forward": lambda w, u, x, h: cr.jacobian(lambda u: rnn(w, u, x, h), mode="forward")(u),
    "vmap over weights": lambda w, u, x, h: cr.vmap(rnn, in_axes=(0, None, None, None))(cr.stack([w, 2 * w]), u, x, h),
    "vmap over rows": lambda w, u, x, h: cr.vmap(rnn, in_axes=(None, None, 0, None))(w, u, cr.stack([x, 2 * x]), h),
    "vmap over states": lambda w, u, x, h: cr.vmap(rnn, in_axes=(None, None, None, 0))(w, u, x, cr.stack([h, 2 * h])),
    "vmap of grad": lambda w, u, x, h: cr.vmap(cr.grad(rnn, (0, 1)), in_axes=(None, None, 0, 0))(
        w, u, cr.stack([x, 2 * x]), cr.stack([h, h])),
    "grad of vmap": cr.grad(lambda w, u, x, h: cr.sum(cr.vmap(rnn, in_axes=(None, 0, None, None))(w, cr.stack([u, -u]), x, h)),
                            (0, 1, 2, 3)),
    "checkpoint": cr.grad(lambda *a: cr.checkpoint(rnn)(*a) * 2.0, (0, 1, 2, 3)),
    "stopped": cr.grad(lambda w, u, x, h: rnn(cr.stop_gradient(w), u, x, h), (0, 1)),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_a_staged_scan_computes_what_the_loop_in_python_does(name):
    checked(TRANSFORMED[name], W, U, X, H0)


@pytest.mark.parametrize("name", [n for n in TRANSFORMED if "vmap" not in n])
def test_so_it_does_where_little_is_kept(name, monkeypatch):
    monkeypatch.setattr(loop_keeping, "PLENTY", 0)
    checked(TRANSFORMED[name], W, U, X, H0)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_a_loop(reverse):
    for f in (lambda **o: rnn(W, U, X, H0, **o), lambda **o: cr.grad(rnn, (0, 1, 2, 3))(W, U, X, H0, **o)):
        agree(f(reverse=reverse), f(scan=by_hand, reverse=reverse))


# ---------------------------------------------------------------------------------------- tensors
def test_gradients_flow_to_captured_tensors():
    w, u = (cr.tensor(v, requires_grad=True) for v in (W, U))
    loss = rnn(w, u, X, H0)
    loss.backward()
    agree((w.grad, u.grad), cr.grad(rnn, (0, 1))(W, U, X, H0))
    assert type(loss) is Tensor and [node.operation for node in cr.explain(loss).nodes].count("tanh") == T


def test_a_staged_scan_on_captured_tensors_is_replayed_with_their_gradients():
    u = cr.tensor(U, requires_grad=True)
    graph = stage(lambda x, h: rnn(W, u, x, h), typeof(X), typeof(H0))
    graph(X, H0).backward()
    agree(u.grad, cr.grad(rnn, 1)(W, U, X, H0))


def test_without_gradients_nothing_is_recorded():
    u = cr.tensor(U, requires_grad=True)
    with cr.no_grad():
        assert not rnn(W, u, X, H0).requires_grad


def test_second_derivatives_through_tensors():
    u = cr.tensor(U, requires_grad=True)
    rnn(W, u, X, H0).backward(create_graph=True)
    agree(u.grad, cr.grad(rnn, 1)(W, U, X, H0))


# ---------------------------------------------------------------------------------------- the staged program
@pytest.mark.parametrize("steps", [1, 2, 50, 1000])
def test_the_program_does_not_grow_with_the_number_of_steps(steps):
    def lines(graph):
        return len(graph.lines) + sum(lines(line.params["body"]) for line in loops(graph))
    shapes = (W.shape, U.shape, (steps, B, F), H0.shape)
    gradient = stage(cr.grad(rnn, (0, 1, 2, 3)), *(Type(s, W.dtype) for s in shapes))
    assert lines(gradient) == lines(stage(cr.grad(rnn, (0, 1, 2, 3)), *(Type(a.shape, a.dtype) for a in (W, U, X, H0))))


def test_a_gradient_is_a_pair_of_loops():
    graph = checked(cr.grad(rnn, (0, 1)), W, U, X, H0)
    there, back = loops(graph)
    assert not there.params["reverse"] and back.params["reverse"]


def test_the_gradient_of_a_captured_matrix_is_one_product_after_the_loop():
    graph = checked(cr.grad(rnn, 1), W, U, X, H0)
    back = loops(graph)[1]
    products = [line for line in back.params["body"].lines if line.prim.name == "chain_matmul"]
    assert all(line.targets[0].type.shape != U.shape for line in products)
    assert [t.type.shape for t in back.targets].count(U.shape) == 0
    outside = [line for line in graph.lines if line.prim.name == "chain_matmul"]
    assert any(line.args[0].type.shape == (H, T * B) for line in outside)


@pytest.mark.parametrize("use", [
    lambda k, h, x: cr.einsum("bh,hj->bj", h, k), lambda k, h, x: h @ (k @ k), lambda k, h, x: h * cr.sum(k) + k[0],
    lambda k, h, x: h @ k[:, :2] + h @ cr.reshape(k, (4,))[:4].reshape((2, 2)), lambda k, h, x: -cr.linear(h, k, k[0]),
    lambda k, h, x: (h[0] @ k + h) * x[:, :2], lambda k, h, x: cr.tanh(h * k[1]) + (x @ x.mT) @ h @ k], ids=range(7))
def test_sums_over_the_steps_are_right_however_a_captured_value_is_used(use):
    def loss(k, x, h):
        h, ys = cr.scan(lambda h, x: (0.5 * cr.sin(use(k, h, x)), h), h, x)
        return cr.sum(h) + cr.sum(ys * ys)
    checked(cr.grad(loss, (0, 1, 2)), U, X, H0)
    checked(cr.grad(squared(cr.grad(loss, (0, 1, 2))), (0, 1, 2)), U, X, H0)


def test_stacks_of_matrices_are_summed_after_the_loop_too():
    def loss(k, h):
        return cr.sum(cr.scan(lambda h, _: (cr.sin(h @ k), None), h, None, length=3)[0])
    k, h = np.stack([U, -U]), np.stack([H0, H0])
    back = loops(checked(cr.grad(loss), k, h))[1]
    assert k.shape not in [t.type.shape for t in back.targets]


def test_what_was_not_kept_is_computed_again(monkeypatch):
    monkeypatch.setattr(loop, "scan", replace(loop.scan, keeping=None))
    graph = checked(cr.grad(rnn, (0, 1, 2, 3)), W, U, X, H0)
    assert [line.params["reverse"] for line in loops(graph)] == [False, False, True]


def test_pieces_that_cover_an_array_come_back_joined():
    def loss(u, h):
        def step(h, _):
            a, b = cr.split(h @ u, 2, axis=-1)
            return cr.concat([cr.sin(b), a * b], axis=-1), None
        return cr.sum(cr.scan(step, h, None, length=3)[0])
    back = loops(checked(cr.grad(loss), U, H0))[1]
    assert "concat" in {line.prim.name for line in back.params["body"].lines}


def test_what_is_the_same_in_every_step_is_computed_before_the_loop():
    graph = checked(lambda u, h: cr.scan(lambda h, _: (h @ (u @ u + 1.0), None), h, None, length=3)[0], U, H0)
    assert [line.prim.name for line in loops(graph)[0].params["body"].lines] == ["matmul"]


def test_less_is_kept_where_memory_is_dear(monkeypatch):
    def kept():
        module = cr.nn.LSTM(F, H, dtype="float64")
        return len(loops(stage(lambda x: cr.grad(lambda x: cr.sum(module(x)[0]))(x), typeof(X)))[0].targets)
    plenty = kept()
    monkeypatch.setattr(loop_keeping, "PLENTY", 0)
    assert kept() < plenty


def test_scans_in_scans():
    def nested(w, x, h):
        def outer(c, row):
            k, ys = cr.scan(lambda k, r: (cr.sin(k * r + cr.sum(w)), k * row[0, 0] + c), c, row[:, 0] * c, reverse=True)
            return k, cr.sum(ys)
        c, ys = cr.scan(outer, h[0, 0], x)
        return c * c + cr.sum(ys)
    checked(nested, W, X, H0)
    checked(cr.grad(nested, (0, 1, 2)), W, X, H0)
    checked(cr.grad(squared(cr.grad(nested, (0, 1, 2))), (0, 1, 2)), W, X, H0)
    checked(cr.vmap(nested, in_axes=(None, 1, None)), W, X[:, None], H0)


def test_derivatives_inside_the_body():
    def descent(u, h):
        return cr.sum(cr.scan(lambda h, _: (h - 0.1 * cr.grad(lambda h: cr.sum(cr.sin(h @ u)))(h), None), h, None, length=3)[0])
    checked(cr.grad(descent, (0, 1)), U, H0)


@pytest.mark.parametrize("wanted", [{0}, {3}, {1, 4}, {2}, set()], ids=str)
def test_a_pruned_line_computes_the_same(wanted):
    def several(u, h, x):
        def step(c, row):
            a, b, n = c
            return (cr.sin(a @ u), a + b, n + 1), (cr.sum(a), cr.exp(b) * row[0, 0])
        c, ys = cr.scan(step, (h, h, 0), x)
        return (*c, *ys)
    graph = stage(several, *map(typeof, (U, H0, X)))
    (line,) = loops(graph)
    used = {t for i, t in enumerate(line.targets) if i in wanted}
    small = pruned(line, used)
    result = tuple(t for t in line.targets if t in used)
    rewritten = Graph(graph.inputs, [small if other is line else other for other in graph.lines], result)
    check_deeply(rewritten)
    agree(rewritten(U, H0, X), tuple(np.asarray(v) for i, v in enumerate(several(U, H0, X)) if i in wanted))
    assert pruned(line, set(line.targets)) is line


def test_pruning_goes_into_loops_inside_loops():
    def nested(h, x):
        def outer(c, row):
            k, ys = cr.scan(lambda k, r: (k * r, cr.exp(k)), c, row[:, 0])
            return k, cr.sum(ys)
        return cr.scan(outer, h[0, 0], x)
    (line,) = loops(stage(lambda h, x: nested(h, x), typeof(H0), typeof(X)))
    inner = loops(pruned(line, {line.targets[0]}).params["body"])[0]
    assert len(inner.targets) == 1 and [inner.prim.name for inner in inner.params["body"].lines] == ["multiply"]


# ---------------------------------------------------------------------------------------- lengths, numbers, rows
def staged_or_not(f, *args):
    """What `f` computes, and what its staged program does."""
    yield f(*args)
    yield stage(f, *(Type(*typeof(a)[:2]) for a in args))(*args)


def test_no_steps_give_no_rows():
    for h, ys in staged_or_not(lambda x, h: cr.scan(lambda h, x: (h + x[:, :2], cr.sum(h, axis=0)), h, x), X[:0], H0):
        agree((h, ys), (H0, np.zeros((0, H))))
    assert cr.scan(lambda c, x: (c, {"a": x, "b": c}), 1.0, np.zeros((0, 3)))[1]["a"].shape == (0, 3)


def test_one_step():
    for out in staged_or_not(cr.grad(lambda x: cr.scan(lambda c, x: (c * x, None), 2.0, x)[0]), np.array([3.0])):
        agree(out, np.array([2.0]))


def test_a_python_number_takes_the_dtype_of_what_it_meets():
    x = np.ones((4, 3), np.float32)
    for total, ys in staged_or_not(lambda x: cr.scan(lambda c, x: (c + cr.sum(x), x * 0.5), 0.0, x), x):
        assert total == 12.0 and total.dtype == ys.dtype == np.float32
    for rows in staged_or_not(lambda x: cr.scan(lambda t, x: (t + 1, x * t), 0, x)[1], x):
        agree(rows, x * np.arange(4, dtype=np.float32)[:, None])


def test_without_rows_the_length_is_given():
    for h, ys in staged_or_not(lambda h: cr.scan(lambda h, x: (h * 2.0, h[0]), h, None, length=3), H0):
        agree((h, ys), (H0 * 8.0, np.stack([H0[0], 2 * H0[0], 4 * H0[0]])))


def test_carries_and_rows_may_be_captured_or_constant():
    def f(u, h, x):
        return cr.scan(lambda c, r: (u, (c, 1.0, h)), cr.zeros(U.shape, dtype="float64").data, x)
    for c, (a, b, d) in staged_or_not(f, U, H0, X):
        agree((c, b, d), (U, np.ones(T), np.stack([H0] * T)))
        assert (np.asarray(a)[1:] == U).all()


def test_integers_are_carried_and_read():
    index = np.array([2, 0, 1])
    def f(x):
        return cr.scan(lambda n, i: (n + i, (x[i], n)), 0, index)
    for n, (rows, counts) in staged_or_not(f, X[:, 0]):
        agree((rows, counts), (X[index, 0], np.array([0, 2, 2])))
        assert n == 3
    checked(cr.grad(lambda x: cr.sum(f(x)[1][0] ** 2)), X[:, 0])


# ---------------------------------------------------------------------------------------- errors
ERRORS = {
    "lengths": (lambda: cr.scan(lambda c, x: (c, None), 0.0, {"a": np.ones(3), "b": np.ones(4)}),
                ShapeError, "lengths differ: xs at 'a' has 3, xs at 'b' has 4"),
    "length and rows": (lambda: cr.scan(lambda c, x: (c, None), 0.0, np.ones(3), length=2), ShapeError, "length has 2, xs has 3"),
    "no length": (lambda: cr.scan(lambda c, x: (c, None), 0.0, None), ArgumentError, "Give length"),
    "negative length": (lambda: cr.scan(lambda c, x: (c, None), 0.0, None, length=-1), ArgumentError, "from 0 up"),
    "a number": (lambda: cr.scan(lambda c, x: (c, None), 0.0, 3.0), ShapeError, "no axis of time"),
    "no pair": (lambda: cr.scan(lambda c, x: c, 0.0, np.ones(3)), ArgumentError, r"returns \(carry, y\)"),
    "containers": (lambda: cr.scan(lambda c, x: ((c, c), None), 0.0, np.ones(3)), ArgumentError, "carry after step 0"),
    "rows change": (lambda: cr.scan(lambda c, x: (c + 1, x if c else None), 0, np.ones(3)), ArgumentError, "row of step 1"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_is_wrong(name):
    call, kind, words = ERRORS[name]
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize("turn", [lambda f, x: f(x), lambda f, x: stage(f, typeof(x))])
@pytest.mark.parametrize("after, words", [
    (lambda c: c[:1], r"the carry at 'h' begins as float32\[2\], and is float32\[1\] after step 0"),
    (lambda c: c.astype("float64"), r"at 'h' begins as float32\[2\], and is float64\[2\] after step 0")])
def test_a_carry_that_changes_its_type_is_named(turn, after, words):
    x = np.ones((3, 2), np.float32)
    with pytest.raises(ShapeError, match=words):
        turn(lambda x: cr.scan(lambda c, r: ({"h": after(c["h"])}, None), {"h": x[0]}, x)[0]["h"], x)


def test_random_numbers_inside_a_staged_body_are_refused():
    def noisy(x):
        return cr.scan(lambda c, r: (c + cr.dropout(r), None), x[0], x)[0]
    assert noisy(X).shape == X.shape[1:]
    with pytest.raises(StagingError, match="Draw the numbers of all steps before"):
        stage(noisy, typeof(X))


def test_a_body_that_branches_on_a_value_says_so():
    with pytest.raises(StagingError, match="has none yet"):
        stage(lambda x: cr.scan(lambda c, r: (c + 1.0 if r > 0 else c, None), 0.0, x)[0], Type((3,), X.dtype))
