"""The player shows the film of a gradient in a real browser: every number in its time, none over another, by pointer or keys."""
import re
from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
from chainrule.explanation.formulas.writing import plain_number
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.explanation.language.explain_formula import explain_formula
from chainrule.explanation.page.file import page_file
from page_in_browser import (
    LARGE,
    LEVELS,
    PHONE,
    boxes,
    chain_document,
    launched,  # noqa: F401  # the fixture "browser"
    levels,
    listed,
    opened,
    state,
    written,
)
from test_element import digits_mlp, lstm
from test_picture import graph

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request, tmp_path_factory):
    """The explanation of a worked example, and the file of its page."""
    one = EXAMPLES[request.param]
    e = one.explain()
    return e, written(tmp_path_factory.mktemp(request.param), e, one.title, one.lesson)


@pytest.fixture(scope="module")
def file_of(tmp_path_factory):
    """Makes the file of a worked example."""
    return lambda name: written(tmp_path_factory.mktemp(name), EXAMPLES[name].explain(), EXAMPLES[name].title)


class Net(cr.nn.Module):
    def __init__(self):
        self.blocks = cr.nn.Sequential(cr.nn.Linear(4, 3), cr.nn.Tanh(), cr.nn.Linear(3, 3))
        self.head = cr.nn.Linear(3, 2)

    def forward(self, x):
        return self.head(x[:, :3] + self.blocks(x))


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """The page of a network of modules."""
    net, rng = Net(), np.random.default_rng(0)
    e = cr.explain(cr.cross_entropy(net(rng.normal(size=(5, 4)).astype("float32")), rng.integers(0, 2, 5)), names={"net": net})
    return e, written(tmp_path_factory.mktemp("modules"), e)


def values(page):
    return {v["name"]: v for v in state(page)["values"]}


# ---------------------------------------------------------------------------------------- every worked example
def test_the_page_plays_to_the_end_and_shows_the_facts(browser, example):
    e, path = example
    with opened(browser, path) as page:
        assert page.inner_text("h1") in {x.title for x in EXAMPLES.values()}
        assert state(page)["step"] == state(page)["last"]  # on load, all is known
        page.select_option("#player select", "32")
        page.click("#player .play")
        page.wait_for_function("!chainrule.state().playing")
        shown = values(page)
        for n in e.nodes:
            assert shown[n.name]["value"] == listed(n.value)
            assert shown[n.name]["gradient"] == (None if n.gradient is None else listed(n.gradient))
        page.click("#player button[aria-label^='Back']")
        assert state(page)["step"] == state(page)["last"] - 1


def test_each_number_in_the_graph_is_written_plainly_and_titled_exactly(browser, example):
    e, path = example
    read = """() => [...document.querySelectorAll('#graph .box [data-ref]')].filter(t => t.querySelector('title'))
        .map(t => [t.dataset.ref, t.firstChild.data.trim(), t.querySelector('title').textContent])"""
    with opened(browser, path, viewport=LARGE) as page:
        seen = set()
        for ref, text, exact in page.evaluate(read):
            kind, key, *element = ref.split("/")
            if kind in ("value", "gradient"):
                array = getattr(e[key], kind)
                number = np.ravel(array)[int(element[0])] if element else np.float64(exact)
                assert (text, exact) == (plain_number(number), repr(number.item()))
                assert element or number in (np.min(array), np.max(array))
                seen.add((kind, key))
        assert {("value", n.id) for n in e.nodes} <= seen
        assert {("gradient", n.id) for n in e.nodes if n.gradient is not None} <= seen


