"""A network that was trained and saved can be opened again, and any number of its gradients explained by name."""
import json
import shutil
from collections import OrderedDict

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import chainrule as cr
from chainrule import nn
from chainrule.cli.main import main
from chainrule.data.digits import digits
from chainrule.errors import ArgumentError, DataError, InputError
from chainrule.train.recipe import ACTIVATIONS, Recipe
from chainrule.train.reopening import reopened
from training import session

close = np.testing.assert_allclose


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "digits"
    run = session(Recipe(layers=(12, 8), epochs=1, seed=3), digits(), folder)
    run.fit()
    run.save({}, finished=True)
    return run, folder


@pytest.fixture
def folder(trained, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(trained[1], tmp_path / "run")


# ---------------------------------------------------------------------------------------- opened again
def test_the_network_comes_back_in_float64_with_its_data(trained):
    run, folder = trained
    saved = reopened(folder)
    assert {name: p.dtype for name, p in saved.model.named_parameters()} == dict.fromkeys(
        [f"fc{k}.{part}" for k in (1, 2, 3) for part in ("weight", "bias")], np.float64)
    for name, value in run.task.model.state_dict().items():
        np.testing.assert_array_equal(saved.model.state_dict()[name], value)
    np.testing.assert_array_equal(saved.held_out.inputs, run.task.held_out.inputs)
    scores = saved.model(saved.held_out.inputs.astype(np.float64)).numpy()
    right = np.mean(scores.argmax(axis=1) == saved.held_out.targets)
    assert right == pytest.approx(run.trainer.accuracy(run.task.held_out), abs=0.01)


def test_the_gradients_are_those_of_the_loss_on_the_chosen_rows(trained):
    run, folder = trained
    saved, rows = reopened(folder), [5, 0, 1437]
    for held_out, part in ((False, run.task.data), (True, run.task.held_out)):
        chosen = rows[:2] if held_out else rows
        e = saved.explain(chosen, held_out=held_out)
        run.task.model.zero_grad()
        cr.cross_entropy(run.task.model(part.inputs[chosen]), part.targets[chosen]).backward()
        for name, p in run.task.model.named_parameters():
            close(e.gradients[name], p.grad.numpy(), rtol=1e-3, atol=1e-6)
        assert all(c.agrees for c in e.checks)
        np.testing.assert_array_equal(e["labels"].value, part.targets[chosen])
    run.task.model.zero_grad()


def test_without_rows_it_is_the_first_batch(trained):
    run, folder = trained
    e = reopened(folder).explain()
    np.testing.assert_array_equal(e["x"].value, run.task.data.inputs[:32])


def test_every_value_has_a_name_and_says_in_which_layer_it_was_computed(trained):
    e = reopened(trained[1]).explain([0, 1])
    assert [n.name for n in e.nodes] == [
        "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias", "x", "labels",
        "z1", "a1", "z2", "a2", "z3", "v1", "v2", "L"]
    assert [n.source for n in e.nodes if n.kind == "operation"] == ["fc1", "act1", "fc2", "act2", "fc3", "loss", "loss", "loss"]
    assert [g.name for g in e.groups][:3] == ["fc1", "act1", "fc2"]
    assert list(reopened(trained[1]).explain([0], wrt=["fc2.bias", "z1"]).gradients) == ["fc2.bias", "z1"]
    one = e.element("fc1.weight", (2, 30))
    assert one.residual <= 1e-12 and one.check.agrees


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [(), (5,)], ids=str)
def test_any_recipe_can_be_opened_again(activation, layers, tmp_path):
    session(Recipe(layers=layers, activation=activation, seed=7), digits(), tmp_path).save({}, finished=True)
    e = reopened(tmp_path).explain([0, 1], open=True)
    assert all(c.agrees for c in e.checks)


def test_a_run_from_before_layers_had_names_can_be_read(trained, folder):
    state = load_file(folder / "weights.safetensors")
    old = {f"{2 * (int(name[2]) - 1)}{name[3:]}": value for name, value in state.items()}
    assert sorted(old) == ["0.bias", "0.weight", "2.bias", "2.weight", "4.bias", "4.weight"]
    save_file(old, folder / "weights.safetensors")
    change(folder, lambda m: m["data"].pop("name"))
    new, again = reopened(trained[1]).explain([3]), reopened(folder).explain([3])
    for name, gradient in new.gradients.items():
        np.testing.assert_array_equal(again.gradients[name], gradient)


