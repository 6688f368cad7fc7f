"""The paths shown are the strongest of all paths, and together they are the gradient."""
import itertools
import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import main
from chainrule.explanation.language.examples import EXAMPLES
from test_algebra import all_paths, entropy_of, leaf, network, random_graph

close = np.testing.assert_allclose


@pytest.mark.parametrize("by", ["element", "operation"])
@pytest.mark.parametrize("seed", range(8))
def test_the_strongest_paths_are_those_that_listing_finds(seed, by):
    loss, leaves = random_graph(seed, size=7)
    e = cr.explain(loss)
    for x in leaves:
        listed = sorted(all_paths(loss, x), key=abs, reverse=True)
        found = e.paths(x, top=5, by=by)
        assert found.count == len(listed)
        close(found.mass, sum(map(abs, listed)), rtol=1e-12)
        close(found.entropy, entropy_of(listed), rtol=1e-9, atol=1e-12)
        close([abs(p.product) for p in found], [abs(v) for v in listed[:5]], rtol=1e-12)
        everything = e.paths(x, top=len(listed) + 3, by=by)
        close(sorted(p.product for p in everything), sorted(listed), rtol=1e-12)
        assert len({p.edges for p in everything}) == len(listed)  # no path comes twice


@pytest.mark.parametrize("by", ["element", "operation"])
def test_all_paths_together_are_the_gradient(by):
    w, x = leaf([[1.0, -2.0], [0.5, 3.0]], "w"), leaf([0.5, -0.25], "x")
    e = cr.explain(cr.sum(cr.softmax(cr.tanh(cr.matmul(w, x)) + x) * np.array([1.0, 5.0])))
    for t in (w, x):
        found = e.paths(t, top=1000, by=by)
        total = np.zeros(t.shape)
        for path in found:
            if by == "operation":
                total += path.product
            else:
                total[path.steps[-1].index] += path.product
                close(path.product, np.prod([step.local for step in path.steps[1:]]), rtol=1e-12)
        close(total, e.gradients[t.name], rtol=1e-12)
        close(found.gradient, e.gradients[t.name], rtol=1e-12)
        carried = sum(abs(p.share) for p in found)
        assert carried < 1 - 0.01 if by == "operation" else abs(carried - 1) < 1e-12  # inside a chain, paths cancel
        close(sum(p.of_gradient for p in found), 1.0, rtol=1e-9)
        assert all(abs(p.share) >= abs(q.share) - 1e-12 for p, q in itertools.pairwise(found))
        edges = {edge.id: edge for edge in e.edges}
        for path in found:
            assert [e[edges[k].result].name for k in path.edges] == list(path.nodes[:-1])
            assert [e[edges[k].argument].name for k in path.edges] == list(path.nodes[1:])


def test_paths_of_a_network_start_with_the_strongest_of_all():
    loss, parameters = network()
    e = cr.explain(loss)
    for t in parameters:
        found = e.paths(t)
        assert len(found) == 10 < found.count
        close(abs(found[0].product), cr.sweep(loss, "strongest", t).max(), rtol=1e-12)
        close(found.mass, cr.sweep(loss, "mass", t).sum(), rtol=1e-12)


@pytest.mark.parametrize("by", ["element", "operation"])
def test_the_best_of_exponentially_many_paths_are_found_at_once(by):
    x = leaf(1.0, "x")
    y = x
    for k in range(200):
        y = y + (0.5 if k else 1.0) * y  # the first diamond is a tie
    found = cr.explain(y, names={"y": y}, wrt=x).paths(x, top=3, by=by)
    assert found.count == 2**200
    assert [float(p.product) for p in found] == [1.0, 1.0, 0.5]
    close(found[0].share, 0.5 * 1.5**-199, rtol=1e-9)
    assert "1.607e60 paths" in found.text()


def test_a_residual_connection_shows_the_skip_and_the_block():
    e = EXAMPLES["residual"].explain()
    skip, block = e.paths("x", by="operation")
    assert "F" in block.nodes
    assert skip.nodes[-2:] == ("h", "x")
    close(skip.product, [1.0, 3.0])  # u, unchanged
    close(skip.product + block.product, e.gradients["x"])
    close(skip.of_gradient + block.of_gradient, 1.0)
    page = e.paths("x", by="operation").text()
    assert "55.4%        [1, 3]        L → v2 → h → x" in page


def test_paths_that_cancel_are_said_to():
    x = leaf(1.0, "x")
    found = cr.explain(3.0 * x - 3.0 * x).paths(x)
    assert found.cancelled == 1.0
    assert np.isnan(found[0].of_gradient)
    assert "100.0% cancels" in found.text()


