"""Slides show a step each, with nothing over anything else and nothing that is not yet computed."""
import re
import xml.etree.ElementTree as ET
from dataclasses import astuple
from itertools import combinations

import numpy as np
import pytest

import chainrule as cr
import test_element as networks
from chainrule.explanation.faces.layout import Box
from chainrule.explanation.faces.picture import FONT, LINE, text_width
from chainrule.explanation.faces.scene import DARK, LIGHT
from chainrule.explanation.faces.slides import slides
from chainrule.explanation.faces.stage import graph
from chainrule.explanation.faces.steps import progress, steps
from chainrule.explanation.faces.text import array_cell
from chainrule.explanation.formulas.writing import text
from chainrule.explanation.language.examples import EXAMPLES
from test_picture import CASES, overlap

SVG = "{http://www.w3.org/2000/svg}"
SHOWN = {**CASES, "a transformer": lambda: cr.explain(networks.transformer_block()[0])}


@pytest.fixture(scope="module", params=SHOWN)
def shown(request):
    e = SHOWN[request.param]()
    return e, [ET.fromstring(slide) for slide in slides(e)]


def words(slide):
    """Each line of text, and where it is: as wide as in the widest of the fonts it asks for."""
    for t in slide.iter(f"{SVG}text"):
        said, size = "".join(t.itertext()), float(t.get("font-size"))
        yield said, Box(float(t.get("x")), float(t.get("y")) - size, text_width(said) * size / FONT, size * LINE / FONT)


def frames(slide):
    """The boxes of nodes and what lies behind labels, as they are painted."""
    for r in slide.iter(f"{SVG}rect"):
        if r.get("rx"):
            yield Box(*(float(r.get(side)) for side in ("x", "y", "width", "height")))


def test_no_two_lines_of_text_overlap_and_all_are_on_the_slide(shown):
    for slide in shown[1]:
        boxes = [box for _, box in words(slide)]
        for a, b in combinations(boxes, 2):
            assert not overlap(Box(a.left, a.top + 0.2, a.width, a.height - 0.4), b)  # places and sizes have one decimal
        assert all(box.left >= 0 and box.right <= 1280 and box.top >= 0 and box.bottom <= 720 for box in boxes)


def test_a_line_is_in_one_box_or_in_none(shown):
    for slide in shown[1]:
        boxes = list(frames(slide))
        assert not any(overlap(a, Box(b.left, b.top + 0.2, b.width, b.height - 0.4)) for a, b in combinations(boxes, 2))
        for said, box in words(slide):
            touching = [frame for frame in boxes if overlap(frame, box)]
            inside = [f for f in touching if f.left <= box.left and box.right <= f.right + 0.2
                      and f.top - 0.2 <= box.top and box.bottom <= f.bottom + 0.2 * FONT]
            assert len(touching) == len(inside) <= 1, said


def test_a_slide_shows_what_is_computed_and_nothing_else(shown):
    e, drawn = shown
    told = steps(e)
    assert len(drawn) == len(told)
    for k, slide in enumerate(drawn, 1):
        known, boxes = progress(e, told[:k]), list(frames(slide))
        inside = "".join("".join(said.split()) for said, box in words(slide) if any(overlap(f, box) for f in boxes))
        whole = len([r for r in slide.iter(f"{SVG}rect") if r.get("rx") and r.get("stroke")]) == len(e.nodes)
        for n in e.nodes if whole else ():
            gradient = "" if n.gradient is None else f"▲{text(n.gradient_name)}="
            assert (n.id in known.gradients) == (bool(gradient) and gradient in inside)
        if whole:
            assert inside.count("▼") == len(known.values)


def test_the_present_step_is_on_its_slide(shown):
    e, drawn = shown
    for step, slide in zip(steps(e), drawn):
        said = [line for line, _ in words(slide)]
        assert step.name in said
        assert f"step {step.number} of {step.count}" in said
        if step.result is not None:
            assert all(any(row in line for line in said) for row in array_cell(step.result).split("\n"))
        assert slide.find(f"{SVG}desc").text == step.text()


