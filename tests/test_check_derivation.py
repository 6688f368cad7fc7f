"""The check of a derivation finds the first wrong step, names the slip, and leaves right derivations alone."""
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.check import WRONG
from chainrule.cli.main import BAD_INPUT, GOOD, main
from chainrule.errors import ArgumentError, NonScalarError
from chainrule.explanation.practice.slips import SLIPS

FITTING = 3  # slips at most that may fit one answer equally


def leaf(name, *shape, seed=0, dtype=np.float64):
    values = np.random.default_rng([seed, *map(ord, name)]).normal(size=shape)
    return cr.tensor(values.astype(dtype), requires_grad=True, name=name)


# ---------------------------------------------------------------------------------------- the networks, and right derivations
def neuron(dtype=np.float64):
    w, x, b = leaf("w", 3, dtype=dtype), leaf("x", 3, dtype=dtype), leaf("b", dtype=dtype)
    z = w @ x + b
    a = cr.sigmoid(z)
    y = 1.0
    loss = (y - a) ** 2 / 2
    return loss, locals(), {"da": "a - y", "delta": "da * a * (1 - a)", "dw": "delta * x", "db": "delta", "dx": "delta * w"}


def two_layer(dtype=np.float64):
    x, W1, b1 = leaf("x", 2, 1, dtype=dtype), leaf("W1", 3, 2, dtype=dtype), leaf("b1", 3, 1, dtype=dtype)
    W2, b2 = leaf("W2", 3, 3, dtype=dtype), leaf("b2", 3, 1, dtype=dtype)
    y = np.array([[1], [0], [0.5]], dtype)
    z1 = W1 @ x + b1
    a1 = cr.sigmoid(z1)
    z2 = W2 @ a1 + b2
    a2 = cr.tanh(z2)
    loss = cr.sum((a2 - y) ** 2) / 2
    return loss, locals(), {
        "delta2": "(a2 - y) * (1 - a2**2)", "dW2": "delta2 @ a1.T", "db2": "delta2", "da1": "W2.T @ delta2",
        "delta1": "da1 * a1 * (1 - a1)", "dW1": "delta1 @ x.T", "db1": "delta1"}


def affine_relu(dtype=np.float64):
    X, W, b = leaf("X", 4, 3, dtype=dtype), leaf("W", 3, 3, dtype=dtype), leaf("b", 3, dtype=dtype)
    Z = X @ W.T + b
    A = cr.relu(Z)
    T = np.arange(12, dtype=dtype).reshape(4, 3) / 12
    loss = cr.mean((A - T) ** 2)
    return loss, locals(), {
        "dA": "2 * (A - T) / 12", "dZ": "dA * (Z > 0)", "dW": "dZ.T @ X", "db": "sum(dZ, axis=0)", "dX": "dZ @ W"}


def classifier(dtype=np.float64):
    X = np.random.default_rng(3).normal(size=(5, 2)).astype(dtype)
    labels = np.array([0, 2, 1, 1, 0])
    Y = np.eye(3)[labels].astype(dtype)
    W1, b1, W2, b2 = (leaf(n, *s, dtype=dtype) for n, s in (("W1", (4, 2)), ("b1", (4,)), ("W2", (3, 4)), ("b2", (3,))))
    z1 = cr.linear(X, W1, b1)
    a1 = cr.tanh(z1)
    z2 = a1 @ W2.T + b2
    loss = cr.cross_entropy(z2, labels)
    return loss, locals(), {
        "delta2": "(softmax(z2, axis=1) - Y) / 5", "dW2": "delta2.T @ a1", "db2": "sum(delta2, axis=0)", "da1": "delta2 @ W2",
        "delta1": "da1 * (1 - a1**2)", "dW1": "delta1.T @ X", "db1": "sum(delta1, axis=0)"}


