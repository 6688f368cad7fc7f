"""Two recorded losses side by side: what was planted in one of them is found, with its line."""
import inspect

import numpy as np
import pytest

import chainrule as cr


def leaf(value, name=None, dtype=np.float64):
    return cr.tensor(np.array(value, dtype), requires_grad=True, name=name)


RNG = np.random.default_rng(0)
NUMBERS = {"W1": RNG.normal(size=(5, 3)), "b1": RNG.normal(size=5), "W2": RNG.normal(size=(4, 5)), "b2": RNG.normal(size=4)}
DATA, LABELS = RNG.normal(size=(6, 3)), RNG.integers(0, 4, 6)


def mlp(change=None, *, data=DATA, labels=LABELS, activation=cr.tanh, twice=lambda h: h, skip=lambda h: h, scale=0.5,
        dtype=np.float64, named=True):
    """A loss of two layers; each option plants a difference."""
    w1, b1, w2, b2 = (leaf(v, n if named else None, dtype) for n, v in (NUMBERS | (change or {})).items())
    z = cr.matmul(data.astype(dtype), w1.mT) + b1
    h = activation(z)  # activation
    h = twice(h) * scale  # scale
    out = cr.matmul(h, w2.mT) + b2 + cr.sum(skip(h))  # skip
    return cr.cross_entropy(out, labels)


def line(comment):
    """The line of `mlp` with this comment."""
    lines, start = inspect.getsourcelines(mlp)
    return f"test_compare.py:{start + next(i for i, text in enumerate(lines) if text.rstrip().endswith('# ' + comment))}"


def test_the_same_program_on_the_same_numbers_is_the_same():
    c = cr.compare(mlp(), mlp())
    assert c.same
    assert (c.first_value, c.first_edge, c.only_a, c.only_b) == (None, None, (), ())
    assert all(r.a.name == r.b.name for r in c.rows)
    assert c.text() == f"The same: {len(c.rows)} values, and the gradients in them\n"


def test_names_do_not_matter():
    assert cr.compare(mlp(), mlp(named=False)).same

    def other(u, v):
        first, second = leaf(u, "u"), leaf(v, "v")
        product = first * second
        return cr.sin(product) + first

    def one(u, v):
        w, x = leaf(u, "w"), leaf(v, "x")
        return cr.sin(w * x) + w
    assert cr.compare(one(2.0, 3.0), other(2.0, 3.0)).same


def test_the_order_of_independent_steps_and_of_summands_does_not_matter():
    x = leaf([1.0, 2.0], "x")
    a, b = cr.sin(x), cr.exp(x)
    q, p = cr.exp(x), cr.sin(x)
    assert cr.compare(cr.sum(a * b + a), cr.sum(p * q + p)).same
    assert cr.compare(cr.sum(a + b), cr.sum(q + p)).same


def test_another_weight_is_the_first_value():
    changed = NUMBERS["W2"].copy()
    changed[1, 2] += 0.25
    c = cr.compare(mlp(), mlp({"W2": changed}))
    assert (c.first_value.a.name, c.first_value.value.index) == ("W2", (1, 2))
    assert c.first_value.value.absolute == pytest.approx(0.25)
    assert c.only_a == c.only_b == ()
    assert c.first_edge.result.a.operation == "softmax_cross_entropy"
    assert c.first_edge.cause == "values"
    assert "the forward values differ already" in c.text()
    assert not next(r for r in c.rows if r.a.operation == "sum" and r.a.shape == ()).gradient.differs  # zero but for rounding


def test_other_data_is_the_first_value():
    data = DATA.copy()
    data[3, 1] = 7.0
    c = cr.compare(mlp(), mlp(data=data))
    assert c.first_value.a.operation == "given"
    assert c.first_value.value.index == (3, 1)
    assert c.first_value.value.b == 7.0
    labels = cr.compare(mlp(), mlp(labels=(LABELS + 1) % 4))
    assert (labels.first_value.a.operation, labels.first_value.a.shape) == ("given", (6,))


def test_more_data_differ_in_shape():
    c = cr.compare(mlp(), mlp(data=np.concatenate([DATA, DATA]), labels=np.concatenate([LABELS, LABELS])))
    assert c.first_value.value.index is None
    assert "A has shape (6×3), B (12×3)" in c.text()
    assert c.only_a == c.only_b == ()


