"""A picture carries the facts of an explanation, with every label in a place of its own."""
import json
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import main
from chainrule.explanation.faces.layout import BETWEEN, Edge, Layers, layout
from chainrule.explanation.faces.picture import Picture, described, picture, size_of, text_width
from chainrule.explanation.faces.text import array_cell
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.explanation.language.explain_formula import explain_formula

SVG = "{http://www.w3.org/2000/svg}"


def perceptron():
    """An MLP on a batch, with weights too large to be written in full."""
    rng = np.random.default_rng(0)
    h = rng.normal(size=(6, 8))
    for k in range(3):
        w = cr.tensor(rng.normal(size=(8, 8)), requires_grad=True, name=f"W{k}")
        b = cr.tensor(np.zeros(8), requires_grad=True, name=f"b{k}")
        h = cr.gelu(cr.linear(h, w, b))
    return cr.explain(cr.cross_entropy(h, np.arange(6)))


CASES = {**{name: example.explain for name, example in EXAMPLES.items()},
         "opened softmax": lambda: EXAMPLES["softmax"].explain(open=True),
         "perceptron": perceptron,
         "one value in many places": lambda: explain_formula("a = w*w; b = a*w; c = b*w*a; c*w + a", ["w=2"])}


@pytest.fixture(scope="module", params=CASES)
def drawn(request) -> Picture:
    return picture(CASES[request.param]())


def overlap(a, b):
    return min(a.right, b.right) - max(a.left, b.left) > 1e-6 and min(a.bottom, b.bottom) - max(a.top, b.top) > 1e-6


def points(segment):
    yield from (segment.start, segment.leave, segment.arrive, segment.end)
    yield from (segment.curve(t) for t in np.linspace(0, 1, 17))
    for (x, a), (_, b) in ((segment.start, segment.leave), (segment.arrive, segment.end)):
        yield from ((x, y) for y in np.linspace(a, b, 9))


def all_boxes(places):
    return [*places.boxes, *(box for box in places.labels if box is not None)]


def check_places(places):
    boxes = all_boxes(places)
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    for box in boxes:
        assert min(box.left, box.top) >= -1e-6
        assert box.right <= places.width + 1e-6
        assert box.bottom <= places.height + 1e-6
    for x, y in (point for s in places.segments for point in points(s)):
        assert not any(b.left + 0.1 < x < b.right - 0.1 and b.top + 0.1 < y < b.bottom - 0.1 for b in boxes)


def test_no_two_boxes_overlap_and_no_edge_runs_through_one(drawn):
    check_places(drawn.places)


def test_every_line_fits_in_its_box(drawn):
    places = drawn.places
    for lines, box in [*zip(drawn.boxes, places.boxes), *zip(drawn.labels, places.labels)]:
        assert all(text_width(line.text) < box.width for line in lines)


def test_the_file_is_xml_and_holds_everything_in_its_frame(drawn):
    root = ET.fromstring(drawn.svg())
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    width, height = map(float, root.get("viewBox").split()[2:])
    group = next(child for child in root if child.get("transform"))
    left, top = map(float, re.findall(r"[\d.]+", group.get("transform")))
    for x in group.iter(f"{SVG}rect"):
        assert left + float(x.get("x")) + float(x.get("width")) <= width
        assert top + float(x.get("y")) + float(x.get("height")) <= height
    for x in root.iter(f"{SVG}text"):
        moved = left if x in group.iter() else 0
        assert moved + float(x.get("x")) + text_width("".join(x.itertext())) <= width
    assert "http" not in drawn.svg().replace("http://www.w3.org/2000/svg", "")


def test_the_numbers_are_those_of_the_facts(drawn):
    e, root = drawn.facts, ET.fromstring(drawn.svg())
    groups = [g for g in root.iter(f"{SVG}g") if g.get("class")]
    shown = ["\n".join(t.text[2:] for t in g.iter(f"{SVG}text") if t.get("class") == "value") for g in groups]
    assert shown[:len(e.nodes)] == [array_cell(n.value) for n in e.nodes]
    given = ["\n".join(t.text[2:] for t in g.iter(f"{SVG}text")) for g in groups[len(e.nodes):]]
    assert given == [array_cell(edge.contribution) for edge in e.edges]
    for n, lines in zip(e.nodes, drawn.boxes):
        said = " ".join("".join(line.text for line in lines if line.kind == "gradient").split())
        assert (n.gradient is None) == (said == "")
        if n.gradient is not None:
            assert "".join(array_cell(n.gradient).split()) in "".join(said.split())
    assert root.find(f"{SVG}desc").text == described(e)


def test_the_same_facts_give_the_same_picture():
    for name in ("merge", "two-layer"):
        assert EXAMPLES[name].explain().svg() == EXAMPLES[name].explain().svg()


