"""Every answer has the same faces, and they carry the same numbers: text for people, JSON for programs, HTML for notebooks."""
import json
import math
import re
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
import test_element as networks
from chainrule.core.stage import stage
from chainrule.core.type import Type
from chainrule.explanation.faces import answers_data, data
from chainrule.explanation.faces.answer import Answer
from chainrule.explanation.faces.fragments import MOST_EXACT, array, fragment, markup, number, paragraph, table
from chainrule.explanation.faces.graph_html import graph_html
from chainrule.explanation.faces.grid import MOST_COLUMNS, MOST_ROWS
from chainrule.explanation.faces.lines import short_line
from chainrule.explanation.faces.tensor_html import tensor_html
from chainrule.explanation.practice.quiz import quiz
from chainrule.explanation.practice.quiz_grades import grade, typed_answers
from chainrule.explanation.practice.quiz_html import grades_html, sheet_html
from chainrule.explanation.story import Explanation
from chainrule.explanation.summaries.summary import Summary

pytestmark = [pytest.mark.filterwarnings("ignore::RuntimeWarning")]  # NumPy's, where NaN and infinities are made


def leaf(value, name="w"):
    return cr.tensor(np.array(value, np.float64), requires_grad=True, name=name)


# ---------------------------------------------------------------------------------------- reading HTML
VOID = {"br"}


