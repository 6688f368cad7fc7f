"""A derivation is what a lecturer would write, at the level of matrices or of indices; each of its lines was evaluated."""
import re
import shutil
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

import chainrule as cr
import laws
from chainrule.core.type import Type
from chainrule.explanation.faces.derivation import element_table
from chainrule.explanation.faces.derivation.breaking import broken, width
from chainrule.explanation.faces.derivation.deriving import Deriving, derive
from chainrule.explanation.faces.derivation.levels import Matrices
from chainrule.explanation.faces.derivation.repetition import repetition
from chainrule.explanation.faces.derivation.rewriting import EQUIVALENT, equivalent
from chainrule.explanation.faces.derivation.verified import DerivationError, evaluate
from chainrule.explanation.faces.derivation_text import derivation_text
from chainrule.explanation.faces.latex import derivation as latex_of
from chainrule.explanation.faces.mathml import mathml
from chainrule.explanation.formulas.binding import ENCLOSED
from chainrule.explanation.formulas.formula import Call, Name
from chainrule.explanation.formulas.writing import latex, text
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.ops import ALL, multiply
from test_element import NETWORKS, Maker, digits_mlp, small_cnn, transformer_block
from test_explain import balanced

LEVELS = ("matrix", "index")


@pytest.fixture(scope="module")
def explained():
    """The explanations of the networks and the worked examples, by name."""
    return {f.__name__: cr.explain(f()[0]) for f in NETWORKS} | {name: example.explain() for name, example in EXAMPLES.items()}


def lines(e, **options):
    """The lines of a derivation as text, in the order in which one reads them."""
    return [line.strip() for line in derivation_text(e, width=400, **options).splitlines()]