def test_nothing_shows_a_number_before_its_step_and_merges_show_what_has_arrived(browser, example):
    e, path = example
    contribution = {(edge.argument, edge.result): [x for x in e.edges if (x.argument, x.result) == (edge.argument, edge.result)]
                    for edge in e.edges}
    with opened(browser, path) as page:
        steps, known = page.evaluate("chainrule.steps()"), {n.name for n in e.nodes if n.kind != "operation"}
        arrived = {}
        for step in steps:
            page.evaluate("step => chainrule.goTo(step)", step["step"])
            if step["kind"] == "forward":
                known.add(step["box"])
            for name in step["to"]:
                arrived.setdefault(e[name].id, []).append(e[step["box"]].id)
            for name, v in values(page).items():
                assert v["value"] == (listed(e[name].value) if name in known else None)
                from_results = arrived.get(e[name].id, [])
                if name == e.loss:
                    assert (v["gradient"] is None) == (step["kind"] in ("start", "forward"))
                elif not from_results:
                    assert v["gradient"] is None
                elif not v["complete"]:
                    parts = sum(np.asarray(contribution[e[name].id, r][from_results[:k].count(r)].contribution)
                                for k, r in enumerate(from_results))
                    np.testing.assert_allclose(v["gradient"], listed(parts), rtol=1e-12)
                    assert len(v["owed"]) == len(e.edges_into(name)) - len(from_results)
        assert [s["kind"] for s in steps].count("forward") == sum(n.kind == "operation" for n in e.nodes)


def test_at_the_first_step_no_number_is_in_sight_but_what_is_given(browser, example):
    e, path = example
    with opened(browser, path, viewport=LARGE) as page:
        page.keyboard.press("Home")
        for text in page.locator("#graph .box:not(.input):not(.constant) text:not(.name)").all_text_contents():
            assert "·" in text or text.startswith("= "), text
        assert page.locator("#graph .label text").count() == 0
        assert page.locator("#graph g.back > path:not(.none)").count() == 0
        assert page.locator("#graph .box.pending").count() == sum(n.kind == "operation" for n in e.nodes)


def check_places(page):
    rectangles, texts, keys = boxes(page)
    left, top, right, bottom = rectangles.T
    wide = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    high = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    over = np.argwhere(np.triu((wide > 0.01) & (high > 0.01), 1))
    assert not len(over), [(keys[i], keys[j]) for i, j in over[:5]]
    for rectangle, inside, key in zip(rectangles, texts, keys):
        assert np.all(inside[:, :2] >= rectangle[:2] - 1), key
        assert np.all(inside[:, 2:] <= rectangle[2:] + 1), key
    return len(keys)


def test_no_label_is_over_another_at_any_level_in_light_and_dark(browser, example):
    _, path = example
    with opened(browser, path) as page:
        for level in levels(page):
            assert page.evaluate("level => chainrule.level(level)", level) == level
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert check_places(page) > 2
            page.evaluate("chainrule.goTo(Math.round(0.8 * chainrule.state().last))")  # sums that are not complete
            check_places(page)


def test_a_gate_opens_into_its_parts_and_closes(browser, example):
    e, path = example
    gates = {n.inside for n in e.open().nodes if n.inside}
    with opened(browser, path) as page:
        for name in gates:
            before = values(page)
            page.evaluate("name => chainrule.select(name)", name)
            page.click("#panel .actions button:text-is('Open')")
            assert state(page)["frames"] == [name]
            inner = {n.name for n in e.open(name).nodes}
            shown = values(page)
            assert {v["name"] for v in shown.values()} == inner
            assert all(shown[x]["gradient"] == v["gradient"] or np.allclose(shown[x]["gradient"], v["gradient"], atol=1e-12)
                       for x, v in before.items())
            check_places(page)
            page.evaluate("name => chainrule.close(name)", name)
            assert values(page) == before
    assert bool(gates) == (not any(level == "primitives" for level in set(LEVELS) - set(shown_levels(browser, path))))


def shown_levels(browser, path):
    with opened(browser, path) as page:
        return levels(page)


def test_a_phone_needs_no_scrolling_sideways(browser, example):
    e, path = example
    with opened(browser, path, viewport=PHONE) as page:
        for name in (e.loss, *e.gradients):
            page.evaluate("name => chainrule.select(name)", name)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


# ---------------------------------------------------------------------------------------- the film
def test_the_keyboard_alone_can_play(browser, file_of):
    with opened(browser, file_of("merge")) as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # skip to the graph
        assert page.evaluate("document.activeElement.id") == "graph"
        page.keyboard.press("Home")
        assert state(page)["step"] == 0
        for key, step in ((".", 1), (".", 2), (",", 1), ("End", 9), ("Home", 0)):
            page.keyboard.press(key)
            assert state(page)["step"] == step
        page.keyboard.press("Space")
        assert state(page)["playing"]
        page.keyboard.press("Space")
        assert not state(page)["playing"]


