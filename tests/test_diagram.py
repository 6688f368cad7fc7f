"""Steps tell a gradient in the order in which it comes to be; a diagram shows it whole in a terminal."""
import re
from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
import test_element as networks
from chainrule.errors import ArgumentError
from chainrule.explanation.faces import boxes as drawing
from chainrule.explanation.faces.canvas import JOINTS, Canvas, columns
from chainrule.explanation.faces.channel import routed
from chainrule.explanation.faces.diagram import diagram
from chainrule.explanation.faces.rails import COMPUTED, Lanes, in_order, rails
from chainrule.explanation.faces.steps import edges_into, progress, steps
from chainrule.explanation.faces.text import array_cell
from chainrule.explanation.language.examples import EXAMPLES
from test_picture import CASES

DEEP = {f.__name__: lambda f=f: cr.explain(f()[0]) for f in networks.NETWORKS if f is not networks.lstm}
WIDTHS = (20, 33, 60, 80, 200)


@pytest.fixture(scope="module", params={**CASES, **DEEP})
def e(request):
    return {**CASES, **DEEP}[request.param]()


# ---------------------------------------------------------------------------------------- steps
def test_the_steps_are_the_values_then_the_seed_then_the_edges_of_the_sweep(e):
    told = steps(e)
    assert [s.number for s in told] == list(range(1, len(told) + 1))
    assert {s.count for s in told} == {len(told)}
    assert [s.kind for s in told] == sorted((s.kind for s in told), key=["given", "value", "seed", "edge"].index)
    assert [s.node for s in told if s.kind == "value"] == [n.id for n in e.nodes if n.kind == "operation"]
    assert [s.edge for s in told if s.kind == "edge"] == [edge.id for edge in e.edges]


def test_a_step_needs_nothing_that_is_not_known_before_it(e):
    told, edges = steps(e), {edge.id: edge for edge in e.edges}
    for k, step in enumerate(told):
        known = progress(e, told[:k])
        if step.kind == "value":
            assert known.values >= set(e[step.node].arguments)
            assert step.node not in known.values
        if step.kind == "edge":
            assert edges[step.edge].result in known.gradients
            assert step.node not in known.gradients
    known = progress(e, told)
    assert known.values == {n.id for n in e.nodes}
    assert known.gradients == {n.id for n in e.nodes if n.gradient is not None}
    assert known.edges == set(edges)


def test_what_has_arrived_and_what_is_owed_are_together_all_that_comes(e):
    into = edges_into(e)
    for step in steps(e):
        if step.kind == "edge" and len(into[step.node]) > 1:
            assert len(step.arrived) + len(step.owed) == len(into[step.node])
            assert len({name for name, _ in step.arrived} | set(step.owed)) == len(into[step.node])
            assert (not step.owed) == bool(step.known)
            assert step.arrived[-1][1] is step.result
            for (_, total), merge in zip(step.known, [m for m in e.merges if m.node == step.node]):
                np.testing.assert_array_equal(total, merge.total)
        else:
            assert (step.arrived, step.owed) == ((), ())


def test_the_text_of_a_step_has_its_result_and_its_width(e):
    for step in steps(e):
        page = step.text(60)
        shown = step.known if step.kind == "given" else [("", step.result)]
        assert str(step) == step.text()
        for name, value in shown:
            assert "".join(f"{name} = {array_cell(value)}".split()) in "".join(page.split())
        rows = [line for _, value in shown for line in array_cell(value).split("\n")]
        assert all(len(line) <= 60 or any(row in line for row in rows) for line in page.split("\n"))


def test_the_lines_of_a_neuron():
    told = steps(EXAMPLES["neuron"].explain())
    assert [s.line for s in told[:1] + told[3:4] + told[6:7] + told[9:10]] == [
        "given: x = 2, w = 3, b = 1, y = 5", "v2 = relu(z) = relu(7) = 7", "dL/dL = 1", "z ← v2: dL/dv2 × (z > 0) = 4 × 1 = 4"]


def test_a_merge_says_what_is_owed_and_then_what_it_comes_to():
    pages = [step.text() for step in steps(EXAMPLES["merge"].explain()) if step.name.startswith("y")]
    assert "Arrived: 6 from v. Still owed: from u." in pages[0]
    assert "18" not in pages[0]
    assert "All have arrived: 6 from v, 12 from u.\n  dL/dy = 6 + 12 = 18" in pages[1]


