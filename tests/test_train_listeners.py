"""What listens to a training: metrics, early stopping, schedules, clipping and norms, logs; what a training may be fed with."""
import csv
import json
import math
import sys
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim, train
from chainrule.data import DataLoader, Dataset
from chainrule.errors import ArgumentError, CompileWarning, DataError
from chainrule.train.metrics import METRICS, better, class_axis

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
LABELS = (X @ RNG.normal(size=(4, 3))).argmax(1)
VALUES = (X @ np.array([[1.0], [-2.0], [0.5], [0.0]], np.float32))
MODES = [False, True]


def classifier(listeners=(), lr=0.01, **options):
    model = nn.Linear(4, 3, generator=cr.random.Generator(0))
    return train.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=lr), listeners, **options)


def weights(trainer):
    return {name: value.copy() for name, value in trainer.model.state_dict().items()}


def fitted(trainer, data=None, **options):
    options = {"epochs": 2, "batch": 16, "generator": cr.random.Generator(1), **options}
    trainer.fit(Dataset(X, LABELS) if data is None else data, **options)
    return weights(trainer)


def close(a, b, rtol=1e-5):
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=rtol, atol=1e-7)


class Notes(train.Listener):
    def __init__(self): self.said = []

    def note(self, text): self.said.append(text)


# ---------------------------------------------------------------------------------------- compiled and eager
def test_a_step_is_compiled_and_that_is_said_once():
    notes = Notes()
    compiled, eager = classifier([notes]), classifier([notes], compile=False)
    close(fitted(compiled), fitted(eager))
    assert notes.said == ["the training step is compiled into one native function"]
    assert compiled.launched.compiled and not eager.launched.compiled


def test_a_model_that_cannot_be_compiled_runs_eagerly_after_one_notice_with_its_line():
    class Branching(nn.Module):
        def __init__(self): self.fc = nn.Linear(4, 3, generator=cr.random.Generator(0))

        def forward(self, x):
            y = self.fc(x)
            return y if float(y.sum()) > 1e9 else y * 2.0
    models = [Branching(), Branching()]
    trainers = [train.Trainer(m, nn.CrossEntropyLoss(), optim.SGD(m.parameters()), compile=c) for m, c in zip(models, MODES)]
    line = r"training_step cannot be compiled, and runs eagerly.*test_train_listeners.py:\d+: float"
    with pytest.warns(CompileWarning, match=line) as w:
        compiled = fitted(trainers[1])
    assert len(w) == 1
    close(compiled, fitted(trainers[0]), rtol=0)


def test_without_llvmlite_it_runs_in_numpy(monkeypatch):
    from chainrule.compiler import execution
    monkeypatch.setattr(execution, "find_spec", lambda name: None)
    monkeypatch.setattr(execution, "told", False)
    with pytest.warns(CompileWarning, match="llvmlite is not installed"):
        compiled = fitted(classifier())
    close(compiled, fitted(classifier(compile=False)))


# ---------------------------------------------------------------------------------------- what it is fed with
@pytest.mark.parametrize("compile", MODES)
def test_data_are_arrays_data_sets_loaders_or_any_batches(compile):
    batches = list(DataLoader(Dataset(X, LABELS), 16))
    fed = [batches, DataLoader(Dataset(X, LABELS), 16), DataLoader(Dataset(X, LABELS), 16, prefetch=3)]
    first, *others = (fitted(classifier(compile=compile), data) for data in fed)
    for other in others:
        close(first, other, rtol=0)
    close(fitted(classifier(compile=compile), (X, LABELS)), fitted(classifier(compile=compile)), rtol=0)


def test_what_gives_its_batches_once_serves_one_pass():
    fitted(classifier(compile=False), iter([(X, LABELS)]), epochs=1)
    with pytest.raises(DataError, match=r"no batches in pass 2.*only once serves one pass"):
        fitted(classifier(compile=False), iter([(X, LABELS)]))
    with pytest.raises(DataError, match="batch 0 is a ndarray, and should be a pair"):
        fitted(classifier(compile=False), [X])
    with pytest.raises(ArgumentError, match="data are a Dataset"):
        fitted(classifier(compile=False), 3)