def residual(dtype=np.float64):
    x, W1, W2 = leaf("x", 3, seed=1, dtype=dtype), leaf("W1", 3, 3, dtype=dtype), leaf("W2", 3, 3, dtype=dtype)
    u = np.array([1, 3, -2], dtype)
    z = W1 @ x
    a = cr.relu(z)
    F = W2 @ a
    h = x + F
    loss = cr.sum(u * h)
    return loss, locals(), {"dh": "u", "dF": "dh", "dW2": "outer(dF, a)", "da": "W2.T @ dF", "dz": "da * (z > 0)",
                            "dW1": "outer(dz, x)", "dx": "dh + W1.T @ dz"}


def used_twice(dtype=np.float64):
    x, y = (cr.tensor(np.array(v, dtype), requires_grad=True, name=n) for n, v in (("x", 1.5), ("y", -0.7)))
    u = x * y
    v = u + y
    loss = v ** 3
    return loss, locals(), {"dv": "3 * v**2", "du": "dv", "dx": "du * y", "dy": "dv + du * x"}


NETWORKS = (neuron, two_layer, affine_relu, classifier, residual, used_twice)


def check(network, **changed):
    loss, names, right = network()
    return cr.check_derivation(loss, {**right, **changed}, names)


# ---------------------------------------------------------------------------------------- forty slips
SIGN, TRANSPOSE, ORDER, BATCH = "wrong sign", "missing transpose", "wrong order of a product", "forgotten sum over the batch"
FACTOR, PLACE, MERGE, CONSTANT = "missing factor", "derivative at the wrong place", "= for +=", "wrong constant factor"
MEAN, MEAN_FOR_SUM, SPREAD, AXIS = "forgotten mean", "mean for a sum", "missing broadcast sum", "sum over the wrong axis"
EXCHANGED, SHAPE, OWN = "arrays exchanged", "wrong shape", "factors exchanged"
VALUE, DIAGONAL = "another value in a product", "only the diagonal of the Jacobian"

PLANTED = [
    (neuron, "da", "y - a", SIGN),
    (neuron, "da", "2 * (a - y)", CONSTANT),
    (neuron, "delta", "da", FACTOR),
    (neuron, "delta", "da * z * (1 - z)", PLACE),
    (neuron, "delta", "da * sigmoid(a) * (1 - sigmoid(a))", PLACE),
    (neuron, "dw", "delta * w", OWN),
    (neuron, "dw", "-delta * x", SIGN),
    (two_layer, "delta2", "(y - a2) * (1 - a2**2)", SIGN),
    (two_layer, "delta2", "a2 - y", FACTOR),
    (two_layer, "delta2", "2 * (a2 - y) * (1 - a2**2)", CONSTANT),
    (two_layer, "delta2", "(a2 - y) * (1 - z2**2)", PLACE),
    (two_layer, "delta2", "(a2 - y) * (1 - tanh(a2)**2)", PLACE),
    (two_layer, "dW2", "a1 @ delta2.T", ORDER),
    (two_layer, "da1", "W2 @ delta2", TRANSPOSE),
    (two_layer, "delta1", "da1", FACTOR),
    (two_layer, "delta1", "da1 * z1 * (1 - z1)", PLACE),
    (two_layer, "dW1", "x @ delta1.T", TRANSPOSE),
    (affine_relu, "dA", "2 * (A - T)", MEAN),
    (affine_relu, "dA", "(A - T) / 12", CONSTANT),
    (affine_relu, "dZ", "dA", FACTOR),
    (affine_relu, "dW", "X.T @ dZ", TRANSPOSE),
    (affine_relu, "dW", "outer(dZ[0], X[0])", BATCH),
    (affine_relu, "dW", "dZ.T @ X / 4", MEAN_FOR_SUM),
    (affine_relu, "db", "dZ", BATCH),
    (affine_relu, "db", "dZ[3]", BATCH),
    (affine_relu, "db", "mean(dZ, axis=0)", MEAN_FOR_SUM),
    (affine_relu, "db", "sum(dZ, axis=1)", AXIS),
    (affine_relu, "dX", "dZ @ W.T", TRANSPOSE),
    (classifier, "delta2", "softmax(z2, axis=1) - Y", MEAN),
    (classifier, "delta2", "(Y - softmax(z2, axis=1)) / 5", SIGN),
    (classifier, "delta1", "da1 * (1 - z1**2)", PLACE),
    (classifier, "dW2", "delta2.T @ z1", VALUE),
    (classifier, "db1", "delta1", BATCH),
    (classifier, "dW1", "outer(delta1[4], X[4])", BATCH),
    (residual, "dx", "W1.T @ dz", MERGE),
    (residual, "dx", "dh", MERGE),
    (residual, "dW1", "outer(x, dz)", TRANSPOSE),
    (used_twice, "dy", "dv", MERGE),
    (used_twice, "dy", "du * x", MERGE),
    (used_twice, "dx", "du * x", OWN),
]


