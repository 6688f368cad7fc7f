"""`chainrule check` compares a derivation made by hand, kept in a Python file, with the gradients of its loss."""
from __future__ import annotations

import argparse
import math
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chainrule.errors import InputError
from chainrule.explanation import check_derivation

from .explain import show

WRONG = 3  # the exit code for a derivation with a wrong step
EPILOG = """A file to check:

  import chainrule as cr

  def derivation():
      w = cr.tensor([2.0, -3.0], requires_grad=True)
      x = cr.tensor([-1.0, -2.0])
      z = w @ x
      a = cr.sigmoid(z)
      L = (a - 1) ** 2 / 2
      return L, {"delta": "(a - 1) * a * (1 - a)", "dw": "delta * x"}, locals()

The function gives the loss, the gradients by name (arrays, or formulas in quotes), and, if values have no
names of their own, what they are called. Exit code 0: all steps are right; 3: a step is wrong; 2: the file
cannot be used, with one line on stderr."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Check a derivation made by hand: which step is wrong first, and which slip made it so."
    parser.epilog = EPILOG
    parser.add_argument("file", type=Path, help="a Python file with a function derivation(); it is run")
    parser.add_argument("--tolerance", type=share, metavar="T",
                        help="how far numbers may differ, relative to the largest of an array (default: rounding only)")


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r:.20} is no number between 0 and 1")
    return value


def run(options: argparse.Namespace) -> int:
    loss, gradients, names = derived(options.file)
    check = check_derivation(loss, gradients, names, tolerance=options.tolerance)
    show(check.text())
    return 0 if check.ok else WRONG


def derived(path: Path) -> tuple[Any, Mapping[str, Any], Mapping[str, Any] | None]:
    """What `derivation()` in the file returns. Raises InputError, with the line of the file."""
    derivation = defined(path)
    made = guarded(path, derivation)
    if not (isinstance(made, tuple) and len(made) in (2, 3) and all(isinstance(m, Mapping) for m in made[1:])):
        raise InputError(f"{path}: derivation() returns a loss and gradients by name, as in `return L, {{'dW': dW}}` or "
                         f"`return L, {{'dW': dW}}, locals()`, not {type(made).__name__}.")
    return made[0], made[1], made[2] if len(made) == 3 else None


def defined(path: Path) -> Callable[[], Any]:
    """The function `derivation` of a file, which is run for it."""
    try:
        code = compile(path.read_bytes(), str(path), "exec")
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path}, line {getattr(error, 'lineno', None) or 1}: this is not Python: {error}.") from None
    names: dict[str, Any] = {"__name__": "derivation", "__file__": str(path)}
    guarded(path, lambda: exec(code, names))
    derivation = names.get("derivation")
    if not callable(derivation):
        raise InputError(f"{path} has no function derivation(); see chainrule check --help.")
    return derivation  # type: ignore[no-any-return]


def guarded(path: Path, run: Callable[[], Any]) -> Any:
    """What `run` returns; what goes wrong in the file is one line that says where in it."""
    try:
        return run()
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        where = f", line {lines[-1]}" if lines else ""
        raise InputError(f"{path}{where}: {type(error).__name__}: {error}") from None
