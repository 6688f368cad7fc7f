"""A training that is interrupted anywhere and resumed ends with the same bits as one that was left alone."""
import csv
import json
import os
import signal
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
import killing
from chainrule import nn, optim, train
from chainrule.data import DataLoader, Dataset
from chainrule.errors import ArgumentError, CheckpointWarning, DataError, DivergenceError, InputError
from chainrule.train.checkpoint import checkpoints_in, read_checkpoint

EPOCHS = 6
STEPS = EPOCHS * 12


class Break(train.Listener):
    """Breaks a training off at a step, as hard as Python can."""

    def __init__(self, at):
        self.at = at

    def after_step(self, step):
        if step.number == self.at:
            raise KeyboardInterrupt


def alone(compile):
    return killing.fit(*killing.prepared(None, compile=compile), epochs=EPOCHS)


def resumed(folder, compile=False, **options):
    trainer, loader = killing.prepared(folder, compile=compile, **options)
    trainer.resume(folder)
    return killing.fit(trainer, loader, epochs=EPOCHS)


def broken(folder, at, compile=False, **options):
    with pytest.raises(KeyboardInterrupt):
        killing.fit(*killing.prepared(folder, compile=compile, listeners=[Break(at)], **options), epochs=EPOCHS)


@pytest.mark.parametrize(("compile", "at"), [
    *((False, at) for at in (1, 12, 29, 60, 71)), (True, 29),
    *(pytest.param(True, at, marks=pytest.mark.slow) for at in (1, 12, 60, 71))])
def test_a_broken_training_ends_with_the_same_bits(tmp_path, compile, at):
    broken(tmp_path, at, compile)
    assert resumed(tmp_path, compile) == alone(compile)


@pytest.mark.parametrize(("every", "prefetch"), [
    (1, 5), (7, 0), pytest.param(1, 0, marks=pytest.mark.slow), pytest.param(7, 5, marks=pytest.mark.slow)])
def test_it_does_not_matter_how_often_it_is_broken_or_how_batches_are_cut(tmp_path, every, prefetch):
    broken(tmp_path, 9, every=every)
    for at in (10, 24, 25, 50):
        trainer, loader = killing.prepared(tmp_path, compile=False, every=every, prefetch=prefetch, listeners=[Break(at)])
        trainer.resume(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            killing.fit(trainer, loader, epochs=EPOCHS)
    assert resumed(tmp_path, every=every) == alone(False)


def test_what_a_finished_training_gave_is_given_again(tmp_path):
    weights = killing.fit(*killing.prepared(tmp_path, compile=False), epochs=EPOCHS)
    assert resumed(tmp_path) == weights


def test_more_passes_go_on_from_the_last_weights_not_from_the_best(tmp_path):
    killing.fit(*killing.prepared(tmp_path, compile=False), epochs=3)
    assert resumed(tmp_path) == alone(False)


def test_logs_have_every_row_once(tmp_path):
    for at in (17, 31, 44):
        if at == 17:
            broken(tmp_path, at)
        else:
            trainer, loader = killing.prepared(tmp_path, compile=False, listeners=[Break(at)])
            trainer.resume(tmp_path)
            with pytest.raises(KeyboardInterrupt):
                killing.fit(trainer, loader, epochs=EPOCHS)
        with open(tmp_path / "steps.jsonl", "a") as file:
            file.write('{"step": 99, "ha')  # half a row, as a kill leaves it
    resumed(tmp_path)
    steps = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert [row["step"] for row in steps] == list(range(1, STEPS + 1))
    passes = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in passes] == list(range(1, EPOCHS + 1))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    killing.fit(*killing.prepared(fresh, compile=False), epochs=EPOCHS)
    assert (fresh / "steps.jsonl").read_bytes() == (tmp_path / "steps.jsonl").read_bytes()