def test_inputs_may_be_trees():
    class Two(nn.Module):
        def __init__(self): self.fc = nn.Linear(4, 1, generator=cr.random.Generator(0))
        def forward(self, x): return self.fc(x["a"]) + x["b"]
    model = Two()
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    before = trainer.evaluate([({"a": X, "b": VALUES}, VALUES)])["loss"]
    fitted(trainer, [({"a": X, "b": VALUES}, VALUES)], epochs=20)
    assert trainer.evaluate([({"a": X, "b": VALUES}, VALUES)])["loss"] < before


@pytest.mark.parametrize("compile", MODES)
@pytest.mark.parametrize("as_batches", [False, True])
def test_labels_that_are_no_class_are_told_before_anything_is_trained(compile, as_batches):
    wrong = LABELS.copy()
    wrong[[7, 9]] = 3, -1
    trainer = classifier(compile=compile)
    before = weights(trainer)
    data = [(X, wrong)] if as_batches else Dataset(X, wrong, "letters")
    where = "batch 0 of pass 1" if as_batches else r"the data to train on \(letters\)"
    with pytest.raises(DataError, match=rf"^{where}: the label in row 7 is 3 \(1 more are wrong\). The model has 3 outputs, for "
                                        r"labels 0 to 2: number the classes from 0, or give the model more outputs.$"):
        fitted(trainer, data)
    close(before, weights(trainer), rtol=0)
    with pytest.raises(DataError, match="the data held out: the label in row 7 is 3"):
        fitted(trainer, held_out=Dataset(X, wrong))


def test_labels_are_looked_at_in_an_evaluation_too():
    with pytest.raises(DataError, match="batch 0 of the data to evaluate: the label in row 0 is 4"):
        classifier().evaluate((X, LABELS + 3))


def test_numbers_that_are_none_are_told_with_their_row_and_column():
    bad = X.copy()
    bad[3, 2] = np.nan
    with pytest.raises(DataError, match=r"the data to train on: the input in row 3, column 2 is nan. Take the row out"):
        fitted(classifier(), Dataset(bad, LABELS))
    bad[3, 2] = np.inf
    with pytest.raises(DataError, match=r"batch 1 of pass 1: the input in row 3, column 2 is inf"):
        fitted(classifier(), [(X, LABELS), (bad, LABELS)])
    with pytest.raises(DataError, match="the inputs are <U1, and should be numbers"):
        fitted(classifier(), Dataset(np.full((5, 4), "x"), np.zeros(5)), epochs=1)
    fitted(classifier(check_data=False), [(X, LABELS), (bad, LABELS)])


def test_rows_to_be_ignored_are_no_wrong_labels():
    padded = LABELS.copy()
    padded[:5] = -100
    fitted(classifier(), Dataset(X, padded))


def test_looking_at_the_data_draws_no_random_numbers():
    cr.random.seed(4)
    before = cr.random.get_state()
    fitted(classifier(), [(X, LABELS)], epochs=0)
    fitted(classifier(), [(X, LABELS)], epochs=1)
    assert cr.random.get_state() == before


# ---------------------------------------------------------------------------------------- metrics
def test_metrics_are_what_they_say():
    scores = np.array([[1.0, 0.0], [0.2, 0.1], [0.0, 3.0]])
    assert METRICS["accuracy"](scores, np.array([0, 1, 1])) == 2 / 3
    assert METRICS["accuracy"](scores.T[None], np.array([[0, 1, 1]])) == 2 / 3  # (batch, classes, time)
    assert METRICS["binary_accuracy"](np.array([[1.0], [-1.0], [2.0]]), np.array([1, 1, 0])) == 1 / 3
    y, t = np.array([[1.0, 0.0], [2.0, 5.0]]), np.array([[0.0, 0.0], [4.0, 5.0]])
    assert METRICS["mean_absolute_error"](y, t) == 0.75 and METRICS["mean_squared_error"](y, t) == 1.25
    assert METRICS["r2"](y, t) == ((1 - 5 / 8) + 1) / 2
    assert METRICS["r2"](np.array([[1.0], [2.0]]), np.array([1.0, 2.0])) == 1  # no table of differences
    with pytest.raises(ArgumentError, match="not one for each"):
        METRICS["r2"](y, t[0])
    with pytest.raises(ArgumentError, match="binary_accuracy"):
        METRICS["accuracy"](y, t)


