"""Every number in a gradient is the sum of its terms, upstream times local derivative, for every operation and network."""
import json
import math

import numpy as np
import pytest

import chainrule as cr
import laws
from chainrule.cli.main import main
from chainrule.explanation.faces.data import ELEMENT_SCHEMA
from chainrule.ops import ALL

close = np.testing.assert_allclose


class Maker:
    """Parameters by name, in float64."""

    def __init__(self, seed):
        self.rng, self.parameters = np.random.default_rng(seed), {}

    def __call__(self, name, *shape):
        value = self.rng.normal(size=shape) / np.sqrt(max(shape[-1:], default=1))
        self.parameters[name] = cr.tensor(value, requires_grad=True, name=name)
        return self.parameters[name]


def digits_mlp():
    make = Maker(0)
    x, labels = make.rng.random((32, 64)), make.rng.integers(0, 10, 32)
    h = cr.relu(cr.linear(x, make("fc1.weight", 20, 64), make("fc1.bias", 20)))
    h = cr.tanh(cr.matmul(h, make("fc2.weight", 12, 20).mT) + make("fc2.bias", 12))
    return cr.cross_entropy(cr.linear(h, make("fc3.weight", 10, 12), make("fc3.bias", 10)), labels), make.parameters


def small_cnn():
    make = Maker(1)
    x, labels = make.rng.random((4, 1, 8, 8)), make.rng.integers(0, 3, 4)
    h = cr.relu(cr.conv2d(x, make("conv1.weight", 3, 1, 3, 3), make("conv1.bias", 3), padding=1))
    h = cr.relu(cr.conv2d(cr.max_pool2d(h, 2), make("conv2.weight", 4, 3, 3, 3), make("conv2.bias", 4)))
    z = cr.linear(cr.reshape(h, (4, -1)), make("fc.weight", 3, 16), make("fc.bias", 3))
    return cr.cross_entropy(z, labels), make.parameters


def lstm():
    make, width = Maker(2), 5
    x, target = make.rng.normal(size=(20, 3, 4)), make.rng.normal(size=(3, 2))
    inward, back, bias = make("weight_ih", 4 * width, 4), make("weight_hh", 4 * width, width), make("bias", 4 * width)
    h = c = np.zeros((3, width))
    for step in range(20):
        i, f, g, o = cr.split(cr.linear(x[step], inward, bias) + cr.matmul(h, back.mT), 4, axis=1)
        c = cr.sigmoid(f) * c + cr.sigmoid(i) * cr.tanh(g)
        h = cr.sigmoid(o) * cr.tanh(c)
    return cr.mse_loss(cr.linear(h, make("out.weight", 2, width), make("out.bias", 2)), target), make.parameters


def transformer_block():
    make, width, heads = Maker(3), 8, 2
    words, labels = make.rng.integers(0, 12, (2, 6)), make.rng.integers(0, 12, 12)
    x = cr.embedding(words, make("embedding", 12, width)) + make("positions", 6, width)
    h = cr.layer_norm(x, width, make("ln1.weight", width), make("ln1.bias", width))
    q, k, v = (cr.permute_dims(cr.reshape(cr.linear(h, make(f"{n}.weight", width, width), make(f"{n}.bias", width)),
                                          (2, 6, heads, -1)), (0, 2, 1, 3)) for n in "qkv")
    a = cr.permute_dims(cr.scaled_dot_product_attention(q, k, v, is_causal=True), (0, 2, 1, 3))
    x = x + cr.linear(cr.reshape(a, (2, 6, width)), make("out.weight", width, width))
    h = cr.gelu(cr.linear(cr.rms_norm(x, width, make("ln2.weight", width)), make("up.weight", 16, width), make("up.bias", 16)))
    x = x + cr.linear(h, make("down.weight", width, 16))
    return cr.cross_entropy(cr.reshape(cr.linear(x, make("head", 12, width)), (12, 12)), labels), make.parameters


NETWORKS = [digits_mlp, small_cnn, lstm, transformer_block]


def some_indices(rng, shape, most=50):
    flat = rng.permutation(math.prod(shape))[:most]
    return [tuple(map(int, np.unravel_index(k, shape))) for k in flat]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda f: f.__name__)
def test_the_terms_sum_to_the_gradient(network):
    loss, parameters = network()
    loss.backward()
    e, rng = cr.explain(loss), np.random.default_rng(4)
    for name, parameter in parameters.items():
        gradient = parameter.grad.numpy()
        for index in some_indices(rng, parameter.shape):
            found = e.element(name, index)
            assert found.gradient == gradient[index]
            scale = abs(found.gradient)
            if name == "k.bias":  # softmax does not feel it, so the gradient is rounding alone
                scale = sum(abs(t.value) for t in found.terms)
            assert found.residual <= 1e-12 * scale, (name, index, found)
    assert found.check.agrees
    assert json.loads(found.json())["total"] == found.total
    assert f"{found.total:.12g}" in found.text()


