"""The command line: what it prints, and how it fails: exit code 2 and one line on stderr."""
import io
import json
import subprocess
import sys

import pytest

from chainrule.cli.main import BAD_INPUT, BUG, COMMANDS, GOOD, main

NEURON = ["explain", "(relu(w*x + b) - y)**2", "x=2", "w=3", "b=1", "y=5"]


@pytest.fixture
def run(capsys):
    def of(*argv):
        code = main(list(argv))
        out, err = capsys.readouterr()
        return code, out, err
    return of


def test_the_neuron_of_the_readme(run):
    code, out, err = run(*NEURON)
    assert (code, err) == (GOOD, "")
    order = [out.index(title) for title in ("Forward", "Backward", "Gradients", "Check")]
    assert order == sorted(order)
    for row in ("v2    v1 + b    6 + 1           7", "w ← v1   dL/dv1 × x         4 × 2           8", "agrees"):
        assert row in out


def test_json_has_the_gradients_by_name(run):
    code, out, _ = run(*NEURON, "--format", "json")
    data = json.loads(out)
    assert code == GOOD
    assert data["gradients"] == {"w": 8.0, "b": 4.0, "x": 12.0, "y": -4.0}
    assert json.loads(run("explain", "--example", "neuron", "--format", "json")[1])["gradients"]["w"] == 8.0


def test_latex_is_a_whole_document(run):
    _, out, _ = run(*NEURON, "--format", "latex")
    assert out.startswith("\\documentclass")
    assert out.endswith("\\end{document}\n")


def test_wrt_chooses_and_orders_the_gradients(run):
    assert list(json.loads(run(*NEURON, "--wrt", "b, w", "--format=json")[1])["gradients"]) == ["b", "w"]
    code, _, err = run(*NEURON, "--wrt", "q")
    assert code == BAD_INPUT
    assert err == "chainrule: --wrt: no value is called 'q'; there are x, w, b, y.\n"


def test_matrices_are_values_too(run):
    code, out, _ = run("explain", "z = W @ x; a = sigmoid(z); sum((a - y)**2)", "W=[[2,-3]]", "x=[-1,-2]", "y=[1]", "--open")
    assert code == GOOD
    assert "exp(" in out


def test_a_formula_may_begin_with_a_minus(run):
    assert run("explain", "-x**2", "x=3")[0] == GOOD
    assert run("explain", "-x", "x=3")[0] == BAD_INPUT
    assert run("explain", "--", "-x", "x=3")[0] == GOOD


@pytest.mark.parametrize("argv", [
    ["explain"], ["explain", ""], ["explain", "x"], ["explain", "x*x"], ["explain", "x*x", "x"], ["explain", "x*x", "x=2", "x=3"],
    ["explain", "x.y", "x=2"], ["explain", "9**9**9"], ["explain", "x@x", "x=2"], ["explain", "x*x", "x=2", "--format", "xml"],
    ["explain", "x*x", "x=2", "--bogus"], ["explain", "--example", "bogus"], ["explain", "x*x", "x=2", "--example", "neuron"],
    ["explain", "--example", ""], ["explain", "sum(x, axis=9)", "x=[1]"], ["explain", "x*\u202e", "x=2"],
    ["explain", "x\0", "x=2"], ["explain", "x*x", "x=[1,2]"], ["explain", "x*x", "x=2", "--wrt", ""],
    ["explain", "i*x", "x=2", "i:int=1", "--wrt", "i"],
    ["bogus"], ["--bogus"], ["explain", "--wrt"], ["explain", "é*x", "x=2"], ["explain", "-" * 5000]], ids=ascii)
def test_bad_input_is_one_line_and_exit_code_two(argv, run):
    code, out, err = run(*argv)
    assert (code, out) == (BAD_INPUT, "")
    assert err.startswith("chainrule: ")
    assert err.count("\n") == 1
    assert len(err) < 700
    assert err[:-1].isprintable()


def test_help_lists_commands_and_shows_examples(run):
    code, out, _ = run("--help")
    assert code == GOOD
    assert all(name in out for name in COMMANDS)
    assert run()[1] == out
    code, out, _ = run("explain", "--help")
    assert code == GOOD
    assert 'chainrule explain "(relu(w*x + b) - y)**2" x=2 w=3 b=1 y=5' in out
    assert "sigmoid" in run("explain", "--operations")[1]


def test_no_traceback_even_of_a_bug(run, monkeypatch):
    monkeypatch.setitem(COMMANDS, "broken", COMMANDS["explain"]._replace(module="chainrule.nothing_here"))
    code, out, err = run("broken")
    assert (code, out) == (BUG, "")
    assert err.count("\n") == 1
    assert "a bug in chainrule" in err
    monkeypatch.setenv("CHAINRULE_TRACEBACK", "1")
    with pytest.raises(ModuleNotFoundError):
        main(["broken"])


def test_a_terminal_without_unicode_gets_plain_signs(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert main(NEURON) == GOOD
    out.seek(0)
    text = out.read()
    assert "w <- v1" in text
    assert "?" not in text


def test_the_process_ends_quietly_when_its_reader_leaves():
    command = [sys.executable, "-m", "chainrule", "explain", "--example", "nudge", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == GOOD


def test_the_process_says_two_for_bad_input():
    command = [sys.executable, "-m", "chainrule", "explain", "x.y", "x=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == BAD_INPUT
    assert done.stdout == ""
    assert done.stderr.startswith("chainrule: ")
    assert done.stderr.count("\n") == 1
