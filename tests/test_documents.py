"""Documents are executed: what a page shows is what happens."""
from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

import chainrule
from chainrule.cli.main import main
from chainrule.ops import ALL

ROOT = Path(__file__).parent.parent
PARSER = doctest.DocTestParser()
MODULES = [m.name for m in pkgutil.walk_packages(chainrule.__path__, "chainrule.") if not m.name.endswith("__main__")]


def run(test: doctest.DocTest) -> None:
    said: list[str] = []
    failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append).failed
    assert not failed, "\n" + "".join(said)


def blocks(page: Path) -> str:
    """The python blocks of a page that hold a session, with an empty line behind each, as doctest wants it."""
    found = re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S)
    return "\n".join(block for block in found if block.startswith(">>>"))


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_the_sessions_on_a_page_run(page):
    run(PARSER.get_doctest(blocks(page), {}, page.name, str(page), 0))


@pytest.mark.parametrize("prim", ALL, ids=str)
def test_the_examples_of_an_operation_run(prim):
    run(PARSER.get_doctest(prim.doc, {}, prim.name, None, 0))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        run(test)


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name)
def test_the_commands_shown_on_a_page_print_what_is_shown(page, capsys):
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), flags=re.M | re.S):
        command, _, shown = block.partition("\n")
        words = shlex.split(command.removeprefix("$ "))
        assert words[0] == "chainrule", f"{command!r} is not a command of ours"
        assert main(words[1:]) == 0
        assert capsys.readouterr().out.rstrip() == shown.rstrip(), command


def test_the_scripts_of_the_readme_run():
    for script in re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.M | re.S):
        if not script.startswith(">>>"):
            exec(compile(script, "README.md", "exec"), {"__name__": "readme"})


def test_the_page_of_public_names_is_up_to_date():
    import write_names  # in docs/
    assert write_names.PAGE.read_text() == write_names.page(), "run `python docs/write_names.py`"


def test_the_gallery_is_up_to_date():
    import write_gallery  # in docs/

    def steady(text):  # residuals are rounding, and differ among machines
        return re.sub(r"\d+e-\d+|0e\+00", "~", text)
    for name, text in write_gallery.kept().items():
        assert steady((write_gallery.FOLDER / name).read_text(encoding="utf-8")) == steady(text), f"{name}: run `make gallery`"