@pytest.mark.parametrize("network", [small_cnn, transformer_block], ids=lambda f: f.__name__)
def test_the_terms_of_computed_values_sum_up_too(network):
    e, rng = cr.explain(network()[0]), np.random.default_rng(5)
    arrays = [n for n in e.nodes if n.kind == "operation" and n.name != e.loss and not isinstance(n.value, tuple)]
    for node in arrays:
        for index in some_indices(rng, node.shape, 5):
            found = e.element(node.name, index)
            assert found.residual <= 1e-12 * max(abs(found.gradient), sum(abs(t.value) for t in found.terms))


@pytest.mark.parametrize("prim", ALL, ids=str)
def test_the_terms_sum_to_the_gradient_for_every_operation(prim):
    for sample in laws.samples(prim):
        loss = laws.recorded(prim, sample)
        e = loss is not None and cr.explain(loss)
        for name, gradient in e.gradients.items() if e else ():
            for index in some_indices(np.random.default_rng(8), gradient.shape, 3):
                found = e.element(name, index)
                scale = max(abs(found.gradient), sum(abs(t.value) for t in found.terms))
                assert found.residual <= (1e-12 if gradient.dtype == np.float64 else 1e-5) * scale
                assert found.check.agrees or not sample.smooth
                assert max(map(len, found.text().splitlines())) <= 80


def test_rules_of_ones_own_and_recomputed_parts_have_terms_too():
    @cr.custom_rule(backward=lambda g, y, x: (g * 3.0 * x**2,))
    def cube(x):
        return x**3

    x = cr.tensor(np.array([0.5, 2.0]), requires_grad=True, name="x")
    found = cr.explain(cr.sum(cube(x)) + cr.sum(cr.checkpoint(lambda v: cr.exp(cr.sin(v)))(x))).element(x, 1)
    close(sorted(t.local for t in found.terms), sorted([12.0, np.exp(np.sin(2.0)) * np.cos(2.0)]))
    assert found.residual <= 1e-12


def test_parameters_of_a_module_are_known_by_their_dotted_names():
    class Net(cr.nn.Module):
        def __init__(self):
            self.fc1, self.fc2 = cr.nn.Linear(4, 3), cr.nn.Linear(3, 1)

        def forward(self, x):
            return self.fc2(cr.tanh(self.fc1(x)))

    net = Net().name_parameters()
    e = cr.explain(cr.sum(net(np.ones((5, 4), np.float32))))
    assert len(e.element("fc1.weight", (2, 3)).terms) == 5
    assert e.element(net.fc2.weight, (0, 1)).text().startswith("dL/dfc2.weight[0,1] = ")


def test_a_large_layer_needs_no_jacobian():
    make = Maker(9)
    w = make("w", 500, 600)
    z = cr.linear(make.rng.normal(size=(64, 600)), w)  # its jacobian would have ten thousand million numbers
    found = cr.explain(cr.sum(cr.square(z)), names={"z": z}).element(w, (499, 599))
    assert len(found.terms) == 64
    assert found.residual <= 1e-12 * abs(found.gradient)


def one_layer(rows=32):
    rng = np.random.default_rng(6)
    w, b = (cr.tensor(rng.normal(size=s), requires_grad=True, name=n) for n, s in (("w", (3, 4)), ("b", (3,))))
    z = cr.linear(rng.normal(size=(rows, 4)), w) + b
    return cr.sum(cr.square(z)), {"w": w, "b": b, "z": z}


def test_a_term_is_upstream_times_local():
    loss, values = one_layer(5)
    found = cr.explain(loss, names=values).element(values["b"], 2)
    upstream = 2 * values["z"].numpy()[:, 2]
    assert [t.index for t in found.terms] == [(row, 2) for row in range(5)]
    assert [t.result for t in found.terms] == ["z"] * 5
    assert [t.local for t in found.terms] == [1.0] * 5
    close([t.upstream for t in found.terms], upstream)
    close([t.value for t in found.terms], upstream)
    close(found.total, upstream.sum())
    close(found.difference, upstream.sum(), rtol=1e-6)


def test_each_use_has_its_own_terms():
    x = cr.tensor(np.array([2.0, 3.0]), requires_grad=True, name="x")
    found = cr.explain(cr.sum(x * x * cr.sin(x[0]))).element(x, 0)
    assert [u.terms for u in found.uses] == [1, 1, 1]
    close(found.total, 4 * np.sin(2.0) + (4 + 9) * np.cos(2.0))