def test_forty_planted_slips_are_found_and_named():
    assert len(PLANTED) == 40
    missed, unnamed = [], []
    for network, step, formula, slip in PLANTED:
        found = check(network, **{step: formula}).first_wrong
        if found is None or found.name != step:
            missed.append((network.__name__, step, formula))
        elif slip not in [s.name for s in found.slips] or len(found.slips) > FITTING:
            unnamed.append((network.__name__, step, formula, slip, found.slip))
    assert not missed
    assert not unnamed


@pytest.mark.parametrize(("network", "step", "formula", "slip"), [p for p in PLANTED if p[0] in (two_layer, classifier)])
def test_what_follows_rightly_from_a_wrong_step_is_not_wrong(network, step, formula, slip):
    verdicts = {s.name: s.verdict for s in check(network, **{step: formula}).steps}
    assert [name for name, verdict in verdicts.items() if verdict == "wrong"] == [step]


# ---------------------------------------------------------------------------------------- right derivations
def arrays(network, dtype):
    """The gradients of a network as a person computes them in NumPy, from the right formulas."""
    loss, names, right = network()
    exact = cr.check_derivation(loss, right, names)
    return {step.name: step.given.astype(dtype) for step in exact.steps}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("kind", ["formulas", "float32 network", "float32 answers"])
def test_right_derivations_raise_no_alarm(network, kind):
    loss, names, right = network(np.float32 if kind == "float32 network" else np.float64)
    given = arrays(network, np.float32) if kind == "float32 answers" else right
    result = cr.check_derivation(loss, given, names)
    assert result.ok and result.first_wrong is None, result.text()
    assert "are right." in result.text()


@pytest.mark.parametrize(("network", "other"), [
    (two_layer, {"dW2": "(a1 @ delta2.T).T", "da1": "(delta2.T @ W2).T", "db2": "delta2[:, 0]"}),
    (classifier, {"dW1": "matrix_transpose(X.T @ delta1)", "db1": "expand_dims(sum(delta1, axis=0), axis=1)"}),
])
def test_other_conventions_with_the_same_numbers_are_right(network, other):
    assert check(network, **other).ok


def test_only_the_steps_that_are_given_are_looked_at():
    loss, names, right = two_layer()
    assert cr.check_derivation(loss, {"dW1": right["dW1"]}, names).ok
    found = cr.check_derivation(loss, {"delta1": "W2.T @ ((a2 - y) * (1 - a2**2))"}, names).first_wrong
    assert found.slip == FACTOR


def test_a_gradient_that_cancels_to_rounding_is_zero():
    z = leaf("z", 6)
    assert cr.check_derivation(cr.sum(cr.softmax(z)), {"dz": np.zeros(6)}).ok
    b = leaf("b", 2)
    g = np.array([[0.1, 1.0], [0.2, 2.0], [-0.3, -3.0]])
    assert cr.check_derivation(cr.sum(g * (b + np.zeros((3, 2)))), {"db": np.zeros(2)}).ok


def test_names_of_values_serve_as_names_of_their_gradients():
    data, w = leaf("data", 2), leaf("w", 2)
    loss = cr.sum(data * w)
    assert cr.check_derivation(loss, {"data": "w", "dw": "data"}).ok
    assert cr.check_derivation(loss, {"ddata": w, "dL/dw": data}).ok


def test_rounded_answers_are_right_within_a_tolerance():
    loss, names, _ = two_layer()
    rounded = {name: np.round(a, 3) for name, a in arrays(two_layer, np.float64).items()}
    assert not cr.check_derivation(loss, rounded, names).ok
    assert cr.check_derivation(loss, rounded, names, tolerance=0.05).ok