def test_a_log_that_lost_rows_is_gone_on_with_and_noted(tmp_path):
    broken(tmp_path, 30)
    (tmp_path / "steps.jsonl").write_text("")

    class Notes(train.Listener):
        said = ""

        def note(self, text): self.said += text
    notes = Notes()
    resumed(tmp_path, listeners=[notes])
    assert "steps.jsonl has lost rows" in notes.said


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_a_damaged_checkpoint_is_passed_over_with_a_notice(tmp_path, damage):
    broken(tmp_path, 33)
    last = checkpoints_in(tmp_path)[-1]
    victim = last / "arrays.safetensors"
    whole = victim.read_bytes()
    changed = {"cut": whole[:-7], "flip": whole[:99] + bytes([whole[99] ^ 4]) + whole[100:], "empty": b""}
    if damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(changed[damage])
    with pytest.warns(CheckpointWarning, match=r"arrays.safetensors is (damaged|missing).* goes on from the checkpoint before"):
        assert resumed(tmp_path) == alone(False)
    for path in checkpoints_in(tmp_path):
        read_checkpoint(path)


def test_where_no_checkpoint_is_whole_that_is_an_error(tmp_path):
    trainer, _ = killing.prepared(tmp_path, compile=False)
    with pytest.raises(DataError, match="no checkpoint to go on from"):
        trainer.resume(tmp_path)
    broken(tmp_path, 33)
    for path in checkpoints_in(tmp_path):
        (path / "state.json").write_text("{}")
    with pytest.raises(DataError, match=r"no whole checkpoint: .*state.json is damaged"):
        trainer.resume(tmp_path)


def test_the_last_ones_and_the_best_stay(tmp_path):
    killing.fit(*killing.prepared(tmp_path, compile=False), epochs=EPOCHS)
    names = [path.name for path in checkpoints_in(tmp_path)]
    assert names[-1] == f"pass-{EPOCHS}-step-{STEPS}" and len(names) in (2, 3)
    assert not list(tmp_path.glob(".*"))
    assert read_checkpoint(tmp_path / names[-1]).state["listeners"]["Checkpoints"]["best"] in names


def test_checkpoints_are_taken_every_so_many_seconds(tmp_path, monkeypatch):
    ticks = iter(range(10 ** 6))  # each step, and each checkpoint, takes a second
    monkeypatch.setattr("chainrule.train.keeping.time", SimpleNamespace(monotonic=lambda: next(ticks)))
    data, model = killing.data(), nn.Linear(6, 3)
    keeping = train.Checkpoints(tmp_path, every_passes=None, every_seconds=4, keep=100)
    trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters()), [keeping], compile=False)
    trainer.fit(data, epochs=1, batch=8)
    assert [path.name for path in checkpoints_in(tmp_path)] == [f"pass-0-step-{n}" for n in (0, 4, 8, 12)] + ["pass-1-step-12"]


def test_a_folder_with_another_training_is_refused_and_stays(tmp_path):
    broken(tmp_path, 33)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"holds checkpoints of a training already.*trainer.resume"):
        killing.fit(*killing.prepared(tmp_path, compile=False), epochs=1)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_older_checkpoint_can_be_chosen(tmp_path):
    broken(tmp_path, 33)
    older = checkpoints_in(tmp_path)[0]
    trainer, loader = killing.prepared(tmp_path, compile=False)
    assert trainer.resume(older) == older
    assert killing.fit(trainer, loader, epochs=EPOCHS) == alone(False)


def test_a_checkpoint_of_something_else_is_told(tmp_path):
    broken(tmp_path, 33)
    other = nn.Linear(6, 3)
    with pytest.raises(ArgumentError, match="missing"):
        train.Trainer(other, nn.CrossEntropyLoss(), optim.Adam(other.parameters())).resume(tmp_path)
    with pytest.raises(DataError, match="with Adam, and this one has SGD"):
        train.Trainer(other, nn.CrossEntropyLoss(), optim.SGD(other.parameters())).resume(tmp_path)
    trainer, _ = killing.prepared(tmp_path, compile=False)
    trainer.resume(tmp_path)
    with pytest.raises(ArgumentError, match="batch_size was 8, and is 9"):
        trainer.fit(DataLoader(killing.data(), 9, shuffle=True), epochs=3)


def test_ctrl_c_takes_a_checkpoint_and_says_how_to_go_on(tmp_path):
    said = []

    class Press(train.Listener):
        def after_step(self, step):
            if step.number == 23:
                os.kill(os.getpid(), signal.SIGINT)

        def note(self, text): said.append(text)
    interruption = train.Interruption("Go on with: chainrule resume runs/a")
    killing.fit(*killing.prepared(tmp_path, compile=False, listeners=[interruption, Press()]), epochs=EPOCHS)
    assert interruption.happened and checkpoints_in(tmp_path)[-1].name == "pass-1-step-23"
    assert said[-1] == "interrupted after step 23. Go on with: chainrule resume runs/a"
    assert resumed(tmp_path) == alone(False)


