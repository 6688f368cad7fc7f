"""The fragment of a quiz is a sheet as HTML, with lines to write on or with the solutions, and the marks that came of it."""
from __future__ import annotations

from ..faces.fragments import Markup, array, code, exact, fragment, joined, paragraph, strong, table, tag
from ..faces.text import backward, forward, gradients
from ..formulas.writing import plain_array
from .quiz import CONTRIBUTION, Blank, Exercise, Sheet, stated
from .quiz_grades import Grades
from .quiz_sheet import LINE, ROUNDED, TITLES, score, shape_of, verdict

WIDTH = 100  # of the tables of an explanation
BETWEEN = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE} "


def sheet_html(sheet: Sheet, *, solutions: bool = False) -> str:
    """The exercises with a line for each blank; with `solutions`, the answers, and how each comes about."""
    title = f"Quiz: seed {sheet.seed}, level {sheet.level}{', with solutions' if solutions else ''}"
    return fragment(paragraph(strong(title), f"\n{ROUNDED}"), *(exercise(x, solutions) for x in sheet.exercises), label=title)


def exercise(x: Exercise, solutions: bool) -> Markup:
    given = paragraph(strong(f"Exercise {x.number}"), "\n", spread([f"{step};" for step in x.formula.split("; ")]),
                      "\n", spread(stated(x.values.items())))
    blanks = [asked(title, [b for b in x.blanks if b.kind == kind], solutions) for kind, title in TITLES.items()]
    return joined([given, *blanks, explained(x) if solutions else ""])


def spread(words: list[str]) -> Markup:
    return joined(map(code, words), BETWEEN)


def asked(title: str, blanks: list[Blank], solutions: bool) -> Markup:
    """The blanks of one kind."""
    if not blanks:
        return Markup("")
    first = blanks[0]
    means = f" ({first.key}: what reaches {first.of[1]} through {first.of[0]})" if first.kind == CONTRIBUTION else ""
    filled = [code(f"{b.key} = {plain_array(b.answer)}", exact(b.answer)) if solutions else code(f"{b.key} = {LINE}{shape_of(b)}")
              for b in blanks]
    return paragraph(f"{title}{means}\n", joined(filled, BETWEEN))


def explained(x: Exercise) -> Markup:
    """The tables of the explanation, folded away."""
    e = x.explanation
    lines = [line for section in (forward, backward, gradients) for line in ("", *section(e, WIDTH))]
    return tag("details", tag("summary", "how each comes about"), tag("div", tag("pre", "\n".join(lines[1:])), class_="wide"))


def grades_html(grades: Grades) -> str:
    """A table of the marks of each exercise, and the score."""
    tables = [table(["blank", "given", "", "expected", "note"],
                    [[code(m.blank.key), "" if m.given is None else array(m.given), verdict(m.right, m.given),
                      "" if m.right else array(m.blank.answer), m.note] for m in grades.marks if m.exercise == x.number],
                    f"Exercise {x.number}") for x in grades.sheet.exercises]
    return fragment(paragraph(strong(score(grades))), *tables, label=score(grades))