def test_a_replaced_operation_is_found_with_its_line():
    c = cr.compare(mlp(), mlp(activation=cr.sigmoid))
    assert (c.first_value.a.operation, c.first_value.b.operation) == ("tanh", "sigmoid")
    assert c.first_value.why == ("the operation: tanh / sigmoid",)
    assert c.first_value.a.source.endswith(line("activation"))
    assert c.only_a == c.only_b == ()
    assert "what differs is the operation: tanh / sigmoid" in c.text()


def test_an_extra_operation_is_listed_with_its_line():
    c = cr.compare(mlp(), mlp(twice=cr.relu))
    (extra,) = c.only_b
    assert (extra.operation, c.only_a) == ("relu", ())
    assert extra.source.endswith("test_compare.py:" + line("scale").split(":")[1])
    assert c.first_value.a.operation == "multiply"
    (missing,) = cr.compare(mlp(twice=cr.relu), mlp()).only_a
    assert missing.operation == "relu"


def test_a_missing_mean_is_listed():
    x = leaf([1.0, 2.0, 3.0], "x")
    c = cr.compare(cr.sum(x * x) / 3.0, cr.sum(x * x))
    assert [x.operation for x in c.only_a] == ["divide"]
    assert c.first_edge.cause == "above"


def test_another_constant_is_found_with_its_line():
    c = cr.compare(mlp(), mlp(scale=0.25))
    assert c.first_value.a.operation == "multiply"
    assert c.first_value.why == ("argument 2: 0.5 / 0.25",)
    assert c.first_value.a.source.endswith(line("scale"))


def test_another_option_is_found():
    x = leaf([[1.0, 2.0], [4.0, 3.0]], "x")
    c = cr.compare(cr.sum(cr.max(x, axis=0)), cr.sum(cr.max(x, axis=1)))
    assert c.first_value.a.operation == "max"
    assert c.first_value.why[0].startswith("the options: ")


def test_a_detached_branch_is_a_missing_edge():
    c = cr.compare(mlp(), mlp(skip=lambda h: h.detach()))
    assert c.first_value is None
    assert c.first_edge.cause == "missing"
    assert "B has no such edge: cut by " in c.first_edge.note
    assert c.first_edge.result.a.source.endswith(line("skip"))
    assert {x.operation for x in c.only_a} == {"sum"}


def test_another_slope_with_the_same_values_is_a_local_difference():
    x = leaf(2.0, "x")

    def cube(x):
        return x * x * x
    right, wrong = (cr.custom_rule(backward=lambda g, y, x, k=k: (k * x * x * g,))(cube) for k in (3.0, 2.0))
    c = cr.compare(cr.sin(right(x)), cr.sin(wrong(x)))
    assert c.first_value is None
    assert (c.first_edge.cause, c.first_edge.argument) == ("local", "x")
    assert c.first_edge.contribution.relative == pytest.approx(1 / 3)


def test_two_implementations_are_compared():
    z = leaf([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]], "z")
    x = cr.exp(z) * 2.0
    by_hand = x / cr.sum(x, axis=1, keepdims=True)
    gate = cr.softmax(cr.log(x), axis=1)
    c = cr.compare(cr.sum(by_hand ** 2), cr.sum(gate ** 2))
    assert c.first_edge is None
    assert c.first_value is None or c.first_value.why
    assert {r.a.operation for r in c.rows} >= {"given", "exp", "multiply", "sum"}


def test_a_parameter_is_compared_as_it_was_when_the_loss_was_computed():
    w = leaf([1.0, 2.0], "w")

    def loss():
        return cr.sum(w * w)
    first = loss()
    first.backward()
    cr.optim.SGD([w], lr=0.1).step()
    c = cr.compare(first, loss())
    assert c.first_value.a.name == "w"
    np.testing.assert_allclose(c.first_value.value.b, 1.6)


def test_float32_beside_float64_is_the_same_within_float32():
    assert cr.compare(mlp(), mlp(dtype=np.float32)).first_value is None
    assert cr.compare(mlp(), mlp(dtype=np.float32), tolerance=1e-12).first_value is not None


