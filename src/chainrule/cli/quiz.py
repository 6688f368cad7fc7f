"""`chainrule quiz` makes exercises in backpropagation from a seed, prints them with or without solutions, and grades answers."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.errors import InputError
from chainrule.explanation.practice.quiz import Sheet, quiz
from chainrule.explanation.practice.quiz_grades import answers_from_json, grade, typed_answers
from chainrule.explanation.practice.quiz_sheet import grades_json, grades_text, sheet_json, sheet_latex, sheet_text

from .explain import show

WRONG = 3  # the exit code for answers that are not all right
FORMATS: dict[str, Callable[..., str]] = {"text": sheet_text, "json": sheet_json, "latex": sheet_latex}
GRADE_FORMATS: dict[str, Callable[[Any], str]] = {"text": grades_text, "json": grades_json}
EPILOG = """examples:
  chainrule quiz --seed 7 --level 2 --count 5
  chainrule quiz --seed 7 --level 2 --count 5 --solutions --format latex > solutions.tex
  chainrule quiz --seed 7 --level 1 --count 1 s=1 dL/dz=4 dL/dx=16/2
  chainrule quiz --seed 7 --level 1 --count 5 --answers answers.json

levels: 1 scalar formulas; 2 relu, sigmoid, tanh, and a value used twice; 3 one layer with matrices; 4 two
layers, or softmax and cross-entropy. The same seed gives the same sheet everywhere.

An answer is named as on the sheet, after the number of the exercise where there are several: 2.dL/dw=8. In a
file: {"2": {"dL/dw": 8, "p": "3/4", "dL/dW": [[1, 2], [3, 4]]}}. Four digits are enough. Exit code when grading:
0 if all blanks are right, 3 if not. Bad input: one line on stderr, and exit code 2."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Make exercises in backpropagation from a seed; with answers, grade them."
    parser.epilog = EPILOG
    parser.add_argument("typed", nargs="*", metavar="key=value", help="answers to grade, as in 1.dL/dw=8")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--level", type=int, default=1, help="1 to 4 (default: 1)")
    parser.add_argument("--count", type=int, default=5, help="how many exercises (default: 5)")
    parser.add_argument("--solutions", action="store_true", help="with the answers, and how each comes about")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument("--answers", type=Path, metavar="FILE.json", help="answers to grade, in a file")


def run(options: argparse.Namespace) -> int:
    sheet = quiz(options.seed, options.level, options.count)
    if options.answers or options.typed:
        return graded(sheet, options)
    show(FORMATS[options.format](sheet, solutions=options.solutions))
    return 0


def graded(sheet: Sheet, options: argparse.Namespace) -> int:
    """Grade what was answered, and return the exit code."""
    if options.answers and options.typed:
        raise InputError("give answers either in a file or as key=value, not both.")
    if options.solutions or options.format not in GRADE_FORMATS:
        raise InputError("grades are written as text or json, and have no --solutions.")
    answers = typed_answers(sheet, options.typed) if options.typed else answers_from_json(sheet, contents(options.answers))
    grades = grade(sheet, answers)
    show(GRADE_FORMATS[options.format](grades))
    return 0 if grades.score == len(grades.marks) else WRONG


def contents(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file.") from None
