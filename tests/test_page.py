"""A page carries the facts of an explanation: the same numbers, at every level, in one file that needs nothing else."""
import base64
import gzip
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.explanation.page import file
from chainrule.explanation.page.arrays import array, statistics, thumbnail
from chainrule.explanation.page.document import page_data
from test_element import NETWORKS

sys.path.append(str(Path(__file__).parent.parent / "examples"))
import networks

close = np.testing.assert_allclose
MADE = {**{name: x.explain for name, x in EXAMPLES.items()},
        **{f.__name__: lambda f=f: cr.explain(f()[0]) for f in NETWORKS},
        **{name: lambda f=f: cr.explain(f()) for name, f in networks.NETWORKS.items()}}


@pytest.fixture(scope="module", params=MADE)
def paged(request):
    e = MADE[request.param]()
    return e, page_data(e, e.record, title="A loss")


def unpacked(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def numbers(made):
    """The numbers of an array on the page; None of one that is there in small."""
    if "tuple" in made:
        parts = [numbers(part) for part in made["tuple"]]
        return None if any(p is None for p in parts) else tuple(parts)
    if "value" in made:
        return np.float64(made["value"])
    return unpacked(made["data"], "<f8").reshape(made["shape"]) if "data" in made else None


def flat(x):
    return np.concatenate([np.ravel(part) for part in (x if isinstance(x, tuple) else (x,))]).astype(float)


def test_every_number_of_the_facts_is_on_the_page(paged):
    e, data = paged
    nodes, edges = ({x["id"]: x for x in data["graph"][kind]} for kind in ("nodes", "edges"))
    assert data["schema"] == "chainrule.page/1" and data["loss"] == e.loss
    for n in e.nodes:
        for fact, made in ((n.value, nodes[n.id]["value"]), (n.gradient, nodes[n.id]["gradient"])):
            assert (fact is None) == (made is None)
            if fact is not None and (found := numbers(made)) is not None:
                assert np.array_equal(flat(found), flat(fact), equal_nan=True)
    for x in e.edges:
        assert (edges[x.id]["from"], edges[x.id]["to"]) == (x.result, x.argument)
        if (found := numbers(edges[x.id]["contribution"])) is not None:
            assert np.array_equal(flat(found), flat(x.contribution), equal_nan=True)
    assert json.loads(e.json())["merges"] == data["graph"]["merges"]


def test_the_links_of_an_edge_make_its_contribution(paged):
    _, data = paged
    nodes = {x["id"]: x for x in data["graph"]["nodes"]}
    linked = [x for x in data["graph"]["edges"] if x["links"]]
    assert linked
    for x in linked:
        g, found = numbers(nodes[x["from"]]["gradient"]), numbers(x["contribution"])
        if g is not None and found is not None:
            rows, columns = (unpacked(x["links"][key], "<i4") for key in ("rows", "cols"))
            slopes = unpacked(x["links"]["slopes"], "<f8")
            assert len(rows) == len(columns) == len(slopes) == x["links"]["count"]
            summed = np.bincount(columns, flat(g)[rows] * slopes, minlength=flat(found).size)
            close(summed, flat(found), rtol=1e-9, atol=1e-12 * max(1.0, np.max(np.abs(summed), initial=0.0)))


def test_the_parts_of_a_gate_hand_back_what_the_gate_does(paged):
    _, data = paged
    nodes = {x["id"]: x for x in data["graph"]["nodes"]}
    for gate in (n for n in nodes.values() if n["parts"]):
        assert all(nodes[p]["inside"] == gate["id"] for p in gate["parts"]) and gate["output"] in gate["parts"]
        close(flat(numbers(nodes[gate["output"]]["value"])), flat(numbers(gate["value"])), rtol=1e-9, atol=1e-12)
        ways = {}
        for x in data["graph"]["edges"]:
            if x["from"] == gate["id"] or (x["part"] and x["from"] in gate["parts"] and x["to"] not in gate["parts"]):
                ways.setdefault(x["to"], {True: 0.0, False: 0.0})[x["part"]] += flat(numbers(x["contribution"]))
        for way in ways.values():
            close(way[True], way[False], rtol=1e-7, atol=1e-10)


def test_whatever_a_page_refers_to_is_on_it(paged):
    _, data = paged
    graph = data["graph"]
    ids = {n["id"] for n in graph["nodes"]}
    groups = {g["id"] for g in graph["groups"]} | {None}
    assert len(ids) == len(graph["nodes"])
    for n in graph["nodes"]:
        assert {*n["arguments"], *n["parts"]} <= ids and n["group"] in groups
    for x in graph["edges"]:
        assert {x["from"], x["to"]} <= ids
    assert {g["parent"] for g in graph["groups"]} <= groups


def test_scalar_gates_are_framed_by_the_operations_they_are_made_of():
    e = EXAMPLES["two-layer"].explain()
    data = page_data(e, e.record, title="A loss", gates=e.gates())
    frames = {g["id"]: g for g in data["gates"]["groups"]}
    framed = [frames[n["group"]]["name"] for n in data["gates"]["nodes"] if n["group"]]
    assert set(framed) == {n.name for n in e.nodes if n.kind == "operation"}


# ---------------------------------------------------------------------------------------- arrays
def test_a_large_array_is_on_the_page_in_small():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 7, 200))
    made = array(x, most=1000)
    assert "data" not in made and (made["thumbnail"]["rows"], made["thumbnail"]["cols"]) == (64, 64)
    assert made["stats"]["count"] == x.size and sum(made["stats"]["histogram"]["counts"]) == x.size
    close(thumbnail(x[:64, 0, :64]), x[:64, 0, :64])
    small = thumbnail(np.arange(130.0 * 2).reshape(130, 2))
    assert small.shape == (64, 2) and small[0, 0] == np.mean([0, 2])