def test_the_arrow_keys_walk_along_edges_and_enter_selects(browser, file_of):
    with opened(browser, file_of("merge")) as page:
        page.focus("#graph")
        for key in ("ArrowDown", "ArrowUp", "ArrowUp", "Enter"):
            page.keyboard.press(key)
        assert state(page)["selected"] == "u"  # from L over v
        assert "u; = x * y" in page.text_content("#spoken")
        page.keyboard.press("Escape")
        assert state(page)["selected"] is None


def test_keys_zoom_and_list_themselves(browser, file_of):
    with opened(browser, file_of("merge")) as page:
        def scale():
            return float(re.search(r"scale\(([\d.]+)\)", page.get_attribute("#graph .camera", "transform")).group(1))
        page.focus("#graph")
        page.keyboard.press("0")
        whole = scale()
        page.keyboard.press("+")
        assert scale() > whole
        page.keyboard.press("-")
        page.keyboard.press("-")
        assert scale() < whole
        page.keyboard.press("?")
        assert page.locator("#keys kbd").count() >= 20


def test_a_stop_halts_where_a_gradient_exceeds_it(browser, file_of):
    with opened(browser, file_of("merge")) as page:
        page.click(".stops-menu summary")
        page.fill(".stops-menu input", "10")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        page.select_option("#player select", "32")
        page.click("#player button[aria-label^='First']")
        page.click("#player .play")
        page.wait_for_function("!chainrule.state().playing")
        reached = state(page)["step"]
        shown = values(page)
        assert max(abs(v["gradient"][0]) for v in shown.values() if v["gradient"]) > 10
        page.evaluate("step => chainrule.goTo(step - 1)", reached)
        assert max(abs(v["gradient"][0]) for v in values(page).values() if v["gradient"]) <= 10
        assert "exceeds 10" in page.text_content("#message")
        page.click(".stops-menu summary")
        page.click(".stops li button")
        assert page.locator(".stops li").count() == 0


def test_a_stop_halts_at_a_node_on_both_ways(browser, file_of):
    with opened(browser, file_of("neuron")) as page:
        page.evaluate("chainrule.select('z')")
        page.click("#panel .actions button:text-is('Stop here')")
        page.select_option("#player select", "32")
        page.click("#player button[aria-label^='First']")
        halts = []
        for _ in range(2):
            page.click("#player .play")
            page.wait_for_function("!chainrule.state().playing")
            halts.append(page.evaluate("chainrule.steps()[chainrule.state().step]"))
        assert [h["kind"] for h in halts] == ["forward", "backward"]
        assert halts[0]["box"] == "z"
        assert halts[1]["to"] == ["z"]


def test_the_step_is_told_in_words_and_numbers(browser, file_of):
    with opened(browser, file_of("merge")) as page:
        page.evaluate("chainrule.goTo(7)")
        said = " ".join(page.inner_text("#now").split())
        assert "to y = dL/dv × 1 = 6 × 1 = 6" in said
        assert "1 of 2 contributions have arrived" in said
        assert "Owed: from u" in said
        page.evaluate("chainrule.goTo(9)")
        assert "dL/dy = 6 + 12 = 18" in " ".join(page.inner_text("#now").split())
        assert "△" not in page.text_content("#graph")


# ---------------------------------------------------------------------------------------- details
def test_a_pinned_element_shows_the_terms_of_its_gradient(browser, file_of):
    e = EXAMPLES["two-layer"].explain()
    with opened(browser, file_of("two-layer"), "#node=a1&at=1,0") as page:
        rows = page.locator("table.terms").first.locator("tbody tr").all()
        cells = [[c.inner_text() for c in row.locator("td").all()] for row in rows]
        one = e.element("a1", (1, 0))
        terms = sorted(one.terms, key=lambda t: -abs(t.value))
        assert cells[:-2] == [[f"{t.result}[{','.join(map(str, t.index))}]", plain_number(t.upstream), plain_number(t.local),
                               plain_number(t.value)] for t in terms]
        assert [row[0] for row in cells[-2:]] == ["sum", "gradient of the sweep"]
        assert cells[-2][3] == cells[-1][3] == plain_number(one.gradient)