def test_a_result_that_uses_a_value_twice_owes_by_argument():
    first = next(step for step in steps(EXAMPLES["gates"].explain()) if step.kind == "edge")
    assert first.name == "s ← L (argument 1)"
    assert first.owed == ("L (argument 2)",)


# ---------------------------------------------------------------------------------------- the diagram
@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_diagram_is_never_wider_than_the_page(e, width, ascii):
    page = diagram(e, width, ascii=ascii)
    assert max(map(columns, page.split("\n"))) <= width
    assert page.isascii() or not ascii


CORNERS = "╭┌╔"
SIDES = {"╭": "│", "┌": "│╎", "╔": "║"}
FLOORS = {"╭": ("╰", "╯"), "┌": ("└", "┘"), "╔": ("╚", "╝")}


def boxes(lines):
    """What is written in each box whose border is whole; arrows and lines may touch it."""
    for y, line in enumerate(lines):
        for top in re.finditer(r"[╭┌╔][─═╌▼]{3,}[╮┐╗]", line):
            x, right, corner = top.start(), top.end() - 1, line[top.start()]
            low = next((r for r in range(y + 1, len(lines)) if lines[r][x:x + 1] not in SIDES[corner]), None)
            floor = lines[low][x:right + 1] if low is not None else ""
            if (floor[:1], floor[-1:]) == FLOORS[corner] and set(floor[1:-1]) <= set("─═╌┬"):
                inner = [lines[r][x:right + 1] for r in range(y + 1, low)]
                assert all(row[0] == row[-1] and row[0] in SIDES[corner] for row in inner)
                yield "".join("".join(row[2:-2] for row in inner).split())


def layered(e):
    page = diagram(e, 10_000)
    assert COMPUTED not in page
    return page.split("\n")


def test_every_box_is_whole_and_holds_its_name_its_value_and_its_gradient(e):
    found = list(boxes(layered(e)))
    assert len(found) == len(e.nodes)
    for n in e.nodes:
        gradient = "" if n.gradient is None else array_cell(n.gradient)
        holding = [box for box in found if box.startswith("".join(n.name.split()))
                   and "".join(f"▼{array_cell(n.value)}".split()) in box and box.endswith("".join(gradient.split()))]
        assert holding, n.name


def test_every_edge_leaves_a_box_and_enters_one(e):
    lines = layered(e)[3:]
    down = {sign for joint, sign in JOINTS.items() if joint & 2}
    for y, line in enumerate(lines):
        for x, sign in enumerate(line):
            if sign == "▼" and line[x - 1] in "─═╌":
                assert lines[y - 1][x] in down
    entering = sum(len(re.findall("(?<=[─═╌])▼", line)) for line in lines)
    drawn = {(edge.argument, edge.result, edge.position) for edge in e.edges} | {
        (a, n.id, None) for n in e.nodes for a in n.arguments if not any(x.argument == a and x.result == n.id for x in e.edges)}
    assert entering == len(drawn)


def test_every_contribution_stands_at_an_edge(e):
    outside = "\n".join(layered(e)[3:])
    labels = re.findall(r"▲ (?!\S+ =)", outside)
    assert len(labels) == len(e.edges)


def test_no_edge_runs_through_a_box_or_beside_the_middle_of_a_label(e, monkeypatch):
    made = []
    monkeypatch.setattr(drawing, "Canvas", lambda: made.append(Canvas()) or made[-1])
    draw_box = drawing.Boxes.draw_box
    monkeypatch.setattr(drawing.Boxes, "draw_box", lambda self, *rest: made.append(self) or draw_box(self, *rest))
    layered(e)
    canvas, boxes = made[0], made[1]
    for v in range(boxes.layers.count):
        inside = {(x, y) for x in range(boxes.left[v], boxes.left[v] + boxes.width(v))
                  for y in range(boxes.top[v] + 1, boxes.top[v] + boxes.height(v) - 1)}
        assert not inside & set(canvas.joints)
    for v in boxes.layers.label_of.values():
        beside = {(x, y) for x in range(boxes.left[v], boxes.left[v] + boxes.width(v)) if x != boxes.middle(v)
                  for y in range(boxes.top[v], boxes.top[v] + boxes.height(v))}
        assert not beside & set(canvas.joints)


