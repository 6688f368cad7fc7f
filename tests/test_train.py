"""Training: the digits, the loop and who listens to it, curves, and files that are whole or not there."""
import json
import math
import os
import runpy
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim, train
from chainrule.data import Dataset, digits
from chainrule.errors import ArgumentError, DataError, DivergenceError, StorageError
from chainrule.train.axis import Axis, axis, label
from chainrule.train.curves import Panel, Series, svg, terminal
from chainrule.train.files import write_safely
from chainrule.train.recipe import ACTIVATIONS, INITS, Recipe
from training import session

QUICK = Recipe(layers=(16,), epochs=2)


# ---------------------------------------------------------------------------------------- data
def test_the_digits_are_all_there():
    data = digits()
    assert (data.inputs.shape, data.inputs.dtype, data.targets.dtype) == ((1797, 64), np.float32, np.int64)
    assert (data.inputs.min(), data.inputs.max()) == (0, 1)
    assert np.bincount(data.targets).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_digits_are_small_enough_to_ship():
    from importlib.resources import files
    assert len(files("chainrule.data").joinpath("digits.npz").read_bytes()) < 150_000


def test_a_split_parts_all_rows_by_its_seed():
    data = Dataset(np.arange(10.0), np.arange(10))
    seen, held_out = data.split(0.3, seed=1)
    assert (len(seen), len(held_out)) == (7, 3)
    assert sorted([*seen.targets, *held_out.targets]) == list(range(10))
    np.testing.assert_array_equal(held_out.targets, data.split(0.3, seed=1)[1].targets)
    assert held_out.targets.tolist() != data.split(0.3, seed=2)[1].targets.tolist()


def test_batches_hold_every_row_once_and_keep_rows_together():
    data = Dataset(np.arange(10.0), np.arange(10))
    batches = list(data.batches(4, shuffle=np.random.default_rng(0)))
    assert [len(b.targets) for b in batches] == [4, 4, 2] and data.steps(4) == 3
    joined = np.concatenate([b.targets for b in batches])
    assert sorted(joined) == list(range(10)) and joined.tolist() != list(range(10))
    assert all(np.array_equal(b.inputs, b.targets) for b in batches)


def test_wrong_data_are_told():
    with pytest.raises(DataError, match="3 rows of inputs and 2 targets"):
        Dataset(np.zeros(3), np.zeros(2))
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        digits().split(2.0)
    with pytest.raises(ArgumentError, match="at least 1"):
        next(digits().batches(0))


# ---------------------------------------------------------------------------------------- the loop
def test_the_defaults_learn_the_digits(tmp_path):
    run = session(Recipe(), digits(), tmp_path)
    run.fit()
    assert run.measures["accuracy"] >= 0.97


def test_same_seed_same_weights_bit_for_bit(tmp_path):
    states = []
    for number, seed in enumerate((3, 3, 4)):
        run = session(Recipe(layers=(16,), epochs=2, seed=seed), digits(), tmp_path / str(number))
        run.fit()
        states.append({name: value.tobytes() for name, value in run.task.model.state_dict().items()})
    assert states[0] == states[1] != states[2]


def test_one_step_is_the_algorithm_by_hand():
    g = np.random.default_rng(0)
    x, y = g.normal(size=(5, 4)), g.normal(size=(5, 3))
    model = nn.Linear(4, 3, bias=False, dtype="float64", generator=g)
    before = model.weight.data.numpy()
    trainer = train.Trainer(model, lambda p, t: ((p - t) ** 2).sum(), optim.SGD(model.parameters(), lr=0.01))
    loss = trainer.step(x, y)
    error = x @ before.T - y
    assert math.isclose(loss, (error ** 2).sum())
    np.testing.assert_allclose(model.weight.data.numpy(), before - 0.01 * 2 * error.T @ x, rtol=1e-12)
    assert model.weight.grad is None


class Witness(train.Listener):
    def __init__(self):
        self.events = []

    def begin(self, trainer, epochs, steps): self.events.append(("begin", epochs, steps))
    def after_step(self, step): self.events.append(("step", step.number))
    def after_epoch(self, epoch): self.events.append(("epoch", epoch.number, epoch.accuracy is not None))
    def end(self): self.events.append(("end",))


def test_listeners_are_told_what_happens_in_order(tmp_path):
    witness = Witness()
    run = session(Recipe(layers=(), epochs=2, batch=800), digits(), tmp_path, [witness])
    run.fit()
    assert witness.events == [("begin", 2, 2), ("step", 1), ("step", 2), ("epoch", 1, True), ("step", 3), ("step", 4),
                              ("epoch", 2, True), ("end",)]


