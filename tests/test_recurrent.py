"""Recurrent layers do what their formulas say, step by step, and one step of a layer is what its cell does."""
from __future__ import annotations

import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.core.stage import stage
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError, ShapeError

T, B, F, H = 6, 3, 4, 5
X = np.random.default_rng(0).normal(size=(T, B, F))
KINDS = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def layer(kind, **options):
    return getattr(nn, kind)(F, H, dtype="float64", generator=np.random.default_rng(1), **options)


def array(x):
    return np.asarray(x.detach() if hasattr(x, "detach") else x)


def close(a, b):
    np.testing.assert_allclose(array(a), array(b), rtol=1e-10, atol=1e-14)


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def numbers(module):
    return {k: np.array(v) for k, v in module.state_dict().items()}


def loss(module, weights, x):
    y, state = nn.functional_call(module, weights, x)
    return cr.sum(cr.sin(y)) + sum(cr.sum(part * part) for part in parts(state))


# ---------------------------------------------------------------------------------------- formulas
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def formula(kind, x, h, c, w):
    """One step, as the papers write it."""
    zx, zh = x @ w["weight_ih_l0"].T + w["bias_ih_l0"], h @ w["weight_hh_l0"].T + w["bias_hh_l0"]
    if kind == "RNN":
        return np.tanh(zx + zh), c
    if kind == "LSTM":
        i, f, g, o = np.split(zx + zh, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (r, u, n), (hr, hu, hn) = np.split(zx, 3, axis=-1), np.split(zh, 3, axis=-1)
    u = sigmoid(u + hu)
    return (1 - u) * np.tanh(n + sigmoid(r + hr) * hn) + u * h, c


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_computes_its_formula_step_by_step(kind):
    module = layer(kind)
    y, state = module(X)
    h = c = np.zeros((B, H))
    for t in range(T):
        h, c = formula(kind, X[t], h, c, numbers(module))
        close(y[t], h)
    for part, expected in zip(parts(state), (h, c)):
        close(part[0], expected)


def test_an_rnn_may_rectify():
    module = layer("RNN", nonlinearity="relu")
    w = numbers(module)
    h = np.maximum(X[0] @ w["weight_ih_l0"].T + w["bias_ih_l0"] + w["bias_hh_l0"], 0)
    close(module(X[:1])[0][0], h)
    assert "nonlinearity='relu'" in repr(module)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
def test_a_step_of_a_layer_is_what_its_cell_does(kind, bias):
    module, cell = layer(kind, bias=bias), KINDS[kind](F, H, bias, dtype="float64")
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in module.state_dict().items()})
    y, _ = module(X)
    state = None
    for t in range(T):
        state = cell(X[t], state)
        close(parts(state)[0], y[t])


