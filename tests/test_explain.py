"""An explanation holds facts that add up, and its faces carry these facts."""
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import chainrule as cr
import laws
from chainrule.core.primitive import Primitive
from chainrule.explanation.faces.data import SCHEMA
from chainrule.explanation.faces.table import fitted, table
from chainrule.explanation.formulas.writing import text as text_of
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.explanation.language.explain_formula import explain_formula
from chainrule.explanation.story import Explanation
from chainrule.ops import ALL

close = np.testing.assert_allclose


def leaf(value, name):
    return cr.tensor(np.array(value, np.float64), requires_grad=True, name=name)


def network(dtype=np.float64):
    """A loss of two layers on a batch, with the parameters and the named values on the way."""
    rng = np.random.default_rng(0)
    w1, b1, w2 = (cr.tensor(rng.normal(size=s).astype(dtype), requires_grad=True, name=n)
                  for s, n in (((5, 3), "W1"), ((5,), "b1"), ((4, 5), "W2")))
    x, labels = rng.normal(size=(6, 3)).astype(dtype), rng.integers(0, 4, 6)
    h = cr.tanh(cr.matmul(x, w1.mT) + b1)
    z = cr.matmul(h, w2.mT)
    return cr.cross_entropy(z, labels), (w1, b1, w2), {"h": h, "z": z}


def losses():
    x, y = leaf([1.5, 0.5, 2.0], "x"), leaf([[2.0], [0.3]], "y")
    return {
        "broadcast": cr.sum(x * y + cr.exp(x) / y),
        "several uses": cr.sum(x * x) * cr.sum(x),
        "indexing": x[0] * x[2] + cr.sum(x[1:]),
        "softmax": -cr.log(cr.softmax(x))[1],
        "reductions": cr.mean(cr.max(x * y, axis=1)) + cr.logsumexp(y),
        "network": network()[0],
    }


@pytest.mark.parametrize("name", losses())
@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
def test_contributions_add_up_to_the_gradients(name, opened):
    loss = losses()[name]
    loss.backward()
    e = cr.explain(loss, open=opened)
    swept = {t.name: t.grad.numpy() for t in cr.eager.EAGER.history(loss) if t.prim is None}
    assert set(e.gradients) == set(swept)
    for key, gradient in swept.items():
        close(e.gradients[key], gradient, rtol=1e-12, atol=1e-14)
        close(sum(x.contribution for x in e.edges_into(key)), gradient, rtol=1e-12, atol=1e-14)
    assert e.checks
    assert all(c.agrees for c in e.checks)
    for merge in e.merges:
        close(merge.total, sum(x.contribution for x in e.edges if x.id in merge.edges), rtol=1e-12)


@pytest.mark.parametrize("name", losses())
def test_every_contribution_is_upstream_times_local_derivative(name):
    e = cr.explain(losses()[name])
    told = [edge for edge in e.edges if edge.local is not None]
    assert told
    for edge in told:
        product = np.asarray(edge.upstream) * np.asarray(edge.local.value)
        shape = np.shape(edge.contribution)
        if e.is_summed(edge):
            lead = tuple(range(product.ndim - len(shape)))
            product = product.sum(lead)
            product = product.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True) if 1 in shape else product
        close(np.broadcast_to(product, shape), edge.contribution, rtol=1e-12)


def test_formulas_are_read_off_the_rules():
    x, y = leaf(2.0, "x"), leaf(3.0, "y")
    said = {}
    for loss in (x * y, x / y, cr.sin(x) * 1.0, cr.exp(x) * 1.0, x**3, cr.log(y) * 1.0, -x, x - y):
        e = cr.explain(loss, names={"L": loss})
        for edge in e.edges:
            said[e[edge.result].operation, e[edge.argument].name] = str(edge.local.formula and text_of(edge.local.formula))
    assert said["multiply", "x"] == "y"
    assert said["divide", "x"] == "1 / y"
    assert said["divide", "y"] == "-L / y"
    assert said["sin", "x"] == "cos(x)"
    assert said["pow", "x"] == "3 * x**2"
    assert said["log", "y"] == "1 / y"
    assert said["subtract", "y"] == "-1"


def test_matrices_are_explained_at_matrix_level():
    loss, _, names = network()
    e = cr.explain(loss, names=names)
    said = {name: text_of(f) for name, f in e.derivations.items()}
    assert said["W2"] == "(dL/dz).T @ h"
    assert re.fullmatch(r"\(dL/dv\d+\)\.T @ c1", said["W1"])
    assert said["b1"].startswith("sum(")
    assert said["b1"].endswith("axis=0)")


