"""`chainrule check` compares a derivation made by hand, kept in a Python file or a notebook, with the gradients of its loss."""
from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from chainrule.explanation import check_derivation
from chainrule.explanation.practice.derivation_check import DerivationCheck
from chainrule.explanation.practice.derivation_file import derived

from .explain import show

WRONG = 3  # the exit code for a derivation with a wrong step
FORMATS: dict[str, Callable[[DerivationCheck], str]] = {
    "text": DerivationCheck.text, "json": lambda c: c.json() + "\n", "html": lambda c: c.html() + "\n"}
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
names of their own, what they are called. In a notebook (FILE.ipynb) it stands in any code cell; the cells are
run in order, without lines that only IPython understands (%..., !..., ...?) and without cells that begin with
%%, such as %%bash. What the file prints goes to stderr. Exit code 0: all steps are right; 3: a step is wrong;
2: the file cannot be used, with one line on stderr."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Check a derivation made by hand: which step is wrong first, and which slip made it so."
    parser.epilog = EPILOG
    parser.add_argument("file", type=Path, help="a Python file or a notebook with a function derivation(); it is run")
    parser.add_argument("--tolerance", type=share, metavar="T",
                        help="how far numbers may differ, relative to the largest of an array (default: rounding only)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")


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
    show(FORMATS[options.format](check))
    return 0 if check.ok else WRONG
