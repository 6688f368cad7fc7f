"""A recording keeps what the sweeps of a training found: for an explanation without a second sweep, or as norms alone."""
import gc
import json
import math
import threading
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim, sweeps
from chainrule.errors import ArgumentError, NonScalarError
from chainrule.explanation.summaries.summary import SCHEMA
from test_element import NETWORKS, digits_mlp, small_cnn

close = np.testing.assert_allclose


def size(x):
    return float(np.linalg.norm(np.asarray(x, np.float64).ravel()))


def parts(x):
    return x if isinstance(x, tuple) else (x,)


def leaf(summary, name="x"):
    return next(row for row in summary.rows if row.kind == "input" and row.name == name)


def share_of_zeros(x):
    return float(np.mean(np.asarray(x) == 0))


# ---------------------------------------------------------------------------------------- everything
@pytest.mark.parametrize("network", NETWORKS, ids=lambda f: f.__name__)
def test_a_recorded_sweep_explains_what_a_new_one_would(network):
    loss, _ = network()
    with cr.recording() as r:
        loss.backward()
    kept, anew = r.explain(), cr.explain(loss)
    assert [n.name for n in kept.nodes] == [n.name for n in anew.nodes] and len(kept.edges) == len(anew.edges)
    for a, b in zip(kept.edges, anew.edges):
        for left, right in zip(parts(a.contribution), parts(b.contribution), strict=True):
            close(left, right, rtol=1e-9, atol=1e-12)
    for name, gradient in anew.gradients.items():
        close(kept.gradients[name], gradient, rtol=1e-9, atol=1e-12)
    assert all(c.agrees for c in kept.checks)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("mode", ["full", "summary"])
def test_recording_changes_no_gradient(network, mode):
    (loss, plain), (other, recorded) = network(), network()
    loss.backward()
    with cr.recording(mode, every=1):
        other.backward()
    for name, p in plain.items():
        assert p.grad.numpy().tobytes() == recorded[name].grad.numpy().tobytes()


def test_the_explanation_shows_the_sweep_that_trained_with_its_hooks_and_no_second_one():
    w = cr.tensor([1.0, 2.0], requires_grad=True, name="w")
    heard = []

    def doubled(g):
        heard.append(g.tolist())
        return g * 2.0
    w.register_hook(doubled)
    with cr.recording() as r:
        (w * 3.0).sum().backward()
    e = r.explain()
    assert heard == [[3.0, 3.0]] and e.gradients["w"].tolist() == w.grad.tolist() == [6.0, 6.0]


def test_the_numbers_are_those_before_the_step():
    w = cr.tensor([1.0, 2.0], requires_grad=True, name="w")
    optimizer = optim.SGD([w], lr=0.5)
    with cr.recording() as r:
        (w * w).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    e = r.explain()
    assert w.tolist() == [0.0, 0.0] and w.grad is None
    assert e["w"].value.tolist() == [1.0, 2.0] and e.gradients["w"].tolist() == [2.0, 4.0]
    assert all(c.agrees for c in e.checks)


def test_a_sweep_that_must_look_for_zero_times_infinity_is_kept_as_it_came_out():
    x = cr.tensor([0.0, 4.0], requires_grad=True, name="x")
    with cr.recording() as r:
        cr.where(np.array([False, True]), cr.sqrt(x), 0.0).sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]
    assert r.explain().gradients["x"].tolist() == [0.0, 0.25]
    assert all(np.isfinite(g).all() for g in map(np.asarray, r.sweeps[0].gradients.values()))


def test_operations_of_several_outputs_are_kept_whole():
    x = cr.tensor(np.array([[2.0, 1.0], [1.0, 3.0], [0.0, 1.0]]), requires_grad=True, name="x")
    with cr.recording() as r:
        q, upper = cr.linalg.qr(x)  # two outputs of different shapes
        (q.sum() + upper[0, 0]).backward()
    close(r.explain().gradients["x"], x.grad.numpy())
    assert {row.operation for row in r.summary().rows} >= {"qr", "sum", "add"}


def test_of_several_sweeps_the_last_are_kept():
    w = cr.tensor(1.0, requires_grad=True, name="w")
    with cr.recording() as last, cr.recording(keep=2) as two, cr.recording("summary", every=1) as every:
        for factor in (2.0, 3.0, 5.0):
            (w * factor).backward()
    assert [[s.number for s in r.sweeps] for r in (last, two, every)] == [[3], [2, 3], [1, 2, 3]]
    assert [float(s.explain().gradients["w"]) for s in two.sweeps] == [3.0, 5.0]
    assert [s.rows[-1].gradient_norm for s in every.sweeps] == [2.0, 3.0, 5.0]