def test_wrt_restricts_the_edges_to_paths_from_there():
    x, y = leaf(2.0, "x"), leaf(3.0, "y")
    u = cr.sin(x)
    e = cr.explain(u * y, [x], names={"u": u})
    assert list(e.gradients) == ["x"]
    assert [e[edge.argument].name for edge in e.edges] == ["u", "x"]
    assert cr.explain(u * y, u, names={"u": u}).gradients == {"u": 3.0}
    with pytest.raises(cr.errors.NoPathError, match="no path leads from"):
        cr.explain(cr.sin(y), x)


def test_names_come_from_the_caller_the_tensor_or_a_count():
    x, w = cr.tensor(np.array(2.0), requires_grad=True), leaf(3.0, "w")
    z = x * w
    names = [n.name for n in cr.explain(cr.sin(z) * 2.0, names={"z": z}).nodes]
    assert names == ["v1", "w", "z", "v2", "L"]
    same = leaf(1.0, "w")
    assert [n.name for n in cr.explain(w * same).nodes] == ["w", "w_2", "L"]


def test_nodes_know_the_line_that_computed_them():
    x = leaf(2.0, "x")
    e = cr.explain(cr.sin(x))
    assert re.fullmatch(r".*test_explain\.py:\d+", e["L"].source)
    assert e["x"].source is None


def test_explaining_leaves_gradients_alone_and_works_after_backward():
    loss, (w1, *_), _ = network()
    cr.explain(loss)
    assert w1.grad is None
    loss.backward()
    before = w1.grad.numpy().copy()
    close(cr.explain(loss).gradients["W1"], before)
    close(w1.grad.numpy(), before)


def test_float32_networks_are_checked_in_float64():
    e = cr.explain(network(np.float32)[0])
    assert {n.dtype for n in e.nodes if n.kind != "constant"} == {"float32"}
    assert all(c.agrees for c in e.checks)


def test_a_kink_is_called_a_kink():
    e = cr.explain(cr.relu(leaf(0.0, "x")))
    (check,) = e.checks
    assert check.agrees
    assert check.note == "a kink: between the slopes 0 and 1"


def test_a_wrong_rule_is_seen_in_the_check():
    @cr.custom_rule(backward=lambda g, y, x: (g,))
    def wrong(x):
        return cr.sin(x) * 2.0

    assert not cr.explain(wrong(leaf(1.0, "x"))).checks[0].agrees


def test_several_outputs_are_nodes_of_their_own():
    both = Primitive(
        "both", forward=lambda x: (np.sin(x), np.cos(x)), backward=(lambda g, y, x: g[0] * y[1] - g[1] * y[0],),
        tangent=lambda t, y, x: (t[0] * y[1], -t[0] * y[0]), batch=lambda flags, x: both(x), result=lambda t: [t, t],
        samples=lambda rng: [])
    x = leaf(0.5, "x")
    s, c = both(x)
    e = cr.explain(s * c, names={"s": s, "c": c})
    close(e.gradients["x"], np.cos(1.0))
    assert all(check.agrees for check in e.checks)
    assert "both(x)" in e.text()
    json.loads(e.json())


@pytest.mark.parametrize(("loss", "error"), [
    (lambda x: 3.0, cr.errors.ArgumentError), (lambda x: x, None), (lambda x: cr.stack(x, x), cr.errors.NonScalarError),
    (lambda x: x.detach() * 2.0, cr.errors.NoPathError)])
def test_what_cannot_be_explained_says_why(loss, error):
    made = loss(leaf(2.0, "x"))
    if error is None:
        assert cr.explain(made).gradients == {"x": 1.0}
    else:
        with pytest.raises(error, match="explain: "):
            cr.explain(made)


# ---------------------------------------------------------------------------------------- faces
DOCUMENTED = {
    "explanation": {"schema", "loss", "value", "nodes", "edges", "merges", "groups", "gradients", "derivations", "checks"},
    "node": {"id", "name", "kind", "operation", "arguments", "options", "formula", "numbers", "value", "shape", "dtype",
             "gradient", "source", "opens", "inside", "group"},
    "edge": {"id", "from", "to", "position", "upstream", "local", "rule", "numbers", "contribution"},
    "local": {"formula", "numbers", "value"},
    "merge": {"node", "edges", "total", "branches", "cancelled"},
    "branch": {"edge", "size", "share", "angle", "role"},
    "group": {"id", "name", "kind", "parent", "call", "calls", "nodes"},
    "check": {"node", "index", "gradient", "difference", "residual", "agrees", "note"},
}


