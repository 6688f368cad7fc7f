"""A derivation file is a Python file or a notebook with a function `derivation()`; it is run, and its derivation is checked."""
from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import CodeType
from typing import Any

from chainrule.errors import InputError

from .notebook import CELL, code_cells

NOTEBOOK = ".ipynb"


def derived(path: Path) -> tuple[Any, Mapping[str, Any], Mapping[str, Any] | None]:
    """The loss, the gradients and the names that `derivation()` in the file returns.

    The file is run as Python runs it, so that modules beside it can be imported; what it prints goes to stderr. Raises
    InputError, with the line of the file.
    """
    notebook = path.suffix.lower() == NOTEBOOK
    codes = list(code_cells(path)) if notebook else [script(path)]
    names: dict[str, Any] = ({"__name__": "__main__", "display": shown_nowhere} if notebook else
                             {"__name__": "derivation", "__file__": str(path)})
    with importing_beside(path), redirect_stdout(sys.stderr):
        for code in codes:
            guarded(path, lambda code=code: exec(code, names))
        if not callable(names.get("derivation")):
            raise InputError(f"{path} has no function derivation(); see chainrule check --help.")
        made = guarded(path, names["derivation"])
    if not (isinstance(made, tuple) and len(made) in (2, 3) and all(isinstance(m, Mapping) for m in made[1:])):
        raise InputError(f"{path}: derivation() returns a loss and gradients by name, as in `return L, {{'dW': dW}}` or "
                         f"`return L, {{'dW': dW}}, locals()`, not {type(made).__name__}.")
    return made[0], made[1], made[2] if len(made) == 3 else None


def script(path: Path) -> CodeType:
    try:
        return compile(path.read_bytes(), str(path), "exec")
    except (SyntaxError, ValueError) as error:
        line, says = getattr(error, "lineno", None) or 1, getattr(error, "msg", error)
        raise InputError(f"{path}, line {line}: this is not Python: {says}.") from None


def shown_nowhere(*objects: Any, **options: Any) -> None:
    """What stands for IPython's `display`, which notebooks call without an import."""


@contextmanager
def importing_beside(path: Path) -> Iterator[None]:
    before = sys.path[:]
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        yield
    finally:
        sys.path[:] = before


def guarded(path: Path, run: Callable[[], Any]) -> Any:
    """What `run` returns; what goes wrong in the file is one line that says where in it."""
    try:
        return run()
    except (Exception, SystemExit) as error:
        cell = CELL.format(path, "")
        places = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path) or f.filename.startswith(cell)]
        where = f"{places[-1].filename}, line {places[-1].lineno}" if places else str(path)
        raise InputError(f"{where}: {type(error).__name__}: {error}") from None