def test_terms_that_are_not_on_the_page_are_named(browser, tmp_path):
    with opened(browser, written(tmp_path, cr.explain(digits_mlp()[0])), "#node=fc1.weight&at=2,3") as page:
        assert '--of "fc1.weight[2,3]"' in page.inner_text("#sheets")


def test_a_number_under_the_pointer_shows_what_it_was_made_of(browser, file_of):
    with opened(browser, file_of("merge")) as page:
        y = EXAMPLES["merge"].explain()["y"].id
        page.hover(f"#graph [data-ref='gradient/{y}/0']")
        marked = page.locator("#graph .label tspan.origin").all()
        assert sorted(m.evaluate("t => t.firstChild.data") for m in marked) == ["12", "6"]
        assert page.locator("#graph path.mark.origin").count() >= 2
        page.evaluate("chainrule.select('y')")
        page.hover("#item-" + y)
        assert page.locator("#panel .linked").count() >= 2


def test_a_heat_map_is_read_by_pointer_and_keys(browser, file_of):
    e = EXAMPLES["affine-relu"].explain()
    with opened(browser, file_of("affine-relu"), "#node=W") as page:
        page.locator("canvas.map").first.click(position={"x": 20, "y": 10})
        assert state(page)["element"] == 0
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        assert state(page)["element"] == 3
        said = page.inner_text(".readout")
        assert f"W[1,1] = {plain_number(e['W'].value[1, 1])}" in said
        assert plain_number(e["W"].gradient[1, 1]) in said


def test_merges_are_shown_side_by_side(browser, file_of):
    e = EXAMPLES["residual"].explain()
    merge = next(m for m in e.merges if e[m.node].name == "x")
    with opened(browser, file_of("residual"), "#node=x") as page:
        rows = [r.inner_text().split() for r in page.locator("table.branches tbody tr").all()]
        for row, branch in zip(rows, merge.branches, strict=True):
            assert row[1] == branch.role
            assert f"{branch.share:.1%}" in row
            assert f"{branch.angle:.0f}°" in row
        assert f"{merge.cancelled:.1%} of their sizes cancels" in page.inner_text("#sheets")


def test_numbers_are_written_as_on_the_terminal(browser, tmp_path):
    numbers = [12345.03125, 0.00012345, 1e7, 12345670.0, 2.5e-5, -0.1, 1 / 3, 1e22, 5e-324, 123456.5, 0.1 + 0.2, 99999.99995, 7.0,
               1234500000.0]
    x = cr.tensor(np.array(numbers), requires_grad=True, name="x")
    with opened(browser, written(tmp_path, cr.explain(cr.sum(x[:5]) + cr.sum(x[5:10]) + cr.sum(x[10:]), names={"x": x}))) as page:
        for k, number in enumerate(numbers):
            page.evaluate("k => { location.hash = `#node=x&at=${k}` }", k)
            page.wait_for_function("k => chainrule.state().element === k", arg=k)
            shown = page.locator(".readout .number").first
            assert (shown.inner_text(), shown.get_attribute("title")) == (plain_number(number), repr(number))


# ---------------------------------------------------------------------------------------- levels, search, addresses
def test_modules_are_boxes_within_boxes(browser, modules):
    e, path = modules
    groups = {g.name for g in e.groups}
    with opened(browser, path) as page:
        frames = {}
        for level in ("network", "layers", "operations", "primitives"):
            assert page.evaluate("level => chainrule.level(level)", level) == level
            check_places(page)
            frames[level] = state(page)["frames"]
            page.evaluate("chainrule.goTo(0)")
            page.evaluate("chainrule.goTo(1e9)")
        assert frames["network"] == []
        assert set(frames["layers"]) == {g.name for g in e.groups if any(inner.parent == g.id for inner in e.groups)}
        assert groups <= set(frames["operations"])
        assert len(frames["primitives"]) > len(frames["operations"])
        page.evaluate("chainrule.level('network')")
        page.evaluate("chainrule.select('head.weight')")  # what is hidden is uncovered
        assert state(page)["selected"] == "head.weight"
        assert "head" in state(page)["frames"]


