"""A command that is killed at any instant is gone on with by `chainrule resume`, and ends with the same bits."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule.cli.main import main

SOURCE = str(Path(__file__).parent.parent / "src")
HARD = ["--dropout", "0.2", "--schedule", "cosine", "--warmup", "9", "--clip", "1", "--early-stopping", "50",
        "--checkpoint-every", "3"]
RUNS = {
    "digits": ["digits", "--layers", "8", "--epochs", "4", "--batch", "64", *HARD],
    "lstm": ["text", "--characters", "4000", "--width", "8", "--length", "16", "--batch", "8", "--epochs", "3", *HARD],
    "gpt": ["text", "--model", "gpt", "--depth", "1", "--characters", "4000", "--width", "8", "--length", "16", "--batch", "8",
            "--steps", "45", "--eager", *HARD],
}


def started(*argv):
    return subprocess.Popen([sys.executable, "-m", "chainrule", *map(str, argv)], env={**os.environ, "PYTHONPATH": SOURCE},
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended(process):
    error = process.communicate(timeout=120)[1]
    return process.returncode, error


def steps_in(folder):
    path = folder / "steps.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kept(folder):
    """What a training leaves, without times."""
    log = [line.rpartition(",")[0] for line in (folder / "log.csv").read_text().splitlines()]
    metrics = json.loads((folder / "metrics.json").read_text())
    report = re.sub(r"chainrule train .*", "", (folder / "report.html").read_text())
    return (folder / "weights.safetensors").read_bytes(), (folder / "steps.jsonl").read_bytes(), log, metrics["losses"], report


def kill_and_resume(folder, argv, kills, seed):
    """Begin, kill so many times after some steps, go on to the end; how many were alive when they were killed."""
    rng, process, alive = random.Random(seed), started("train", *argv, "--quiet", "--out", folder), 0
    for _ in range(kills):
        goal = steps_in(folder) + rng.randint(1, 25)
        deadline = time.monotonic() + 60
        while process.poll() is None and steps_in(folder) < goal and time.monotonic() < deadline:
            time.sleep(0.002)
        alive += process.poll() is None
        process.send_signal(signal.SIGKILL)
        ended(process)
        process = started("resume", folder, "--quiet")
    assert ended(process) == (0, "")
    return alive


def must_end_the_same(name, tmp_path, kills, seed=0):
    assert main(["train", *RUNS[name], "--quiet", "--out", str(tmp_path / "alone")]) == 0
    alive = kill_and_resume(tmp_path / "killed", RUNS[name], kills, seed)
    assert kept(tmp_path / "killed") == kept(tmp_path / "alone")
    return alive


def test_a_command_that_is_killed_ends_with_the_same_bits(tmp_path):
    assert must_end_the_same("digits", tmp_path, kills=1) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_commands_that_are_killed_again_and_again_end_with_the_same_bits(name, tmp_path):
    must_end_the_same(name, tmp_path, kills=6, seed=len(name))


@pytest.mark.slow
def test_a_run_without_a_checkpoint_begins_anew(tmp_path):
    assert must_end_the_same("digits", tmp_path, kills=0) == 0
    for path in (tmp_path / "killed").iterdir():
        if path.is_file() and path.name != "config.json":
            path.unlink()
    for path in (tmp_path / "killed/checkpoints").iterdir():
        path.rename(tmp_path / path.name)
    assert main(["resume", str(tmp_path / "killed"), "--quiet"]) == 0
    assert kept(tmp_path / "killed") == kept(tmp_path / "alone")


def test_a_damaged_checkpoint_is_passed_over_and_of_none_it_is_told(tmp_path, capsys):
    assert main(["train", *RUNS["digits"], "--quiet", "--out", str(tmp_path)]) == 0
    whole = kept(tmp_path)
    (tmp_path / "metrics.json").unlink()
    newest, *older = sorted((tmp_path / "checkpoints").iterdir(), key=lambda p: -int(p.name.rpartition("-")[2]))
    (newest / "weights.safetensors").write_bytes(b"damaged")
    capsys.readouterr()
    assert main(["resume", str(tmp_path), "--quiet"]) == 0
    err = capsys.readouterr().err
    assert "is damaged" in err and older[0].name in err and err.count("\n") == 1
    assert kept(tmp_path) == whole
    (tmp_path / "metrics.json").unlink()
    for path in (tmp_path / "checkpoints").iterdir():
        (path / "state.json").write_bytes(b"damaged")
    assert main(["resume", str(tmp_path), "--quiet"]) == 2
    err = capsys.readouterr().err
    assert "there is no whole checkpoint" in err and err.count("\n") == 1


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_going_on_ends_with_the_same_bits(tmp_path):
    argv = [*RUNS["digits"], "--epochs", "20"]
    assert main(["train", *argv, "--quiet", "--out", str(tmp_path / "alone")]) == 0
    process = started("train", *argv, "--out", tmp_path / "stopped")
    while process.poll() is None and steps_in(tmp_path / "stopped") < 5:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    code, err = ended(process)
    assert code == 130 and f"chainrule resume {tmp_path / 'stopped'}" in err and err.count("\n") == 1
    assert "Interrupted." in (tmp_path / "stopped/report.html").read_text()
    assert main(["resume", str(tmp_path / "stopped"), "--quiet"]) == 0
    assert kept(tmp_path / "stopped") == kept(tmp_path / "alone")