def test_two_arguments_of_one_result_are_told_apart():
    x = cr.tensor(np.array([2.0, 3.0]), requires_grad=True, name="x")
    text = cr.explain(cr.sum(x * x)).element(x, 0).text(width=120)
    assert text.count("v1 = x * x") == 1
    assert "x[0] was used by 1 element as argument 1: 1 term. The other 1 of 2 does not depend on it." in text
    assert "as argument 2" in text


def test_a_hook_that_changes_the_gradient_is_named():
    x = cr.tensor(np.array(3.0), requires_grad=True, name="x")
    x.register_hook(lambda g: g * 2)
    found = cr.explain(cr.square(x)).element(x)
    assert (found.total, found.gradient) == (6.0, 12.0)
    assert "a hook replaced the gradient" in found.text()


def test_where_a_rule_lets_nothing_through_there_is_nothing_to_explain():
    @cr.custom_rule(backward=lambda g, y, a, b: (g, None))
    def first(a, b):
        return a * 1.0

    a, b = (cr.tensor(2.0, requires_grad=True, name=n) for n in "ab")
    loss = first(a, b)
    e = cr.explain(loss)
    assert list(e.gradients) == ["a"]
    with pytest.raises(cr.errors.NoPathError, match="b has no gradient in this explanation"):
        e.element(b)
    with pytest.raises(cr.errors.NoPathError, match="no path"):
        cr.explain(loss, b)


def test_broadcasting_is_spelled_out():
    loss, values = one_layer()
    e = cr.explain(loss, names=values)
    assert "b[1] was used by 32 rows: 32 terms. The other 64 of 96 do not depend on it." in e.element("b", 1).text(width=120)
    s = cr.tensor(np.array(2.0), requires_grad=True, name="s")
    assert "s was used by 32 elements: 32 terms\n" in cr.explain(cr.sum(cr.exp(s * np.ones(32)))).element(s).text()
    assert "s was used by 4×2 = 8 elements: 8 terms\n" in cr.explain(cr.sum(cr.exp(s * np.ones((4, 2))))).element(s).text()
    column = cr.tensor(np.ones((4, 1)), requires_grad=True, name="c")
    text = cr.explain(cr.sum(cr.exp(column * np.ones(3)))).element(column, (2, 0)).text()
    assert "c[2,0] was used by 3 columns: 3 terms." in text


def test_long_sums_show_the_largest_terms_and_the_rest_as_one():
    found = cr.explain(one_layer()[0]).element("w", (0, 1))
    ranked = sorted((t.value for t in found.terms), key=abs, reverse=True)
    lines = found.text(most=4).split("\n")
    rest = next(line for line in lines if "28 other terms" in line)
    close(float(rest.split()[-1]), math.fsum(ranked[4:]), rtol=1e-3)
    assert math.fsum([*ranked[:4], math.fsum(ranked[4:])]) == pytest.approx(found.total, rel=1e-15)
    assert found.total == math.fsum(ranked)
    assert "other term" not in found.text(most=32)


@pytest.mark.parametrize("width", [80, 50])
def test_the_text_fits_the_page(width):
    e = cr.explain(small_cnn()[0])
    for name, index in (("conv2.weight", (0, 1, 2, 2)), ("fc.weight", (1, -1)), ("conv1.bias", 0)):
        assert max(map(len, e.element(name, index).text(width).split("\n"))) <= width
    text = e.element("conv2.weight", (0, 1, 2, 2)).text(80)
    for word in ("sum of the terms", "gradient of the sweep", "residual", "finite difference", "agrees"):
        assert word in text


def test_an_operation_with_several_outputs_gives_terms_from_each():
    x = cr.tensor(np.array([[2.0, 0.3], [0.3, 1.0]]), requires_grad=True, name="x")
    values, vectors = cr.eigh(x)
    found = cr.explain(cr.sum(cr.exp(values)) + cr.square(vectors[0, 1])).element(x, (0, 1))
    assert {t.output for t in found.terms} == {0, 1}
    close(found.total, found.gradient, rtol=1e-12)
    assert f"{found.terms[0].result}[0][0]" in found.text()


def test_opened_gates_know_the_tensors_of_the_program():
    x = cr.tensor(np.array([0.5, -1.0, 2.0]), requires_grad=True)
    p = cr.softmax(x)
    loss = cr.log(p)[1] * x[1]
    closed, opened = cr.explain(loss), cr.explain(loss, open=True)
    close(opened.element(x, 1).total, closed.element(x, 1).total)
    close(opened.element(p, 1).total, closed.element(p, 1).total)
    assert len(closed.element(x, 1).terms) == 4
    assert len(opened.element(x, 1).terms) < 4


def test_zero_wins_over_infinity():
    x = cr.tensor(np.array([0.0, 4.0]), requires_grad=True, name="x")
    found = cr.explain(cr.sum(cr.sqrt(x) * np.array([0.0, 1.0]))).element(x, 0)
    assert found.terms[0].local == math.inf
    assert found.total == found.gradient == 0.0