# ---------------------------------------------------------------------------------------- forms
@pytest.mark.parametrize("kind", KINDS)
def test_examples_alone_in_a_batch_and_batch_first_are_the_same(kind):
    module, turned = layer(kind, num_layers=2), layer(kind, num_layers=2, batch_first=True)
    y, state = module(X)
    other, other_state = turned(X.swapaxes(0, 1))
    close(other.swapaxes(0, 1), y)
    alone, alone_state = module(X[:, 1])
    close(alone, y[:, 1])
    for a, b, c in zip(parts(state), parts(other_state), parts(alone_state)):
        close(a, b)
        close(a[:, 1], c)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_in_two_halves_goes_on_from_the_state_of_the_first(kind):
    module = layer(kind, num_layers=2)
    y, end = module(X)
    first, state = module(X[:2])
    second, last = module(X[2:], state)
    close(cr.concat([first, second]), y)
    for a, b in zip(parts(end), parts(last)):
        close(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_direction_is_a_layer_that_reads_backwards(kind):
    both = layer(kind, bidirectional=True)
    y, state = both(X)
    one = layer(kind)
    one.load_state_dict({name.removesuffix("_reverse"): v for name, v in both.state_dict().items() if name.endswith("_reverse")})
    z, end = one(X[::-1])
    close(y[:, :, H:], z[::-1])
    for a, b in zip(parts(state), parts(end)):
        close(a[1], b[0])


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_stacked_with_dropout_between_them_while_training(kind):
    module = layer(kind, num_layers=2, dropout=0.5)
    cr.random.seed(0)
    a, b = (array(module(X)[0]) for _ in range(2))
    assert (a != b).any()
    module.eval()
    close(module(X)[0], module(X)[0])
    module.dropout = 1.0
    module.train()
    assert (array(module(X)[0]) == array(module(10 * X)[0])).all()  # nothing passes between the layers


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_have_pytorchs_names_and_shapes(kind):
    module = layer(kind, num_layers=2, bidirectional=True)
    shapes = {name: p.shape for name, p in module.named_parameters()}
    rows = GATES[kind] * H
    assert list(shapes)[:8] == [f"{name}_l0{way}" for way in ("", "_reverse")
                                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    assert shapes["weight_ih_l0"] == (rows, F) and shapes["weight_ih_l1_reverse"] == (rows, 2 * H)
    assert shapes["weight_hh_l1"] == (rows, H) and shapes["bias_hh_l1"] == (rows,)
    assert [name for name, _ in layer(kind, bias=False).named_parameters()] == ["weight_ih_l0", "weight_hh_l0"]


@pytest.mark.parametrize("kind", [*KINDS, *(cell.__name__ for cell in KINDS.values())])
def test_weights_start_uniform_within_one_over_the_root_of_the_size(kind):
    values = np.concatenate([v.ravel() for v in getattr(nn, kind)(30, 100).state_dict().values()])
    assert abs(values).max() <= 0.1 and abs(values).max() > 0.099 and abs(values.std() - 0.1 / 3 ** 0.5) < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_can_be_pickled(kind):
    module = layer(kind)
    close(pickle.loads(pickle.dumps(module))(X)[0], module(X)[0])


# ---------------------------------------------------------------------------------------- lengths
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}, {"batch_first": True}], ids=str)
def test_each_sequence_of_a_padded_batch_is_what_it_is_alone(kind, options):
    module, lengths = layer(kind, **options), [4, 6, 1]
    x = X.swapaxes(0, 1) if options.get("batch_first") else X
    y, state = module(x, lengths=lengths)
    y = array(y).swapaxes(0, 1) if options.get("batch_first") else array(y)
    for i, n in enumerate(lengths):
        alone, end = module(X[:n, i])
        close(y[:n, i], alone)
        assert not y[n:, i].any()
        for a, b in zip(parts(state), parts(end)):
            close(a[:, i], b)


def test_a_sequence_without_steps_keeps_the_state_it_was_given():
    given = np.ones((1, B, H))
    y, state = layer("RNN")(X, given, lengths=np.array([0, 0, 0]))
    close(state, given)
    assert not array(y).any()
    close(layer("RNN")(X[:, 0], lengths=2)[0][:2], layer("RNN")(X[:2, 0])[0])


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_changes_no_value_and_stays_one_loop(kind):
    module, lengths = layer(kind, num_layers=2, bidirectional=True), np.array([4, 6, 1])
    for options in ({}, {"lengths": lengths}):
        for a, b in zip(parts(module(X, **options)), parts(module(X, truncate=2, **options))):
            for one, other in zip(parts(a), parts(b)):
                close(one, other)
    graph = stage(lambda x: cr.grad(lambda w: cr.sum(nn.functional_call(module, w, x, lengths=lengths, truncate=2)[0]))(
        dict(module.named_parameters()))["weight_hh_l0"], typeof(X))
    assert sum(line.prim.name == "scan" for line in graph.lines) <= 2 * 4


def test_a_truncated_gradient_reaches_back_at_most_k_steps_from_where_a_sequence_began():
    module, lengths = layer("RNN", bidirectional=True), np.array([5, 6, 2])

    def reach(pick):
        return array(cr.grad(lambda x: cr.sum(pick(module(x, lengths=lengths, truncate=3)[0])))(X)).any(axis=-1)
    forward = reach(lambda y: y[4, :, :H])
    assert forward[:, 0].tolist() == [False, False, False, True, True, False]
    backward = reach(lambda y: y[1, :, H:])  # sequence 0 is read from step 4 down: its second piece is steps 1 and 0
    assert backward[:, 0].tolist() == [False, True, False, False, False, False]
    assert backward[:, 1].tolist() == [False, True, True, False, False, False]
    assert backward[:, 2].tolist() == [False, True, False, False, False, False]


def test_the_state_of_a_batch_can_be_cut_before_the_next():
    module = layer("LSTM")
    _, state = module(X)
    cut = cr.stop_gradient(state)
    y, _ = module(X, cut)
    cr.sum(y).backward()
    assert module.weight_ih_l0.grad is not None and all(part.grad is None for part in state)


