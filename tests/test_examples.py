"""The worked examples come out with exactly the numbers of the books, as facts and on the page."""
import numpy as np
import pytest

from chainrule.cli.main import main
from chainrule.explanation.language.examples import EXAMPLES

close = np.testing.assert_allclose


@pytest.fixture(scope="module")
def explained():
    return {name: example.explain() for name, example in EXAMPLES.items()}


@pytest.fixture
def page(capsys):
    def of(name, *options):
        assert main(["explain", "--example", name, *options]) == 0
        return capsys.readouterr().out
    return of


def edge(e, argument, result):
    return next(x for x in e.edges_into(argument) if e[x.result].name == result)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_edge_every_merge_and_every_check_holds(name, explained):
    e = explained[name]
    for node in e.nodes:
        into = e.edges_into(node.id)
        if into and node.gradient is not None:
            close(sum(np.asarray(x.contribution) for x in into), node.gradient, rtol=1e-12)
    for check in e.checks:
        assert check.agrees
        assert check.residual < 1e-7


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("options", [(), ("--open",)], ids=["closed", "opened"])
def test_every_page_fits_eighty_columns(name, options, page):
    text = page(name, *options)
    assert max(map(len, text.splitlines())) <= 80
    assert EXAMPLES[name].title in text


@pytest.mark.parametrize("name", EXAMPLES)
def test_opened_gates_give_the_same_gradients(name, explained):
    opened = EXAMPLES[name].explain(open=True)
    for key, gradient in explained[name].gradients.items():
        close(opened.gradients[key], gradient, rtol=1e-12, atol=1e-14)
    assert not any(node.opens for node in opened.nodes)


