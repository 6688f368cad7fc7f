"""A grade says for each blank of a sheet whether the answer is right, and where it is not, which slip gives what was written."""
from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import InputError

from ..entry import check_derivation
from ..formulas.writing import plain_shape
from .derivation_check import FOLLOWS, WRONG, Step
from .quiz import GRADIENT, Blank, Exercise, Sheet

ROUNDING = 1e-3  # relative: four digits, and a little for rounding on the way
SMALLEST_ROUNDING = 1e-4  # four decimals
NUMBER = re.compile(r"[-+]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][-+]?\d{1,2})?", re.ASCII)
Answers = Mapping[tuple[int, str], Any]


@dataclass(frozen=True)
class Mark:
    """What came of one blank; `given` is None where it was left empty."""

    exercise: int
    blank: Blank
    given: Any
    right: bool
    note: str = ""


@dataclass(frozen=True)
class Grades:
    """The marks of a sheet, blank by blank."""

    sheet: Sheet
    marks: tuple[Mark, ...]

    @property
    def score(self) -> int:
        return sum(mark.right for mark in self.marks)

    @property
    def empty(self) -> int:
        return sum(mark.given is None for mark in self.marks)


def grade(sheet: Sheet, answers: Answers) -> Grades:
    """The answers, by number of the exercise and key of the blank, compared with the engine's numbers.

    Right is what agrees to four digits. Raises InputError for an answer to what was not asked.
    """
    asked = {(x.number, blank.key) for x in sheet.exercises for blank in x.blanks}
    for number, key in answers:
        if (number, key) not in asked:
            raise InputError(f"exercise {number} of the sheet does not ask for {key!r:.40}. "
                             f"It asks for: {', '.join(k for n, k in sorted(asked) if n == number) or 'nothing'}.")
    return Grades(sheet, tuple(mark for x in sheet.exercises for mark in marks(x, answers)))


def marks(exercise: Exercise, answers: Answers) -> Iterable[Mark]:
    given = {blank.key: answers[exercise.number, blank.key] for blank in exercise.blanks
             if (exercise.number, blank.key) in answers}
    right = {blank.key: blank.key in given and agrees(given[blank.key], blank.answer) for blank in exercise.blanks}
    gradients = {b.key: given[b.key] for b in exercise.blanks if b.kind == GRADIENT and b.key in given}
    steps = checked(exercise, gradients) if not all(right[key] for key in gradients) else {}
    for blank in exercise.blanks:
        answer = given.get(blank.key)
        wrong = answer is not None and not right[blank.key]
        yield Mark(exercise.number, blank, answer, right[blank.key], note(blank, answer, steps) if wrong else "")


def agrees(given: Any, expected: Any) -> bool:
    """Whether an answer is right to four digits; a vector may be written as a row or a column."""
    if expected.ndim <= 1 and max(given.shape, default=1) == given.size == expected.size:
        given = given.reshape(expected.shape)
    allowed = np.maximum(ROUNDING * np.abs(expected), SMALLEST_ROUNDING)
    return given.shape == expected.shape and bool((np.abs(given - expected) <= allowed).all())


def checked(exercise: Exercise, gradients: Mapping[str, Any]) -> dict[str, Step]:
    """The check of the gradients as steps of one derivation."""
    loss, named = exercise.loss()
    return {step.name: step for step in check_derivation(loss, gradients, named, tolerance=ROUNDING).steps}


def note(blank: Blank, given: Any, steps: Mapping[str, Step]) -> str:
    """What is known about a wrong answer. That two single numbers are equal does not show that they were exchanged."""
    step = steps.get(blank.key)
    slips = [found.name for found in step.slips if blank.shape or found.name != "arrays exchanged"] if step else []
    if step is not None and step.verdict == WRONG and slips:
        return " or ".join(slips)
    if step is not None and step.verdict == FOLLOWS:
        return "follows from a wrong gradient above"
    return f"shape {plain_shape(given.shape)}, asked {plain_shape(blank.shape)}" if given.shape != blank.shape else ""


# ---------------------------------------------------------------------------------------- reading answers
def typed_answers(sheet: Sheet, assignments: Iterable[str]) -> dict[tuple[int, str], Any]:
    """Answers typed as `2.dL/dw=3/4`, or without the number where the sheet has one exercise."""
    answers: dict[tuple[int, str], Any] = {}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"{text!r:.40} is no answer; write key=value, as in 1.dL/dw=8.")
        place = placed(sheet, key.strip())
        if place in answers:
            raise InputError(f"{key.strip()!r:.40} is answered twice.")
        answers[place] = array(value, key)
    return answers


def placed(sheet: Sheet, key: str) -> tuple[int, str]:
    number, dot, rest = key.partition(".")
    if dot and re.fullmatch(r"\d{1,4}", number, re.ASCII):
        return int(number), rest
    if len(sheet.exercises) > 1:
        raise InputError(f"{key!r:.40}: the sheet has {len(sheet.exercises)} exercises; say which, as in 1.dL/dw=8.")
    return 1, key


def answers_from_json(sheet: Sheet, text: str) -> dict[tuple[int, str], Any]:
    """Answers as JSON: {"1": {"dL/dw": 8, "p": "3/4"}}, or {"dL/dw": 8} where the sheet has one exercise."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"answers: this is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise InputError('answers: give an object, as in {"1": {"dL/dw": 8, "dL/db": "3/4"}}.')
    answers: dict[tuple[int, str], Any] = {}
    for key, value in data.items():
        inner = {f"{key}.{name}": v for name, v in value.items()} if isinstance(value, dict) else {key: value}
        answers.update({placed(sheet, name): array(v, name) for name, v in inner.items() if v is not None})
    return answers


def array(value: Any, key: str) -> Any:
    """A number, a fraction such as 3/4, or nested lists of them, as an array."""
    try:
        if isinstance(value, str) and "[" in value:
            value = json.loads(re.sub(r"[^\[\],\s]+", lambda word: json.dumps(word[0]), value))
        numbers = np.array(read(value), np.float64)
    except (ValueError, RecursionError, OverflowError):
        raise InputError(f"{key.strip()!r:.40}: {value!r:.40} is no answer; write a number, a fraction such as 3/4, or lists of "
                         "them, as in [[1,2],[3,4]].") from None
    return numbers


def read(value: Any) -> Any:
    if isinstance(value, list):
        return [read(v) for v in value]
    if isinstance(value, str):
        above, sign, below = value.strip().partition("/")
        return quotient(above, below if sign else "1")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def quotient(above: str, below: str) -> float:
    parts = [part.strip() for part in (above, below)]
    if not all(NUMBER.fullmatch(part) for part in parts) or not float(parts[1]):
        raise ValueError(above)
    return float(parts[0]) / float(parts[1])