def test_r2_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.metrics")
    y, t = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 3))
    t[:, 1] = 2.0
    assert math.isclose(METRICS["r2"](y, t), sklearn.r2_score(t, y), rel_tol=1e-12)


def test_classes_lie_where_cross_entropy_has_them():
    assert class_axis((5, 3), (5,)) == 1 and class_axis((5, 3, 7), (5, 7)) == 1 and class_axis((5, 7, 3), (5, 7)) == 2
    assert class_axis((5, 3), (5, 3)) is None and class_axis((5,), (5,)) is None
    assert better("accuracy", 0.9, 0.8) and better("loss", 0.8, 0.9) and not better("loss", math.nan, 1.0)
    assert not better("loss", 0.89, 0.9, by=0.05) and not better("accuracy", math.nan, 0.1)


@pytest.mark.parametrize("compile", MODES)
def test_evaluation_in_pieces_is_evaluation_of_the_whole(compile):
    trainer = classifier(compile=compile, metrics=("loss", "accuracy", "perplexity"))
    whole, pieces = trainer.evaluate((X, LABELS)), trainer.evaluate((X, LABELS), batch=7)
    assert set(whole) == {"loss", "accuracy", "perplexity"}
    for name in whole:
        assert math.isclose(whole[name], pieces[name], rel_tol=1e-5)
    assert math.isclose(whole["perplexity"], math.exp(whole["loss"]))
    assert math.isclose(whole["loss"], float(nn.CrossEntropyLoss()(trainer.model(X), LABELS).value), rel_tol=1e-5)
    assert trainer.accuracy((X, LABELS)) == whole["accuracy"]
    assert trainer.evaluate((X, LABELS), metrics={"rows": lambda y, t: len(t)}) == {"rows": 60.0}
    with pytest.raises(ArgumentError, match=r"no metric 'speed'; there are loss, perplexity, accuracy"):
        trainer.evaluate((X, LABELS), metrics=("speed",))


def test_prediction_and_evaluation_leave_the_mode_as_it_was():
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters()))
    for mode in MODES:
        model.train(mode)
        first, second = trainer.predict(X), trainer.predict(X)
        trainer.evaluate((X, LABELS))
        assert (first == second).all() and model.training is mode is model[1].training
    many = np.tile(X, (40, 1))
    np.testing.assert_allclose(trainer.predict(many)[:60], first, rtol=1e-5)


def test_regression_measures_its_loss():
    model = nn.Linear(4, 1)
    trainer = train.Trainer(model, nn.MSELoss(), optim.Adam(model.parameters(), lr=0.1), metrics=("loss", "r2"))
    trainer.fit((X, VALUES), held_out=(X, VALUES), epochs=30)
    assert trainer.evaluate((X, VALUES))["r2"] > 0.99
    trainer.metrics = None
    assert set(trainer.evaluate((X, VALUES))) == {"loss"}


# ---------------------------------------------------------------------------------------- clipping, norms, accumulation
@pytest.mark.parametrize("compile", MODES)
def test_gradients_are_clipped_and_told_before_and_after(compile):
    norms = train.GradientNorms()
    trainer = classifier([norms], max_norm=0.1, compile=compile, lr=1.0)
    before = weights(trainer)
    after = fitted(trainer, [(X, LABELS)], epochs=1)
    x, y = cr.tensor(X), LABELS
    model = nn.Linear(4, 3, generator=cr.random.Generator(0))
    nn.CrossEntropyLoss()(model(x), y).backward()
    size = math.sqrt(sum(float((p.grad * p.grad).sum().value) for p in model.parameters()))
    assert size > 0.1
    assert norms.steps == [1] and norms.names == ["weight", "bias"]
    told = math.sqrt(sum(float(n[0]) ** 2 for n in norms.before().values()))
    clipped = math.sqrt(sum(float(n[0]) ** 2 for n in norms.after().values()))
    assert math.isclose(told, size, rel_tol=1e-5) and math.isclose(clipped, 0.1, rel_tol=1e-4)
    moved = math.sqrt(sum(float(((after[n] - before[n]) ** 2).sum()) for n in after))
    assert math.isclose(moved, 0.1, rel_tol=1e-4)