def test_a_part_can_be_explained_and_gates_opened_and_names_given():
    w, x = cr.tensor(0.5, requires_grad=True), cr.tensor(2.0, requires_grad=True)
    with cr.recording(names={"w": w, "x": x}) as r:
        cr.sigmoid(w * x).backward()
    assert list(r.explain(w).gradients) == ["w"]
    assert list(r.explain(names={"weight": w}, wrt=w).gradients) == ["weight"]
    assert {n.operation for n in r.explain(open=True).nodes} >= {"exp", "add"}


def test_asked_for_gradients_and_kept_ones_stay_apart():
    w, v = (cr.tensor(2.0, requires_grad=True, name=n) for n in "wv")
    with cr.recording() as r:
        loss = w * v
        loss.backward(inputs=w)
    assert w.grad.item() == 2.0 and v.grad is None
    assert {name: float(g) for name, g in r.explain().gradients.items()} == {"w": 2.0, "v": 2.0}


def test_a_sweep_that_can_be_swept_itself_is_recorded_too():
    w = cr.tensor(3.0, requires_grad=True, name="w")
    with cr.recording() as full, cr.recording("summary") as norms:
        (w * w * w).backward(create_graph=True)
    assert float(full.explain().gradients["w"]) == 27.0 == leaf(norms.summary(), "w").gradient_norm


def test_outside_the_block_and_in_other_threads_nothing_is_heard():
    w = cr.tensor(1.0, requires_grad=True)
    before = sweeps.sweeper.get()
    with cr.recording() as r:
        other = threading.Thread(target=lambda: (w * 2.0).backward())
        other.start()
        other.join()
    (w * 3.0).backward()
    assert not r.sweeps and sweeps.sweeper.get() == before
    with pytest.raises(ZeroDivisionError), cr.recording():
        raise ZeroDivisionError
    assert sweeps.sweeper.get() == before


def test_what_cannot_be_explained_is_told():
    w = cr.tensor([1.0, 2.0], requires_grad=True, name="w")
    with cr.recording() as r:
        pass
    for ask in (r.explain, r.summary):
        with pytest.raises(ArgumentError, match="no sweep was recorded"):
            ask()
    with cr.recording() as r:
        w.sum().backward(gradient=np.float32(0.5))
    with pytest.raises(ArgumentError, match="started with gradient"):
        r.explain()
    with cr.recording() as r:
        (w * w).backward(gradient=[1.0, 1.0])
    with pytest.raises(NonScalarError, match="2 elements"):
        r.explain()
    with cr.recording("summary") as r:
        w.sum().backward()
    with pytest.raises(ArgumentError, match="norms only"):
        r.explain()


@pytest.mark.parametrize("wrong, message", [
    ({"mode": "all"}, "'full' or 'summary'"), ({"keep": 0}, "keep is a whole number"), ({"every": 1.5}, "every is a whole"),
], ids=str)
def test_wrong_options_are_told(wrong, message):
    with pytest.raises(ArgumentError, match=message), cr.recording(**wrong):
        pass


