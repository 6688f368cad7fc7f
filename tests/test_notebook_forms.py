"""In a notebook everything shows itself; and a notebook with a derivation in it is checked like a file."""
import json

import numpy as np
import pytest

import chainrule as cr
import chainrule.explanation.faces.showing  # puts `_repr_html_` on tensors and programs
from chainrule.cli.check import WRONG
from chainrule.cli.main import BAD_INPUT, GOOD, main
from chainrule.core.stage import stage
from chainrule.core.type import Type
from chainrule.explanation.practice.notebook import PYTHON_CELLS

SETUP = "import chainrule as cr\nw = cr.tensor([2.0, -3.0], requires_grad=True, name='w')"
DERIVATION = "def derivation():\n    return cr.sum(w * w), {'dw': '2 * w'}"


def notebook(*sources, **entries):
    """The text of a notebook with these code cells, and a heading above them."""
    heading = {"cell_type": "markdown", "metadata": {}, "source": ["# derivation()"]}
    cells = [{"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": s} for s in sources]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [heading, *cells], **entries})


@pytest.fixture
def checked(tmp_path, capsys):
    def check(text, *options, name="mine.ipynb"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        code = main(["check", str(path), *options])
        return code, *capsys.readouterr()
    return check


# ---------------------------------------------------------------------------------------- notebooks as files
def test_the_cells_of_a_notebook_run_in_order_in_one_namespace(checked):
    code, out, err = checked(notebook(SETUP, DERIVATION))
    assert (code, err) == (GOOD, "")
    assert "The step is right." in out
    code, out, err = checked(notebook(SETUP, DERIVATION.replace("2 * w", "-2 * w")))
    assert (code, err) == (WRONG, "")
    assert "wrong sign" in out


def test_a_cell_may_be_stored_as_lines_or_as_one_text(checked):
    assert checked(notebook(SETUP.splitlines(keepends=True), DERIVATION))[0] == GOOD


def test_what_a_notebook_defines_last_counts(checked):
    assert checked(notebook(SETUP, DERIVATION.replace("2 *", "3 *"), DERIVATION))[0] == GOOD


@pytest.mark.parametrize("magic", [
    "%matplotlib inline", "!pip install chainrule", "?cr.sum", "cr.sum?", "cr.sum??", "files = !ls '*.py", "%time w * 2",
    "!echo (", "if True:\n    %timeit -n1 w * 2", "!echo '''", "%load_ext autoreload\n%autoreload 2"])
def test_what_only_ipython_understands_is_left_out(checked, magic):
    code, _, err = checked(notebook(SETUP, magic, f"x = 1\n{magic}\ny = 2", f"assert y == 2\n{DERIVATION}"))
    assert (code, err) == (GOOD, ""), err


@pytest.mark.parametrize("cell", [
    "%%bash\nls -l | grep '", "%%html\n<b>", "\n%%writefile x.py\nfrom x import *\n1 / 0", "%%time -x\n1"])
def test_cells_in_other_languages_are_left_out(checked, cell):
    assert checked(notebook(SETUP, cell, DERIVATION))[0] == GOOD


@pytest.mark.parametrize("magic", PYTHON_CELLS)
def test_the_python_of_a_timed_cell_is_run(checked, magic):
    assert checked(notebook(f"{magic}\n{SETUP}", DERIVATION))[0] == GOOD


def test_a_remainder_and_a_line_of_a_text_are_no_magics(checked):
    source = "import numpy as np\nshare = (7\n% 4)\nassert share == 3\nnote = '''\n%d of\n!\n'''\nassert note.count('%') == 1"
    assert checked(notebook(SETUP, source, DERIVATION))[0] == GOOD


def test_cells_that_run_behind_a_magic_keep_their_lines(checked):
    code, out, err = checked(notebook(SETUP, "%matplotlib inline\n\n1 / 0", DERIVATION))
    assert (code, out) == (BAD_INPUT, "")
    assert "mine.ipynb, code cell 2, line 3: ZeroDivisionError: division by zero" in err


def test_an_error_in_derivation_names_the_cell_that_has_it(checked):
    _, _, err = checked(notebook("", SETUP, "def helper():\n    return undefined", "def derivation():\n    return helper()"))
    assert "mine.ipynb, code cell 3, line 2: NameError: name 'undefined' is not defined" in err


def test_what_a_file_prints_does_not_get_into_the_answer(checked):
    code, out, err = checked(notebook(SETUP, "print('training')\ndisplay(w)", DERIVATION), "--format", "json")
    assert (code, err) == (GOOD, "training\n")
    assert json.loads(out)["ok"]
    code, out, err = checked(f"print('training')\n{SETUP}\n{DERIVATION}", "--format", "json", name="mine.py")
    assert (code, err, json.loads(out)["loss"]) == (GOOD, "training\n", "L")


def test_a_module_beside_the_file_can_be_imported(checked, tmp_path):
    (tmp_path / "the_network_of_this_test.py").write_text(SETUP)
    for text, name in ((notebook("from the_network_of_this_test import *", DERIVATION), "mine.ipynb"),
                       (f"from the_network_of_this_test import *\n{DERIVATION}", "mine.py")):
        assert checked(text, name=name)[0] == GOOD


@pytest.mark.parametrize("text, says", [
    ("", "a notebook is JSON, and this is not: Expecting value"),
    ("print(1)", "a notebook is JSON, and this is not"),
    (b"\xff\xfe\xfa", "a notebook is JSON, and this is not"),
    ("[" * 100_000, "a notebook is JSON, and this is not"),
    ("[1, 2]", "this is JSON, and no notebook: it has no nbformat"),
    ('{"cells": []}', "this is JSON, and no notebook: it has no nbformat"),
    ('{"nbformat": 3, "worksheets": []}', "a notebook of format 3, which is too old"),
    ('{"nbformat": 4}', "no list of cells"),
    (notebook(), "no code cells"),
    (notebook(SETUP), "mine.ipynb has no function derivation()"),
    (notebook(SETUP, "derivation = 3"), "has no function derivation()"),
    (notebook(SETUP, 3), "code cell 2: its source is int, and not text"),
    (notebook(SETUP, ["x", 3]), "code cell 2: its source is list, and not text"),
    (notebook(SETUP, "x = (1\ny ="), "code cell 2, line"),
    (notebook(SETUP, "a b"), "code cell 2, line 1: this is not Python"),
    (notebook("await f()"), "this is not Python: 'await' outside function"),
    (notebook(SETUP, "raise SystemExit(0)"), "code cell 2, line 1: SystemExit: 0"),
    (notebook(SETUP, "1 + '1'"), "code cell 2, line 1: TypeError"),
    (notebook("import chainrule as cr\ncr.tensor('x')"), "code cell 1, line 2: DTypeError"),
    (notebook(SETUP, "def derivation():\n    return 3"), "derivation() returns a loss and gradients by name"),
    (notebook("x <- 3", metadata={"language_info": {"name": "R"}}), "its cells are in r, and only Python can be checked"),
])
def test_a_notebook_that_cannot_be_checked_is_one_line(checked, text, says):
    code, out, err = checked(text)
    assert (code, out, err.count("\n")) == (BAD_INPUT, "", 1)
    assert says in err


def test_a_notebook_that_is_not_there_is_one_line(tmp_path, capsys):
    assert main(["check", str(tmp_path / "none.ipynb")]) == BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1


def test_the_check_of_a_file_has_all_faces(checked):
    text = notebook(SETUP, DERIVATION.replace("2 *", "3 *"))
    answers = {format: checked(text, "--format", format) for format in ("text", "json", "html")}
    assert {code for code, _, _ in answers.values()} == {WRONG}
    assert json.loads(answers["json"][1])["first_wrong"] == "dw"
    assert answers["html"][1].startswith('<div class="chainrule"')
    assert "First wrong step: dw" in answers["text"][1] and "First wrong step: dw" in answers["html"][1]
    assert checked(text, "--format", "svg")[0] == BAD_INPUT


# ---------------------------------------------------------------------------------------- what shows itself
def test_a_tensor_and_a_program_show_themselves():
    w = cr.tensor(np.array([2.0, -3.0]), requires_grad=True, name="w")
    assert w._repr_html_().startswith('<div class="chainrule"')
    graph = stage(lambda x: cr.sum(x * x), Type((2,), np.dtype(float)))
    assert "multiply(x0, x0)" in graph._repr_html_()


def test_the_check_of_a_derivation_shows_itself():
    w = cr.tensor(np.array([2.0, -3.0]), requires_grad=True, name="w")
    shown = cr.check_derivation(cr.sum(w * w), {"dw": "-2 * w"})._repr_mimebundle_()
    assert shown.keys() == {"text/plain", "text/html"}
    assert all("wrong sign" in face for face in shown.values())