def test_norms_are_told_by_layer():
    norms = train.GradientNorms(every=2)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), [norms])
    fitted(trainer)
    assert norms.steps == [2, 4, 6, 8] and {k: len(v) for k, v in norms.before().items()} == {"0": 4, "2": 4}
    assert all((norms.before()[name] == norms.after()[name]).all() for name in ("0", "2"))


@pytest.mark.parametrize("compile", MODES)
@pytest.mark.parametrize("pieces", [2, 3, 100])
def test_gradients_of_pieces_add_up_to_that_of_the_batch(compile, pieces):
    close(fitted(classifier(compile=compile, accumulate=pieces)), fitted(classifier(compile=compile)), rtol=1e-4)


@pytest.mark.parametrize("options", [{"accumulate": 0}, {"max_norm": 0.0}, {"accumulate": 2, "carry": True}], ids=str)
def test_options_that_make_no_sense_are_told(options):
    with pytest.raises(ArgumentError, match="Trainer: "):
        classifier(**options)


@pytest.mark.parametrize("compile", MODES)
def test_an_optimizer_that_searches_is_given_a_closure(compile):
    class Searching(optim.SGD):
        elementwise = False

        def step(self, closure):
            for _ in range(3):
                closure()
                super().step()

    def run(kind, epochs):
        model = nn.Linear(4, 3, generator=cr.random.Generator(0))
        trainer = train.Trainer(model, nn.CrossEntropyLoss(), kind(model.parameters(), lr=0.1), compile=compile)
        return fitted(trainer, [(X, LABELS)], epochs=epochs)
    close(run(Searching, 2), run(optim.SGD, 6))


# ---------------------------------------------------------------------------------------- schedules and stopping
class Halving:
    def __init__(self, optimizer): self.optimizer, self.seen = optimizer, []

    def step(self, metric=None):
        self.seen.append(metric)
        self.optimizer.param_groups[0]["lr"] /= 2


@pytest.mark.parametrize("compile", MODES)
@pytest.mark.parametrize("per", ["pass", "step"])
def test_a_schedule_moves_the_rate(compile, per):
    history, rates = train.History(), []

    class Rates(train.Listener):
        def after_step(self, step): rates.append(step.rate)
    trainer = classifier([history, Rates()], lr=1.0, compile=compile)
    trainer.listeners = [*trainer.listeners, train.Schedule(Halving(trainer.optimizer), per=per)]
    fitted(trainer, [(X, LABELS), (X, LABELS)])
    assert rates == ([1.0, 0.5, 0.25, 0.125] if per == "step" else [1.0, 1.0, 0.5, 0.5])
    assert len({round(loss, 6) for loss in history.losses}) == 4


def test_a_schedule_on_a_plateau_is_told_the_metric():
    trainer = classifier()
    plateau = Halving(trainer.optimizer)
    trainer.listeners = [train.Schedule(plateau, metric="accuracy")]
    fitted(trainer, held_out=(X, LABELS))
    assert len(plateau.seen) == 2 and all(0 < value <= 1 for value in plateau.seen)
    for make in (lambda: train.Schedule(plateau, per="hour"), lambda: train.Schedule(plateau, per="step", metric="loss")):
        with pytest.raises(ArgumentError, match="Schedule: "):
            make()
    trainer.listeners = [train.Schedule(plateau, metric="speed")]
    with pytest.raises(ArgumentError, match=r"'speed' was not measured; there are loss, accuracy"):
        fitted(trainer, held_out=(X, LABELS))