def test_a_closed_module_gives_back_what_its_operations_give(browser, modules):
    with opened(browser, modules[1]) as page:
        whole = values(page)
        for level in ("network", "layers"):
            page.evaluate("level => chainrule.level(level)", level)
            for name, v in values(page).items():
                assert v["value"] == whole[name]["value"]
                assert v["gradient"] == whole[name]["gradient"]
                assert v["complete"] == whole[name]["complete"]


def test_a_closed_module_keeps_the_gradients_of_its_parameters_until_it_is_passed(browser, modules):
    e, path = modules
    norm = plain_number(np.linalg.norm(e["blocks.0.weight"].gradient))
    with opened(browser, path) as page:
        page.evaluate("chainrule.level('layers')")
        page.evaluate("chainrule.select('blocks.0')")
        row = page.locator(".sheet.details tr", has_text="blocks.0.weight")
        assert row.inner_text().split()[-1] == norm
        page.keyboard.press(",")
        assert "stays in it" not in page.inner_text("#now")
        assert row.inner_text().split()[-1] == "·"
        page.keyboard.press(".")
        assert "What arrives at blocks.0 stays in it." in page.inner_text("#now")


def test_the_graph_is_moved_zoomed_and_opened_by_pointer(browser, file_of):
    with opened(browser, file_of("sigmoid-neuron")) as page:
        def camera():
            return [float(x) for x in re.findall(r"-?[\d.]+", page.get_attribute("#graph .camera", "transform"))]
        page.keyboard.press("0")
        left, _, scale = camera()
        page.mouse.move(60, 300)
        page.mouse.wheel(0, -200)
        page.wait_for_function("""before => +document.querySelector('#graph .camera').getAttribute('transform')
            .split('scale(')[1].slice(0, -1) > before""", arg=scale)
        at = camera()
        assert abs((60 - at[0]) / at[2] - (60 - left) / scale) < 1e-6  # the point under the pointer stays
        page.mouse.down()
        page.mouse.move(90, 340, steps=4)
        page.mouse.up()
        assert np.allclose(camera(), [at[0] + 30, at[1] + 40, at[2]])
        assert state(page)["selected"] is None  # a drag is no click
        page.keyboard.press("0")
        a = next(v["key"] for v in state(page)["values"] if v["name"] == "a")
        page.click(f"#item-{a} .toggle")
        assert state(page)["frames"] == ["a"]
        page.click("#graph .frame .toggle")
        assert state(page)["frames"] == []
        page.dblclick(f"#item-{a}")
        assert state(page)["frames"] == ["a"]


def test_search_finds_by_name_operation_and_line_and_leads_there(browser, file_of):
    with opened(browser, file_of("neuron")) as page:
        for words, name in (("z", "z"), ("relu", "v2"), ("column 5", "v1")):
            page.keyboard.press("/")
            page.fill("#search", words)
            assert page.locator("#found [aria-selected=true] .name").inner_text() == name
            page.keyboard.press("Enter")
            assert state(page)["selected"] == name
        page.fill("#search", "no such thing")
        assert "Nothing has this name" in page.inner_text("#found")


def test_an_address_leads_back_to_the_same_place(browser, file_of):
    path = file_of("two-layer")
    with opened(browser, path) as page:
        page.evaluate("chainrule.level('operations')")
        page.evaluate("chainrule.open('a1')")
        page.evaluate("chainrule.select('W1')")
        page.locator("canvas.map").first.click(position={"x": 80, "y": 30})
        page.evaluate("chainrule.goTo(11)")
        page.wait_for_function("location.hash.includes('step=11')")
        address, before = page.evaluate("location.hash"), state(page)
    with opened(browser, path, address) as page:
        after = state(page)
        assert {k: after[k] for k in ("level", "step", "selected", "element", "frames", "values")} == {
            k: before[k] for k in ("level", "step", "selected", "element", "frames", "values")}