# ---------------------------------------------------------------------------------------- what it says
MATRIX = {
    "digits_mlp": (
        "Z_fc1 = X @ W_fc1.T + b_fc1", "A_fc1 = relu(Z_fc1)", "Z_fc2 = A_fc1 @ W_fc2.T + b_fc2",
        "L = sum(softmax_cross_entropy(Z_fc3, y)) / 32", "delta_fc3 = 1 / 32 * (softmax(Z_fc3, axis=1) - one_hot(y))",
        "delta_fc2 = (delta_fc3 @ W_fc3) * (1 - A_fc2**2)", "delta_fc1 = (delta_fc2 @ W_fc2) * (Z_fc1 > 0)",
        "dL/dW_fc1 = delta_fc1.T @ X", "dL/db_fc1 = sum(delta_fc1, axis=0)"),
    "small_cnn": (
        "Z_conv1 = conv(X, W_conv1) + b_conv1", "P_conv1 = maxpool(A_conv1)",
        "delta_conv1 = unpool(conv_transpose(delta_conv2, W_conv2)) * (Z_conv1 > 0)", "dL/dW_conv1 = conv(X, delta_conv1)",
        "dL/db_conv1 = sum(delta_conv1, axis=(0, 2, 3))"),
    "lstm": (
        "H[0] = c2", "Z1[t] = X[t] @ W_ih.T + b + H[t-1] @ W_hh.T", "C[t] = A3[t] * C[t-1] + A2[t] * A4[t]",
        "dL/dC[20] = (delta_out @ W_out) * A5[20] * (1 - A[20]**2)",
        "dL/dC[t] = dL/dC[t+1] * A3[t+1] + (delta1[t+1] @ W_hh) * A5[t] * (1 - A[t]**2)  (t = 1, ..., 19)",
        "delta1[t] = concat(delta2[t], delta3[t], delta4[t], delta5[t], axis=1)",
        "dL/dW_hh = sum_{t=1..20} delta1[t].T @ H[t-1]"),
    "transformer_block": (
        "H9 = H2 + Z_out", "delta_up = (delta_down @ W_down) * gelu_slope(Z_up)", "dL/dS = delta2 @ H7.T",
        "dL/dH2 = dL/dH9 + jacobian(H3; H2).T(dL/dH3)", "dL/dembedding = scatter(dL/dH2, c1)",
        "dL/dgamma_ln1 = sum(dL/dH4 * H3, axis=(0, 1))"),
    "two-layer": ("delta2 = a2 - y", "delta1 = (W2.T @ delta2) * a1 * (1 - a1)", "dL/dW1 = delta1 @ x.T", "dL/db1 = delta1"),
    "softmax": ("dL/dz = softmax(z) - y",),
    "affine-relu": ("G = A * (Z > 0)", "dL/dW = G.T @ X", "dL/db = sum(G, axis=0)", "dL/dX = G @ W"),
    "residual": ("dL/dF = u", "delta = (dL/dF @ W2) * (z > 0)", "dL/dx = u + delta @ W1"),
    "sigmoid-neuron": ("C = (y - a)**2 / 2", "dC/da = -(y - a)", "delta = dC/da * a * (1 - a)", "dC/dw = delta * x"),
    "merge": ("dL/dv = 2 * v", "dL/dx = dL/du * y = 2 * v * y", "dL/dy = dL/dv + dL/du * x = 2 * v + 2 * v * x"),
    "vanish": ("dy/da3 = 0.3", "dy/da2 = dy/da3 * 0.3"),
}
INDEX = {
    "digits_mlp": (
        "Z_fc1[i,j] = sum_{k} X[i,k] * W_fc1[j,k] + b_fc1[j]",
        "L = (sum_{i} -log(exp(Z_fc3[i,y[i]]) / (sum_{j} exp(Z_fc3[i,j])))) / 32",
        "delta_fc3[i,j] = 1 / 32 * (exp(Z_fc3[i,j]) / (sum_{k} exp(Z_fc3[i,k])) - (y[i] == j))",
        "delta_fc1[i,j] = (sum_{k} delta_fc2[i,k] * W_fc2[k,j]) * (Z_fc1[i,j] > 0)",
        "dL/dW_fc1[i,j] = sum_{k} delta_fc1[k,i] * X[k,j]", "dL/db_fc1[i] = sum_{j} delta_fc1[j,i]"),
    "small_cnn": (
        "Z_conv1[i,j,k,l] = sum_{m,n,q} X[i,m,k+n-1,l+q-1] * W_conv1[j,m,n,q] + b_conv1[j]",
        "P_conv1[i,j,k,l] = max_{m,n} A_conv1[i,j,2*k+m,2*l+n]",
        "Z_fc[i,j] = sum_{k,l,m} A_conv2[i,k,l,m] * W_fc[j,4*k+2*l+m] + b_fc[j]",
        "dL/dP_conv1[i,j,k,l] = sum_{m,n,q} delta_conv2[i,m,k-n,l-q] * W_conv2[m,j,n,q]",
        "delta_conv1[i,j,k,l] = (sum_{p} dL/dP_conv1[p] * dP_conv1[p]/dA_conv1[i,j,k,l]) * (Z_conv1[i,j,k,l] > 0)",
        "dL/dW_conv1[i,j,k,l] = sum_{m,n,q} delta_conv1[m,i,n,q] * X[m,j,n+k-1,q+l-1]"),
    "lstm": (
        "Z3[t][i,j] = Z1[t][i,j+5]", "dL/dW_hh[i,j] = sum_{t=1..20} sum_{k} delta1[t][k,i] * H[t-1][k,j]",
        "delta1[t][i,j] = delta2[t][i,j] * (0 <= j < 5) + delta3[t][i,j-5] * (5 <= j < 10) + delta4[t][i,j-10] * (10 <= j < 15)"
        " + delta5[t][i,j-15] * (15 <= j < 20)"),
    "transformer_block": (
        "H1[i,j,k] = embedding[c1[i,j],k]", "H5[i,j,k,l] = Z_q[i,k,4*j+l]",
        "S[i,j,k,l] = exp(H8[i,j,k,l]) / (sum_{m} exp(H8[i,j,k,m]))", "Z2[i,j,k,l] = sum_{m} S[i,j,k,m] * H7[i,j,m,l]",
        "delta_v[i,j,k] = sum_{l} S[i,k//4,l,j] * delta2[i,k//4,l,k%4]",
        "dL/dembedding[i,j] = sum_{k,l} dL/dH2[k,l,j] * (c1[k,l] == i)", "dL/dpositions[i,j] = sum_{k} dL/dH2[k,i,j]",
        "dL/dW_q[i,j] = sum_{k,l} delta_q[k,l,i] * H4[k,l,j]"),
    "two-layer": ("z1[i,j] = sum_{k} W1[i,k] * x[k,j] + b1[i,j]",
                  "delta1[i,j] = (sum_{k} W2[k,i] * delta2[k,j]) * a1[i,j] * (1 - a1[i,j])"),
    "residual": ("z[i] = sum_{j} W1[i,j] * x[j]", "dL/dx[i] = u[i] + (sum_{j} delta[j] * W1[j,i])"),
}