def test_a_value_without_open_paths_has_none():
    x = leaf(-1.0, "x")
    found = cr.explain(cr.relu(x) * 2.0).paths("x")
    assert (len(found), found.count, found.mass, found.entropy) == (0, 0, 0.0, 0.0)
    assert "none is open" in found.text()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_of_paths_fits_the_terminal(name):
    e = EXAMPLES[name].explain()
    for key, by in itertools.product(e.gradients, ("element", "operation")):
        assert max(map(len, e.paths(key, by=by).text().splitlines())) <= 80


def test_what_has_no_paths_says_why():
    x, c = leaf(2.0, "x"), cr.tensor(np.ones(3), name="c")
    e = cr.explain(cr.sum(x * c))
    for call, says in ((lambda: e.paths("y"), "'y' takes no part"), (lambda: e.paths(c), "c is constant"),
                       (lambda: e.paths(x, by="layer"), "by is"), (lambda: e.paths(x, top=0), "top is"),
                       (lambda: e.paths(x, top=True), "top is"), (lambda: e.paths(x, top=2.0), "top is")):
        with pytest.raises(cr.errors.ArgumentError, match=f"paths: .*{says}|paths: {says}"):
            call()


def test_more_paths_than_there_are_cost_nothing_and_too_many_are_refused():
    x = leaf(np.ones(4), "x")
    assert len(cr.explain(cr.sum(x * x)).paths(x, top=10**12)) == 8
    h = x
    for _ in range(20):
        h = h + cr.tanh(cr.matmul(np.full((4, 4), 0.1), h))
    e = cr.explain(cr.sum(h))
    with pytest.raises(cr.errors.ArgumentError, match=r"too much memory\. Ask for \d+ at most"):
        e.paths(x, top=10**9)


@pytest.mark.parametrize("by", ["element", "operation"])
def test_json_holds_the_paths(by):
    found = EXAMPLES["two-layer"].explain().paths("W1", by=by)
    data = json.loads(found.json())
    assert set(data) == {"schema", "loss", "node", "by", "count", "mass", "entropy", "cancelled", "gradient", "paths"}
    assert data["schema"] == "chainrule.paths/1"
    for row, path in zip(data["paths"], found, strict=True):
        assert set(row) == {"product", "share", "of_gradient", "steps"}
        assert row["product"] == np.asarray(path.product).tolist()
        assert [step["node"] for step in row["steps"]] == list(path.nodes)
        assert all(set(step) == {"node", "index", "edge", "local"} for step in row["steps"])


@pytest.mark.parametrize("seed", range(4))
def test_the_strongest_chains_are_the_first_of_all(seed):
    """Arrays, where the search has only a bound: two are the first two of all, by the sum of the absolute values."""
    rng = np.random.default_rng(seed)
    w, x = leaf(rng.normal(size=(3, 3)), "w"), leaf(rng.normal(size=3), "x")
    h = x
    for _ in range(3):
        h = cr.tanh(cr.matmul(w, h)) - h * 0.5
    e = cr.explain(cr.sum(h * h))
    everything = sorted((np.abs(p.product).sum() for p in e.paths("x", top=10_000, by="operation")), reverse=True)
    assert len(everything) == 2 * 2**3
    close([np.abs(p.product).sum() for p in e.paths("x", top=3, by="operation")], everything[:3], rtol=1e-12)


def test_gates_that_are_opened_and_float32_have_paths():
    x = cr.tensor([0.5, -1.0], requires_grad=True, name="x")
    loss = cr.sum(cr.softmax(cr.sigmoid(x)) ** 2)
    for opened in (False, True):
        found = cr.explain(loss, open=opened).paths(x, top=100)
        close(sum(p.product for p in found if p.steps[-1].index == (0,)), found.gradient[0], rtol=1e-6)


def test_paths_are_asked_for_on_the_command_line(capsys):
    assert main(["explain", "x*x - 5*x", "x=3", "--paths", "x"]) == 0
    shown = capsys.readouterr().out
    assert "Paths from L to x: 3 paths" in shown
    assert "by chains of operations" in shown
    assert main(["explain", "--example", "residual", "--paths", "x", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["count"] == 6
    assert main(["explain", "x*x", "x=3", "--paths", "x", "--of", "x"]) == 2
    assert "either --of or --paths" in capsys.readouterr().err
    assert main(["explain", "x*x", "x=3", "--paths", "y"]) == 2
    assert "'y' takes no part" in capsys.readouterr().err


def test_infinite_slopes_are_paths_too():
    x = leaf([0.0, 4.0], "x")
    for by in ("element", "operation"):
        found = cr.explain(cr.sum(cr.sqrt(x))).paths(x, by=by)
        assert (found.count, found.mass) == (2, np.inf)
        assert np.max(found[0].product) == np.inf
        assert "inf" in found.text()
        json.loads(found.json())