def test_a_link_to_a_value_brings_it_into_sight(browser, file_of):
    def sides(page, selector):
        return page.eval_on_selector(selector, "e => (r => [r.left, r.top, -r.right, -r.bottom])(e.getBoundingClientRect())")
    with opened(browser, file_of("two-layer"), "#node=W1") as page:
        key = next(value["key"] for value in state(page)["values"] if value["name"] == "W1")
        page.wait_for_timeout(200)  # a page may find its size only after it is ready
        assert all(a >= b for a, b in zip(sides(page, f'#graph [data-item="{key}"]'), sides(page, "#viewport")))


def test_the_browsers_back_button_goes_back(browser, file_of):
    with opened(browser, file_of("merge")) as page:
        for name in ("x", "u"):
            page.evaluate("name => chainrule.select(name)", name)
            page.wait_for_function("name => location.hash.includes(`node=${name}`)", arg=name)
        page.go_back()
        page.wait_for_function("chainrule.state().selected === 'x'")
        page.go_forward()
        page.wait_for_function("chainrule.state().selected === 'u'")


@pytest.mark.parametrize("fragment", [
    "#node=nobody", "#step=99999", "#step=x", "#level=attic", "#open=cellar", "#at=1,2&node=W1&at=9,9", "#%E0%A4%A", "#edge=e999",
    "#node=constructor", "#level=layers"])
def test_what_an_address_asks_for_in_vain_is_said_quietly(browser, file_of, fragment):
    with opened(browser, file_of("two-layer"), fragment) as page:
        assert page.inner_text("#message").startswith("Not on this page: ")
        assert state(page)["boxes"] == 15


# ---------------------------------------------------------------------------------------- large graphs
def test_two_thousand_operations_can_all_be_seen(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_file(chain_document(2000)), encoding="utf-8")
    with opened(browser, path) as page:
        assert state(page)["boxes"] < 300  # runs are closed at first
        page.evaluate("chainrule.level('operations')")
        assert state(page)["boxes"] == 2001
        assert state(page)["drawn"] < 400  # only what is in sight
        page.keyboard.press("0")
        page.wait_for_function("chainrule.state().detail === 'far'")
        assert state(page)["drawn"] < 400
        assert page.locator("#graph *").count() < 2000
        page.evaluate("chainrule.goTo(0)")
        assert values(page)["L"]["value"] is None
        page.evaluate("chainrule.goTo(3001)")
        x = values(page)["x"]
        assert (x["complete"], x["gradient"]) == (False, [500.0])
        page.evaluate("chainrule.select('v1000')")
        assert page.is_visible("#item-n1000 .lines")


def test_twenty_thousand_operations_fold_into_runs(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_file(chain_document(20_000)), encoding="utf-8")
    with opened(browser, path) as page:
        assert 10 <= state(page)["boxes"] <= 60
        assert "can be opened" in page.inner_text("#message")
        assert check_places(page) > 20
        page.evaluate("chainrule.select('v12345')")
        assert len(state(page)["frames"]) == 2
        assert page.is_visible("#item-n12345")
        shown = {v["name"]: v for v in state(page)["values"]}
        assert (shown["v12345"]["value"], shown["v12345"]["gradient"]) == ([12346.0], [1.0])
        page.evaluate("chainrule.goTo(0)")
        page.select_option("#player select", "32")
        page.focus("#graph")
        page.keyboard.press("Space")
        page.wait_for_function("chainrule.state().step > 5")
        page.keyboard.press("Space")
        assert not state(page)["playing"]


def test_a_long_recurrent_network_has_every_label_in_its_place(browser, tmp_path):
    with opened(browser, written(tmp_path, cr.explain(lstm()[0]))) as page:
        page.evaluate("chainrule.level('operations')")
        assert check_places(page) > 600
        page.evaluate("chainrule.goTo(Math.round(0.9 * chainrule.state().last))")
        check_places(page)