def lit(slide, palette):
    return [r for r in slide.iter(f"{SVG}rect") if r.get("fill") in (palette.lit_value, palette.lit_gradient) and r.get("stroke")]


def test_one_box_is_lit_where_one_thing_happens(shown):
    for step, slide in zip(steps(shown[0]), shown[1]):
        assert len(lit(slide, LIGHT)) == 1 or step.kind == "given"


def test_a_graph_drawn_whole_stands_still():
    drawn = [ET.fromstring(slide) for slide in slides(EXAMPLES["gates"].explain())]
    places = [{(r.get("x"), r.get("y")) for r in slide.iter(f"{SVG}rect") if r.get("stroke")} for slide in drawn]
    assert len(places[0]) == len(EXAMPLES["gates"].explain().nodes)
    assert all(here == places[0] for here in places)


def test_of_a_large_graph_each_slide_shows_a_part_and_counts_the_rest():
    e = SHOWN["a transformer"]()
    for step, slide in zip(steps(e), slides(e)):
        root = ET.fromstring(slide)
        boxes = [r for r in root.iter(f"{SVG}rect") if r.get("stroke") and r.get("rx")]
        hidden = re.search(r"(\d+) other values are not drawn", " ".join(said for said, _ in words(root)))
        assert len(boxes) + int(hidden[1]) == len(e.nodes)
        sizes = {float(t.get("font-size")) for t in root.iter(f"{SVG}text")}
        assert min(sizes) > 10, step


def test_what_contributes_nothing_is_dashed():
    e = EXAMPLES["gates"].explain()
    last = ET.fromstring(slides(e)[-1])
    zero = [edge for edge in e.edges if not np.any(edge.contribution)]
    assert len([p for p in last.iter(f"{SVG}path") if p.get("stroke-dasharray")]) == len(zero) == 1


def test_dark_and_light_differ_in_colours_only():
    e = EXAMPLES["merge"].explain()
    for a, b in zip(slides(e), slides(e, dark=True)):
        assert a != b
        assert re.sub("#[0-9a-f]{6}", "", a) == re.sub("#[0-9a-f]{6}", "", b)


def luminance(colour):
    parts = [int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_all_that_lies_behind_it(palette):
    assert len(set(astuple(palette))) == len(astuple(palette))
    for front in (palette.ink, palette.quiet, palette.value, palette.gradient):
        for behind in (palette.paper, palette.box, palette.lit_value, palette.lit_gradient):
            high, low = sorted((luminance(front), luminance(behind)), reverse=True)
            assert (high + 0.05) / (low + 0.05) > 4.5  # Web Content Accessibility Guidelines 2.2, contrast (minimum)


def test_a_slide_is_a_file_of_its_own_in_every_encoding():
    for slide in slides(EXAMPLES["softmax"].explain(open=True)):
        assert slide.isascii()
        root = ET.fromstring(slide)
        assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("1280", "720", "0 0 1280 720")
        assert "http" not in slide.replace("http://www.w3.org/2000/svg", "")
        assert not list(root.iter(f"{SVG}style"))  # programs for slides read no style sheets


def test_the_route_of_an_edge_leads_from_its_box_to_its_other_box():
    for case in CASES.values():
        g = graph(case())
        places = g.stage({n.id for n in g.nodes}, turned=False).places
        index = {n.id: k for k, n in enumerate(g.nodes)}
        for k, (argument, result, _) in enumerate(g.links):
            pieces = [places.segments[s] for s in places.route(k)][::-1]
            upper, lower = places.boxes[index[argument]], places.boxes[index[result]]
            assert pieces[0].start[1] == upper.bottom
            assert upper.left < pieces[0].start[0] < upper.right
            assert pieces[-1].end[1] == lower.top
            assert lower.left < pieces[-1].end[0] < lower.right
            assert [piece.first for piece in pieces] == [True] + [False] * (len(pieces) - 1)
            for a, b in combinations(range(len(pieces)), 2):
                assert pieces[a].end[0] == pieces[b].start[0] or b != a + 1
                assert pieces[a].end[1] <= pieces[b].start[1]