# ---------------------------------------------------------------------------------------- gradients
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}], ids=str)
def test_gradients_agree_with_differences(kind, options):
    module = layer(kind, **options)
    weights, x = numbers(module), X[:3, :2]
    found = cr.grad(lambda w: loss(module, w, x))(weights)
    rng = np.random.default_rng(2)
    for name, value in weights.items():
        way = rng.normal(size=value.shape)
        up, down = (loss(module, {**weights, name: value + e * way}, x) for e in (1e-5, -1e-5))
        assert np.sum(array(found[name]) * way) == pytest.approx((array(up) - array(down)) / 2e-5, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"batch_first": True}], ids=str)
def test_staged_gradients_are_those_of_the_loop_in_python(kind, options):
    module = layer(kind, **options)
    weights = numbers(module)

    def gradient(x, *values):
        return tuple(cr.grad(lambda w: loss(module, w, x))(dict(zip(weights, values))).values())
    graph = stage(gradient, typeof(X), *map(typeof, weights.values()))
    for a, b in zip(graph(X, *weights.values()), gradient(X, *weights.values())):
        close(a, b)


def test_a_step_has_one_matrix_product_and_its_way_back_one():
    module = layer("LSTM")
    graph = stage(lambda x: cr.grad(lambda w: loss(module, w, x))(dict(module.named_parameters()))["weight_hh_l0"], typeof(X))
    for line in graph.lines:
        if line.prim.name == "scan":
            assert sum("matmul" in inner.prim.name for inner in line.params["body"].lines) == 1


def test_an_explanation_shows_the_layer_as_one_group():
    module = nn.LSTM(2, 3)
    y, _ = module(np.ones((2, 1, 2), np.float32))
    e = cr.explain(cr.sum(y), names={"memory": module})
    assert [g.name for g in e.groups] == ["memory"] and e.groups[0].kind == "LSTM"
    assert sum(n.operation == "sigmoid" for n in e.nodes) == 6


# ---------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize("call, kind, words", [
    (lambda: layer("LSTM")(np.ones((2, 3, 7))), ShapeError, "4 input_size"),
    (lambda: layer("GRU")(np.ones(4)), ShapeError, r"\(time, batch, features\) or \(time, features\)"),
    (lambda: layer("GRU", batch_first=True)(np.ones(4)), ShapeError, r"\(batch, time, features\)"),
    (lambda: layer("RNN")(X, np.ones((1, B, F))), ShapeError, r"its shape must be \(1, 3, 5\)"),
    (lambda: layer("LSTM")(X, (np.ones((1, B, H)),)), ArgumentError, "the state has 2 parts, and 1"),
    (lambda: nn.RNN(3, 5, nonlinearity="sin"), ArgumentError, "'tanh' or 'relu'"),
    (lambda: nn.GRU(3, 0), ArgumentError, "hidden_size must be at least 1"),
    (lambda: nn.LSTM(3, 5, dropout=1.5), ArgumentError, "from 0 to 1"),
    (lambda: nn.LSTMCell(3, 5)(np.ones((2, 2, 3))), ShapeError, r"\(batch, features\) or \(features,\)"),
    (lambda: nn.RNNCell(0, 5), ArgumentError, "input_size must be at least 1"),
    (lambda: layer("GRU")(X, lengths=[1, 2]), ShapeError, r"GRU: lengths is int64\[2\], .* shape \(3,\)"),
    (lambda: layer("GRU")(X, lengths=[1.0, 2.0, 3.0]), ShapeError, "lengths is float64.* whole numbers"),
    (lambda: layer("GRU")(X, lengths=[1, 2, 7]), ArgumentError, "from 1 to 7, but there are 6 steps"),
    (lambda: layer("GRU")(X, truncate=0), ArgumentError, "truncate must be at least 1"),
    (lambda: nn.utils.rnn.pad_sequence([]), ArgumentError, "0 sequences"),
    (lambda: nn.utils.rnn.pad_sequence([np.ones((2, 3)), np.ones((2, 4))]), ShapeError, "alike but for their first")],
    ids=range(16))
def test_errors_say_what_does_not_fit(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_what_differs_from_the_defaults_is_shown():
    assert repr(nn.LSTM(3, 5, num_layers=2, bidirectional=True)) == "LSTM(3, 5, num_layers=2, bidirectional=True)"
    assert repr(nn.RNNCell(3, 5, bias=False, nonlinearity="relu")) == "RNNCell(3, 5, bias=False, nonlinearity='relu')"