# ---------------------------------------------------------------------------------------- norms alone
@pytest.mark.parametrize("network", NETWORKS, ids=lambda f: f.__name__)
def test_a_summary_has_the_norms_and_zeros_of_every_value_and_gradient(network):
    loss, _ = network()
    with cr.recording("summary") as norms, cr.recording() as full:
        loss.backward()
    rows, e = norms.summary().rows, full.explain()
    nodes = {n.name: n for n in e.nodes if n.kind != "constant" and not isinstance(n.value, tuple)}
    assert len(rows) == len(nodes)
    assert norms.summary().rows == full.summary().rows

    def numbers(norm, zeros, gradient_norm, gradient_zeros):
        return tuple(f"{x:.9e}" for x in (norm, gradient_norm, zeros, gradient_zeros))
    told = sorted(numbers(row.norm, row.zeros, row.gradient_norm, row.gradient_zeros) for row in rows)
    true = sorted(numbers(size(n.value), share_of_zeros(n.value), size(n.gradient), share_of_zeros(n.gradient))
                  for n in nodes.values())
    close(np.array(told, float), np.array(true, float), rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("many", [10, 10_000])
def test_zeros_are_counted_whatever_their_sign_and_number(many):
    x = cr.tensor(np.ones(many), requires_grad=True, name="x")
    weights = np.tile([0.0, -0.0, 1.0, np.nan, -2.0], many // 5)
    with cr.recording("summary") as r:
        (x * weights).sum().backward()
    assert leaf(r.summary()).gradient_zeros == 0.4 and leaf(r.summary()).zeros == 0


def test_a_ratio_is_to_all_gradients_from_above():
    x = cr.tensor([3.0, 4.0], requires_grad=True, name="x")
    a, b = x * 2.0, cr.sin(x)
    with cr.recording("summary") as r:
        (a.sum() * 5.0 + b.sum()).backward()
    above = math.hypot(size([5.0, 5.0]), size([1.0, 1.0]))
    assert math.isclose(leaf(r.summary()).ratio, size(10 + np.cos([3.0, 4.0])) / above, rel_tol=1e-6)
    assert r.summary().rows[0].ratio is None


def test_a_value_used_twice_by_one_operation_has_one_gradient_above():
    x = cr.tensor(3.0, requires_grad=True, name="x")
    with cr.recording("summary") as r:
        (x * x).backward()
    assert r.summary().rows[-1].ratio == 6.0


def test_a_leaf_stands_behind_the_first_operation_from_the_loss_down_that_used_it():
    w = cr.tensor(3.0, requires_grad=True, name="w")
    with cr.recording("summary") as r:
        cr.sin(cr.exp(w * 0.5) * w).backward()
    assert [row.operation or row.name for row in r.summary().rows] == ["sin", "multiply", "w", "exp", "multiply"]


@pytest.mark.parametrize("scale, dtype", [
    (1e-25, "float32"), (2e-22, "float32"), (1e25, "float32"), (1e-200, "float64"), (1e200, "float64"), (1e-3, "float16"),
    (1e4, "float16")])
def test_norms_of_very_small_and_very_large_numbers_are_right(scale, dtype):
    weights = (np.arange(1, 9) * scale / 8).astype(dtype)
    x = cr.tensor(np.ones(8, dtype), requires_grad=True)
    with cr.recording("summary") as r, np.errstate(over="ignore"):
        (x * weights).sum().backward()
    wide = weights.astype(np.longdouble)
    assert math.isclose(r.summary().rows[-1].gradient_norm, float(np.sqrt((wide * wide).sum())), rel_tol=1e-6)


def test_numbers_that_are_none_are_told_as_such():
    x = cr.tensor([0.0, -1.0], requires_grad=True)
    with cr.recording("summary") as r, np.errstate(all="ignore"):
        cr.sum(cr.log(x)).backward()
    assert math.isnan(r.summary().rows[0].norm)
    assert json.loads(r.json())["sweeps"][0]["rows"][0]["norm"] == "nan"


class Tower(nn.Module):
    def __init__(self):
        self.inward = nn.Linear(4, 6)
        self.blocks = [nn.Sequential(nn.Linear(6, 6), nn.ReLU()) for _ in range(2)]

    def forward(self, x):
        x = cr.tanh(self.inward(x))
        for block in self.blocks:
            x = x + block(x)
        return x


def test_rows_know_their_module_and_their_line():
    model = Tower()
    with cr.recording("summary") as r:
        model(np.ones((3, 4), np.float32)).sum().backward()
    s = r.summary()
    placed = [(row.operation or row.name, row.module) for row in s.rows]
    assert placed == [
        ("sum", None), ("add", "Tower"), ("relu", "blocks.1.1"), ("linear", "blocks.1.0"), ("blocks.1.0.bias", "blocks.1.0"),
        ("blocks.1.0.weight", "blocks.1.0"), ("add", "Tower"), ("relu", "blocks.0.1"), ("linear", "blocks.0.0"),
        ("blocks.0.0.bias", "blocks.0.0"), ("blocks.0.0.weight", "blocks.0.0"), ("tanh", "Tower"), ("linear", "inward"),
        ("inward.bias", "inward"), ("inward.weight", "inward")]
    assert all(row.line.startswith(__file__) for row in s.rows if row.kind == "operation")
    assert s.rows[2].shape == (3, 6) and s.rows[2].norm >= 0


def test_layers_are_the_modules_with_parameters():
    cr.random.seed(0)  # some first weights leave no unit alive, and no gradient to divide by
    model = Tower()
    with cr.recording("summary", names={"tower": model}) as r:
        model(np.ones((3, 4), np.float32)).sum().backward()
    layers = r.summary().layers
    assert [(x.module, x.parameters) for x in layers] == [("blocks.1.0", 2), ("blocks.0.0", 2), ("inward", 2)]
    for x in layers:
        module = dict(model.named_modules())[x.module]
        assert math.isclose(x.gradient_norm, math.hypot(size(module.weight.grad), size(module.bias.grad)), rel_tol=1e-6)
        assert math.isclose(x.norm, math.hypot(size(module.weight), size(module.bias)), rel_tol=1e-6)
    assert layers[0].ratio is None and layers[1].ratio == layers[1].gradient_norm / layers[0].gradient_norm


def test_two_models_of_one_class_are_told_apart():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    with cr.recording("summary") as r:
        b(a(np.ones((1, 2), np.float32))).sum().backward()
    assert [x.module for x in r.summary().layers] == ["Linear_2", "Linear"]


def test_one_sweep_in_ten_is_summed_up_unless_more_are_asked_for():
    w = cr.tensor(1.0, requires_grad=True)
    with cr.recording("summary") as some, cr.recording("summary", every=4, keep=2) as fewer:
        for _ in range(25):
            (w * 2.0).backward()
    assert [s.number for s in some.sweeps] == [1, 11, 21] and [s.number for s in fewer.sweeps] == [21, 25]


def test_a_summary_keeps_no_arrays_and_a_full_recording_only_those_it_is_asked_to_keep():
    def step():
        x = cr.tensor(np.ones(1000), requires_grad=True)
        loss = (x * 2.0).sum()
        loss.backward()
        return weakref.ref(x)
    with cr.recording("summary", every=1) as norms:
        leaves = [step() for _ in range(3)]
    gc.collect()
    assert [leaf() is None for leaf in leaves] == [True] * 3 and len(norms.sweeps) == 3
    with cr.recording() as full:
        leaves = [step() for _ in range(3)]
    gc.collect()
    assert [leaf() is None for leaf in leaves] == [True, True, False] and len(full.sweeps) == 1


# ---------------------------------------------------------------------------------------- faces
@pytest.mark.parametrize("width", [80, 120])
def test_the_page_fits_its_width_and_shows_dead_units(width):
    loss, _ = digits_mlp()
    with cr.recording("summary") as r:
        loss.backward()
    page = r.summary().text(width)
    assert max(map(len, page.splitlines())) <= width
    relu = next(row for row in r.summary().rows if row.operation == "relu")
    assert 0 < relu.zeros < 1 and f"{relu.zeros:.1%}" in page


def test_a_line_that_all_share_is_said_once():
    model = Tower()
    with cr.recording("summary") as r:
        model(np.ones((3, 4), np.float32)).sum().backward()
    assert r.summary().text(120).count("test_recording.py") > 3
    model = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    with cr.recording("summary") as r:
        cr.sum(model(np.ones((3, 4), np.float32))).backward()
    assert r.summary().text(120).count("test_recording.py") == 1


def test_of_many_values_the_page_shows_the_ends():
    y = cr.tensor(1.0, requires_grad=True)
    for _ in range(100):
        y = y * 0.9
    with cr.recording("summary") as r:
        y.backward()
    for face in (r.summary().text(), r.summary().html()):
        assert face.count("multiply") in (59, 60) and "101" in face
    assert len(json.loads(r.json())["sweeps"][0]["rows"]) == 101


def test_the_data_are_complete_and_the_fragment_is_ascii():
    loss, _ = small_cnn()
    with cr.recording("summary", every=1) as r:
        loss.backward()
        loss.backward()
    data = json.loads(r.json())
    assert data["schema"] == SCHEMA == json.loads(r.summary().json())["schema"]
    assert [s["sweep"] for s in data["sweeps"]] == [1, 2] and data["sweeps"][0]["value"] == loss.item()
    assert [tuple(row.values()) for row in data["sweeps"][1]["rows"]] == [
        (*row[:5], list(row.shape), *row[6:]) for row in r.summary().rows]
    assert r.summary().html().isascii() and r.summary().html().startswith("<div")
    assert "summary of sweep 2" in repr(r.summary()) and "2 of 2 sweeps" in repr(r)