def test_a_difference_is_taken_where_the_loss_was_computed():
    x = cr.tensor(np.array(3.0), requires_grad=True, name="x")
    found = cr.explain(cr.square(x)).element(x)
    x.data = np.array(100.0)
    close(found.difference, 6.0, rtol=1e-6)
    assert found.check.agrees


def test_float32_is_summed_from_its_own_numbers():
    w = cr.tensor(np.ones((2, 3), np.float32), requires_grad=True, name="w")
    h = cr.tanh(cr.matmul(np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3), w.mT))
    e = cr.explain(cr.sum(h), names={"h": h})
    found = e.element(w, (1, 2))
    assert found.residual <= 1e-6 * abs(found.gradient)
    assert found.check.agrees
    assert e.element(h, (1, 1)).check.agrees


def test_the_json_has_every_term():
    found = cr.explain(one_layer()[0]).element("w", (0, 1))
    data = json.loads(found.json())
    assert data["schema"] == ELEMENT_SCHEMA
    assert (data["node"], data["index"]) == ("w", [0, 1])
    assert [t["value"] for t in data["terms"]] == [t.value for t in found.terms]
    assert data["total"] == found.total
    assert data["gradient"] == found.gradient
    assert data["agrees"]


def test_what_cannot_be_asked_is_said_in_one_message():
    loss, values = one_layer()
    w, b = values["w"], values["b"]
    y = cr.tensor(np.ones(3), name="y")
    e = cr.explain(loss + cr.sum(b * y))
    for value, index, error, says in (
            (w, (3, 0), cr.errors.BoundsError, r"index 3 is beyond axis 0 of w, which has shape \(3, 4\)\. Give -3 to 2"),
            (w, 1, cr.errors.BoundsError, r"has shape \(3, 4\), so an index has 2 numbers, not 1"),
            (w, None, cr.errors.ArgumentError, r"w has shape \(3, 4\); say which element, as in \(0, 0\)"),
            (w, (0, 1.5), cr.errors.ArgumentError, "an index is a tuple of whole numbers"),
            ("fc9.weight", 0, cr.errors.ArgumentError, "no value is called 'fc9.weight'; there are w, b"),
            ("y", 0, cr.errors.NoPathError, "y has no gradient in this explanation: it is a constant"),
            (y, 0, cr.errors.NoPathError, "y has no gradient in this explanation: it is a constant"),
            (cr.tensor(1.0), None, cr.errors.NoPathError, "has no part in L"),
            ("L", None, cr.errors.ArgumentError, "L is the loss, where the sweep starts"),
    ):
        with pytest.raises(error, match=says):
            e.element(value, index)
    with pytest.raises(cr.errors.NoPathError, match=r"w has no gradient in this explanation: .* Name it in wrt"):
        cr.explain(loss, b).element(w, (0, 0))


def test_an_index_may_come_from_numpy():
    e = cr.explain(one_layer()[0])
    for index in (np.array([0, 1]), np.argwhere(np.ones((3, 4)))[1], np.unravel_index(1, (3, 4)), [np.int64(0), 1]):
        assert e.element("w", index).index == (0, 1)
    for index in (np.array([0.0, 1.0]), np.zeros((1, 2), int), "01", slice(0, 1)):
        with pytest.raises(cr.errors.ArgumentError, match="an index is a tuple of whole numbers"):
            e.element("w", index)


def test_a_value_without_elements_has_no_element():
    empty = cr.tensor(np.zeros((0, 3)), requires_grad=True, name="empty")
    with pytest.raises(cr.errors.BoundsError, match=r"empty has shape \(0, 3\), and so no element at all"):
        cr.explain(cr.sum(empty)).element(empty, (0, 0))


def command(capsys, *words):
    code = main(["explain", "z = W @ x + b; sum(z**2)", "W=[[2,-3],[1,0]]", "x=[-1,-2]", "b=[-3,1]", *words])
    return code, *capsys.readouterr()


def test_the_command_shows_an_element(capsys):
    code, out, _ = command(capsys, "--of", "W[0,1]")
    assert code == 0
    assert out.startswith("dL/dW[0,1] = -4: 1 term, upstream × local derivative")
    assert "z[0]" in command(capsys, "--of", "b[0]")[1]
    assert command(capsys, "--of", "z[-1]")[1].startswith("dL/dz[1] = 0")
    assert json.loads(command(capsys, "--of", "b[0]", "--format", "json")[1])["total"] == 2.0


@pytest.mark.parametrize("of, says", [
    ("W[5,0]", "index 5 is beyond axis 0"), ("q", "no value is called 'q'"), ("W[a]", "is not an element"),
    ("W", "say which element")])
def test_the_command_refuses_in_one_line(capsys, of, says):
    code, out, err = command(capsys, "--of", of)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