def test_a_stop_comes_after_the_step_that_is_running(tmp_path):
    class Stopper(Witness):
        def begin(self, trainer, epochs, steps): self.trainer = trainer

        def after_step(self, step):
            super().after_step(step)
            self.trainer.stop()
    stopper = Stopper()
    run = session(QUICK, digits(), tmp_path, [stopper])
    run.fit()
    assert stopper.events == [("step", 1), ("end",)]


def test_a_loss_that_is_no_number_stops_the_training_and_says_what_to_try(tmp_path):
    run = session(Recipe(optimizer="sgd", rate=1e6, epochs=1), digits(), tmp_path)
    with pytest.raises(DivergenceError, match=r"at step \d+, in epoch 1.*Try a smaller rate than 1e\+06, such as 100000"):
        run.fit()


def test_a_loss_that_never_was_a_number_points_to_the_data(tmp_path):
    huge = Dataset(np.full((50, 4), 3e38, np.float32), np.arange(50) % 3)
    with pytest.raises(DivergenceError, match="among the data"):
        session(QUICK, huge, tmp_path).fit()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_can_be_trained(name, tmp_path):
    run = session(Recipe(layers=(16,), activation=name, epochs=2), digits(), tmp_path)
    run.fit()
    assert run.history.epochs[1].loss < run.history.epochs[0].loss


def test_a_small_start_shows_why_starts_were_found(tmp_path):
    losses = {}
    for init in INITS:
        run = session(Recipe(layers=(32,) * 4, init=init, epochs=1), digits(), tmp_path / init)
        run.fit()
        losses[init] = run.history.epochs[0].loss
    assert losses["he"] < losses["small"] and losses["small"] > 1.5


def test_choices_that_do_not_go_together_are_told():
    for recipe in (Recipe(momentum=0.9), Recipe(nesterov=True), Recipe(optimizer="sgd", momentum=0.0, nesterov=True)):
        with pytest.raises(ArgumentError, match="momentum"):
            recipe.complete()


# ---------------------------------------------------------------------------------------- files
def test_weights_come_back_bit_for_bit(tmp_path):
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    train.save_weights(tmp_path / "w.safetensors", a)
    b.weight.data = b.weight.data.numpy() + 1
    train.load_weights(tmp_path / "w.safetensors", b)
    assert a.weight.data.numpy().tobytes() == b.weight.data.numpy().tobytes()