def test_json_holds_all_facts_as_documented():
    e = EXAMPLES["two-layer"].explain()
    data = json.loads(e.json())
    assert data["schema"] == SCHEMA == "chainrule.explanation/1"
    assert set(data) == DOCUMENTED["explanation"]
    for kind in ("node", "edge", "merge", "check"):
        assert all(set(row) == DOCUMENTED[kind] for row in data[f"{kind}s"])
    merging = json.loads(EXAMPLES["merge"].explain().json())["merges"]
    assert all(set(branch) == DOCUMENTED["branch"] for row in merging for branch in row["branches"])
    assert all(set(x["local"]) == DOCUMENTED["local"] for x in data["edges"] if x["local"])
    ids = {n["id"] for n in data["nodes"]}
    assert {x["from"] for x in data["edges"]} | {x["to"] for x in data["edges"]} <= ids
    for name, gradient in e.gradients.items():
        assert data["gradients"][name] == gradient.tolist()
    for row, node in zip(data["nodes"], e.nodes):
        assert row["value"] == np.asarray(node.value).tolist()
    for row, edge in zip(data["edges"], e.edges):
        assert row["contribution"] == np.asarray(edge.contribution).tolist()


def test_the_documentation_names_every_entry_of_the_schema(root):
    page = (root / "docs" / "json.md").read_text()
    for kind, entries in DOCUMENTED.items():
        for entry in entries:
            assert f"`{entry}`" in page, f"docs/json.md does not explain {entry} of {kind}"


def test_the_example_in_the_documentation_is_what_comes_out(root):
    page = (root / "docs" / "explain.md").read_text()
    shown = re.search(r"\$ chainrule explain [^\n]*\n(.*?)```", page, re.DOTALL).group(1)
    e = explain_formula("(relu(w*x + b) - y)**2", ["x=2", "w=3", "b=1", "y=5"], wrt=["w", "b", "x"])

    def steady(text):  # residuals are rounding, and differ among machines
        return re.sub(r"\d+e-\d+|0e\+00", "~", text).rstrip()
    assert steady(shown) == steady(e.text())


def test_the_program_in_the_documentation_runs(root, capsys):
    page = (root / "docs" / "explain.md").read_text()
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1), {})
    assert "sigmoid(v2)" in capsys.readouterr().out


@pytest.fixture
def root(request):
    return request.config.rootpath


def test_json_writes_what_is_not_finite_as_words():
    e = explain_formula("log(x)", ["x=0"])
    data = json.loads(e.json())
    assert data["value"] == "-inf"
    assert data["gradients"]["x"] == "inf"


def balanced(latex):
    depth = 0
    for sign in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if sign == "{" else -1
        assert depth >= 0
    assert not re.search(r"(_\{[^{}]*\}|_\w)_|(\^\{[^{}]*\}|\^\w)\^", latex), "a double index or exponent, which LaTeX refuses"
    return depth == 0 and latex.count(r"\left(") == latex.count(r"\right)") and latex.count(r"\begin") == latex.count(r"\end")


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
def test_latex_is_balanced(name, opened):
    e = EXAMPLES[name].explain(open=opened)
    assert balanced(e.latex())
    assert balanced(e.latex(document=True))


def test_latex_says_what_a_lecturer_writes():
    latex = EXAMPLES["two-layer"].explain().latex()
    for said in (r"\delta_{2} &= a_{2} - y", r"\frac{\partial L}{\partial W_{2}} &= \delta_{2} \, a_{1}^T",
                 r"\delta_{1} &= \left( W_{2}^T \, \delta_{2} \right) \odot a_{1}"):
        assert said in latex


def test_latex_has_no_second_exponent_or_index_on_a_bare_symbol():
    x = leaf([[1.0, 2.0], [3.0, 4.0]], "x1")
    q, r = cr.linalg.qr(x)
    latex = cr.explain(cr.sum((q**2) ** 3) + cr.sum((cr.sin(x) @ r.mT) ** 2), names={"q": q}).latex()
    assert balanced(latex)
    assert "}_{1}" in latex


def test_latex_survives_names_that_mean_something_to_it():
    x = leaf([1.0, 2.0], "x_{#%&$}\\^~")
    assert balanced(cr.explain(cr.sum(x * x), names={"é_1": x}).latex())
    assert balanced(cr.explain(cr.sum(x * x)).latex())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on this machine")