def test_an_edge_is_the_wider_the_more_it_contributes_and_dashed_where_that_is_nothing():
    e = EXAMPLES["gates"].explain()
    drawn = picture(e)
    bands = [p for p in ET.fromstring(drawn.svg()).iter(f"{SVG}path") if p.get("class") == "back"]
    flowing = [drawn.links[s.edge][2] for s in drawn.places.segments if drawn.links[s.edge][2] is not None]
    sizes = [size_of(edge) for edge in flowing]
    widths = [float(p.get("stroke-width")) for p in bands]
    assert [p.get("stroke-dasharray") is not None for p in bands] == [size == 0 for size in sizes]
    assert 0 in sizes
    for a, b in combinations(range(len(sizes)), 2):
        assert (sizes[a] < sizes[b]) == (widths[a] < widths[b])


def test_a_merge_shows_what_meets_there():
    e = EXAMPLES["merge"].explain()
    lines = dict(zip((n.name for n in e.nodes), picture(e).boxes))["y"]
    assert [line.text for line in lines if line.kind == "gradient"] == ["Σ 6 + 12", "▲ dL/dy = 18"]


def test_names_are_escaped_and_wide_ones_fit():
    w = cr.tensor(3.0, requires_grad=True, name="<重み & \x07>")
    drawn = picture(cr.explain(w * w))
    check_places(drawn.places)
    assert "<重み & �>" in "".join(ET.fromstring(drawn.svg()).itertext())
    assert text_width("重み") > text_width("abc")


def test_infinite_and_missing_numbers_are_drawn():
    w = cr.tensor([0.0, -1.0], requires_grad=True, name="w")
    with np.errstate(all="ignore"):
        drawn = picture(cr.explain(cr.sum(cr.log(w))))
    check_places(drawn.places)
    assert "nan" in drawn.svg()


def test_the_file_is_the_same_in_every_encoding():
    assert EXAMPLES["two-layer"].explain().svg().isascii()  # a terminal or a system without UTF-8 writes it as well


def graph(seed, count):
    rng = np.random.default_rng(seed)
    edges = [Edge(int(u), v, (30.0, 16.0) if rng.random() < 0.7 else None, float(rng.random()))
             for v in range(1, count) for u in rng.choice(v, size=min(v, int(rng.integers(0, 4))), replace=True)]
    return [(float(rng.uniform(20, 120)), float(rng.uniform(16, 90))) for _ in range(count)], edges


@pytest.mark.parametrize("seed", range(12))
def test_every_edge_points_down_one_layer_or_more(seed):
    sizes, edges = graph(seed, 3 + 3 * seed)
    places = layout(sizes, edges)
    check_places(places)
    for e, label in zip(edges, places.labels):
        upper, lower = places.boxes[e.upper], places.boxes[e.lower]
        assert places.layer[e.upper] < places.layer[e.lower]
        assert upper.bottom + BETWEEN <= lower.top
        assert label is None or upper.bottom < label.top < label.bottom < lower.top


def test_a_tree_is_drawn_without_crossings():
    edges = [Edge(u, u // 2 + 32, (20.0, 16.0)) for u in range(62)]
    layers = Layers([(40.0, 40.0)] * 63, edges)
    layers.order()
    assert layers.crossings() == 0


CHAIN = [Edge(k, k + 1, (30.0, 16.0)) for k in range(1999)]
LADDER = [Edge(k, n, (30.0, 16.0)) for k in range(1998) for n in (k + 1, k + 2)]
TIED = [Edge(k, k + 1, (30.0, 16.0)) for k in range(1, 1999)] + [Edge(0, k, (30.0, 16.0)) for k in range(2, 2000)]


@pytest.mark.parametrize("edges", [CHAIN, LADDER, TIED], ids=["chain", "ladder", "tied weight"])
def test_two_thousand_boxes_take_work_in_proportion(edges):
    layers = Layers([(80.0, 60.0)] * 2000, edges)
    assert len(layers.sizes) <= 2000 + len(edges) + 2 * 2000
    layers.order()
    assert max(map(len, layers.layers)) <= 6


def test_the_command_line_draws(capsys):
    assert main(["explain", "--example", "neuron", "--format", "svg"]) in (0, None)
    assert capsys.readouterr().out == EXAMPLES["neuron"].explain().svg()
    assert json.loads(EXAMPLES["neuron"].explain().json())["loss"] in EXAMPLES["neuron"].explain().svg()


def test_a_long_chain_with_a_bias_at_every_step_runs_straight_down():
    main = [Edge(2 * k, 2 * k + 2, (30.0, 16.0)) for k in range(100)]
    biases = [Edge(2 * k + 1, 2 * k + 2, (30.0, 16.0)) for k in range(100)]
    places = layout([(80.0, 60.0)] * 201, main + biases)
    assert places.width < 5 * 80