@pytest.mark.parametrize("name", MATRIX)
def test_a_lecturer_would_write_it_so_with_matrices(name, explained):
    found = lines(explained[name], numbers=False)
    for line in MATRIX[name]:
        assert line in found, "\n".join(found)


@pytest.mark.parametrize("name", INDEX)
def test_a_lecturer_would_write_it_so_with_indices(name, explained):
    found = lines(explained[name], level="index", numbers=False)
    for line in INDEX[name]:
        assert line in found, "\n".join(found)


def test_latex_has_labels_below_and_with_indices_above(explained):
    matrix, index = (latex_of(explained["digits_mlp"], level=level) for level in LEVELS)
    for line in (r"\frac{1}{32} \, \left( \mathrm{softmax}(Z_{\mathrm{fc3}}) - \mathrm{onehot}(y) \right) \\",
                 r"\frac{\partial L}{\partial W_{\mathrm{fc1}}} &= \delta_{\mathrm{fc1}}^T \, X",
                 r"\frac{\partial L}{\partial b_{\mathrm{fc1}}} &= \sum_{\text{rows}} \delta_{\mathrm{fc1}}",
                 r"$W_{\mathrm{fc1}}$ & \texttt{fc1.weight} & $20 \times 64$ & input & "):
        assert line in matrix
    assert r"Z^{(\mathrm{fc1})}_{ij} &= \sum_{k} X_{ik} \, W^{(\mathrm{fc1})}_{jk} + b^{(\mathrm{fc1})}_{j}" in index
    assert r"\frac{\partial L}{\partial W^{(\mathrm{fc1})}_{ij}} &= \sum_{k} \delta^{(\mathrm{fc1})}_{ki} \, X_{kj}" in index


def test_the_symbols_are_explained_with_name_shape_and_line(explained):
    meanings = {text(m.symbol): m for m in derive(explained["digits_mlp"]).meanings}
    assert (meanings["W_fc1"].name, meanings["W_fc1"].shape, meanings["W_fc1"].made) == ("fc1.weight", (20, 64), "input")
    assert re.fullmatch(r"test_element\.py:\d+", meanings["A_fc1"].source)
    assert len({m.name for m in meanings.values()}) == len(meanings)


def test_symbols_do_not_clash_with_the_names_in_a_program():
    z, a = (cr.tensor(np.array([1.5, -0.5]), requires_grad=True, name=name) for name in ("z", "a"))
    found = lines(cr.explain(cr.sum(cr.tanh(z * a))), numbers=False)
    assert "dL/dz = dL/dv1 * a" in found
    assert "v2 = tanh(v1)" in found


# ---------------------------------------------------------------------------------------- numbers
def test_numbers_are_put_in_where_arrays_are_small_or_when_they_are_asked_for(explained):
    assert "z = w * x + b = 3 * 2 + 1 = 7" in lines(explained["neuron"])
    assert "z = w * x + b" in lines(explained["neuron"], numbers=False)
    assert "Z_fc1 = X @ W_fc1.T + b_fc1 = (32×64) @ (20×64).T + (20,) = (32×20)" in lines(explained["digits_mlp"], numbers=True)
    assert "Z_fc1 = X @ W_fc1.T + b_fc1" in lines(explained["digits_mlp"])
    assert "z1[0,0] = 0.5 * 1 + (-1) * 2 + 0.5 = -1" in lines(explained["two-layer"], level="index")
    assert not [line for line in lines(explained["two-layer"], level="index", numbers=False) if "[0,0]" in line]


