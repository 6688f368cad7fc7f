"""A loss in gates on single numbers has the value and every gradient it had before, and is made of what people draw."""
import json
import xml.etree.ElementTree as ET
from collections import Counter

import numpy as np
import pytest

import chainrule as cr
import laws
from chainrule.explanation.gates import gates as entry
from chainrule.explanation.gates import rows
from chainrule.explanation.gates.gates import gates
from chainrule.explanation.gates.scalars import label
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.explanation.story import explained
from chainrule.ops import ALL
from test_element import Maker

close = np.testing.assert_allclose
REFUSED = ("inv", "solve", "det", "cofactor", "slogdet", "pinv", "cholesky", "qr", "eigh", "svd", "median", "sort")
"""Operations that are worked out as a whole. (`matrix_rank` and others through which no gradient flows never take part.)"""


def leaf(value, name, dtype=np.float64):
    return cr.tensor(np.array(value, dtype), requires_grad=True, name=name)


def drawn(loss, wrt=None, most=2000, **names):
    return explained(gates(cr.explain(loss, wrt, names=names).record, most=most))


def counted(e):
    return Counter(n.operation for n in e.nodes if n.kind == "operation")


def elements(x):
    return np.ndenumerate(np.asarray(x))


def must_say_the_same(e, g):
    """The law: each number of one explanation that the other has, too, is the same there, and no gradient is missing."""
    close(g[g.loss].value, np.ravel(e[e.loss].value)[0], rtol=1e-9)
    for name, gradient in e.gradients.items():
        for index, d in elements(gradient):
            found = g.gradients.get(label(name, index), 0.0)
            close(found, d, rtol=1e-9, atol=1e-12 * max(1.0, np.max(np.abs(gradient))))
    for n in e.nodes:
        for index, v in elements(n.value) if not isinstance(n.value, tuple) else ():
            same = g.index.get(label(n.name, index))
            if same is not None and n.name != e.loss:
                close(same.value, v, rtol=1e-9, atol=1e-12)
                if n.gradient is not None:
                    close(same.gradient, n.gradient[index], rtol=1e-9, atol=1e-12 * max(1.0, np.max(np.abs(n.gradient))))


def must_be_gates(g):
    """Every value is one number, and gradients meet in copies only: everything else is used once."""
    copies = {n.id for n in g.nodes if n.operation == "copy"}
    uses = Counter(e.argument for e in g.edges)
    assert {n.shape for n in g.nodes} == {()}
    assert {n.dtype for n in g.nodes} == {"float64"}
    assert {m.node for m in g.merges} <= copies
    assert all(uses[n.id] <= 1 for n in g.nodes if n.id not in copies)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_come_to_the_same_numbers(name):
    e = EXAMPLES[name].explain()
    g = explained(gates(e.record))
    must_say_the_same(e, g)
    must_be_gates(g)
    assert {label(n, index) for n, d in e.gradients.items() for index, _ in elements(d)} == set(g.gradients)
    assert g.checks
    assert all(check.agrees for check in g.checks)


@pytest.mark.parametrize("prim", ALL, ids=str)
def test_every_operation_is_drawn_or_refused(prim):
    for sample in laws.samples(prim):
        loss = laws.recorded(prim, sample)
        if loss is None:
            continue
        e = cr.explain(loss)
        if prim.name in REFUSED:
            with pytest.raises(cr.errors.ArgumentError, match=rf"gates: .*{prim}( at|:).* worked out as a whole"):
                gates(e.record)
            continue
        record = gates(e.record, most=20_000)
        assert all(np.ndim(x.value) == 0 for x in record.order)
        if len(record.order) < 400:
            must_say_the_same(e, explained(record))


# ---------------------------------------------------------------------------------------- networks
def mlp():
    make = Maker(0)
    x, labels = make.rng.random((3, 4)), np.array([0, 2, 1])
    h = cr.relu(cr.linear(x, make("fc1.weight", 5, 4), make("fc1.bias", 5)))
    h = cr.tanh(cr.matmul(h, make("fc2.weight", 4, 5).mT) + make("fc2.bias", 4))
    return cr.cross_entropy(cr.linear(h, make("fc3.weight", 3, 4), make("fc3.bias", 3)), labels)


