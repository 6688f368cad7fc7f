"""The tasks of `chainrule train`: tables, texts, images and scripts are learned, asked about, listed, and refused in one line."""
import csv
import gzip
import json
import textwrap

import numpy as np
import pytest

from chainrule.cli.main import main
from chainrule.data.digits import digits

QUICK = ["--no-progress", "--epochs", "2"]


def called(capsys, *argv):
    code = main([str(word) for word in argv])
    shown = capsys.readouterr()
    assert all(len(line) <= 80 for line in shown.out.splitlines()), "no line is wider than the terminal"
    assert "\x1b" not in shown.out + shown.err
    return code, shown.out, shown.err


def refused(capsys, *argv):
    """The one line on stderr; nothing else happens."""
    code, _, err = called(capsys, *argv)
    assert code == 2 and err.count("\n") == 1 and err.startswith("chainrule: ") and "Traceback" not in err
    return err


def table(path, rows=40, kind=lambda i: "ab"[i % 2]):
    lines = [f"{i % 7},{(3 * i) % 5},{kind(i)}" for i in range(rows)]
    path.write_text("\n".join(["u,v,goal", *lines, ""]))
    return path


def trained(capsys, folder, *argv):
    code, out, err = called(capsys, "train", *argv, *QUICK, "--out", folder)
    assert code == 0 and not err, err
    return out


# ---------------------------------------------------------------------------------------- tables
@pytest.mark.parametrize("kind, shown, result", [
    (lambda i: "ab"[i % 2], "chance", "accuracy"), (lambda i: f"{i * 1.5:g}", "target", "root mean squared error")],
    ids=["classification", "regression"])
def test_a_table_is_learned_and_the_answers_are_graded(kind, shown, result, tmp_path, capsys):
    file = table(tmp_path / "t.csv", kind=kind)
    out = trained(capsys, tmp_path / "run", "table", file, "--target", "goal", "--layers", "4")
    assert "32 to train on, 8 held out" in out and "goal from 2 columns" in out
    code, out, _ = called(capsys, "predict", tmp_path / "run", file)
    assert code == 0 and shown in out and result in out and "20 more rows" in out
    (tmp_path / "new.csv").write_text("v,u,other\n1,2,x\n0,5,y\n")  # other order, a column more, no target
    assert called(capsys, "predict", tmp_path / "run", tmp_path / "new.csv", "--out", tmp_path / "answers.csv")[0] == 0
    rows = list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines()))
    assert [row["row"] for row in rows] == ["0", "1"] and rows[0]["predicted"]
    (tmp_path / "less.csv").write_text("u\n1\n")
    assert "has no column 'v'" in refused(capsys, "predict", tmp_path / "run", tmp_path / "less.csv")


@pytest.mark.parametrize("text, target, message", [
    ("u,v\n1,2\n", "goal", "has no column 'goal'"), ("u,goal\n1,a\nnan,b\n", "goal", "line 3, column 'u': 'nan' is no finite"),
    ("u,goal\n1,a\n,b\n", "goal", "the cell is empty"), ("u,goal\n1,a\nx,b\n", "goal", "'x' is text"), ("", "goal", "is empty")])