def test_an_unknown_level_is_an_error(explained):
    with pytest.raises(cr.errors.ArgumentError, match="level is 'matrix' or 'index', not 'scalar'"):
        latex_of(explained["neuron"], level="scalar")


# ---------------------------------------------------------------------------------------- repeated structure
def test_the_steps_of_a_loop_are_written_once(explained):
    e = explained["lstm"]
    assert repetition(e).steps == 20
    derived = derive(e)
    assert len(e.nodes) > 300
    assert len(list(derived.equations())) < 40
    assert derived.verified > 300, "every step is evaluated, not only the one that is written"
    assert r"For $t = 1, \ldots, 20$:" in latex_of(e)


def deep(layers):
    make = Maker(4)
    h = make.rng.normal(size=(4, 6))
    for k in range(layers):
        h = h + cr.tanh(cr.linear(h, make(f"blocks.{k}.fc1.weight", 6, 6), make(f"blocks.{k}.fc1.bias", 6))) * 0.5
        h = cr.relu(cr.linear(h, make(f"blocks.{k}.fc2.weight", 6, 6), make(f"blocks.{k}.fc2.bias", 6)))
    return cr.mean(h**2)


def test_layers_that_repeat_have_parameters_with_steps():
    found = lines(cr.explain(deep(8)))
    assert "For t = 1, ..., 8:" in found
    assert "Z_fc1[t] = H[t-1] @ W_fc1[t].T + b_fc1[t]" in found
    assert "dL/dW_fc2[t] = delta_fc2[t].T @ H1[t]" in found
    assert any(line.startswith("W_fc1[t]  blocks.0.fc1.weight, ...") for line in found)
    assert "For t" not in "\n".join(lines(cr.explain(deep(2))))


def test_a_chain_is_one_line():
    y = cr.tensor(np.array(0.5), requires_grad=True, name="x")
    for _ in range(300):
        y = cr.sin(y)
    found = lines(cr.explain(y), numbers=False)
    for line in ("h[0] = x", "h[t] = sin(h[t-1])", "L = h[300]", "dL/dh[t] = dL/dh[t+1] * cos(h[t])  (t = 1, ..., 298)"):
        assert line in found
    assert len(found) < 30


def test_a_value_used_a_thousand_times_has_the_count_written():
    x = cr.tensor(np.array(0.5), requires_grad=True, name="x")
    e = cr.explain(cr.sum(cr.stack(*[x] * 1000)))
    assert r"\text{1000 terms in all}" in latex_of(e)
    assert max(map(len, latex_of(e).splitlines())) < 500
    assert "(1000 terms)" in derivation_text(e)


def test_a_wrong_step_is_found_among_the_steps(explained):
    e = explained["lstm"]
    wrong = next(edge for edge in e.edges if e[edge.argument].name == "v128" and edge.rule is not None)
    assert repetition(e).places[wrong.argument].step == 8
    with pytest.raises(DerivationError, match=r"\[8\]"):
        derive(with_rule(e, wrong, Call(wrong.rule.shape, multiply, (wrong.rule, wrong.rule), {})))


# ---------------------------------------------------------------------------------------- verified
def with_rule(e, edge, rule):
    return replace(e, edges=tuple(replace(x, rule=rule) if x.id == edge.id else x for x in e.edges))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("network", "argument", "line"), [
    (digits_mlp, "fc1.weight", r"dL/dW_fc1(\[i,j\])? = "), (small_cnn, "conv2.bias", r"dL/db_conv2(\[i\])? = "),
    (transformer_block, "q.weight", r"dL/dW_q(\[i,j\])? = ")])
def test_a_wrong_rule_is_named_by_its_line(network, argument, line, level):
    e = cr.explain(network()[0])
    edge = e.edges_into(argument)[0]
    with pytest.raises(DerivationError, match="derivation: the line " + line):
        latex_of(with_rule(e, edge, Call(edge.rule.shape, multiply, (edge.rule, Name((), "L")), {})), level=level)