class Fragment(HTMLParser):
    """What is in a fragment: its tags with their attributes, its numbers, and its tables as rows of (text, exact numbers)."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.numbers, self.tables, self.words = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        assert tag not in VOID
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("th", "td"):
            self.tables[-1][-1].append(["", []])
        if tag == "data":
            assert attributes["title"] == attributes["value"]
            self.numbers.append(attributes["value"])
            if "table" in self.open:
                self.tables[-1][-1][-1][1].append(attributes["value"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if "style" not in self.open:
            self.words.append(text)
            if "td" in self.open or "th" in self.open:
                self.tables[-1][-1][-1][0] += text

    @property
    def text(self):
        return "".join(self.words)


def strict(text):
    """JSON as the standard has it, without NaN and Infinity."""
    def refused(word):
        raise AssertionError(f"{word} is not JSON")
    return json.loads(text, parse_constant=refused)


def numbers_in(x):
    """Every number of a document, and every text that stands for one, as HTML writes them."""
    if isinstance(x, dict | list):
        return {n for part in (x.values() if isinstance(x, dict) else x) for n in numbers_in(part)}
    return {x if isinstance(x, str) else repr(x)}


# ---------------------------------------------------------------------------------------- elements
@pytest.mark.parametrize("network", networks.NETWORKS, ids=lambda f: f.__name__)
def test_an_element_has_the_same_numbers_as_text_as_json_and_as_html(network):
    loss, parameters = network()
    e, rng = cr.explain(loss), np.random.default_rng(4)
    for name, parameter in parameters.items():
        for index in networks.some_indices(rng, parameter.shape):
            found = e.element(name, index)
            facts, fragment, page = strict(found.json()), Fragment(found.html()), found.text()
            assert (facts["node"], facts["index"]) == (name, list(index))
            *tables, sums = fragment.tables
            ranked = sorted(facts["terms"], key=lambda t: -abs(t["value"]))
            shown = [row for rows in tables for row in rows[1:]]
            assert [[float(n) for _, exact in row for n in exact] for row in shown[:10]] == [
                [t["upstream"], t["local"], t["value"]] for t in ranked[:10]]
            assert [row[0][0] for row in shown[:10]] == [label(t) for t in ranked[:10]]
            if rest := ranked[10:]:
                assert shown[10][0][0] == f"{len(rest)} other term{'s'[:len(rest) != 1]}"
                assert [float(n) for _, exact in shown[10] for n in exact] == [math.fsum(t["value"] for t in rest)]
            for row, word, fact in zip(sums[1:], SUMS, ("total", "gradient", "residual", "difference"), strict=True):
                (told, _), (written, exact) = row[:2]
                assert (told, [float(n) for n in exact]) == (word, [facts[fact]])
                assert re.search(rf"^  {word} +{re.escape(written)}(  |$)", page, flags=re.M)
                assert written == f"{facts[fact]:{'.1g' if word == 'residual' else '.12g'}}"
            for t in ranked[:10]:
                assert label(t) in page


SUMS = ("sum of the terms", "gradient of the sweep", "residual", "finite difference")


def label(term):
    output = "" if term["output"] is None else f"[{term['output']}]"
    return f"{term['from']}{output}" + (f"[{','.join(map(str, term['index']))}]" if term["index"] else "")


def test_an_element_shows_as_many_terms_as_asked_for():
    found = cr.explain(networks.one_layer()[0]).element("w", (0, 1))
    assert len(Fragment(found.html(most=3)).tables[0]) == 1 + 3 + 1
    assert len(Fragment(found.html(most=32)).tables[0]) == 1 + 32
    for most in (-1, "3", 2.0):
        with pytest.raises(cr.errors.ArgumentError, match="how many terms"):
            found.html(most=most)


# ---------------------------------------------------------------------------------------- all answers
def neuron():
    w, x, b = leaf(3.0), leaf(2.0, "x"), leaf(1.0, "b")
    return cr.explain((cr.relu(w * x + b) - 5.0) ** 2)


def two_paths():
    x = leaf([1.0, -2.0], "x")
    return cr.explain(cr.sum(np.array([1.0, 3.0]) * (x + cr.matmul(np.array([[0.5, 1.0], [-1.0, 2.0]]), cr.relu(x)))))


def mlp(activation, scale=0.5):
    w, v = leaf([[1.0, -0.5], [0.25, 2.0]], "w"), leaf([1.0, 3.0], "v")
    return cr.sum(activation(cr.matmul(w, v) * scale) * v)


def derivation(formula):
    w, v = leaf([[1.0, -0.5], [0.25, 2.0]], "w"), leaf([1.0, 3.0], "v")
    z = cr.matmul(w, v)
    a = cr.tanh(z)
    return cr.check_derivation(cr.sum(a * v), {"da": "v", "dz": formula}, {"z": z, "a": a})


def answered(f):
    w, b = leaf([1.0, -2.0, 3.0]), leaf(0.5, "b")
    return cr.why(f(w, b), w)


ANSWERS = {  # by the schema: each kind of answer there is
    data.ELEMENT_SCHEMA: [lambda: neuron().element("w"), lambda: two_paths().element("x", 1)],
    data.PATHS_SCHEMA: [lambda: two_paths().paths("x"), lambda: two_paths().paths("x", by="operation"),
                        lambda: cr.explain(cr.relu(leaf(-1.0))).paths("w")],
    answers_data.WHAT_IF_SCHEMA: [
        lambda: neuron().what_if("w", -1.0), lambda: two_paths().what_if("x", (0,), 7.0), lambda: neuron().what_if("w", np.inf),
        lambda: neuron().what_if("w", 3.0),
        lambda: cr.explain(cr.sum(cr.where(leaf(1.0) > 0, leaf(2.0, "b"), 0.0))).what_if("b", 1)],
    answers_data.COMPARISON_SCHEMA: [
        lambda: cr.compare(mlp(cr.tanh), mlp(cr.tanh)), lambda: cr.compare(mlp(cr.tanh), mlp(cr.sigmoid, 0.25)),
        lambda: cr.compare(mlp(cr.tanh), mlp(lambda x: cr.relu(cr.tanh(x)).detach())),
        lambda: cr.compare(cr.sum(leaf([1.0, 2.0])), cr.sum(leaf([1.0, 2.0, np.nan])))],
    answers_data.WHY_SCHEMA: [
        lambda: answered(lambda w, b: cr.sum(cr.where(w > 0, b, 2.0))),
        lambda: answered(lambda w, b: cr.sum(cr.relu(w - 2.0) * b)),
        lambda: answered(lambda w, b: cr.sum(cr.sigmoid(w * 1e-9))),
        lambda: answered(lambda w, b: cr.sum(w * b)),
        lambda: answered(lambda w, b: cr.sum(cr.sqrt(w - 1.0)))],
    answers_data.BIRTH_SCHEMA: [
        lambda: cr.birth(cr.sum(cr.sqrt(leaf([4.0, 0.0])))), lambda: cr.birth(cr.sum(cr.log(leaf([4.0, 0.0])))),
        lambda: cr.birth(cr.sum(leaf([1.0, np.nan]) * 2.0)), lambda: cr.birth(leaf(3.0) * 2.0)],
    answers_data.DERIVATION_CHECK_SCHEMA: [
        lambda: derivation("da * (1 - a**2)"), lambda: derivation("da"), lambda: derivation("da * 1.37"),
        lambda: derivation(np.ones(3))],
}
EACH = [pytest.param(schema, make, id=f"{schema} {k}") for schema, makers in ANSWERS.items() for k, make in enumerate(makers)]


ELSEWHERE = {Explanation, Summary}  # tests/test_page.py and tests/test_recording.py look at these


def all_kinds(base):
    return {base} if not base.__subclasses__() else {kind for b in base.__subclasses__() for kind in all_kinds(b)}


def test_every_kind_of_answer_is_looked_at():
    seen = {type(make()) for makers in ANSWERS.values() for make in makers}
    assert seen >= all_kinds(Answer) - ELSEWHERE


@pytest.mark.parametrize("schema, make", EACH)
def test_an_answer_is_json_with_its_schema(schema, make):
    facts = strict(make().json())
    assert next(iter(facts)) == "schema"
    assert facts["schema"] == schema


@pytest.mark.parametrize("schema, make", EACH)
def test_the_exact_numbers_of_the_html_are_those_of_the_json(schema, make):
    answer = make()
    told = numbers_in(strict(answer.json()))
    if schema == data.PATHS_SCHEMA:
        told.add(repr(math.exp(answer.entropy)))  # of how many equal paths: the same number, said so that it means something
    read = Fragment(answer.html())
    arrays = [attributes["title"] for _, attributes in read.tags if attributes.get("class") == "exact"]
    assert {*read.numbers, *(n for title in arrays for n in re.findall(r"[^\[\], ]+", title))} <= told


@pytest.mark.parametrize("schema, make", EACH)
def test_a_fragment_stands_alone_and_needs_no_colours(schema, make):
    html = make().html()
    tags = Fragment(html).tags
    assert html.isascii()
    assert tags[0][0] == "div"
    assert tags[0][1].keys() == {"class", "role", "aria-label"}
    assert tags[0][1]["class"] == "chainrule"
    assert {tag for tag, _ in tags} <= {"div", "style", "p", "strong", "ul", "li", "code", "span", "data", "figure", "figcaption",
                                        "table", "thead", "tbody", "tr", "th", "td"}
    assert "url(" not in html and "@import" not in html and "://" not in html
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in tags if tag == "th")
    assert not any("style" in attributes or "id" in attributes for _, attributes in tags)


@pytest.mark.parametrize("schema, make", EACH)
def test_a_notebook_gets_the_html_and_a_terminal_the_text(schema, make):
    answer = make()
    assert answer._repr_html_() == answer.html()
    assert answer._repr_mimebundle_() == {"text/plain": answer.text(), "text/html": answer.html()}
    assert str(answer) == answer.text()
    assert repr(answer).startswith("<") and "\n" not in repr(answer)


@pytest.mark.parametrize("schema, make", EACH)
def test_the_text_fits_the_page(schema, make):
    assert max(map(len, make().text(70).splitlines())) <= 70


def test_the_json_of_why_has_every_place():
    answer = answered(lambda w, b: cr.sum(cr.where(w > 0, b, 2.0)))
    facts = strict(answer.json())
    assert (facts["loss"], facts["node"], facts["value"]) == (None, "w", "'w' (float64[3])")
    assert (facts["kind"], facts["gradient"]) == ("none", None)
    (cut,), (place,) = facts["cuts"], answer.cuts
    assert cut == {"kind": "comparison", "line": place.line, "source": place.source, "says": place.says, "path": list(place.path),
                   "sure": True}
    partly = strict(answered(lambda w, b: cr.sum(cr.relu(w - 2.0) * b)).json())
    assert (partly["kind"], partly["gradient"], partly["zeros"], partly["dead"]) == ("partly zero", [0.0, 0.0, 0.5], 2, [0, 1])


def test_the_json_of_a_birth_has_the_fix_with_its_numbers():
    found = cr.birth(cr.sum(cr.sqrt(leaf([4.0, 0.0]))))
    facts = strict(found.json())
    assert facts["fix"] == {"title": found.fix.title, "loss": found.fix.loss, "largest_gradient": found.fix.largest_gradient}
    assert (facts["kind"], facts["index"], facts["value"], facts["path"]) == ("backward", [1], "inf", list(found.path))
    healthy = strict(cr.birth(leaf(3.0) * 2.0).json())
    assert (healthy["kind"], healthy["value"], healthy["fix"]) == ("healthy", None, None)


def test_the_json_of_a_comparison_has_every_pair():
    c = cr.compare(mlp(cr.tanh), mlp(cr.sigmoid, 0.25))
    facts = strict(c.json())
    assert not facts["same"]
    assert [r["a"]["name"] for r in facts["rows"]] == [r.a.name for r in c.rows]
    first = facts["first_value"]
    assert (first["a"]["name"], first["value"]["absolute"], first["value"]["index"]) == (
        c.first_value.a.name, c.first_value.value.absolute, list(c.first_value.value.index))
    assert facts["first_edge"]["contribution"]["absolute"] == c.first_edge.contribution.absolute
    shapes = strict(cr.compare(cr.sum(leaf([1.0, 2.0])), cr.sum(leaf([1.0, 2.0, np.nan]))).json())["first_value"]["value"]
    assert (shapes["index"], shapes["absolute"], shapes["a"], shapes["b"]) == (None, "inf", [2], [3])


def test_the_json_of_a_what_if_has_whole_arrays():
    w = two_paths().what_if("x", (0,), 7.0)
    facts = strict(w.json())
    assert facts["changes"][0]["after"] == [7.0, -2.0]
    assert [m["name"] for m in facts["values"]] == [m.name for m in w.values]
    assert facts["loss"] == {"name": "L", "before": float(w.loss.before), "after": float(w.loss.after),
                             "predicted": float(w.loss.predicted), "move": float(w.loss.move), "ratio": w.loss.ratio}
    (switch,) = strict(neuron().what_if("w", -1.0).json())["switches"]
    assert (switch["operation"], switch["indices"], switch["before"], switch["after"]) == ("relu", [[]], [1.0], [0.0])
    assert strict(neuron().what_if("w", np.inf).json())["loss"]["after"] == "inf"


def test_the_json_of_a_checked_derivation_has_every_step():
    check = derivation("da")
    facts = strict(check.json())
    assert (facts["ok"], facts["first_wrong"]) == (False, "dz")
    step = facts["steps"][1]
    assert (step["name"], step["node"], step["verdict"]) == ("dz", "z", "wrong")
    assert step["given"] == check["dz"].given.tolist()
    assert step["expected"] == check["dz"].expected.tolist()
    assert [slip["name"] for slip in step["slips"]] == [found.name for found in check["dz"].slips] != []
    assert strict(derivation(np.ones(3)).json())["steps"][1]["difference"] == "inf"


# ---------------------------------------------------------------------------------------- what is put into a fragment
NASTY = "<script>alert('1')</script>&\x00\x1b\"\n<b>"


def test_names_are_escaped_everywhere():
    x = leaf([1.0, -2.0], NASTY)
    loss = cr.sum(cr.relu(x) * x)
    e = cr.explain(loss)
    fragments = [e.element(x, 0), e.paths(x), e.what_if(x, 1, 3.0), cr.why(loss, x), cr.compare(loss, cr.sum(x * x)),
                 cr.birth(cr.sum(leaf([1.0, np.nan], NASTY))), cr.check_derivation(loss, {f"d{NASTY}": [1.0, 2.0]})]
    for html in [answer.html() for answer in fragments] + [tensor_html(x)]:
        assert "<script" not in html and "<b>" not in html
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", html)
        assert "script" in Fragment(html).text


def test_a_fragment_escapes_text_and_keeps_markup():
    assert markup("a < b & 'c'") == "a &lt; b &amp; &#x27;c&#x27;"
    assert markup(markup("a < b")) == "a &lt; b"
    assert Fragment(fragment(paragraph("a < b"), label="<>")).text == "a < b"


def test_a_number_is_short_and_its_title_exact():
    assert number(1 / 3) == '<data value="0.3333333333333333" title="0.3333333333333333">0.3333</data>'
    assert number(np.float32(0.1)) == '<data value="0.10000000149011612" title="0.10000000149011612">0.1</data>'
    assert number(np.inf) == '<data value="inf" title="inf">inf</data>'
    assert 'title="[0.1, 0.2]"' in array(np.array([0.1, 0.2]))
    assert 'title="(65,), 0 to 64"' in array(np.arange(MOST_EXACT + 1))


def test_a_table_without_rows_is_nothing():
    assert table(["a", "b"], [], "said") == ""
    assert Fragment(table(["", "a"], [["x", number(1)]], "said")).tables == [[[["", []], ["a", []]], [["x", []], ["1", ["1"]]]]]


# ---------------------------------------------------------------------------------------- tensors and programs
def test_the_card_of_a_small_tensor_has_every_number():
    w = leaf([[0.1, -2.0], [3.0, 1 / 3]])
    cr.sum(w * w).backward()
    read = Fragment(tensor_html(w))
    values, gradient = read.tables
    assert [[float(n) for _, exact in row for n in exact] for row in values[1:]] == w.value.tolist()
    assert [[float(n) for _, exact in row for n in exact] for row in gradient[1:]] == w.grad.tolist()
    assert "a leaf that wants a gradient" in read.text and "(2×2), float64" in read.text
    assert len(Fragment(tensor_html(leaf(np.arange(8.0)))).tables[0]) == 2


def drawn(html):
    """The marks in a picture: by kind, the path that draws them."""
    return {attributes["class"]: attributes["d"] for tag, attributes in Fragment(html).tags if tag == "path"}


def test_the_card_of_a_large_tensor_is_a_summary_and_a_picture():
    x = np.random.default_rng(0).normal(size=(7, 30))
    x[0], x[1, 2], x[2, 3] = 0.0, np.nan, -np.inf
    read = Fragment(tensor_html(cr.tensor(x)))
    finite = x[np.isfinite(x)]
    assert [float(n) for _, exact in read.tables[0][1] for n in exact] == [
        finite.min(), finite.max(), finite.mean(), finite.std(), 30, 2]
    paths = drawn(tensor_html(cr.tensor(x)))
    marks = {kind: d.count("M") for kind, d in paths.items()}
    assert marks == {"more": int((finite > 0).sum()), "less": int((finite < 0).sum()), "none": 2}
    (svg,) = [attributes for tag, attributes in read.tags if tag == "svg"]
    assert (svg["width"], svg["height"], svg["role"]) == ("300", "70", "img")
    assert svg["aria-label"] in read.text


def test_of_a_block_the_number_of_the_largest_size_is_drawn():
    x = np.zeros((4 * MOST_ROWS, 5 * MOST_COLUMNS))
    x[6, 7], x[5, 9], x[-1, -1] = -2.0, 1.0, 0.5
    paths = drawn(tensor_html(cr.tensor(x)))
    assert {kind: d.count("M") for kind, d in paths.items()} == {"less": 1, "more": 1}
    assert paths["less"].startswith("M10.5 15.0a4.5 4.5")  # row 1, column 1: the largest of all, as large as a mark can be


@pytest.mark.parametrize("value", [np.zeros((0, 3)), np.zeros(100), np.full((3, 40), np.nan), np.arange(20), np.arange(9) > 4,
                                   np.ones((2, 2, 2), np.float16), np.float32(2.5), np.full(50, 1e300), np.full(50, 1e-320)])
def test_every_array_has_a_card(value):
    read = Fragment(tensor_html(cr.tensor(value)))
    assert read.tags[0][1]["class"] == "chainrule"
    assert "a constant" in read.text


def test_a_card_says_where_a_tensor_came_from():
    w = leaf([1.0, 2.0])
    h = w * 2.0
    assert re.search(r"from multiply at test_faces.py:\d+", Fragment(tensor_html(h)).text)
    cut = Fragment(tensor_html(w.detach())).text
    assert re.search(r"cut from the graph: detach\(\) of 'w' \(float64\[2\]\) at test_faces.py:\d+", cut)


def test_the_card_of_a_loss_points_to_its_story():
    loss = cr.sum(leaf([1.0, 2.0]))
    assert "cr.explain(loss)" in Fragment(tensor_html(loss)).text
    loss.name = "cost"
    assert "cr.explain(cost)" in Fragment(tensor_html(loss)).text
    assert "cr.explain" not in tensor_html(leaf(1.0)) + tensor_html(leaf([1.0, 2.0]) * 2.0) + tensor_html(cr.tensor(1.0))


def test_looking_at_a_tensor_changes_nothing():
    cr.cuts.copies.clear()
    called = []
    w = leaf([1.0, 2.0])
    h = w * 2.0
    h.register_hook(called.append)
    loss = cr.sum(h)
    loss.backward()
    before = len(called)
    assert "worked out, hooks and all, when .grad is read" in Fragment(tensor_html(h)).text
    tensor_html(loss)
    assert (len(cr.cuts.copies), len(called), w.grad.tolist()) == (0, before, [2.0, 2.0])
    k = w * 3.0
    cr.sum(k).backward()
    assert "gradient" in Fragment(tensor_html(w)).text


def test_computed_values_show_the_gradient_they_have():
    w = leaf([1.0, 2.0])
    h = w * 2.0
    loss = cr.sum(h * h)
    assert len(Fragment(tensor_html(h)).tables) == 1
    loss.backward()
    _, gradient = Fragment(tensor_html(h)).tables
    assert [n for _, exact in gradient[1] for n in exact] == ["4.0", "8.0"]


def test_the_listing_of_a_program_has_every_line():
    types = (Type(shape, np.dtype(float)) for shape in ((2, 3), (3, 3)))
    graph = stage(lambda x, y: cr.sum(cr.tanh(x @ y) * np.arange(3.0)), *types)
    read = Fragment(graph_html(graph))
    _, *lines = read.tables[0]
    assert [row[0][0] for row in lines] == ["1", "2", "3", "4"]
    assert [f"{row[1][0].replace(' = ', f': {row[2][0]} = ', 1)}" for row in lines] == [
        line.strip() for line in str(graph).splitlines()[1:-1]]
    assert "takes x0: float64[2,3], x1: float64[3,3]" in read.text
    assert read.text.endswith("returns t3")


# ---------------------------------------------------------------------------------------- lines
def test_a_line_is_said_so_that_it_is_found(monkeypatch):
    assert short_line("/home/someone/train.py:12") == "train.py:12"
    assert short_line("column 5") == "column 5"
    assert short_line(None) == "an unknown line"
    cells = {"/tmp/ipykernel_7/123.py": ("Cell", "In[3]")}
    shell = SimpleNamespace(compile=SimpleNamespace(format_code_name=cells.get))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert short_line("/tmp/ipykernel_7/123.py:2") == "In[3]:2"
    assert short_line("/home/someone/train.py:12") == "train.py:12"
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert short_line("/tmp/ipykernel_7/123.py:2") == "123.py:2"


# ---------------------------------------------------------------------------------------- a quiz
def test_a_quiz_sheet_asks_for_every_blank_and_keeps_its_answers_to_itself():
    sheet = quiz(7, level=3, count=2)
    asked, solved = Fragment(sheet_html(sheet)).text, Fragment(sheet_html(sheet, solutions=True))
    for exercise in sheet.exercises:
        for blank in exercise.blanks:
            assert f"{blank.key} = ______" in asked
            assert blank.answer.tolist() in [json.loads(a["title"]) for tag, a in solved.tags if tag == "code" and "title" in a]
    assert "how each comes about" not in asked
    assert "Backward: what arrives" in solved.text


def test_grades_as_html_have_every_mark():
    sheet = quiz(7, level=2, count=1)
    grades = grade(sheet, typed_answers(sheet, ["dL/dt=1", "dL/dw=4"]))
    read = Fragment(grades_html(grades))
    (rows,) = read.tables
    assert [row[0][0] for row in rows[1:]] == [mark.blank.key for mark in grades.marks]
    assert [row[2][0] for row in rows[1:]].count("empty") == grades.empty
    assert f"Score: {grades.score} of {len(grades.marks)}" in read.text