def cnn():
    make = Maker(1)
    h = cr.relu(cr.conv2d(make.rng.random((1, 1, 4, 4)), make("conv.weight", 2, 1, 3, 3), make("conv.bias", 2), padding=1))
    h = cr.avg_pool2d(cr.max_pool2d(h, 2), 2, stride=1, padding=1)
    return cr.cross_entropy(cr.linear(cr.reshape(h, (1, -1)), make("fc.weight", 3, 18), make("fc.bias", 3)), np.array([1]))


def lstm():
    make, width = Maker(2), 2
    x, target = make.rng.normal(size=(2, 1, 3)), make.rng.normal(size=(1, 2))
    inward, back, bias = make("weight_ih", 4 * width, 3), make("weight_hh", 4 * width, width), make("bias", 4 * width)
    h = c = np.zeros((1, width))
    for step in range(2):
        i, f, g, o = cr.split(cr.linear(x[step], inward, bias) + cr.matmul(h, back.mT), 4, axis=1)
        c = cr.sigmoid(f) * c + cr.sigmoid(i) * cr.tanh(g)
        h = cr.sigmoid(o) * cr.tanh(c)
    return cr.mse_loss(cr.linear(h, make("out.weight", 2, width), make("out.bias", 2)), target)


def transformer_block():
    make, width = Maker(3), 4
    x = cr.embedding(np.array([[0, 2]]), make("embedding", 3, width)) + make("positions", 2, width)
    h = cr.layer_norm(x, width, make("ln1.weight", width), make("ln1.bias", width))
    q, k, v = (cr.permute_dims(cr.reshape(cr.linear(h, make(f"{n}.weight", width, width)), (1, 2, 2, -1)), (0, 2, 1, 3))
               for n in "qkv")
    a = cr.permute_dims(cr.scaled_dot_product_attention(q, k, v, is_causal=True), (0, 2, 1, 3))
    x = x + cr.linear(cr.reshape(a, (1, 2, width)), make("out.weight", width, width))
    h = cr.gelu(cr.linear(cr.rms_norm(x, width, make("ln2.weight", width)), make("up.weight", 4, width)))
    x = x + cr.linear(h, make("down.weight", width, 4))
    return cr.cross_entropy(cr.reshape(cr.linear(x, make("head", 3, width)), (2, 3)), np.array([1, 0]))


@pytest.mark.parametrize("network", [mlp, cnn, lstm, transformer_block], ids=lambda f: f.__name__)
def test_networks_come_to_the_same_numbers(network):
    e = cr.explain(network())
    g = explained(gates(e.record))
    must_say_the_same(e, g)
    must_be_gates(g)
    names = {n.name for n in e.nodes}
    gate_nodes = [n for n in g.nodes if n.kind == "operation"]
    assert all(n.inside in names or n.name in names for n in gate_nodes)
    assert all("test_gates.py:" in n.source for n in gate_nodes if n.inside and e[n.inside].kind == "operation")


def test_a_record_in_float32_is_drawn_in_float64():
    x = leaf([[0.1, 0.7], [0.3, -0.2]], "x", np.float32)
    e = cr.explain(cr.sum(cr.sigmoid(x @ x)) / 3.0)
    g = explained(gates(e.record))
    must_be_gates(g)
    for index, d in elements(e.gradients["x"]):
        close(g.gradients[label("x", index)], d, rtol=1e-6)
    assert all(check.agrees for check in g.checks)


# ---------------------------------------------------------------------------------------- what it is made of
def layer(rows=2):
    make = Maker(4)
    z = cr.linear(make.rng.normal(size=(rows, 3)), make("W", 2, 3), make("b", 2))
    return cr.mse_loss(cr.linear(cr.relu(z), make("V", 2, 2)), make.rng.normal(size=(rows, 2)))


def test_linear_layers_relu_and_squared_error_are_add_multiply_max_and_copy_alone():
    assert set(counted(drawn(layer()))) == {"add", "multiply", "maximum", "copy"}


def test_the_gates_of_a_neuron_are_those_a_person_counts():
    w, x, b = leaf(3.0, "w"), leaf(2.0, "x"), leaf(1.0, "b")
    z = w * x + b
    assert counted(drawn(cr.relu(z), z=z)) == {"multiply": 1, "add": 1, "maximum": 1}
    assert counted(drawn((cr.relu(z) - 5.0) ** 2, z=z)) == {"multiply": 2, "add": 2, "maximum": 1, "copy": 1}
    assert counted(drawn(cr.sigmoid(z), z=z)) == {"multiply": 2, "add": 2, "exp": 1, "reciprocal": 1}