def test_a_wrong_contribution_whose_rule_is_not_written_is_found(explained):
    e = explained["transformer_block"]
    edge = next(x for x in e.edges if x.rule is None and e[x.result].operation == "standardize")
    wrong = tuple(replace(x, contribution=x.contribution * 1.01) if x.id == edge.id else x for x in e.edges)
    with pytest.raises(DerivationError, match=r"jacobian\(H3; H2\)\.T\(dL/dH3\) does not hold: the terms at"):
        derive(replace(e, edges=wrong))


def test_a_wrong_formula_of_a_value_is_named_by_its_line(explained):
    e = explained["digits_mlp"]
    node = e["v2"]
    softplus = next(p for p in ALL if p.name == "softplus")
    wrong = replace(node, formula=Call(node.shape, softplus, node.formula.args, {"beta": 1.0}))
    with pytest.raises(DerivationError, match=r"the line A_fc1 = softplus\(Z_fc1\) does not hold: the formula comes to"):
        derive(replace(e, nodes=tuple(wrong if n.id == node.id else n for n in e.nodes)))


def test_a_wrong_table_of_elements_is_found(explained, monkeypatch):
    monkeypatch.setitem(element_table.TABLE, "linear", lambda say, f, places: say.of(f.args[2], places[-1:]))
    with pytest.raises(DerivationError, match=r"the line Z_fc1\[i,j\] = b_fc1\[j\] does not hold"):
        latex_of(explained["digits_mlp"], level="index")


@pytest.mark.parametrize("operation", EQUIVALENT)
def test_the_slope_in_other_words_is_the_slope(operation):
    prim = next(p for p in ALL if p.name == operation)
    low, high = (prim.domain or ((-2.0, 2.0),))[0]
    x = np.linspace(max(low, -3.0), min(high, 3.0), 41)[1:-1]
    x = x[x != 0]  # where the slope of |x| is a matter of choice
    total = cr.sum if operation == "logsumexp" else lambda y: y
    y = prim(x, axis=(0,), keepdims=False) if operation == "logsumexp" else prim(x)
    said = equivalent(operation, Type(np.shape(y), np.dtype(float)), Type(x.shape, x.dtype))
    slope = cr.grad(lambda x: cr.sum(total(prim(x)) if operation == "logsumexp" else prim(x)))(x)
    np.testing.assert_allclose(evaluate(said, {"y": y, "x": x})[0], slope, rtol=1e-9)


def test_a_slope_that_has_lost_its_digits_is_written_as_the_engine_says_it():
    x = cr.tensor(np.array([9.5, -9.5], np.float32), requires_grad=True, name="x")
    near = cr.tensor(np.array([0.5, -0.5], np.float32), requires_grad=True, name="x")
    assert "1 / cosh(x) / cosh(x)" in "".join(lines(cr.explain(cr.sum(cr.tanh(x))), numbers=False))
    assert "cosh" not in "".join(lines(cr.explain(cr.sum(cr.tanh(near))), numbers=False))


def test_what_is_left_out_is_left_out_only_where_it_does_nothing():
    z = cr.tensor(np.array([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]), requires_grad=True, name="z")

    def said(target, **options):
        return next(line for line in lines(cr.explain(cr.sum(cr.softmax_cross_entropy(z, target, **options))), numbers=False)
                    if line.startswith("dL/dz"))
    assert said(np.array([0, 2])) == "dL/dz = softmax(z, axis=1) - one_hot(y)"
    assert "(y != (-100))" in said(np.array([0, -100]))
    assert said(np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])).endswith("softmax(z, axis=1) - c1")
    assert "sum(c1, axis=1, keepdims=True)" in said(np.array([[2.0, 0.5, 0.0], [0.0, 0.0, 1.0]]))


def test_exponentials_that_overflow_are_not_written_out():
    z = cr.tensor(np.array([[1000.0, 999.0]]), requires_grad=True, name="z")
    found = lines(cr.explain(cr.sum(cr.softmax(z) * np.array([[1.0, 2.0]]))), level="index", numbers=False)
    assert "S[i,j] = softmax(z, axis=1)[i,j]" in found