def test_weights_that_are_no_numbers_are_not_kept(tmp_path):
    class Poison(train.Listener):
        def begin(self, trainer, epochs, steps): self.model = trainer.model

        def after_step(self, step):
            if step.number == 35:
                self.model[0].bias.data = np.full(12, np.nan, np.float32)
    with pytest.raises(DivergenceError, match=r"after step 35, 0.bias holds numbers that are not finite"):
        killing.fit(*killing.prepared(tmp_path, compile=False, listeners=[Poison()]), epochs=EPOCHS)
    assert checkpoints_in(tmp_path)[-1].name == "pass-2-step-30"
    assert resumed(tmp_path) == alone(False)


# ---------------------------------------------------------------------------------------- other models and data
@pytest.mark.parametrize("compile", [False, True])
def test_a_state_that_is_carried_is_kept(tmp_path, compile):
    class Characters(nn.Module):
        def __init__(self):
            g = cr.random.Generator(0)
            self.embed, self.rnn = nn.Linear(5, 4, generator=g), nn.GRU(4, 6, batch_first=True, generator=g)
            self.out = nn.Linear(6, 5, generator=g)

        def forward(self, x, state=None):
            h, state = self.rnn(self.embed(x), state)
            return cr.swapaxes(self.out(h), 1, 2), state

    rng = np.random.default_rng(0)
    text = rng.integers(0, 5, (3, 41))
    batches = [(np.eye(5, dtype=np.float32)[text[:, i:i + 8]], text[:, i + 1:i + 9]) for i in range(0, 40, 8)]

    def run(listeners=(), resume=False):
        model = Characters()
        trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.01), listeners, carry=True,
                                compile=compile)
        if resume:
            trainer.resume(tmp_path)
        trainer.fit(batches, held_out=batches, epochs=4)
        return {name: value.tobytes() for name, value in model.state_dict().items()}, trainer
    weights, trainer = run()
    assert set(trainer.evaluate(batches)) == {"loss", "accuracy"}
    with pytest.raises(KeyboardInterrupt):
        run([train.Checkpoints(tmp_path, every_steps=1), Break(13)])
    assert run(resume=True)[0] == weights


@pytest.mark.parametrize("compile", [False, True])
def test_generators_of_the_model_are_kept(tmp_path, compile):
    class Noisy(nn.Module):
        def __init__(self):
            self.fc, self.dice = nn.Linear(6, 3, generator=cr.random.Generator(0)), cr.random.Generator(4)

        def forward(self, x):
            return self.fc(x) + 0.1 * cr.random.randn(3, generator=self.dice)

    def run(listeners=(), resume=False):
        model = Noisy()
        trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1, momentum=0.9, dampening=0.1),
                                listeners, compile=compile)
        if resume:
            trainer.resume(tmp_path)
        trainer.fit(killing.data(), epochs=4, batch=16, generator=np.random.default_rng(1))
        return {name: value.tobytes() for name, value in model.state_dict().items()}
    with pytest.raises(KeyboardInterrupt):
        run([train.Checkpoints(tmp_path, every_steps=1), Break(15)])
    assert run(resume=True) == run()


def test_one_generator_may_serve_the_order_and_the_noise(tmp_path):
    def run(listeners=(), resume=False):
        cr.random.seed(8)
        model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.Linear(5, 3))
        trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()), listeners, compile=False)
        if resume:
            trainer.resume(tmp_path)
        trainer.fit(Dataset(*killing.data().rows(np.arange(50)).__dict__.values()), epochs=4)  # shuffled by the common one
        return {name: value.tobytes() for name, value in model.state_dict().items()}
    with pytest.raises(KeyboardInterrupt):
        run([train.Checkpoints(tmp_path, every_steps=1), Break(5)])
    assert run(resume=True) == run()


def test_nothing_is_warned_of_in_an_ordinary_resumption(tmp_path):
    broken(tmp_path, 33)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed(tmp_path)