@pytest.mark.parametrize(("f", "expected"), [
    (lambda x: cr.sum(x), {"add": 3}),
    (lambda x: cr.mean(x), {"add": 3, "multiply": 1}),
    (lambda x: cr.max(x), {"maximum": 3}),
    (lambda x: cr.prod(x), {"multiply": 3}),
    (lambda x: cr.vecdot(x, x), {"copy": 4, "multiply": 4, "add": 3}),
    (lambda x: cr.sum(cr.abs(x)), {"copy": 4, "multiply": 4, "maximum": 4, "add": 3}),
    (lambda x: cr.sum(x**3), {"copy": 4, "multiply": 8, "add": 3}),
    (lambda x: cr.sum(x**2.5), {"pow": 4, "add": 3}),
    (lambda x: cr.sum(x**-1), {"reciprocal": 4, "add": 3}),
    (lambda x: cr.sum(x / 4), {"multiply": 4, "add": 3}),
    (lambda x: cr.logsumexp(x), {"exp": 4, "add": 3, "log": 1}),
    (lambda x: cr.softmax(x)[0], {"exp": 4, "copy": 1, "add": 3, "reciprocal": 1, "multiply": 1}),
    (lambda x: cr.softmax_cross_entropy(x, 2), {"copy": 1, "exp": 4, "add": 4, "log": 1, "multiply": 2}),
    (lambda x: cr.linalg.vector_norm(x), {"copy": 4, "multiply": 4, "add": 3, "sqrt": 1}),
    (lambda x: cr.sum(cr.cumsum(x)), {"copy": 5, "add": 6}),  # so that a sum so far is apart from its use in the next
    (lambda x: cr.sum(cr.reshape(x, (2, 2)).T[::-1, 0]), {"add": 1}),
    (lambda x: cr.sum(cr.where(x > 2.0, x, 0.0)), {"add": 1}),
    (lambda x: cr.sum(x * np.array([1, 0, 1, 0])), {"add": 1}),
    (lambda x: 1.0 * x[1] + 0.0, {"copy": 1}),
])
def test_operations_need_as_many_gates_as_on_paper(f, expected):
    assert counted(drawn(f(leaf([1.0, 2.0, 3.0, 4.0], "x")))) == expected


def test_named_constants_keep_their_names():
    w, t, s = leaf([1.0, 2.0], "w"), cr.tensor(np.array([3.0, 4.0]), name="t"), cr.tensor(np.array(5.0), name="s")
    e = drawn(cr.sum((w - t) / s * np.array([6.0, 7.0])))
    assert {n.name: float(n.value) for n in e.nodes if n.kind == "constant"} == {
        "(-t[0])": -3, "(-t[1])": -4, "(1/s)": 0.2, "c1[0]": 6, "c1[1]": 7}
    assert "w[0] + (-t[0])" in e.text()


def test_elements_are_called_after_their_value_and_numbers_on_the_way_after_the_element():
    W, x = leaf([[1.0, 2.0], [3.0, 4.0]], "W"), leaf([5.0, 6.0], "x")
    z = cr.matmul(W, x)
    e = drawn(cr.sum(cr.softmax(z) * z), z=z)
    assert [n.name for n in e.nodes if n.kind == "input"] == ["W[0,0]", "W[0,1]", "W[1,0]", "W[1,1]", "x[0]", "x[1]"]
    assert [(n.name, n.inside) for n in e.nodes if n.inside == "z"] == [
        (name, "z") for name in ("z[0]_1", "z[0]_2", "z[0]", "z[0]'", "z[1]_1", "z[1]_2", "z[1]", "z[1]'")]
    assert [(n.name, n.operation) for n in e.nodes if n.inside == "v1" and n.operation != "copy"] == [
        ("v1_1", "exp"), ("v1_2", "exp"), ("v1_3", "add"), ("v1_4", "reciprocal"), ("v1[0]", "multiply"), ("v1[1]", "multiply")]
    assert e.loss == "L"
    assert e["L"].inside is None


def test_symbols_of_gradients_are_those_of_their_elements():
    e = explained(gates(EXAMPLES["two-layer"].explain().record))
    assert e["z1[2,0]"].gradient_name.name == "delta1[2,0]"


