"""A quiz: every answer is the engine's, the numbers are friendly, and grading names slips and refuses garbage."""
import json

import numpy as np
import pytest

from chainrule.errors import InputError
from chainrule.explanation.practice.quiz import GRADIENT, HALVES, LARGEST, WHOLE, quiz
from chainrule.explanation.practice.quiz_grades import answers_from_json, grade, typed_answers
from chainrule.explanation.practice.quiz_sheet import grades_json, grades_text, sheet_json, sheet_latex, sheet_text
from chainrule.explanation.practice.quiz_templates import ROUNDED, TEMPLATES

LEVELS = tuple(TEMPLATES)
SEEDS = 200


def exercises(level):
    return [quiz(seed, level, 1).exercises[0] for seed in range(SEEDS)]


def all_right(sheet):
    return {(x.number, blank.key): blank.answer for x in sheet.exercises for blank in x.blanks}


@pytest.mark.parametrize("level", LEVELS)
def test_answers_are_the_engines_and_numbers_are_friendly(level):
    templates = set()
    for x in exercises(level):
        loss, named = x.loss()
        loss.backward()
        answers = {b.key: b.answer for b in x.blanks}
        templates.add(tuple(x.values))
        assert len(answers) == len(x.blanks)  # no two blanks are called the same
        for name in x.wrt:
            np.testing.assert_allclose(answers[f"dL/d{name}"], named[name].grad.numpy(), rtol=1e-12, atol=1e-12)
        rounded = any(word in x.formula for word in ROUNDED)
        for v in x.values.values():
            assert set(np.ravel(v).tolist()) <= {0, *WHOLE, *HALVES}
        for b in x.blanks:
            assert np.abs(b.answer).max() <= LARGEST
            assert rounded or (b.answer * 4 == np.round(b.answer * 4)).all()
        for node in x.explanation.nodes:
            if node.operation == "relu":
                assert (named[node.formula.args[0].name].numpy() != 0).all(), x
    assert len(templates) >= len({tuple(t.given) for t in TEMPLATES[level]})


@pytest.mark.parametrize("level", LEVELS)
def test_all_right_gives_full_marks_exactly_or_rounded_to_four_digits(level):
    sheet = quiz(3, level, 6)
    right = all_right(sheet)
    rounded = {place: np.vectorize(lambda v: float(f"{v:.4g}"))(answer) for place, answer in right.items()}
    for answers in (right, rounded):
        grades = grade(sheet, answers)
        assert (grades.score, grades.empty) == (len(right), 0)
    assert grade(sheet, {}).empty == len(right)


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_seed_gives_the_same_sheet_and_a_longer_one_begins_with_it(level):
    assert sheet_json(quiz(5, level, 3), solutions=True) == sheet_json(quiz(5, level, 3), solutions=True)
    longer = json.loads(sheet_json(quiz(5, level, 4)))["exercises"]
    assert longer[:3] == json.loads(sheet_json(quiz(5, level, 3)))["exercises"]
    assert sheet_json(quiz(6, level, 3)) != sheet_json(quiz(5, level, 3))


def test_a_seed_is_a_promise_for_other_machines_and_later_versions():
    first = quiz(7, 2, 1).exercises[0]
    assert (first.formula, first.assignments) == (
        "z = w*x; a = relu(z); t = a*w; L = t + a", ["w=-3", "x=-2"])


def slipping(level, key, changed):
    """The notes on gradients when one of them is changed, in the first sheet that asks for it."""
    sheet = next(s for s in (quiz(seed, level, 1) for seed in range(50)) if (1, key) in all_right(s) and
                 not np.allclose(changed(all_right(s)[1, key]), all_right(s)[1, key]))
    marks = grade(sheet, {**all_right(sheet), (1, key): changed(all_right(sheet)[1, key])}).marks
    return {m.blank.key: (m.right, m.note) for m in marks}


@pytest.mark.parametrize(("level", "key", "changed", "slip"), [
    (1, "dL/dw", lambda g: -g, "wrong sign"),
    (1, "dL/dd", lambda g: g / 2, "wrong constant factor"),
    (3, "dL/dW", lambda g: g.T, "transpose"),
    (4, "dL/dW2", lambda g: -g, "wrong sign"),
])
def test_a_planted_slip_is_named(level, key, changed, slip):
    notes = slipping(level, key, changed)
    assert not notes[key][0] and slip in notes[key][1]
    assert all(right for other, (right, _) in notes.items() if other != key)


