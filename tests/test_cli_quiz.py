"""`chainrule quiz` on the command line: sheets, grades, exit codes."""
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from chainrule.cli.main import BAD_INPUT, GOOD, main
from chainrule.cli.quiz import EPILOG, WRONG


@pytest.fixture
def run(capsys):
    def of(*argv):
        code = main(["quiz", *argv])
        return code, *capsys.readouterr()
    return of


def test_a_sheet_and_its_solutions(run):
    code, out, err = run("--seed", "7", "--level", "2", "--count", "5")
    assert (code, err) == (GOOD, "") and "Exercise 5" in out and "Exercise 6" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert "Backward: what arrives from above" in run("--seed", "7", "--solutions")[1]


def test_answers_from_the_solutions_get_full_marks(run, tmp_path):
    sheet = json.loads(run("--seed", "7", "--level", "3", "--format", "json", "--solutions")[1])
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({x["number"]: {b["key"]: b["answer"] for b in x["blanks"]} for x in sheet["exercises"]}))
    code, out, _ = run("--seed", "7", "--level", "3", "--answers", str(file))
    many = sum(len(x["blanks"]) for x in sheet["exercises"])
    assert code == GOOD and out.endswith(f"Score: {many} of {many}\n")


def test_typed_answers_are_graded(run):
    code, out, _ = run("--seed", "7", "--count", "1", "L=0.125")
    assert code == WRONG and "wrong" in out and "Score: 0 of" in out
    code, out, _ = run("--seed", "7", "--count", "1", "L=0.125", "--format", "json")
    assert code == WRONG and json.loads(out)["score"] == 0


def test_the_answers_in_the_help_are_right(run):
    [example] = [line.split()[2:] for line in EPILOG.splitlines() if "dL/dx=" in line]
    assert "Score: 3 of" in run(*example)[1]


def test_the_documentation_shows_what_is_printed(run):
    page = (Path(__file__).parent.parent / "docs/practice.md").read_text(encoding="utf-8")
    commands = [line.split()[3:] for line in page.splitlines() if line.startswith("$ chainrule quiz")]
    assert len(commands) == 2
    for argv in commands:
        assert run(*argv)[1].rstrip() in page


@pytest.mark.parametrize("argv", [
    ("--level", "5"), ("--count", "0"), ("--count", "51"), ("--seed", "x"), ("L=2",), ("--count", "1", "q=2"), ("1.L=1", "1.L=2"),
    ("--answers", "no such file"), ("--count", "1", "L=1", "--format", "latex"), ("--count", "1", "L=1", "--solutions")])
def test_bad_input_is_one_line(run, argv):
    code, out, err = run(*argv)
    assert (code, out, err.count("\n")) == (BAD_INPUT, "", 1)


def test_a_file_that_is_no_text_is_one_line(run, tmp_path):
    file = tmp_path / "answers.json"
    file.write_bytes(b"\xff\xfe\x00")
    code, out, err = run("--answers", str(file))
    assert (code, out, err.count("\n")) == (BAD_INPUT, "", 1)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("solutions", [[], ["--solutions"]])
def test_the_printed_sheet_compiles_and_stays_on_the_paper(run, tmp_path, solutions):
    (tmp_path / "sheet.tex").write_text(run("--level", "4", "--count", "4", "--format", "latex", *solutions)[1])
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "sheet.tex"], cwd=tmp_path,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and b"Overfull" not in done.stdout, done.stdout[-500:]
