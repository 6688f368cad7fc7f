"""A what-if replays the record with other numbers: what it tells is what a new computation from the changed values gives."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import BAD_INPUT, GOOD, main
from chainrule.explanation.comparing.rerun import SWITCHES

close = np.testing.assert_allclose


def leaf(value, name):
    return cr.tensor(np.array(value, np.float64), requires_grad=True, name=name)


def neuron():
    w, x, b = leaf(3.0, "w"), leaf(2.0, "x"), leaf(1.0, "b")
    return cr.explain((cr.relu(w * x + b) - 5.0) ** 2)


def numbers(seed=0):
    rng = np.random.default_rng(seed)
    return {"W1": rng.normal(size=(5, 3)), "b1": rng.normal(size=5), "W2": rng.normal(size=(4, 5)),
            "X": rng.normal(size=(6, 3))}, rng.integers(0, 4, 6)


def mlp(values, labels, activation=cr.relu):
    """The loss, the gradients by name, and the explanation of a network."""
    t = {name: leaf(value, name) for name, value in values.items()}
    h = activation(cr.matmul(t["X"], t["W1"].mT) + t["b1"])
    loss = cr.cross_entropy(cr.matmul(h, t["W2"].mT), labels)
    loss.backward()
    return loss.item(), {name: x.grad.numpy() for name, x in t.items()}, cr.explain(loss, names={"h": h}), t


@pytest.mark.parametrize("activation", [cr.relu, cr.tanh, cr.gelu])
def test_what_is_told_is_what_a_new_computation_gives(activation):
    values, labels = numbers()
    before, old, e, t = mlp(values, labels, activation)
    changed = values | {"W1": values["W1"] + 0.3}
    after, new, _, _ = mlp(changed, labels, activation)
    w = e.what_if(t["W1"], changed["W1"])
    close([w.loss.before, w.loss.after], [before, after], rtol=1e-12)
    assert {m.name for m in w.gradients} >= {"W1", "b1", "W2", "X"}
    for m in w.gradients:
        if m.name in old:
            close(m.before, old[m.name], rtol=1e-10, atol=1e-13)
            close(m.after, new[m.name], rtol=1e-10, atol=1e-13)


def test_predictions_are_slopes_times_the_change():
    values, labels = numbers()
    _, old, e, _ = mlp(values, labels, cr.tanh)
    rng = np.random.default_rng(1)
    step = {name: rng.normal(size=values[name].shape) for name in ("W1", "W2")}
    w = e.what_if({name: values[name] + d for name, d in step.items()})
    close(w.loss.predicted, sum(np.sum(old[name] * d) for name, d in step.items()), rtol=1e-11)
    small = [mlp(values | {name: values[name] + s * 1e-5 * d for name, d in step.items()}, labels, cr.tanh)[1] for s in (1, -1)]
    for m in w.gradients:
        if m.name in old:
            close(m.predicted, (small[0][m.name] - small[1][m.name]) / 2e-5, rtol=1e-6, atol=1e-8)


def test_small_changes_come_as_predicted():
    values, labels = numbers()
    _, _, e, _ = mlp(values, labels)
    w = e.what_if("W1", (2, 1), values["W1"][2, 1] + 1e-6)
    assert w.loss.ratio == pytest.approx(1, abs=1e-5)
    assert all(m.ratio == pytest.approx(1, abs=1e-4) for m in w.gradients)
    assert w.switches == ()


def test_a_linear_loss_moves_exactly_as_predicted():
    w, x = leaf([1.0, -2.0], "w"), leaf([3.0, 4.0], "x")
    e = cr.explain(cr.sum(w * x) + 1.0)
    told = e.what_if(w, [10.0, 20.0])
    assert told.loss.predicted == told.loss.move == 9 * 3 + 22 * 4
    assert {m.name: m.ratio for m in told.gradients} == {"x": 1.0}
    assert told.loss.ratio == 1


def test_a_switched_relu_is_named_with_its_line():
    told = neuron().what_if("w", -1.0)
    (switch,) = told.switches
    assert (switch.name, switch.operation, switch.indices, switch.before, switch.after) == ("v3", "relu", ((),), (1.0,), (0.0,))
    assert "test_what_if.py" in switch.source
    assert "v3, relu: 1 of 1 switched" in told.text()
    assert neuron().what_if("w", 3.5).switches == ()
    assert "Kinks crossed: none" in neuron().what_if("w", 3.5).text()


def test_every_kind_of_kink_is_seen():
    x = leaf([[1.0, -2.0], [3.0, 0.5]], "x")
    for f in (cr.abs, cr.relu, cr.relu6, cr.leaky_relu, cr.hardtanh, lambda x: cr.maximum(x, 0.0),
              lambda x: cr.clip(x, -0.7, 1.5), lambda x: cr.max(x, axis=1),
              lambda x: cr.max_pool2d(cr.reshape(x, (1, 1, 2, 2)), 2)):
        (switch,) = cr.explain(cr.sum(f(x))).what_if(x, [[-1.0, 9.0], [0.1, -4.5]]).switches
        assert switch.operation in SWITCHES
    assert set(SWITCHES) <= {prim.name for prim in cr.ops.ALL}


def test_a_changed_result_keeps_what_is_before_it():
    values, labels = numbers()
    _, _, e, _ = mlp(values, labels)
    h = np.array(e["h"].value)
    h[0, 0] = 3.0
    told = e.what_if("h", (0, 0), 3.0)
    logits = h @ values["W2"].T
    after = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(6), labels])
    close(told.loss.after, after, rtol=1e-12)
    assert "h" not in {m.name for m in told.values}
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    delta = (p - np.eye(4)[labels]) / 6
    gradients = {m.name: m.after for m in told.gradients}
    close(gradients["W2"], delta.T @ h, rtol=1e-12)
    close(gradients["b1"], (delta @ values["W2"] * (e["h"].value > 0)).sum(0), rtol=1e-12)


def test_a_value_and_what_is_computed_from_it_may_change_together():
    told = neuron().what_if({"w": 4.0, "v1": 7.0})
    assert told.loss.after == 9
    assert told.loss.predicted == 4  # v1 is set to 7 whatever w is
    assert {m.name: float(m.after) for m in told.gradients}["x"] == 6 * 4


def test_data_and_labels_can_change_too():
    values, labels = numbers()
    _, _, e, _ = mlp(values, labels)
    name = next(n.name for n in e.nodes if n.kind == "constant")
    other = (labels[0] + 1) % 4
    told = e.what_if(name, (0,), other)
    close(told.loss.after, mlp(values, [other, *labels[1:]])[0], rtol=1e-12)
    assert told.loss.predicted is None
    assert told.loss.ratio is None


def test_several_outputs_are_replayed():
    x = leaf([3.0, 1.0, 2.0], "x")
    a, b = cr.split(x * x, [1])
    told = cr.explain(cr.sum(a) * cr.sum(b)).what_if(x, (0,), 4.0)
    assert float(told.loss.after) == 16 * 5


def test_a_network_with_convolution_and_pooling_is_replayed():
    rng = np.random.default_rng(0)
    data, labels = rng.normal(size=(2, 1, 6, 6)), rng.integers(0, 3, 2)
    k, v = rng.normal(size=(2, 1, 3, 3)), rng.normal(size=(3, 8))

    def loss(k):
        k, w = leaf(k, "k"), leaf(v, "v")
        features = cr.max_pool2d(cr.relu(cr.conv2d(data, k)), 2)
        return cr.cross_entropy(cr.matmul(cr.reshape(features, (2, 8)), w.mT), labels), k
    first, weight = loss(k)
    told = cr.explain(first).what_if(weight, -k)
    close(told.loss.after, loss(-k)[0].item(), rtol=1e-12)
    assert {s.operation for s in told.switches} == {"relu", "max_windows"}
    assert all(len(line) <= 80 for line in told.text().splitlines())


def test_what_was_cut_from_the_graph_is_said_to_be_held():
    x, y = leaf([1.0, -1.0], "x"), leaf([2.0, 3.0], "y")
    scaled = x * 2.0
    e = cr.explain(cr.sum(cr.where(scaled > 0, y, x) * y.detach()))
    told = e.what_if(x, [-1.0, 1.0])
    assert float(told.loss.after) == 2 * 2 + 1 * 3  # y is still chosen in the first place
    assert len(told.held) == 1
    assert "greater" in told.held[0]
    assert "test_what_if.py" in told.held[0]
    assert "Held as recorded" in told.text()
    assert "detach" in e.what_if(y, [1.0, 1.0]).held[0]
    assert neuron().what_if("w", 3.5).held == ()
    gone = cr.explain(cr.sum(cr.where(x * 2.0 > 0, x, 0.0))).what_if(x, [-1.0, 1.0])
    assert gone.held[0].startswith("perhaps greater of float64[2] from multiply")


def test_opened_gates_and_float32_are_replayed_too():
    x = cr.tensor([1.0, 2.0], requires_grad=True, name="x")
    loss = cr.sum(cr.softmax(x) * np.array([1.0, 3.0], np.float32))
    told = cr.explain(loss, names={"renamed": x}, open=True).what_if(x, (0,), 2.0)
    assert float(told.loss.after) == 2
    assert told.loss.after.dtype == np.float64


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
def test_a_loss_from_before_a_step_is_explained_with_the_numbers_it_had(opened):
    w = leaf([1.0, 2.0], "w")
    loss = cr.sum(cr.softplus(w) * w)
    early = cr.explain(loss, open=opened)
    loss.backward()
    cr.optim.SGD([w], lr=0.1).step()
    for e in (early, cr.explain(loss, open=opened)):
        assert e["w"].value.tolist() == [1.0, 2.0]
        assert all(c.agrees for c in e.checks)
        told = e.what_if(w, (0,), 1.0 + 1e-6)
        assert told.loss.before == loss.item()
        assert told.loss.ratio == pytest.approx(1, abs=1e-5)


def test_numbers_that_are_not_finite_are_told_as_they_are():
    x = leaf([0.0, 1.0], "x")
    told = cr.explain(cr.sum(cr.sqrt(x))).what_if(x, (0,), 4.0)
    assert (told.loss.predicted, float(told.loss.after)) == (np.inf, 3)
    assert "inf" in told.text()
    told = cr.explain(cr.sum(cr.log(x + 1.0))).what_if(x, (0,), -2.0)
    assert np.isnan(told.loss.after)
    assert told.values[-1].largest == ()
    assert "nan" in told.text()


def test_bad_changes_are_refused_in_one_sentence():
    values, labels = numbers()
    _, _, e, t = mlp(values, labels)
    refused = [
        (("q", 1.0), cr.errors.ArgumentError, "'q' takes no part in L. There are W1, b1"),
        ((leaf(1.0, "far"), 1.0), cr.errors.ArgumentError, "'far' .* takes no part"),
        ((t["W1"], 1.0), cr.errors.ShapeError, r"W1 has shape \(5, 3\), and the new value has \(\)"),
        ((t["W1"], (5, 0), 1.0), cr.errors.BoundsError, r"no element \(5, 0\)"),
        ((t["W1"], (1,), 1.0), cr.errors.BoundsError, "one index for each axis"),
        ((t["W1"], (1, 1), [1.0, 2.0]), cr.errors.ShapeError, "one element of W1 has shape"),
        ((t["W1"], "three"), cr.errors.ArgumentError, "is no number"),
        ((t["W1"], [[1.0, 2.0], [3.0]]), cr.errors.ArgumentError, "its rows are not of one length"),
        (({(t["b1"], 0, 1): 1.0},), cr.errors.ArgumentError, r"is no pair \(value, index\)"),
        (({(t["b1"],): 1.0},), cr.errors.ArgumentError, r"is no pair \(value, index\)"),
        (({},), cr.errors.ArgumentError, "nothing is changed"),
        (("W1",), cr.errors.ArgumentError, r"write what_if\(w, value\)"),
    ]
    for asked, kind, says in refused:
        with pytest.raises(kind, match=says) as error:
            e.what_if(*asked)
        assert "\n" not in str(error.value)


def test_of_several_outputs_one_has_to_be_taken():
    u, s, _ = cr.svd(leaf(np.eye(2) + 0.1, "m"))
    e = cr.explain(cr.sum(s) + u[0, 0])
    with pytest.raises(cr.errors.ArgumentError, match=r"v1 is several outputs together\. Take one of them: v2, v3\."):
        e.what_if("v1", 1.0)


def test_a_change_that_changes_nothing_is_said_so():
    told = neuron().what_if("w", 3.0)
    assert "w is what it was, 3\n" in told.text()
    assert "(unmoved: the gradient in w, x, b)" in told.text()
    empty = leaf(np.zeros((0, 2)), "empty")
    assert "empty is what it was, []" in cr.explain(cr.sum(empty) + leaf(1.0, "w")).what_if(empty, np.zeros((0, 2))).text()


def test_the_command_line_asks_what_if(capsys):
    formula = ["explain", "(relu(w*x + b) - y)**2", "x=2", "w=3", "b=1", "y=5", "--wrt", "w,b"]
    assert main([*formula, "--what-if", "w=3.5"]) == GOOD
    out = capsys.readouterr().out
    assert out.startswith("What if\n  w is 3.5 instead of 3\n")
    assert "L      4       9      4          5       1.25" in out
    assert main(["explain", "sum(W @ x)", "W=[[1,2],[3,4]]", "x=[1,1]", "--what-if", "W[0,1]=5", "--what-if", "x=[2,2]"]) == GOOD
    assert "W[0,1] is 5 instead of 2" in capsys.readouterr().out
    for wrong, says in (("w", "is no change"), ("q=1", "takes no part"), ("w=[1]", "shape"), ("w=z", "word"),
                        ("w[0]=1", "no element")):
        assert main([*formula, "--what-if", wrong]) == BAD_INPUT
        assert says in capsys.readouterr().err
    assert main([*formula, "--what-if", "w=1", "--format", "svg"]) == BAD_INPUT


def test_opened_gates_know_the_tensors_of_the_program_and_no_namesakes():
    x = cr.tensor(np.array([0.5, -1.0]), requires_grad=True)
    e = cr.explain(cr.log(cr.softmax(x))[1], open=True)
    np.testing.assert_allclose(e.what_if(x, 0, 0.5).loss.move, 0.0, atol=1e-12)
    namesake = cr.tensor(1.0, requires_grad=True, name=next(iter(e.gradients)))
    with pytest.raises(cr.errors.ArgumentError, match="takes no part"):
        e.what_if(namesake, 2.0)