def test_latex_compiles(tmp_path):
    body = "".join(EXAMPLES[name].explain().latex() for name in EXAMPLES)
    document = EXAMPLES["gears"].explain().latex(document=True).replace(r"\end{document}", body + r"\end{document}")
    (tmp_path / "all.tex").write_text(document)
    run = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"], cwd=tmp_path, capture_output=True,
                         timeout=60, check=False)
    assert run.returncode == 0, run.stdout.decode()[-2000:]


def test_a_large_graph_is_shortened_on_the_page_and_whole_in_the_facts():
    y = leaf(0.5, "x")
    for _ in range(300):
        y = cr.sin(y)
    e = cr.explain(y)
    assert len(e.edges) == 300
    text = e.text()
    assert "(240 of 300 rows left out; .json() has all)" in text
    assert len(text.splitlines()) < 150
    assert max(map(len, text.splitlines())) <= 80


def test_a_value_used_a_thousand_times_has_a_thousand_edges():
    x = leaf(0.5, "x")
    e = cr.explain(cr.sum(cr.stack(*[x] * 1000)))
    assert len(e.edges_into("x")) == 1000
    assert e.gradients == {"x": 1000.0}
    assert "x merge  sum of 1000 edges" in e.text()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_page(width):
    for e in (EXAMPLES["two-layer"].explain(), cr.explain(network()[0], open=True)):
        assert max(map(len, e.text(width).splitlines())) <= width


def test_columns_give_way_from_the_widest():
    assert fitted([5, 40, 10], 100) == [5, 40, 10]
    assert sum(fitted([5, 40, 30], 50)) <= 50
    assert fitted([5, 40, 30], 50)[0] == 5
    lines = table(["a", "b"], [["one two three four", "x"], ["y", "1\n2"]], 20)
    assert max(map(len, lines)) <= 20


def test_an_explanation_prints_as_its_page():
    e = cr.explain(leaf(2.0, "x") * 3.0)
    assert isinstance(e, Explanation)
    assert str(e) == e.text()
    assert repr(e) == "<explanation of L = 6.0: 2 values, 1 edges, gradients in x; print it>"


# ---------------------------------------------------------------------------------------- every operation
@pytest.mark.parametrize("prim", ALL, ids=str)
def test_every_operation_is_explained(prim):
    for sample in laws.samples(prim):
        loss = laws.recorded(prim, sample)
        if loss is None:
            continue
        for e in (cr.explain(loss), cr.explain(loss, open=True)):
            for node in e.nodes:
                into = e.edges_into(node.id)
                if into and not isinstance(node.value, tuple):
                    close(sum(x.contribution for x in into), node.gradient, rtol=1e-9, atol=1e-12)
            assert max(map(len, e.text().splitlines())) <= 80
            assert balanced(e.latex())
            json.loads(e.json())
            assert not sample.smooth or all(c.agrees for c in e.checks)


# ---------------------------------------------------------------------------------------- merges
def test_contributions_stand_side_by_side():
    """Two that cancel in part, at a known angle; then one that opposes, and one that is nothing."""
    x = leaf([1.0, 1.0], "x")
    (merge,) = cr.explain(cr.sum(x * np.array([3.0, 0.0])) + cr.sum(x * np.array([-3.0, 3.0])), wrt=x).merges
    close([b.size for b in merge.branches], [np.sqrt(18), 3.0])
    close([b.angle for b in merge.branches], [135.0, 135.0])
    close([b.share for b in merge.branches], [1.0, 0.0], atol=1e-15)
    close(merge.cancelled, 1 - 3 / (3 + np.sqrt(18)))

    y = leaf(2.0, "y")
    (merge,) = cr.explain(y * 5.0 - y * 2.0 + cr.relu(-y)).merges
    assert sorted((b.size, b.angle) for b in merge.branches if b.size) == [(2.0, 180.0), (5.0, 180.0)]
    assert [b.angle for b in merge.branches if not b.size] == [None]
    close(sum(b.share for b in merge.branches), 1.0)
    close(merge.cancelled, 1 - 3 / 7)


def test_a_merge_that_cancels_says_so():
    x = leaf(2.0, "x")
    e = cr.explain(x * 3.0 - x * 3.0)
    assert e.merges[0].cancelled == 1.0
    assert "Merges: what each edge brings" in e.text()
    assert "180°" in e.text()
    assert "100.0%" in e.text()
    assert json.loads(e.json())["merges"][0]["branches"][0]["share"] == "nan"