def test_the_list_names_every_example(capsys):
    assert main(["explain", "--examples"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(EXAMPLES) == [
        "neuron", "sigmoid-neuron", "merge", "reuse", "gates", "two-layer", "softmax", "affine-relu", "batch", "residual",
        "gears", "vanish", "explode", "nudge"]


def test_neuron(explained, page):
    e = explained["neuron"]
    assert e["z"].value == 7
    assert e["L"].value == 4
    assert e.gradients == {"w": 8, "b": 4, "x": 12}
    text = page("neuron")
    for row in ("z     v1 + b   6 + 1           7", "L     v3**2    2**2            4", "= 2 * (relu(z) - y) * (z > 0) * x  8",
                "x ← v1   dL/dv1 × w        4 × 3           12"):
        assert row in text


def test_sigmoid_neuron_and_one_step(explained, page):
    e = explained["sigmoid-neuron"]
    a, delta = 1 / (1 + np.exp(-1)), (1 / (1 + np.exp(-1)) - 1) * np.exp(-1) / (1 + np.exp(-1)) ** 2
    close(e["a"].value, a)
    close(e["a"].gradient, a - 1)
    close(edge(e, "z", "a").local.value, a * (1 - a))
    close(e.gradients["z"], delta)
    close(e.gradients["w"], delta * np.array([-1, -2]))
    close(e.gradients["b"], delta)
    text = page("sigmoid-neuron")
    for number in ("0.7311", "-0.2689 × 0.1966", "-0.0529", "[0.0529, 0.1058]", "[1.9471, -3.1058]", "-2.9471", "0.7887"):
        assert number in text
    for by_hand, exact in ((0.7311, a), (-0.2689, a - 1), (0.1966, a * (1 - a)), (-0.0529, delta), (0.1057, -2 * delta),
                           (-3.1057, -3 + 2 * delta), (-2.9471, -3 - delta)):
        assert abs(by_hand - exact) < 1e-4
    assert "0.1057" in text
    assert "-3.1057" in text


def test_merge_shows_two_edges_into_y(explained, page):
    e = explained["merge"]
    x, y, v = (e[name].value for name in "xyv")
    assert e.gradients == {"x": 2 * v * y, "y": 2 * v * (1 + x)} == {"x": 6, "y": 18}
    (merge,) = e.merges
    assert e[merge.node].name == "y"
    assert [e[e_.result].name for e_ in e.edges if e_.id in merge.edges] == ["v", "u"]
    assert "y merge  from v + from u  6 + 12          18" in page("merge")
    assert "= 2 * v + 2 * v * x" in page("merge")


@pytest.mark.parametrize(("x", "y"), [(1, 2), (0.5, -3), (-2, 0.25)])
def test_merge_and_reuse_follow_their_closed_forms(x, y):
    e = EXAMPLES["merge"].explain(values=f"x={x} y={y}")
    v = x * y + y
    close([e.gradients["x"], e.gradients["y"]], [2 * v * y, 2 * v * (1 + x)])
    e = EXAMPLES["reuse"].explain(values=f"x={x} y={y}")
    close([e.gradients["x"], e.gradients["y"]], [2 * x * (x + y) * (2 * x + y), 2 * x**2 * (x + y)])


def test_reuse(explained, page):
    assert explained["reuse"].gradients == {"x": 24, "y": 6}
    assert "x merge  from b + from a" in page("reuse")


def test_gates(explained, page):
    e = explained["gates"]
    assert [float(x.contribution) for x in e.edges_into("s")] == [1, 1]  # copy sums
    assert e["p"].gradient == e["m"].gradient == e["s"].gradient == 2  # add copies
    assert (e["x"].gradient, e["y"].gradient) == (2 * e["y"].value, 2 * e["x"].value)  # multiply swaps and scales
    assert (e["z"].gradient, e["w"].gradient) == (2, 0)  # max routes to the winner
    assert "s merge  from L + from L     1 + 1           2" in page("gates")


def test_two_layer(explained, page):
    e = explained["two-layer"]
    a1, slope = e["a1"].value, e["a1"].value * (1 - e["a1"].value)
    delta2 = e["a2"].value - e["y"].value
    delta1 = (e["W2"].value.T @ delta2) * slope
    close(e.gradients["a2"], delta2)
    close(e.gradients["z1"], delta1)
    close(e.gradients["W2"], delta2 @ a1.T)
    close(e.gradients["W1"], delta1 @ e["x"].value.T)
    close(e.gradients["b2"], delta2)
    close(e.gradients["b1"], delta1)
    text = page("two-layer")
    for formula in ("= a2 - y", "= delta2 @ a1.T", "(W2.T @ delta2) * a1", "= delta1 @ x.T"):
        assert formula in text


def test_softmax_in_one_gate_and_opened(explained, page):
    e, opened = explained["softmax"], EXAMPLES["softmax"].explain(open=True)
    z, y = e["z"].value, e["y"].value
    p = np.exp(z) / np.exp(z).sum()
    assert len(e.edges) == 1
    assert {"exp", "sum", "log"} <= {n.operation for n in opened.nodes}
    close(e.gradients["z"], p - y)
    close(opened.gradients["z"], p - y)
    assert "[0.09, 0.2447, -0.3348]" in page("softmax")
    assert "exp(v1)" in page("softmax", "--open")


@pytest.mark.parametrize("name", ["affine-relu", "batch"])
def test_affine_layers_on_a_batch(name, explained, page):
    e = explained[name]
    g, x, w = e["Z"].gradient, e["X"].value, e["W"].value
    close(e.gradients["W"], g.T @ x)
    close(e.gradients["b"], g.sum(0))
    close(e.gradients["X"], g @ w)
    text = page(name)
    for said in ("= G.T @ X", "= sum(G, axis=0)", "= G @ W", f"({w.shape[0]}, {w.shape[1]}) = ({g.shape[1]}, {g.shape[0]}) @"):
        assert said in text


def test_residual_shows_the_identity_edge_apart(explained, page):
    e = explained["residual"]
    u, w1, w2 = (e[name].value for name in ("u", "W1", "W2"))
    jacobian = w2 @ np.diag(e["z"].value > 0) @ w1
    close(edge(e, "x", "h").contribution, u)
    close(edge(e, "x", "z").contribution, jacobian.T @ u)
    close(e.gradients["x"], u + jacobian.T @ u)
    assert edge(e, "x", "h").local.value == 1
    assert "through the skip   u            [1, 3]" in page("residual")


def test_gears_vanish_and_explode(explained, page):
    assert explained["gears"].gradients == {"C": 6}
    close(explained["vanish"].gradients["x"], 0.0081)
    close(explained["explode"].gradients["x"], 81)
    assert "B × 2  3 × 2           6" in page("gears")
    assert "0.0081" in page("vanish")
    assert "81" in page("explode")


def test_nudge_counts_what_both_ways_cost(explained, page):
    e = explained["nudge"]
    parameters = sum(np.size(g) for g in e.gradients.values())
    operations = sum(n.kind == "operation" for n in e.nodes)
    text = page("nudge")
    assert f"P = {parameters} derivatives" in text
    assert f"P + 1 = {parameters + 1} forward     {(parameters + 1) * operations}" in text
    assert f"1 forward, 1 backward  {operations} + {len(e.edges)} rules" in text