def test_a_network_with_convolution_and_pooling():
    rng = np.random.default_rng(0)
    data, labels = rng.normal(size=(2, 1, 6, 6)), rng.integers(0, 3, 2)
    k, v = rng.normal(size=(2, 1, 3, 3)), rng.normal(size=(3, 8))

    def loss(pool=cr.max_pool2d, normal=lambda x: x):
        features = pool(cr.relu(normal(cr.conv2d(data, leaf(k, "k")))), 2)
        return cr.cross_entropy(cr.matmul(cr.reshape(features, (2, 8)), leaf(v, "v").mT), labels)
    assert cr.compare(loss(), loss()).same
    pooled = cr.compare(loss(), loss(pool=cr.avg_pool2d))
    assert (pooled.first_value.a.operation, pooled.first_value.b.operation) == ("max_windows", "average_windows")
    extra = cr.compare(loss(), loss(normal=lambda x: x * 2.0))
    assert [x.operation for x in extra.only_b] == ["multiply"]
    assert all(len(text_line) <= 80 for c in (pooled, extra) for text_line in c.text().splitlines())


def test_operations_with_several_outputs_and_steps_in_a_loop():
    def loss(steps, odd=None):
        w, h = leaf([[0.5, 0.1], [-0.3, 0.2]], "w"), np.ones(2)
        for i in range(steps):
            u, _, vt = cr.svd(cr.outer(cr.matmul(w, h) + float(i), h) + np.eye(2))
            h = (cr.tanh if i != odd else cr.sigmoid)(u[0] + vt[0])
        return cr.sum(h * h)
    assert cr.compare(loss(6), loss(6)).same
    c = cr.compare(loss(6), loss(6, odd=3))
    assert c.first_value.why == ("the operation: tanh / sigmoid",)
    assert c.first_value.a.name == [r.a.name for r in c.rows if r.a.operation == "tanh"][3]


def test_numbers_that_are_not_finite_are_compared():
    broken, whole = leaf([1.0, np.nan, np.inf], "x"), leaf([1.0, 2.0, np.inf], "x")
    assert cr.compare(cr.sum(broken * 2.0), cr.sum(broken * 2.0)).same
    c = cr.compare(cr.sum(broken * 2.0), cr.sum(whole * 2.0))
    assert (c.first_value.a.name, c.first_value.value.index) == ("x", (1,))
    assert "at [1] A nan, B 2: not finite" in c.text()


def test_in_a_chain_of_equal_steps_the_right_one_is_found():
    def loss(odd, extra):
        y = leaf(0.5, "x")
        for i in range(60):
            y = cr.cos(y) if i in odd else cr.sin(y) + 0.01 * (i % 7)
            y = cr.exp(y) if i == extra else y
        return y
    c = cr.compare(loss((), None), loss((2, 58), 30))
    assert c.first_value.why == ("the operation: sin / cos",)
    assert ([x.operation for x in c.only_a], [x.operation for x in c.only_b]) == (["add", "add"], ["exp"])


def test_long_graphs_are_compared_quickly():
    def loss(odd):
        x = leaf(0.5, "x")
        y = x
        for i in range(1500):
            y = cr.cos(y) if i == odd else cr.sin(y) + 0.01
        return y
    c = cr.compare(loss(None), loss(700))
    assert {c.first_value.a.operation, c.first_value.b.operation} == {"sin", "cos"}
    assert (len(c.only_a), len(c.only_b)) == (1, 0)


def test_what_cannot_be_compared_is_refused():
    x = leaf([1.0, 2.0], "x")
    for loss, kind in ((x * x, cr.errors.NonScalarError), (3.0, cr.errors.ArgumentError),
                       (cr.tensor(1.0), cr.errors.NoPathError)):
        with pytest.raises(kind, match=r"^compare: "):
            cr.compare(cr.sum(x), loss)
    for tolerance in (-1.0, float("nan"), "1e-3"):
        with pytest.raises(cr.errors.ArgumentError, match="tolerance is a number from 0 on"):
            cr.compare(cr.sum(x), cr.sum(x), tolerance=tolerance)
    for names in (None, {"x": x}, ({"x": x},), (x, x), 3):
        with pytest.raises(cr.errors.ArgumentError, match="names is a pair of mappings"):
            cr.compare(cr.sum(x), cr.sum(x), names=names)