# ---------------------------------------------------------------------------------------- what the result says
def test_the_text_fits_a_terminal_and_says_what_to_do():
    for network, step, formula, _ in PLANTED:
        text = check(network, **{step: formula}).text()
        assert max(map(len, text.splitlines())) <= 80, text
        assert f"First wrong step: {step}" in text


def test_no_usual_slip_is_said_so():
    result = check(two_layer, dW2="delta2 @ a1.T * 1.37")
    assert result.first_wrong.slip is None
    assert "different, and no usual slip explains it" in result.text()


def test_several_slips_that_fit_are_all_named():
    found = check(two_layer, dW2="a1 @ delta2.T").first_wrong
    assert [s.name for s in found.slips] == [TRANSPOSE, ORDER]


def test_arrays_under_each_others_names_and_in_other_shapes_are_noticed():
    right = arrays(classifier, np.float64)
    loss, names, _ = classifier()
    found = cr.check_derivation(loss, {**right, "dW1": right["dW1"].reshape(2, 4)}, names).first_wrong
    assert (found.name, found.slip) == ("dW1", SHAPE)
    loss, names, _ = residual()
    right = arrays(residual, np.float64)
    found = cr.check_derivation(loss, {**right, "dW1": right["dW2"], "dW2": right["dW1"]}, names).first_wrong
    assert (found.name, found.slip) == ("dW2", EXCHANGED)


def test_examples_in_columns_are_a_batch_too():
    W, b, X, T = leaf("W", 3, 2), leaf("b", 3, 1), leaf("X", 2, 5), leaf("T", 3, 5)
    Z = W @ X + b
    right = {"dZ": "Z - T", "dW": "dZ @ X.T", "db": "sum(dZ, axis=1, keepdims=True)"}

    def slip(**changed):
        found = cr.check_derivation(cr.sum((Z - T) ** 2) / 2, {**right, **changed}, {"Z": Z}).first_wrong
        return found and found.slip
    assert slip() is slip(db="sum(dZ, axis=1)") is None
    assert slip(dW="outer(dZ[:, 0], X[:, 0])") == slip(db="dZ[:, :1]") == BATCH
    assert slip(db="dZ") == f"{BATCH} or {SPREAD}"
    assert slip(db="mean(dZ, axis=1)") == MEAN_FOR_SUM


def test_of_a_softmax_the_diagonal_is_not_enough():
    z = leaf("z", 3)
    p = cr.softmax(z)
    given = {"dp": [0.0, -1 / p.numpy()[1], 0.0], "dz": "p * (dp - sum(dp * p))"}
    assert cr.check_derivation(-cr.log(p)[1], given, {"p": p}).ok
    found = cr.check_derivation(-cr.log(p)[1], {**given, "dz": "dp * p * (1 - p)"}, {"p": p}).first_wrong
    assert (found.name, found.slip) == ("dz", DIAGONAL)


def test_every_slip_of_the_table_is_planted_in_a_test():
    assert {slip.name for slip in SLIPS} == {row[3] for row in PLANTED} | {SPREAD, DIAGONAL}


def test_numbers_that_are_only_wrong_get_no_name():
    rng = np.random.default_rng(0)
    for network in NETWORKS:
        loss, names, _ = network()
        right = arrays(network, np.float64)
        for step, array in right.items():
            found = cr.check_derivation(loss, {**right, step: array + rng.normal(size=array.shape)}, names).first_wrong
            assert (found.name, found.slip) == (step, None)