# ---------------------------------------------------------------------------------------- kinks and far out
def test_relu_at_zero_has_the_slope_of_relu():
    e = drawn(cr.sum(cr.relu(leaf([0.0, 1.0], "x"))))
    assert [e.gradients[f"x[{k}]"] for k in (0, 1)] == [0.0, 1.0]
    assert "maximum(x[0], 0, tie=0.0)" in e.text()
    assert "maximum(x[1], 0)" in e.text()


def test_equal_maxima_share_the_gradient_as_before():
    x = leaf([3.0, 1.0, 3.0, 2.0, 3.0], "x")
    for f in (cr.max, lambda x: -cr.min(-x), lambda x: cr.sum(cr.max_pool1d(cr.reshape(x, (1, 1, 5)), 5)),
              lambda x: cr.sum(x.at[[0, 0, 2]].max(np.array([3.0, 1.0, 3.0])))):
        must_say_the_same(cr.explain(f(x)), drawn(f(x)))


@pytest.mark.parametrize("f", [
    cr.relu6, cr.hardtanh, cr.hardsigmoid, cr.hardswish, cr.leaky_relu, cr.abs, cr.elu, cr.selu, cr.softsign, cr.softplus,
    cr.mish, cr.silu, cr.gelu, lambda x: cr.clip(x, -3.0, 3.0), lambda x: cr.hypot(x, 0.0), lambda x: cr.xlogy(x, cr.abs(x)),
    lambda x: cr.huber_loss(x, 0.0, delta=3.0, reduction="none")])
def test_at_every_kink_the_slope_is_that_of_the_operation(f):
    loss = cr.sum(f(leaf([-6.0, -3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 6.0], "x")) * np.arange(1.0, 9.0))
    must_say_the_same(cr.explain(loss), drawn(loss))


@pytest.mark.parametrize("f", [
    cr.sigmoid, cr.softplus, cr.logsigmoid, cr.silu, cr.gelu, cr.tanh, cr.softmax, cr.log_softmax, cr.logsumexp,
    lambda x: cr.logaddexp(x, 1.0), lambda x: cr.logcumsumexp(cr.abs(x))])
def test_far_out_the_numbers_are_those_of_the_operation(f):
    loss = cr.sum(f(leaf([800.0, -800.0, 0.0, 40.0, -40.0], "x")) * 1.5)
    must_say_the_same(cr.explain(loss), drawn(loss))


def test_an_operation_whose_parts_say_otherwise_there_stays_one_gate():
    assert counted(drawn(cr.sum(cr.hardsigmoid(leaf([-3.0, 1.0], "x")))))["hardsigmoid"] == 1


# ---------------------------------------------------------------------------------------- other ways in
def test_a_gradient_asked_for_in_a_value_that_was_only_moved_is_its_own():
    x = leaf([1.5, 3.0], "x")
    z = x * x
    h = cr.reshape(z, (2, 1))
    loss = cr.sum(h * h) + cr.sum(z)
    e = cr.explain(loss, h, names={"z": z, "h": h})
    g = explained(gates(e.record))
    assert list(g.gradients) == ["h[0,0]", "h[1,0]"]
    must_say_the_same(e, g)


def test_gradients_of_gradients_are_drawn_too():
    w = leaf([1.0, 2.0], "w")
    cr.sum(cr.tanh(w) ** 3).backward(create_graph=True)
    loss = cr.sum(w.grad * w.grad)
    must_say_the_same(cr.explain(loss), drawn(loss))


def test_a_rule_of_ones_own_that_fits_its_function_is_no_obstacle():
    @cr.custom_rule(backward=lambda g, y, x: (g * 2 * x,))
    def square(x):
        return x * x

    assert counted(drawn(square(leaf(3.0, "x")))) == {"copy": 1, "multiply": 1}


def test_modules_keep_their_gates_together():
    net = cr.nn.Linear(2, 1)
    e = drawn(cr.sum(cr.exp(net(np.ones((1, 2), np.float32)))))
    linear = next(group for group in e.groups if group.kind == "Linear")
    assert {e[n].operation for n in linear.nodes} == {None, "multiply", "add"}


def test_questions_may_be_asked_of_single_numbers():
    e = drawn(layer())
    name = max(e.gradients, key=lambda n: abs(e.gradients[n]))
    assert e.element(name).residual <= 1e-12 * abs(e.gradients[name])
    close(sum(path.product for path in e.paths(name, top=1000)), e.gradients[name], rtol=1e-9)
    assert e.what_if(name, 2.0).loss.after == pytest.approx(e.replay({e.leaves[name]: np.array(2.0)}))