@pytest.mark.parametrize("x", [[np.nan, 1.0], [np.inf, -np.inf], [], [1e308, -1e308], [3.0, 3.0], [True, False], [1, 2]], ids=str)
def test_statistics_of_odd_numbers_are_json(x):
    made = array(np.array(x), 10)
    json.dumps(made, allow_nan=False)
    assert made["stats"]["count"] == len(x)
    assert statistics(np.array([1.0, np.nan, 0.0]))["nonfinite"] == 1


# ---------------------------------------------------------------------------------------- the file
class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.data, self.inside = [], {}, None

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = dict(attributes).get("id") if tag == "script" else None

    def handle_data(self, data):
        if self.inside:
            self.data[self.inside] = self.data.get(self.inside, "") + data


def read(page):
    reader = Reader()
    reader.feed(page)
    return reader


def test_a_page_is_one_file_that_asks_for_nothing():
    page = EXAMPLES["two-layer"].explain().html()
    reader = read(page)
    assert not [a for _, a in reader.tags if {"src", "href"} & set(a) and not str(a.get("href", "#")).startswith("#")]
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert json.loads(reader.data["chainrule-data"])["title"] == "How the gradients of L came to be"
    assert "default-src 'none'" in page


def test_no_name_can_break_out_of_a_page():
    hostile = "</script><img src=x onerror=alert(1)>"
    w = cr.tensor(2.0, requires_grad=True, name=hostile)
    page = cr.explain(w * w).html(title=hostile, lesson=hostile)
    reader = read(page)
    assert "img" not in [tag for tag, _ in reader.tags]
    data = json.loads(reader.data["chainrule-data"])
    assert data["title"] == data["lesson"] == hostile and data["graph"]["nodes"][0]["name"] == hostile


def test_much_data_is_compressed(monkeypatch):
    monkeypatch.setattr(file, "LARGEST_PLAIN", 100)
    page = EXAMPLES["merge"].explain().html()
    packed = read(page).data["chainrule-data"]
    assert json.loads(gzip.decompress(base64.b64decode(packed)))["loss"] == "L"
    assert page == EXAMPLES["merge"].explain().html()  # and the same each time


def test_what_does_not_fit_a_page_is_said():
    e = cr.explain(networks.mlp())
    data = json.loads(read(e.html()).data["chainrule-data"])
    assert data["gates"] is None and "gates: " in data["gates_note"]


def test_a_notebook_shows_the_page_in_a_frame_of_its_own():
    e = EXAMPLES["merge"].explain()
    shown = e._repr_mimebundle_()
    frame, = [attributes for tag, attributes in read(shown["text/html"]).tags if tag == "iframe"]
    assert frame["srcdoc"] == e.html() and shown["text/plain"] == e.text()


def test_a_derivation_that_does_not_hold_does_not_take_the_page_away(monkeypatch):
    def fails(facts):
        raise cr.errors.DerivationError("L = 1 < 2 does not hold")
    monkeypatch.setattr(file, "mathml", fails)
    data = json.loads(read(EXAMPLES["merge"].explain().html()).data["chainrule-data"])
    assert data["derivation"] == [{"title": "Derivation", "html": "<p>L = 1 &lt; 2 does not hold</p>"}]