def test_a_bad_table_is_named_by_cell(text, target, message, tmp_path, capsys):
    (tmp_path / "t.csv").write_text(text)
    assert message in refused(capsys, "train", "table", tmp_path / "t.csv", "--target", target, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists(), "what could not begin leaves nothing"


def test_a_table_that_is_not_there_is_named(tmp_path, capsys):
    assert "nowhere.csv cannot be read" in refused(capsys, "train", "table", tmp_path / "nowhere.csv", "--target", "x")


# ---------------------------------------------------------------------------------------- texts
@pytest.mark.parametrize("model", ["rnn", "lstm", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gru", "gpt"))])
def test_a_network_learns_a_text_and_writes(model, tmp_path, capsys):
    (tmp_path / "t.txt").write_text("to be or not to be, that is the question\n" * 30)
    out = trained(capsys, tmp_path / "run", "text", tmp_path / "t.txt", "--model", model, "--width", "8", "--depth", "1",
                  "--length", "16", "--batch", "8")
    assert "written after" in out and "perplexity" in out
    assert "What it wrote" in (tmp_path / "run/report.html").read_text()
    said = [called(capsys, "predict", tmp_path / "run", "to be", "--length", 20, "--seed", seed)[1] for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2] and said[0].replace("\n", "").strip().startswith("to be")
    assert "is not in the vocabulary" in refused(capsys, "predict", tmp_path / "run", "Ω")


def test_without_a_file_it_learns_from_pythons_library(tmp_path, capsys):
    out = trained(capsys, tmp_path / "run", "text", "--characters", 3000, "--width", "8", "--steps", "3", "--length", "16")
    assert "pieces of Python's library" in out
    assert json.loads((tmp_path / "run/metrics.json").read_text())["steps"] == 3


# ---------------------------------------------------------------------------------------- images
def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def images(folder, labels=lambda y: y):
    data = digits()
    x = (data.inputs.reshape(-1, 8, 8) * 255).round()
    for name, rows in (("train", slice(0, 60)), ("t10k", slice(60, 80))):
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(idx(x[rows]))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(idx(labels(data.targets[rows])))
    return folder


def test_images_in_mnists_form_are_learned(tmp_path, capsys):
    assert "60 to train on, 20 held out" in trained(capsys, tmp_path / "run", "mnist", "--path", images(tmp_path))
    np.savez(tmp_path / "x.npz", inputs=digits().inputs[:3].reshape(3, 1, 8, 8), targets=digits().targets[:3])
    code, out, _ = called(capsys, "predict", tmp_path / "run", tmp_path / "x.npz")
    assert code == 0 and "of 3)" in out


def test_labels_out_of_range_and_missing_files_are_named(tmp_path, capsys):
    assert "holds no train-images" in refused(capsys, "train", "mnist", "--path", tmp_path)
    assert "targets[0] is 50" in refused(capsys, "train", "mnist", "--path", images(tmp_path, lambda y: y + 50))
    assert "required" in refused(capsys, "train", "mnist")


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_digits_are_recognized_in_pictures_and_rows(model, tmp_path, capsys):
    Image = pytest.importorskip("PIL.Image")
    trained(capsys, tmp_path / "run", "digits", "--model", model, *(["--layers", "8"] if model == "mlp" else []))
    pixels = (255 - digits().inputs[0].reshape(8, 8) * 255).astype(np.uint8)  # dark ink on light paper
    Image.fromarray(pixels).resize((64, 64), 0).save(tmp_path / "zero.png")
    code, out, _ = called(capsys, "predict", tmp_path / "run", tmp_path / "zero.png")
    assert code == 0 and "inverted" in out
    if model == "mlp":
        assert called(capsys, "explain", tmp_path / "run", "--of", "fc1.bias[0]", "--rows", "0")[0] == 0
    else:
        assert "no recipe" in refused(capsys, "explain", tmp_path / "run", "--of", "fc1.bias[0]")
    header = ",".join(f"p{i}" for i in range(64))
    np.savetxt(tmp_path / "rows.csv", digits().inputs[:2], delimiter=",", header=header, comments="")
    assert called(capsys, "predict", tmp_path / "run", tmp_path / "rows.csv")[0] == 0
    np.savetxt(tmp_path / "rows.csv", 16 * digits().inputs[:2], delimiter=",", header=header, comments="")
    assert "pixels are from 0" in refused(capsys, "predict", tmp_path / "run", tmp_path / "rows.csv")
    (tmp_path / "few.csv").write_text("a,b\n0,1\n")
    assert "have 2 numbers" in refused(capsys, "predict", tmp_path / "run", tmp_path / "few.csv")


# ---------------------------------------------------------------------------------------- scripts
SCRIPT = """
    import numpy as np
    import chainrule as cr
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    def build():
        return cr.nn.Linear(3, 1), cr.nn.MSELoss(), (x, x[:, :1]), (x[:8], x[:8, :1])
    def task():
        return cr.train.Task(cr.nn.Linear(3, 1), cr.nn.MSELoss(), cr.data.Dataset(x, x[:, :1]))
    def number():
        return 3
    def no_model():
        return 1, cr.nn.MSELoss(), (x, x)
    def raises():
        return [][1]
    def late():
        return cr.nn.Linear(3, 1), lambda p, t: p.unknown, (x, x[:, :1])
    def ends():
        raise SystemExit(4)
    """


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return path


@pytest.mark.parametrize("name", ["build", "task"])
def test_a_script_of_the_users_own_is_trained(name, script, tmp_path, capsys):
    trained(capsys, tmp_path / "run", f"{script}:{name}")
    np.savez(tmp_path / "x.npz", x=np.ones((2, 3)))
    code, out, _ = called(capsys, "predict", tmp_path / "run", tmp_path / "x.npz")
    assert code == 0 and "output 0" in out
    code, out, _ = called(capsys, "resume", tmp_path / "run")
    assert code == 0 and "finished already" in out


@pytest.mark.parametrize("name, message", [
    ("number", "mine.py:number returned 3"), ("no_model", "the model is a int"), ("raises", "mine.py:14: IndexError"),
    ("late", "mine.py:16: AttributeError"), ("ends", "mine.py:18: SystemExit"), ("nothing", "has no function 'nothing'")])
def test_a_script_that_is_wrong_is_told_by_its_line(name, message, script, tmp_path, capsys):
    assert message in refused(capsys, "train", f"{script}:{name}", "--out", tmp_path / "run")


def test_a_script_that_is_no_python_is_told(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("x = = 3\n")
    assert "mine.py:1: SyntaxError" in refused(capsys, "train", f"{tmp_path / 'mine.py'}:build")
    assert "no file" in refused(capsys, "train", f"{tmp_path / 'other.py'}:build")


# ---------------------------------------------------------------------------------------- runs
def test_a_folder_with_a_run_is_not_written_over(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ["digits", "--layers", "4", *QUICK]
    for name in ("digits", "digits-2"):
        assert called(capsys, "train", *small)[0] == 0
        assert (tmp_path / "runs" / name / "report.html").is_file()
    err = refused(capsys, "train", *small, "--out", "runs/digits")
    assert "holds a run already" in err and "chainrule resume runs/digits" in err and "--out DIR" in err
    err = refused(capsys, "train", *small, "--rate", "0.1", "--resume")
    assert "other options: rate was not given, and is 0.1 now" in err
    code, out, _ = called(capsys, "train", *small, "--resume")
    assert code == 0 and "runs/digits-2 is finished already" in out


def test_a_folder_in_which_nothing_was_learned_is_taken_again(script, tmp_path, capsys):
    (tmp_path / "nan.py").write_text(textwrap.dedent(SCRIPT) + "\nx[3, 1] = np.nan\n")
    err = refused(capsys, "train", f"{tmp_path / 'nan.py'}:build", "--out", tmp_path / "run")
    assert "row 3, column 1 is nan" in err
    trained(capsys, tmp_path / "run", f"{script}:build")


def test_runs_are_listed_damaged_ones_too(tmp_path, capsys):
    trained(capsys, tmp_path / "a", "digits", "--layers", "4")
    trained(capsys, tmp_path / "b", "table", table(tmp_path / "t.csv"), "--target", "goal")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/config.json").write_text('{"task": 3}')
    code, out, _ = called(capsys, "runs", tmp_path)
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0 and "2/2" in lines["a"] and "mlp" in lines["a"] and "finished" in lines["b"] and "damaged" in lines["c"]
    assert "is no folder" in refused(capsys, "runs", tmp_path / "nowhere")


def test_what_is_no_run_is_told(tmp_path, capsys):
    for command in (["resume"], ["predict"]):
        data = ["x.csv"] * (command == ["predict"])
        assert "holds no run" in refused(capsys, *command, tmp_path, *data)
        assert "is no folder" in refused(capsys, *command, tmp_path / "nowhere", *data)


def test_data_that_changed_since_are_told(tmp_path, capsys):
    file = table(tmp_path / "t.csv")
    trained(capsys, tmp_path / "run", "table", file, "--target", "goal")
    (tmp_path / "run/metrics.json").unlink()
    table(file, rows=41)
    assert "begun with other data" in refused(capsys, "resume", tmp_path / "run")


DAMAGES = {
    "option": (lambda c: c["options"].update(layers="0"), "is not sizes"),
    "unknown": (lambda c: c["options"].update(speed="9"), "there is no option 'speed'"),
    "task": (lambda c: c.update(task="letters"), "'letters' is nothing"),
    "facts": (lambda c: c["facts"].pop("columns"), "does not say what"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_config_is_told(name, tmp_path, capsys):
    damage, message = DAMAGES[name]
    file = table(tmp_path / "t.csv")
    trained(capsys, tmp_path / "run", "table", file, "--target", "goal")
    config = json.loads((tmp_path / "run/config.json").read_text())
    damage(config)
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    assert message in refused(capsys, "predict", tmp_path / "run", file)


def test_all_shared_options_are_kept_and_reported(tmp_path, capsys):
    words = ("--optimizer rmsprop --rate 0.002 --momentum 0.5 --weight-decay 0.01 --schedule linear --warmup 5 --clip 1"
             " --steps 30 --batch 16 --early-stopping 3 --seed 4 --eager --checkpoint-every 7 --dropout 0.1 --layers none")
    code, out, _ = called(capsys, "train", "digits", *words.split(), "--out", tmp_path)
    assert code == 0 and "rmsprop, rate 0.002, momentum 0.5, linear, weight decay 0.01, warm-up 5" in " ".join(out.split())
    assert "compiled" not in out
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["options"]["clip"] == "1.0" and config["options"]["eager"] is True and "runs" not in config["command"]
    report = (tmp_path / "report.html").read_text()
    assert "chainrule train digits --optimizer rmsprop" in report and "weight decay" in report and "What was taken" in report


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "step", "exponential", "one-cycle", "plateau"])
def test_every_schedule_trains(schedule, tmp_path, capsys):
    trained(capsys, tmp_path / "run", "table", table(tmp_path / "t.csv"), "--target", "goal", "--schedule", schedule,
            "--eager")


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adamax", "nadam", "radam", "adagrad", "adadelta", "rmsprop",
                                       "lion", "lbfgs"])
def test_every_optimizer_trains(optimizer, tmp_path, capsys):
    trained(capsys, tmp_path / "run", "table", table(tmp_path / "t.csv"), "--target", "goal", "--optimizer", optimizer,
            "--eager")
