"""`chainrule train`: what people see, what is kept, and what happens when something is wrong."""
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from chainrule.cli.main import main
from chainrule.data.digits import digits
from chainrule.train.progress import EpochLines, ProgressBar
from chainrule.train.recipe import Recipe
from training import session

SOURCE = str(Path(__file__).parent.parent / "src")
QUICK = ["train", "digits", "--layers", "16", "--epochs", "2"]


def called(*argv):
    return main([*argv])


def process(*argv, **options):
    environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen([sys.executable, "-m", "chainrule", *argv], env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **options)


FILES = ["checkpoints", "config.json", "curve.svg", "log.csv", "metrics.json", "report.html", "steps.jsonl",
         "weights.safetensors"]


def test_a_training_shows_its_course_and_fills_its_folder(tmp_path, capsys):
    assert called(*QUICK, "--out", str(tmp_path / "run")) == 0
    shown = capsys.readouterr()
    assert not shown.err and "\x1b" not in shown.out, "not a terminal: no bar, no colours"
    assert "network: 64-16-10, relu, he start, 1,210 parameters" in shown.out
    assert len(re.findall(r"^epoch \d   loss \d\.\d{4}   held-out accuracy +\d+\.\d\d%$", shown.out, re.M)) == 2
    assert "training loss" in shown.out and "⠀" in shown.out
    assert re.search(r"held-out accuracy \d\d\.\d\d% \(\d+ of 359 digits\), trained in \d+\.\d s\n$", shown.out)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == FILES
    assert "compiled into one native function" in shown.out and all(len(line) <= 80 for line in shown.out.splitlines())


def test_quiet_prints_the_result_alone(tmp_path, capsys):
    assert called(*QUICK, "--quiet", "--out", str(tmp_path)) == 0
    assert re.fullmatch(r"held-out accuracy .*\n", capsys.readouterr().out)


def test_all_options_reach_the_training(tmp_path, capsys):
    words = ("--layers 8,8 --activation tanh --init lecun --optimizer sgd --momentum 0.8 --nesterov --rate 0.1 --batch 64"
             " --epochs 1 --seed 5 --no-progress")
    assert called("train", "digits", *words.split(), "--out", str(tmp_path)) == 0
    recipe = json.loads((tmp_path / "metrics.json").read_text())["recipe"]
    assert recipe == {"layers": [8, 8], "activation": "tanh", "init": "lecun", "optimizer": "sgd", "momentum": 0.8,
                      "nesterov": True, "rate": 0.1, "batch": 64, "epochs": 1, "seed": 5}


def test_two_processes_make_the_same_weights_bit_for_bit(tmp_path):
    running = [process(*QUICK, "--quiet", "--out", str(tmp_path / name)) for name in "ab"]
    assert [p.wait() for p in running] == [0, 0]
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "ab")
    for p in running:
        p.communicate()
    assert a == b


@pytest.mark.parametrize("argv, message", [
    (["--layers", "0"], "'0' is not sizes"), (["--layers", "64,x"], "'x' is not sizes"),
    (["--layers", "8," * 200 + "8"], "too many"),    (["--layers", "9" * 5000], "not sizes"),
    (["--activation", "sin"], "invalid choice"), (["--rate", "0"], "'0' is not a number above 0"), (["--rate", "nan"], "'nan'"),
    (["--batch", "-1"], "'-1' is not a whole number"), (["--epochs", "1.5"], "'1.5' is not a whole number"),
    (["--momentum", "0.9", "--optimizer", "lion"], "belong to sgd"),
    (["--optimizer", "lbfgs", "--weight-decay", "1"], "no weight"),
    (["--schedule", "one-cycle", "--warmup", "5"], "has no warm-up"), (["--schedule", "zigzag"], "invalid choice"),
    (["--model", "cnn", "--init", "he"], "belongs to the model mlp"), (["--resume"], "nothing to resume"),
    (["--momentum", "1"], "below 1"), (["--momentum", "0.9"], "belong to sgd"), (["--nesterov"], "belong to sgd"),
    (["--optimizer", "sgd", "--momentum", "0", "--nesterov"], "above 0"), (["--seed", "-3"], "whole number"),
    (["--speed", "9"], "unrecognized arguments"), (["--out", __file__], "cannot be written to"),
], ids=lambda x: " ".join(x)[:30] if isinstance(x, list) else "")
def test_a_wrong_option_is_one_line_and_code_2(argv, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert called(*QUICK, *argv) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.err.count("\n") == 1 and not shown.out


def test_data_that_are_not_there_are_named(capsys):
    assert called("train", "letters") == 2
    assert "'letters'" in capsys.readouterr().err


def test_steps_that_are_too_large_are_told_in_one_line(tmp_path, capsys):
    assert called("train", "digits", "--optimizer", "sgd", "--rate", "1e6", "--schedule", "constant", "--out", str(tmp_path)) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "Try a smaller rate than 1e+06, such as 100000." in shown


def test_ctrl_c_keeps_what_was_learned(tmp_path):
    running = process("train", "digits", "--epochs", "100000", "--out", str(tmp_path))
    for line in running.stdout:
        if line.startswith("epoch"):
            break
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert running.returncode == 130 and err.startswith("chainrule: interrupted after step ") and err.count("\n") == 1
    assert f"Go on with: chainrule resume {tmp_path}" in err
    assert "held-out accuracy" in out
    assert json.loads((tmp_path / "metrics.json").read_text())["finished"] is False
    assert (tmp_path / "weights.safetensors").stat().st_size > 1000


def test_a_bar_shows_loss_rate_and_speed_and_is_gone_in_the_end(tmp_path):
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    run = session(Recipe(layers=(8,), epochs=2), digits(), tmp_path, [EpochLines(console), ProgressBar(console)])
    run.fit()
    shown = text.getvalue()
    assert re.search(r"loss \S+ rate 0\.005 \S+ steps/s", shown) and shown.endswith("\x1b[2K")


def test_help_shows_an_example(capsys):
    examples = {"train": "digits --layers", "train digits": "digits --model cnn", "train mnist": "mnist --path",
                "train text": "text --model gpt", "train table": "--target kind", "train my_script.py:build": "build --epochs",
                "resume": "runs/digits", "predict": "runs/digits", "runs": "chainrule runs"}
    for command, example in examples.items():
        argv = command.split()
        assert called(*argv, "--help") == 0
        shown = capsys.readouterr().out
        assert example in shown.partition("example")[2] and all(len(line) <= 80 for line in shown.splitlines()), argv


def test_a_terminal_without_unicode_gets_ascii(tmp_path):
    environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "chainrule", *QUICK, "--out", str(tmp_path)], env=environment, check=True,
                          capture_output=True)
    assert done.stdout.isascii() and b"****" in done.stdout