# ---------------------------------------------------------------------------------------- writing
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_text_of_a_line_is_python_that_comes_to_its_array(name, explained):
    """The lines are parsed anew: their parentheses say what was evaluated."""
    deriving = Deriving(explained[name], Matrices(explained[name]), numbers=False)
    arrays = {word(symbol): np.asarray(value) for symbol, value in deriving.composition.known.items()}
    operations = {p.name: p for p in ALL} | {"sum": cr.sum}
    for equation in deriving.derivation().equations():
        for formula in equation.formulas:
            found = eval(word(text(formula)), {**operations, **arrays})
            np.testing.assert_allclose(np.asarray(found, float), arrays[word(text(equation.left))], rtol=1e-9)


def word(said):
    """The same with gradients called by words of Python."""
    return re.sub(r"d(\w+)/d(\w+)", r"d\1_d\2", said)


@pytest.mark.parametrize("prim", [p for p in ALL if p.tex or p.infix], ids=str)
def test_a_sum_inside_a_product_has_parentheses(prim):
    for sample in laws.samples(prim)[:1]:
        args, params = laws.canonical(prim, sample)
        names = tuple(None if a is None else Name(np.shape(a), f"x{k}") for k, a in enumerate(args))
        product = Call((), multiply, (Name((), "g"), Call((3,), prim, names, params)), {})
        outside = re.sub(r"\\(left|right)\b", "", latex(product))
        while outside != (shorter := re.sub(ENCLOSED, "", outside)):
            outside = shorter
        assert not re.search(r" [+-] | = |\\sum| [<>] ", outside), latex(product)


def test_formulas_wider_than_the_page_are_broken_at_their_loosest_signs():
    long = " + ".join(rf"\left( a_{{{k}}} - b \right) \odot c" for k in range(12))
    pieces = broken(long, 200)
    assert len(pieces) > 2
    assert all(width(piece) <= 200 for piece in pieces)
    assert all(piece.startswith("+") for piece in pieces[1:])
    assert " ".join(pieces) == long
    assert broken("a + b", 200) == ["a + b"]


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("level", LEVELS)
def test_the_text_fits_the_page(level, width, explained):
    for e in explained.values():
        found = derivation_text(e, level=level, width=width).splitlines()
        assert max(map(len, found)) <= width, max(found, key=len)


# ---------------------------------------------------------------------------------------- every operation and network
@pytest.mark.parametrize("prim", ALL, ids=str)
def test_every_operation_is_told_with_indices(prim):
    for sample in laws.samples(prim)[:3]:
        loss = laws.recorded(prim, sample)
        if loss is not None:
            assert balanced(latex_of(cr.explain(loss), level="index"))


@pytest.mark.parametrize("level", LEVELS)
def test_mathml_is_well_formed_and_whole(level, explained):
    for e in explained.values():
        parts = mathml(e, level=level)
        titles = [title for title, _ in parts]
        assert titles == [title for title in ("Given", "Forward", "Backward", "Gradients", "Where") if title in titles]
        assert {"Forward", "Gradients"} <= set(titles)
        for title, html in parts:
            tree = ElementTree.fromstring(f"<div>{html}</div>")
            assert "\\" not in "".join(tree.itertext())
            assert title == "Where" or list(tree.iter("{http://www.w3.org/1998/Math/MathML}math"))


def test_mathml_says_what_to_install(explained, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "latex2mathml.converter", None)
    with pytest.raises(cr.errors.ArgumentError, match="pip install latex2mathml"):
        mathml(explained["neuron"])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on this machine")
@pytest.mark.parametrize("numbers", [None, True], ids=["as it comes", "numbers"])
@pytest.mark.parametrize("level", LEVELS)
def test_all_derivations_compile_and_stay_on_the_page(level, numbers, explained, tmp_path):
    parts = [latex_of(e, level=level, numbers=numbers) for e in explained.values()]
    head, end = latex_of(explained["gears"], document=True).split(r"\subsection*{Given}")[0], "\\end{document}\n"
    (tmp_path / "all.tex").write_text(head + "\\clearpage\n".join(parts) + end)
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"], cwd=tmp_path,
                          capture_output=True, timeout=120, check=False)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-2000:]
    overfull = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(overfull, default=0.0) <= 20