# ---------------------------------------------------------------------------------------- on the command line
def said(capsys, *argv):
    code = main(["explain", *map(str, argv)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_one_number_of_a_saved_run_is_explained(trained, capsys):
    code, out, _ = said(capsys, trained[1], "--of", "fc1.weight[2,30]", "--rows", "0, 1,2")
    assert code == 0 and out == reopened(trained[1]).explain([0, 1, 2]).element("fc1.weight", (2, 30)).text()
    code, out, _ = said(capsys, trained[1], "--of", "fc3.bias[4]", "--held-out", "--format", "json")
    assert code == 0 and len(json.loads(out)["terms"]) == 32


def test_all_questions_can_be_asked_of_a_saved_run(trained, capsys):
    e = reopened(trained[1]).explain([0, 1])
    for argv, page in {
        ("--what-if", "fc2.bias[3]=0.5"): lambda: e.what_if("fc2.bias", 3, 0.5).text(),
        ("--what-if", "fc1.weight[2,30]=0.1", "--what-if", "x[0,3]=1"):
            lambda: e.what_if({("fc1.weight", (2, 30)): 0.1, ("x", (0, 3)): 1.0}).text(),
        ("--paths", "fc3.bias", "--format", "json"): lambda: e.paths("fc3.bias").json() + "\n",
        ("--wrt", "fc3.bias,z2"): lambda: reopened(trained[1]).explain([0, 1], wrt=["fc3.bias", "z2"]).text(),
        ("--format", "json"): lambda: e.json() + "\n", ("--format", "svg"): lambda: e.svg(), (): lambda: e.text(),
        ("--open",): lambda: reopened(trained[1]).explain([0, 1], open=True).text(),
    }.items():
        assert said(capsys, trained[1], "--rows", "0,1", *argv) == (0, page(), ""), argv


def test_a_folder_is_no_formula_unless_values_are_given(tmp_path, monkeypatch, capsys):
    (tmp_path / "w").mkdir()
    monkeypatch.chdir(tmp_path)
    assert said(capsys, "w*w", "w=2")[0] == 0
    (tmp_path / "w*w").mkdir()
    assert "dL/dw" in said(capsys, "w*w", "w=2")[1]
    assert "has no file metrics.json" in said(capsys, "w*w")[2]


@pytest.mark.parametrize("argv, message", [
    (["--rows", "1438"], "no row 1438 in the training part, which has the rows 0 to 1437"),
    (["--rows", "0,359", "--held-out"], "no row 359 in the held-out part"),
    (["--rows", "-1"], "no list of row numbers"), (["--rows", ""], "no list of row numbers"),
    (["--rows", "1;2"], "no list of row numbers"), (["--rows", "1,"], "no list of row numbers"),
    (["--of", "fc9.weight[0,0]"], "no value is called 'fc9.weight'"), (["--of", "fc1.weight[12,0]"], "beyond axis 0"),
    (["--wrt", "0.weight"], "nothing in this network is called '0.weight'"), (["--what-if", "fc1.bias[]=1"], "is no change"),
    (["--what-if", "fc1.bias[-]=1"], "is no change"), (["--what-if", "fc1.bias=1"], "fc1.bias"),
    (["--paths", "fc7.bias"], "fc7.bias"), (["--example", "neuron"], "not both"),
], ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_what_cannot_be_asked_is_one_line_and_code_2(trained, capsys, argv, message):
    code, out, err = said(capsys, trained[1], *argv)
    assert code == 2 and message in err and err.count("\n") == 1 and not out


def change(folder, edit):
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    edit(metrics)
    path.write_text(json.dumps(metrics))


def truncated(name):
    def damage(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[:-5])
    return damage


def weights(edit):
    def damage(folder):
        state = load_file(folder / "weights.safetensors")
        edit(state)
        save_file(state, folder / "weights.safetensors")
    return damage


DAMAGES = {
    "no metrics": (lambda f: (f / "metrics.json").unlink(), "has no file metrics.json"),
    "no weights": (lambda f: (f / "weights.safetensors").unlink(), "has no file weights.safetensors"),
    "half metrics": (truncated("metrics.json"), "not a whole JSON file"),
    "half weights": (truncated("weights.safetensors"), "not a whole safetensors file"),
    "empty weights": (lambda f: (f / "weights.safetensors").write_bytes(b""), "not a whole safetensors file"),
    "bytes": (lambda f: (f / "metrics.json").write_bytes(b"\xff\xfe\x00"), "not a whole JSON file"),
    "a list": (lambda f: (f / "metrics.json").write_text("[1]"), "does not hold the metrics of a run"),
    "deep": (lambda f: (f / "metrics.json").write_text("[" * 100_000), "not a whole JSON file"),
    "no recipe": (lambda f: change(f, lambda m: m.pop("recipe")), "no recipe"),
    "layers": (lambda f: change(f, lambda m: m["recipe"].update(layers=[12, -8])), "layers is [12, -8]"),
    "other layers": (lambda f: change(f, lambda m: m["recipe"].update(layers=[12, 9])), "fc2.weight has shape (8, 12)"),
    "huge layers": (lambda f: change(f, lambda m: m["recipe"].update(layers=[10 ** 12])), "does not fit the network 64-1000"),
    "activation": (lambda f: change(f, lambda m: m["recipe"].update(activation="sine")), "activation is 'sine'"),
    "init": (lambda f: change(f, lambda m: m["recipe"].update(init=["he"])), "init is ['he']"),
    "seed": (lambda f: change(f, lambda m: m["recipe"].update(seed=True)), "seed is True"),
    "unknown": (lambda f: change(f, lambda m: m["recipe"].update(depth=3)), "knows no depth"),
    "missing": (lambda f: change(f, lambda m: m["recipe"].pop("batch")), "batch is None"),
    "data": (lambda f: change(f, lambda m: m["data"].update(name="letters")), "no data are called 'letters'"),
    "counts": (lambda f: change(f, lambda m: m["data"].update(train=9)), "trained on other digits"),
    "one weight gone": (weights(lambda s: s.pop("fc3.bias")), "fc3.bias has shape none"),
    "one weight more": (weights(lambda s: s.update(extra=np.zeros(2, "float32"))), "extra has shape (2,), and should have none"),
    "whole numbers": (weights(lambda s: s.update({"fc3.bias": np.zeros(10, "int32")})), "no floating-point"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_told_in_one_line(name, folder, capsys):
    damage, message = DAMAGES[name]
    damage(folder)
    code, out, err = said(capsys, folder, "--of", "fc1.bias[0]")
    assert code == 2 and message in err and err.count("\n") == 1 and not out
    with pytest.raises(DataError):
        reopened(folder)


def test_rows_without_a_run_are_told(capsys, tmp_path):
    for argv in (["w*w", "w=2", "--rows", "1"], [tmp_path / "nowhere", "--held-out"]):
        code, _, err = said(capsys, *argv)
        assert code == 2 and "is not a folder" in err


def test_no_rows_are_no_loss(trained):
    with pytest.raises(InputError, match="at least one"):
        reopened(trained[1]).rows([])


# ---------------------------------------------------------------------------------------- layers with names
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_layers_of_a_sequential_may_have_names(kind):
    model = nn.Sequential(kind([("fc1", nn.Linear(2, 3)), ("act1", nn.ReLU()), ("fc2", nn.Linear(3, 1))]))
    assert list(model.state_dict()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert model.fc2 is model[2] and len(model) == 3 and "(act1): ReLU()" in repr(model)
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(model(x), model.fc2(cr.relu(model.fc1(x))))


def test_a_slice_of_a_sequential_keeps_the_names():
    model = nn.Sequential({"fc1": nn.Linear(2, 3), "act1": nn.ReLU(), "fc2": nn.Linear(3, 1)})
    assert [name for name, _ in model[1:].named_children()] == ["act1", "fc2"] and model[1:].fc2 is model.fc2
    assert list(nn.Sequential(nn.ReLU(), nn.Linear(1, 1))[1:].state_dict()) == ["1.weight", "1.bias"]  # as in PyTorch


@pytest.mark.parametrize("name", ["forward", "layers", "training", "a.b", "", 3], ids=repr)
def test_a_layer_cannot_take_the_name_of_something_else(name):
    with pytest.raises(ArgumentError, match="cannot be the name"):
        nn.Sequential({name: nn.ReLU()})
    with pytest.raises(ArgumentError, match="argument fc1 is a int"):
        nn.Sequential({"fc1": 3})