def test_weights_that_are_not_whole_or_do_not_fit_are_told(tmp_path):
    path = tmp_path / "w.safetensors"
    train.save_weights(path, nn.Linear(3, 2))
    with pytest.raises(ArgumentError, match="misshapen"):
        train.load_weights(path, nn.Linear(4, 2))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="not a whole safetensors file"):
        train.load_weights(path, nn.Linear(3, 2))


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_safely(path, b"old")

    def full(handle):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"file cannot be used: No space left on device. Make room"):
        write_safely(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_came_of_a_run_is_kept(tmp_path):
    run = session(QUICK, digits(), tmp_path)
    seen, held_out = run.task.data, run.task.held_out
    run.fit()
    run.save({}, finished=True)
    assert {"curve.svg", "metrics.json", "report.html", "weights.safetensors"} <= {p.name for p in tmp_path.iterdir()}
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["recipe"]["seed"] == 0 and metrics["recipe"]["rate"] == run.plan.rate
    assert {"name": "digits", "train": len(seen), "held_out": len(held_out)}.items() <= metrics["data"].items()
    assert [e["number"] for e in metrics["epochs"]] == [1, 2] and metrics["finished"]
    assert [e["loss"] for e in metrics["epochs"]] == [e.loss for e in run.history.epochs] != [
        e["held_out_loss"] for e in metrics["epochs"]] and metrics["epochs"][1]["accuracy"] == metrics["accuracy"]
    assert len(metrics["losses"]) == 2 * seen.steps(32)
    other = session(QUICK, digits(), tmp_path / "other")
    train.load_weights(tmp_path / "weights.safetensors", other.task.model)
    assert other.trainer.accuracy(held_out) == metrics["accuracy"]


# ---------------------------------------------------------------------------------------- curves
def test_ticks_are_round_and_few():
    assert Axis(0, 30).ticks(7) == [0, 5, 10, 15, 20, 25, 30]
    assert Axis(0.85, 1.0).ticks(5) == [0.85, 0.9, 0.95, 1.0]
    assert Axis(0.0005, 3, log=True).ticks(5) == [0.001, 0.01, 0.1, 1]
    assert Axis(-1e-9, 1e-9).ticks(5) == [-1e-9, -5e-10, 0, 5e-10, 1e-9]
    for high in np.geomspace(1e-12, 1e12, 60):
        for most in (2, 5, 11):
            assert 1 <= len(Axis(0, high).ticks(most)) <= most


def test_an_axis_holds_its_values_and_turns_logarithmic_over_a_decade():
    assert not axis([1, 5]).log and axis([0.01, 1]).log and not axis([-1, 100]).log
    for values in ([1, 5], [3], [0], [math.nan, 2, math.inf], []):
        a = axis(values)
        assert a.low < a.high and all(0 <= a.place(v) <= 1 for v in (a.low, a.high))


def test_labels_are_short():
    assert [label(v) for v in (0, 0.1, 100, 1e-5, 2e7)] == ["0", "0.1", "100", "1e-5", "2e7"]
    assert label(0.975, percent=True) == "97.5%"


CURVE = Panel("loss", [Series("loss", range(1, 200), [2 * 0.97 ** i for i in range(1, 200)])])


@pytest.mark.parametrize("width", [20, 40, 80, 300])
@pytest.mark.parametrize("plain", [False, True])
def test_a_curve_fits_the_terminal(width, plain):
    lines = terminal(CURVE, width=width, height=8, plain=plain).splitlines()
    assert len(lines) == 11 and max(map(len, lines)) <= width
    assert not plain or all(line.isascii() for line in lines)


def test_a_falling_curve_falls():
    lines = terminal(CURVE, width=60, height=8, plain=True).splitlines()[1:-2]
    columns = [line.split("|" if "|" in line else "+", 1)[1].ljust(60) for line in lines]
    tops = [min(i for i, line in enumerate(columns) if line[c] == "*") for c in range(50)]
    assert tops == sorted(tops) and tops[0] == 0 and tops[-1] >= 6


@pytest.mark.parametrize("ys", [[], [1.0], [math.nan, math.inf], [0.0, 0.0, 0.0], [1e-300, 1e300]], ids=str)
def test_odd_curves_are_drawn_all_the_same(ys):
    panel = Panel("odd & <even>", [Series("s", range(len(ys)), ys)])
    assert terminal(panel, width=40)
    ElementTree.fromstring(svg("t & <t>", "s", [panel], x_label="epoch"))


def test_the_picture_has_labels_that_do_not_overlap():
    tree = ElementTree.fromstring(svg("title", "caption", [CURVE], x_label="epoch"))
    texts = [t for t in tree.iter("{http://www.w3.org/2000/svg}text") if t.get("class") == "quiet" and t.get("text-anchor")]
    boxes = []
    for t in texts:
        wide, x, y = 8 * len(t.text), float(t.get("x")), float(t.get("y"))
        left = x - (wide if t.get("text-anchor") == "end" else wide / 2)
        boxes.append((left, left + wide, y - 12, y))
    assert len(boxes) > 6
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]


def test_curves_come_from_the_history():
    history = train.History()
    history.begin(None, 2, 2)
    for i, loss in enumerate([3.0, 2.0, 1.0]):
        history.after_step(train.Step(i + 1, 1 + i // 2, loss))
    history.after_epoch(train.Epoch(1, 2.5, 0.1, {"accuracy": 0.5}))
    loss, accuracy = history.panels()
    assert list(loss.series[1].xs) == [0.5, 1.0, 1.5] and accuracy.percent
    assert list(history.panels(at_most=2)[0].series[1].xs) == [0.75, 1.5]
    assert list(history.panels(at_most=2)[0].series[1].ys) == [2.5, 1.0]
    history.after_epoch(train.Epoch(2, 1.0, 0.1, {"loss": 0.7, "accuracy": 0.6, "r2": 0.2}))
    loss, _, other = history.panels()
    assert [s.name for s in loss.series] == ["mean of the pass", "held out", "each batch"] and other.title == "held-out r2"
    assert cr.train is train


def test_the_training_by_hand_learns_the_same(capsys):
    runpy.run_path(str(Path(__file__).parent.parent / "examples/train_by_hand.py"))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("epoch 20") and float(last.split()[-1].rstrip("%")) >= 97