@pytest.mark.parametrize(("given", "says"), [
    ({"dQ": 1.0}, "no gradient of this loss.*dW1"),
    ({"delta7": 1.0}, "no gradient of this loss"),
    ({"dy": 1.0}, "dy: no gradient flows there"),
    ({"dW1": np.full((3, 2), np.nan)}, "dW1 holds a number that is not finite .nan."),
    ({"dW1": np.array([["a"]])}, "not made of real numbers"),
    ({"dW1": [[1.0, 2.0], [3.0]]}, "dW1 is not an array"),
    ({"dW1": None}, "not made of real numbers"),
    ({"dW1": "delta1 @ "}, "dW1 = .*not a formula"),
    ({"dW1": "delta2 @ q"}, r"q has no value.*names={'q': q}"),
    ({"dW1": "delta2 @ q.T"}, r"q has no value.*names={'q': q}"),
    ({"dW1": "softmaxx(z2)"}, "softmaxx is no operation"),
    ({"dW1": "np.ones(2)"}, "attributes"),
    ({"dW1": "W1.data"}, "attributes"),
    ({"dW2": "a1 @ delta2"}, "inner sizes differ"),
    ({"dW2": "dW1 * 2", "dW1": "x"}, "later"),
    ({"dW1": 1.0, "dL/dW1": 1.0}, "same gradient"),
    ({}, "arrays by name"),
])
def test_what_cannot_be_checked_is_said_in_one_message(given, says):
    loss, names, _ = two_layer()
    with pytest.raises(ArgumentError, match=says) as error:
        cr.check_derivation(loss, given, {**names, "L": loss, "y": names["y"]})
    assert "\n" not in str(error.value)


def test_a_formula_may_name_its_own_parts():
    loss, names, right = two_layer()
    assert cr.check_derivation(loss, {**right, "dW2": "row = a1.T; delta2 @ row"}, names).ok


def test_a_step_that_was_not_given_is_named():
    with pytest.raises(ArgumentError, match="no step is called 'dW9'; there are delta2, db2"):
        check(two_layer)["dW9"]


def test_a_loss_is_one_number():
    with pytest.raises(NonScalarError, match="check_derivation"):
        cr.check_derivation(leaf("x", 3) * 2.0, {"dx": 2.0})


# ---------------------------------------------------------------------------------------- files
EXAMPLE = Path(__file__).parent.parent / "examples/derivation_by_hand.py"


def checked(tmp_path, capsys, text, *options):
    """What `chainrule check` makes of a file: its exit code, and what it writes."""
    path = tmp_path / "derivation.py"
    path.write_text(text)
    code = main(["check", str(path), *options])
    return code, *capsys.readouterr()


def test_a_derivation_in_a_file_is_checked(tmp_path, capsys):
    code, out, err = checked(tmp_path, capsys, EXAMPLE.read_text())
    assert (code, err) == (GOOD, "") and "All 6 steps are right." in out
    code, out, err = checked(tmp_path, capsys, EXAMPLE.read_text().replace("W2.T @ delta2", "W2 @ delta2"))
    assert (code, err) == (WRONG, "") and "First wrong step: da1\n  missing transpose" in out


def test_rounded_numbers_in_a_file_are_right_within_a_tolerance(tmp_path, capsys):
    text = ("import chainrule as cr\n"
            "def derivation():\n"
            "    x = cr.tensor(2.0, requires_grad=True, name='x')\n"
            "    return cr.sqrt(x), {'dx': 0.354}\n")
    assert checked(tmp_path, capsys, text)[0] == WRONG
    assert checked(tmp_path, capsys, text, "--tolerance", "0.01")[0] == GOOD
    assert checked(tmp_path, capsys, text, "--tolerance", "2")[0] == BAD_INPUT


@pytest.mark.parametrize(("text", "says"), [
    ("x = ", "line 1: this is not Python"),
    ("x = 1", "has no function derivation()"),
    ("\nx = 1 / 0", "line 2: ZeroDivisionError"),
    ("def derivation():\n    raise SystemExit('stop')", "line 2: SystemExit: stop"),
    ("def derivation():\n    return 3", "returns a loss and gradients by name"),
    ("def derivation():\n    return 3, {'dx': 1}", "a loss is a tensor"),
    ("\0", "this is not Python"),
])
def test_a_file_that_cannot_be_checked_is_one_line(tmp_path, capsys, text, says):
    code, out, err = checked(tmp_path, capsys, text)
    assert (code, out, err.count("\n")) == (BAD_INPUT, "", 1)
    assert says in err
