"""A sheet is a quiz as it is handed out: on a terminal, as JSON, or in LaTeX for printing; with or without the solutions."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..faces.data import as_data, dumped
from ..faces.latex import derivation
from ..faces.table import table
from ..faces.text import array_cell, backward, forward, gradients
from ..formulas.formula import number
from ..formulas.writing import latex, plain_array, plain_shape, tex_name
from .quiz import CONTRIBUTION, FORWARD, GRADIENT, LOCAL, Blank, Exercise, Sheet, stated
from .quiz_grades import Grades

SCHEMA = "chainrule.quiz/1"
GRADES_SCHEMA = "chainrule.quiz.grades/1"
LINE = "______"
TITLES = {FORWARD: "Forward values", LOCAL: "Local derivatives", CONTRIBUTION: "Contributions",
          GRADIENT: "Gradients"}
ROUNDED = "Numbers that do not end are given with four digits."


# ---------------------------------------------------------------------------------------- text
def sheet_text(sheet: Sheet, *, solutions: bool = False, width: int = 80) -> str:
    """The sheet for a terminal `width` columns wide; with `solutions`, answers and the tables of the explanation."""
    title = f"Quiz: seed {sheet.seed}, level {sheet.level}{', with solutions' if solutions else ''}"
    lines = [title, "═" * len(title), ROUNDED]
    for exercise in sheet.exercises:
        lines += ["", *exercise_text(exercise, solutions, width)]
    return "\n".join(lines) + "\n"


def exercise_text(exercise: Exercise, solutions: bool, width: int) -> Iterable[str]:
    yield f"Exercise {exercise.number}"
    yield from packed([f"{step};" for step in exercise.formula.split("; ")], width)
    yield from packed(stated(exercise.values.items()), width)
    for kind, title in TITLES.items():
        blanks = [b for b in exercise.blanks if b.kind == kind]
        if blanks:
            yield f"  {title}" + (" ({0}: what reaches {2} through {1})".format(blanks[0].key, *blanks[0].of)
                                  if kind == CONTRIBUTION else "")
            filled = [plain_array(b.answer) if solutions else LINE + shape_of(b) for b in blanks]
            yield from packed([f"{b.key} = {answer}" for b, answer in zip(blanks, filled)], width, 4)
    if solutions:
        e = exercise.explanation
        for section in (forward(e, width), backward(e, width), gradients(e, width)):
            yield from ["", *section]


def shape_of(blank: Blank) -> str:
    return f" {plain_shape(blank.shape)}" if blank.shape else ""


def packed(items: list[str], width: int, indent: int = 2) -> list[str]:
    """As many items on a line as fit, none of them broken."""
    lines = [" " * indent + items[0]]
    for item in items[1:]:
        longer = f"{lines[-1]}   {item}"
        lines[-1:] = [longer] if len(longer) <= width else [lines[-1], " " * indent + item]
    return lines


def grades_text(grades: Grades, width: int = 80) -> str:
    """A table of the marks, and the score."""
    lines = []
    for exercise in grades.sheet.exercises:
        marks = [mark for mark in grades.marks if mark.exercise == exercise.number]
        rows = [[mark.blank.key, "" if mark.given is None else array_cell(mark.given), verdict(mark.right, mark.given),
                 "" if mark.right else array_cell(mark.blank.answer), mark.note] for mark in marks]
        lines += [f"Exercise {exercise.number}", *table(["blank", "given", "", "expected", "note"], rows, width), ""]
    return "\n".join([*lines, score(grades)]) + "\n"


def score(grades: Grades) -> str:
    left = f", {grades.empty} left empty" if grades.empty else ""
    return f"Score: {grades.score} of {len(grades.marks)}{left}"


def verdict(right: bool, given: Any) -> str:
    return "right" if right else "empty" if given is None else "wrong"


# ---------------------------------------------------------------------------------------- JSON
def sheet_json(sheet: Sheet, *, solutions: bool = False) -> str:
    """The sheet as JSON; docs/json.md says what each entry means."""
    return as_text({"schema": SCHEMA, "seed": sheet.seed, "level": sheet.level,
                    "exercises": [exercise_data(x, solutions) for x in sheet.exercises]})


def exercise_data(exercise: Exercise, solutions: bool) -> dict[str, Any]:
    blanks = [{"key": b.key, "kind": b.kind, "shape": list(b.shape), **({"answer": b.answer.tolist()} if solutions else {})}
              for b in exercise.blanks]
    return {"number": exercise.number, "formula": exercise.formula, "wrt": list(exercise.wrt),
            "values": {name: np.asarray(value).tolist() for name, value in exercise.values.items()}, "blanks": blanks,
            **({"explanation": as_data(exercise.explanation)} if solutions else {})}


def grades_json(grades: Grades) -> str:
    """The marks as JSON."""
    marks = [{"exercise": m.exercise, "key": m.blank.key, "given": None if m.given is None else m.given.tolist(),
              "right": m.right, "expected": m.blank.answer.tolist(), "note": m.note} for m in grades.marks]
    return as_text({"schema": GRADES_SCHEMA, "seed": grades.sheet.seed, "level": grades.sheet.level, "score": grades.score,
                    "of": len(grades.marks), "empty": grades.empty, "marks": marks})


def as_text(data: dict[str, Any]) -> str:
    return dumped(data) + "\n"


# ---------------------------------------------------------------------------------------- LaTeX
SPACING = r"\setlength{\lineskip}{2mm}\setlength{\lineskiplimit}{2mm}"  # formulas of different heights keep apart
HEAD = rf"""\documentclass[a4paper]{{article}}
\usepackage{{amsmath}}
\usepackage[margin=20mm]{{geometry}}
\allowdisplaybreaks
\setlength{{\parindent}}{{0pt}}
{SPACING}
\begin{{document}}
"""
RULE, SHORT_RULE = r"\underline{\hspace{22mm}}", r"\rule[-2mm]{0pt}{6mm}\underline{\hspace{9mm}}"
UNBROKEN = rf"\begin{{minipage}}{{\textwidth}}{SPACING}", r"\end{minipage}\par\bigskip"  # an exercise stays on its page
TEX_TITLES = {**TITLES, CONTRIBUTION: r"Contributions (below the bar: through which value)"}


def sheet_latex(sheet: Sheet, *, solutions: bool = False) -> str:
    """A document to print, with a line to write on for each blank, or with its answer and the derivation."""
    title = f"\\section*{{Quiz: seed {sheet.seed}, level {sheet.level}{', with solutions' if solutions else ''}}}"
    start, end = ("", "") if solutions else UNBROKEN
    body = [line for x in sheet.exercises for line in (start, *exercise_latex(x, solutions), end) if line]
    return "\n".join([HEAD + title, ROUNDED + r"\par\bigskip", *body, r"\end{document}"]) + "\n"


def exercise_latex(exercise: Exercise, solutions: bool) -> Iterable[str]:
    e = exercise.explanation
    yield rf"\subsection*{{Exercise {exercise.number}}}"
    yield items_latex([f"{tex_name(n.name)} = {latex(n.formula)}" for n in e.nodes if n.kind == "operation" and n.formula])
    yield r"\par\smallskip"
    yield "Given: " + items_latex([f"{tex_name(name)} = {latex(number(value))}" for name, value in exercise.values.items()])
    for kind, title in TEX_TITLES.items():
        blanks = [b for b in exercise.blanks if b.kind == kind]
        if blanks:
            yield rf"\par\medskip\textbf{{{title}}}\par\smallskip"
            filled = [latex(number(b.answer)) if solutions else room(b) for b in blanks]
            yield items_latex([f"{blank_latex(exercise, b)} = {answer}" for b, answer in zip(blanks, filled)])
    if solutions:
        yield r"\par\medskip" + derivation(e)


def room(blank: Blank) -> str:
    """A line to write on; in brackets one for each number."""
    if not blank.shape:
        return RULE
    row = " & ".join([SHORT_RULE] * blank.shape[-1])
    rows = [row] * (blank.shape[0] if len(blank.shape) == 2 else 1)
    return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"


def items_latex(items: Iterable[str]) -> str:
    """Formulas side by side, as many on a line as fit."""
    return "\\raggedright\n" + "\n".join(f"\\mbox{{$\\displaystyle {item}$}}\\hspace{{8mm}}" for item in items)


def blank_latex(exercise: Exercise, blank: Blank) -> str:
    e = exercise.explanation
    if blank.kind == FORWARD:
        return tex_name(*blank.of)
    if blank.kind == GRADIENT:
        return latex(e[blank.of[0]].gradient_name)
    result, argument = map(tex_name, blank.of)
    if blank.kind == LOCAL:
        return rf"\frac{{\partial {result}}}{{\partial {argument}}}"
    return rf"\left. {latex(e[blank.of[1]].gradient_name)} \right|_{{{result}}}"