class Told:
    """A trainer whose held-out loss follows a script."""

    def __init__(self, values, listener):
        self.trainer, self.listener, self.values, self.kept = classifier(compile=False), listener, iter(values), []
        self.trainer.evaluate = lambda data: {"loss": next(self.values)}
        witness = train.Listener()
        witness.after_epoch = lambda epoch: self.kept.append(weights(self.trainer))
        self.trainer.listeners = [witness, listener]

    def fit(self, epochs):
        return fitted(self.trainer, held_out=(X, LABELS), epochs=epochs)


def test_it_stops_early_and_gives_the_best_weights_back():
    told = Told([5, 4, 3, 3.5, 2.99, 3.2, 9], train.EarlyStopping(patience=3, min_delta=0.1))
    after = told.fit(50)
    assert told.trainer.place.epoch == 6 and told.listener.epoch == 3
    close(after, told.kept[2], rtol=0)


def test_the_best_weights_come_back_in_the_end_but_not_after_a_stop():
    told = Told([5, 3, 4, 6], train.Best())
    close(told.fit(4), told.kept[1], rtol=0)
    told = Told([5, 3, 4, 6], train.Best())
    told.trainer.listeners[0].after_step = lambda step: told.trainer.stop() if step.number == 14 else None
    after = told.fit(4)
    assert told.trainer.place.epoch == 3 and not np.array_equal(after["weight"], told.kept[1]["weight"])
    told.listener.restore()
    close(weights(told.trainer), told.kept[1], rtol=0)
    told = Told([5, 3, 4, 6], train.Best(restore_best=False))
    close(told.fit(4), told.kept[3], rtol=0)
    with pytest.raises(ArgumentError, match="patience"):
        train.EarlyStopping(patience=0)


def test_all_listeners_hear_the_end_even_if_one_fails():
    heard = []

    class Failing(train.Listener):
        def after_step(self, step): raise RuntimeError("in a step")
        def end(self): raise OSError("in the end")

    class Hearing(train.Listener):
        def end(self): heard.append("end")
    with pytest.raises(OSError, match="in the end"):
        fitted(classifier([Hearing(), Failing(), Hearing()], compile=False))
    assert heard == ["end", "end"]


# ---------------------------------------------------------------------------------------- logs
def test_logs_are_tables_with_a_row_each(tmp_path):
    trainer = classifier([train.Log(tmp_path / "a/steps.csv", per="step"), train.Log(tmp_path / "passes.jsonl")], max_norm=1.0)
    fitted(trainer, held_out=(X, LABELS))
    steps = list(csv.DictReader((tmp_path / "a/steps.csv").read_text().splitlines()))
    assert [row["step"] for row in steps] == [str(i) for i in range(1, 9)]
    assert list(steps[0]) == ["step", "epoch", "loss", "rate", "gradient_norm", "clipped"] and float(steps[0]["loss"]) > 0
    passes = [json.loads(line) for line in (tmp_path / "passes.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in passes] == [1, 2] and passes[1]["step"] == 8
    assert list(passes[0]) == ["epoch", "step", "loss", "rate", "held_out_loss", "held_out_accuracy", "seconds"]


def test_numbers_that_json_does_not_know_are_text(tmp_path):
    trainer = classifier([log := train.Log(tmp_path / "log.jsonl", per="step")], compile=False)
    log.begin(trainer, 1, 1)
    log.after_step(train.Step(1, 1, math.nan))
    log.end()
    assert json.loads((tmp_path / "log.jsonl").read_text())["loss"] == "nan"


def test_tensorboard_reads_what_is_written_for_it(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of protobuf's own
        fitted(classifier([train.TensorBoard(tmp_path)]), held_out=(X, LABELS))
    (path,) = tmp_path.iterdir()
    content, found = path.read_bytes(), {}
    while content:
        size = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12:12 + size])
        content = content[16 + size:]
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    assert [step for step, _ in found["step/loss"]] == list(range(1, 9))
    assert [step for step, _ in found["pass/held_out_accuracy"]] == [4, 8]


def test_without_its_library_tensorboard_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ArgumentError, match=r"pip install 'chainrule\[tensorboard\]'"):
        train.TensorBoard(tmp_path)