# ---------------------------------------------------------------------------------------- how it looks and is heard
def test_without_frames_the_layout_is_that_of_pictures(browser, file_of):
    from chainrule.explanation.faces.layout import layout
    with opened(browser, file_of("gears")) as page:
        for seed in range(12):
            sizes, edges = graph(seed, 3 + 4 * seed)
            ours = layout(sizes, edges)
            theirs = page.evaluate("([sizes, edges]) => chainrule.layout(sizes, edges)", [sizes, [
                {"upper": e.upper, "lower": e.lower, "label": e.label, "weight": e.weight} for e in edges]])
            for a, b in zip([*ours.boxes, *ours.labels], [*theirs["boxes"], *theirs["labels"]], strict=True):
                assert (b and [b[k] for k in ("left", "top", "width", "height")]) == (
                    a and pytest.approx([a.left, a.top, a.width, a.height], abs=1e-6))
            for a, b in zip(ours.segments, theirs["segments"], strict=True):
                for point in ("start", "leave", "arrive", "end"):
                    assert b[point] == pytest.approx(getattr(a, point), abs=1e-6)
            np.testing.assert_allclose([theirs["width"], theirs["height"]], [ours.width, ours.height], atol=1e-6)


def luminance(colour):
    channels = np.array([int(c) for c in re.findall(r"\d+", colour)[:3]]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, file_of, scheme):
    read = """name => { const e = document.getElementById('scheme-probe'); e.style.backgroundColor = `var(--${name})`;
        return getComputedStyle(e).backgroundColor }"""
    with opened(browser, file_of("gears"), color_scheme=scheme) as page:
        grounds = [luminance(page.evaluate(read, name)) for name in ("paper", "raised")]
        assert (grounds[0] > 0.5) == (scheme == "light")
        for name in ("text", "quiet", "value", "gradient", "good", "bad"):
            for ground in grounds:  # by the Web Content Accessibility Guidelines 2.2, 1.4.3
                low, high = sorted((luminance(page.evaluate(read, name)), ground))
                assert (high + 0.05) / (low + 0.05) >= 4.5, name
        page.click("#theme")
        assert (luminance(page.evaluate(read, "paper")) > 0.5) != (scheme == "light")


def test_a_page_forbids_itself_the_network(browser, file_of):
    with opened(browser, file_of("merge"), bypass_csp=False) as page:
        page.evaluate("chainrule.goTo(3)")
        assert "default-src 'none'" in page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
        assert state(page)["step"] == 3


def test_motion_is_kept_from_those_who_do_not_want_it(browser, file_of):
    for wish, names in (("reduce", {"none"}), ("no-preference", {"flow"})):
        with opened(browser, file_of("merge"), reduced_motion=wish) as page:
            assert {page.evaluate("getComputedStyle(document.querySelector('#graph path.mark.now')).animationName")} == names


def test_wider_bands_carry_more_and_dashed_ones_nothing(browser, file_of):
    read = """() => [...document.querySelectorAll('#graph g.back > path')].map(p => [
        p.dataset.cord, +p.getAttribute('stroke-width'), p.classList.contains('zero')])"""
    sizes = {edge.id: float(np.linalg.norm(edge.contribution)) for edge in EXAMPLES["gates"].explain().edges}
    with opened(browser, file_of("gates")) as page:
        found = sorted((sizes[key], width, is_zero) for key, width, is_zero in page.evaluate(read))
        assert all(is_zero == (size == 0) for size, _, is_zero in found)
        for (less, thin, _), (more, wide, _) in pairwise(found):
            assert (less < more) == (thin < wide)


def test_formulas_with_strange_names_stay_text(browser, tmp_path):
    w = cr.tensor(3.0, requires_grad=True, name="<img src=x onerror=alert(1)>&'\"")
    with opened(browser, written(tmp_path, cr.explain(w * w), title="<b>A & B</b>")) as page:
        assert page.inner_text("h1") == "<b>A & B</b>"
        page.evaluate("name => chainrule.select(name)", w.name)
        assert page.inner_text("#panel .title h2").startswith(w.name)
        assert page.locator("#panel img, #graph img").count() == 0


def test_numbers_that_are_not_finite_are_shown(browser, tmp_path):
    with np.errstate(all="ignore"):
        e = explain_formula("sum(log(w))", ["w=[0,-1,2]"])
        path = written(tmp_path, e)
    with opened(browser, path, "#node=w&at=0") as page:
        assert values(page)["L"]["value"] == ["nan"]
        assert "inf" in page.inner_text(".readout")
        check_places(page)