def test_a_forgotten_merge_is_named():
    sheet = next(s for s in (quiz(seed, 2, 1) for seed in range(50)) if (1, "dL/dx:h") in all_right(s))
    right = all_right(sheet)
    [mark] = [m for m in grade(sheet, {**right, (1, "dL/dx"): right[1, "dL/dx:h"]}).marks if not m.right]
    assert mark.blank.kind == GRADIENT and "= for +=" in mark.note


def test_equal_single_numbers_are_not_called_exchanged():
    for seed in range(20):
        sheet = quiz(seed, 1, 1)
        right = all_right(sheet)
        for place in (p for p in right if p[1].startswith("dL/")):
            assert "exchanged" not in " ".join(
                m.note.replace("factors exchanged", "") for m in grade(sheet, {**right, place: right[place] * 2}).marks)


def test_what_follows_from_a_wrong_gradient_is_said_to():
    sheet = next(s for s in (quiz(seed, 1, 1) for seed in range(50)) if (1, "dL/dd") in all_right(s))
    halved = {place: answer / 2 if place[1].startswith("dL/") else answer for place, answer in all_right(sheet).items()}
    notes = [m.note for m in grade(sheet, halved).marks if not m.right]
    assert "wrong constant factor" in notes[0] and set(notes[1:]) == {"follows from a wrong gradient above"}


def test_fractions_and_matrices_are_answers():
    sheet = quiz(0, 3, 1)
    assert typed_answers(sheet, ["L=3/4", "1.dL/dW=[[1, 1/2], [-2e0, .5]]"])[1, "dL/dW"].tolist() == [[1, 0.5], [-2, 0.5]]
    given = answers_from_json(sheet, '{"1": {"L": "3/4", "dL/dW": [[1, "1/2"]], "s": null}}')
    assert given[1, "L"] == 0.75 and given[1, "dL/dW"].tolist() == [[1, 0.5]] and len(given) == 2
    assert answers_from_json(sheet, '{"L": 2}') == {(1, "L"): 2.0}


def test_a_vector_may_be_a_row_or_a_column_and_a_matrix_has_its_shape():
    sheet = next(s for s in (quiz(seed, 3, 1) for seed in range(50)) if (1, "z") in all_right(s))
    right = all_right(sheet)
    column = grade(sheet, {**right, (1, "z"): right[1, "z"][:, None]})
    assert column.score == len(right)
    flat = grade(sheet, {**right, (1, "dL/dW"): right[1, "dL/dW"].ravel()})
    assert [m.blank.key for m in flat.marks if not m.right] == ["dL/dW"]


@pytest.mark.parametrize("typed", [
    "L", "=3", "L=", "L=x", "L=1/0", "L=nan", "L=1e999", "L=[[1],[2,3]]", "L=[[1", "L=__import__('os')", "9.L=1", "1.q=2",
    "L=" + "[" * 5000, "L=1/2/3", "L=9" * 40])
def test_garbage_is_refused_in_one_line(typed):
    sheet = quiz(0, 1, 1)
    with pytest.raises(InputError) as error:
        grade(sheet, typed_answers(sheet, [typed]))
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize("text", ["", "[]", "3", '{"1": 3, "2": {}}', '{"1": {"L": true}}', '{"1": {"L": {}}}', "[" * 100000,
                                  '{"1": {"L": NaN}}', '{"L": "two"}'])
def test_garbage_in_a_file_is_refused(text):
    sheet = quiz(0, 1, 1)
    with pytest.raises(InputError):
        grade(sheet, answers_from_json(sheet, text))


@pytest.mark.parametrize("level", LEVELS)
def test_a_sheet_fits_the_terminal_and_shows_answers_only_with_solutions(level):
    sheet = quiz(1, level, 6)
    for page in (sheet_text(sheet), sheet_text(sheet, solutions=True), grades_text(grade(sheet, all_right(sheet)))):
        assert max(map(len, page.splitlines())) <= 80
    blanks = sum(len(x.blanks) for x in sheet.exercises)
    assert sheet_text(sheet).count("______") == blanks and "______" not in sheet_text(sheet, solutions=True)
    lines = sum(b.answer.size for x in sheet.exercises for b in x.blanks)
    assert sheet_latex(sheet).count(r"\underline") == lines and r"\underline" not in sheet_latex(sheet, solutions=True)
    assert '"answer"' not in sheet_json(sheet)


def test_grades_as_json():
    sheet = quiz(1, 1, 1)
    data = json.loads(grades_json(grade(sheet, typed_answers(sheet, ["L=0.125"]))))
    assert (data["schema"], data["score"], data["empty"]) == ("chainrule.quiz.grades/1", 0, data["of"] - 1)
    assert set(data["marks"][0]) == {"exercise", "key", "given", "right", "expected", "note"}