MERGE = """
╭──────────────╮   ╭─────────────╮
│ y            │   │ x           │
│ given        │   │ given       │
│ ▼ 1          │   │ ▼ 2         │
│ Σ 6 + 12     │   │ ▲ dL/dx = 6 │
│ ▲ dL/dy = 18 │   ╰──────┬──────╯
╰─────┬─────┬──╯          │
      │   ▲ 12           ▲ 6
      │     ╰╮       ╭────╯
      │   ┌──▼───────▼──┐
      │   │ u           │
      │   │ = x * y     │
      │   │ = 2 * 1     │
      │   │ ▼ 2         │
      │   │ ▲ dL/du = 6 │
      │   └──────┬──────┘
     ▲ 6        ▲ 6
      ╰──────╮   │
          ┌──▼───▼──────┐
          │ v           │
          │ = u + y     │
"""


def test_the_merge_in_a_terminal():
    assert MERGE in diagram(EXAMPLES["merge"].explain())


def test_a_list_has_every_number_whole(e):
    for width in (30, 80):
        said = "".join("".join(line.lstrip("│○●╰╯├┤┴┼─ ") for line in rails(e, width, str)).split())
        for n in e.nodes:
            for cell in (n.value, *(() if n.gradient is None else (n.gradient,))):
                assert "".join(array_cell(cell).split()) in said


def test_each_value_of_a_list_is_joined_to_all_its_arguments(e):
    nodes = list(in_order(e))
    assert {n.id for n in nodes} == {n.id for n in e.nodes if n.kind == "operation" or any(n.id in m.arguments for m in e.nodes)}
    held = ""
    for n, (first, others) in zip(nodes, Lanes(nodes).rows()):
        at = first.index(COMPUTED if n.kind == "operation" else "○")
        joined = sum(sign in "├┤┴┼╰╯" for sign in first) + (held[at:at + 1] == "│")
        assert joined == len(set(n.arguments))
        held = others


def test_a_page_too_narrow_for_rails_has_none():
    assert "│" not in diagram(EXAMPLES["neuron"].explain(), 20)


def test_a_width_that_is_no_page_is_an_error():
    with pytest.raises(ArgumentError, match="at least 20 columns, not 19"):
        diagram(EXAMPLES["neuron"].explain(), 19)


def test_names_that_would_move_the_cursor_do_not():
    w = cr.tensor(3.0, requires_grad=True, name="a\x1b[2J\x07重")
    for width in (20, 80):
        assert all(line.isprintable() for line in diagram(cr.explain(w * w), width).split("\n"))


@pytest.mark.parametrize("seed", range(40))
def test_edges_between_two_layers_cross_but_never_share_a_piece(seed):
    rng = np.random.default_rng(seed)
    count, room = int(rng.integers(1, 9)), 18
    tops = sorted(map(int, rng.choice(room, count, replace=False)))
    ends = list(map(int, rng.choice(tops if seed % 2 else room, count, replace=False)))  # the same columns: rings
    cut = sorted(map(int, rng.choice(range(1, count + 1), int(rng.integers(1, count + 1)), replace=False)))
    nets = [(top, tuple(ends[a:b])) for top, a, b in zip(tops, [0, *cut], [*cut, count]) if a < b]
    rows, paths = routed(nets)
    taken = {}
    for path in paths:
        for (x0, y0), (x1, y1) in pairwise(path):
            assert x0 == x1 or y0 == y1
            assert min(x0, x1) >= 0
            across = [((x, y0), "across") for x in range(min(x0, x1), max(x0, x1))]
            down = [((x0, y), "down") for y in range(min(y0, y1), max(y0, y1))]
            for piece in across + down:
                taken.setdefault(piece, set()).add(path[0])
    started = {path[0][0] for path in paths if path[0][1] == -1}
    ended = sorted(path[-1][0] for path in paths if path[-1][1] == rows)
    assert started == {top for top, _ in nets}
    assert ended == sorted(end for _, bottoms in nets for end in bottoms)
    assert all(len(owners) == 1 for owners in taken.values())