def test_all_faces_show_gates():
    e = drawn(layer(1))
    assert max(map(len, e.text().splitlines())) <= 80
    assert len(json.loads(e.json())["nodes"]) == len(e.nodes)
    ET.fromstring(e.svg())
    assert r"\max" in e.latex()


# ---------------------------------------------------------------------------------------- what cannot be
def test_the_limit_is_exact_and_says_how_many_are_needed():
    loss = layer()
    count = sum(counted(drawn(loss)).values())
    assert sum(counted(drawn(loss, most=count)).values()) == count
    with pytest.raises(cr.errors.ArgumentError, match=rf"needs {count} gates, and the limit is {count - 1}. Most of them"):
        drawn(loss, most=count - 1)


def test_far_beyond_the_limit_drawing_stops_early():
    x = leaf(np.ones((100, 100)), "x")
    says = rf"{entry.AHEAD * 10} gates are drawn, and of 2 operations only 0; v1 \(matmul at"
    with pytest.raises(cr.errors.ArgumentError, match=says):
        drawn(cr.sum(x @ x), most=10)
    with pytest.raises(cr.errors.ArgumentError, match="x has 1,000,001 elements, and the limit is 1,000,000"):
        drawn(cr.sum(leaf(np.zeros(1_000_001), "x")[:2]))


def test_gates_without_influence_do_not_count():
    x = leaf(np.ones((9, 9)), "x")
    assert sum(counted(drawn((x @ x)[0, 1], most=40)).values()) == 9 + 8 + 1


def test_what_cannot_be_drawn_is_said_in_one_message():
    x, hooked = leaf([1.2, 3.4], "x"), leaf(2.0, "h")
    hooked.register_hook(lambda g: g * 2)
    for loss, says in (
            (hooked * hooked, "a hook on h may replace its gradient"),
            (cr.sum(cr.checkpoint(cr.sin)(x)), r"checkpoint at .*test_gates.py:\d+ is worked out as a whole"),
            (cr.median(x), "sort in median at"),
            (cr.sum(x * 0.0), "L is 0 whatever its leaves are")):
        with pytest.raises(cr.errors.ArgumentError, match=says):
            drawn(loss)
    for most in (0, 2.5, "many"):
        with pytest.raises(cr.errors.ArgumentError, match="most is a whole number from 1"):
            drawn(cr.sum(x), most=most)


def test_gates_of_another_value_are_never_shown(monkeypatch):
    monkeypatch.setitem(rows.ROWS, "subtract", rows.added)
    x = leaf([1.0, 2.0], "x")
    d = x - np.array([2.0, 0.0])
    with pytest.raises(cr.errors.RuleError, match=r"the gates of d \(subtract at .*\) come to \[3\. 2\.\], and the operation"):
        drawn(cr.sum(d * x), d=d)


def test_gates_of_another_gradient_are_never_shown(monkeypatch):
    monkeypatch.setitem(rows.ROWS, "multiply", lambda pen, a, b: rows.times(pen, a, rows.number(b)))
    x = leaf([1.0, 2.0], "x")
    with pytest.raises(cr.errors.RuleError, match=r"the gradient in x\[0\] is 1 in the gates, and 2 in the sweep.* v1 \(mul"):
        drawn(cr.sum(x * x))


def test_a_rule_that_says_otherwise_than_its_function_is_named():
    @cr.custom_rule(backward=lambda g, y, x: (g,))
    def straight_through(x):
        return cr.round(x)

    with pytest.raises(cr.errors.RuleError, match=r"rule that says otherwise than its parts: v1 \(straight_through at"):
        drawn(cr.sum(straight_through(leaf([1.2, 3.4], "x"))))


def test_a_convolution_far_too_large_is_refused_in_words():
    rng = np.random.default_rng(0)
    w = cr.tensor(rng.normal(size=(32, 16, 3, 3)), requires_grad=True, name="w")
    loss = cr.conv2d(rng.normal(size=(8, 16, 10, 10)), w, padding=1).sum()
    with pytest.raises(cr.errors.ArgumentError, match="gates: "):
        cr.explain(loss).gates(most=100)
    assert "gates: " in cr.explain(loss).html()
