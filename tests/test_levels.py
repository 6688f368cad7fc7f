"""A loss can be looked at in modules, in operations, and in the parts of gates: the same numbers at every level."""
import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule.explanation.language.examples import EXAMPLES
from chainrule.scopes import scopes

nn = cr.nn


class Block(nn.Module):
    def __init__(self, width):
        self.fc, self.act = nn.Linear(width, width, dtype="float64"), nn.GELU()

    def forward(self, x):
        return x + self.act(self.fc(x))


class Network(nn.Module):
    def __init__(self):
        self.inward, self.blocks = nn.Linear(4, 8, dtype="float64"), [Block(8), Block(8)]
        self.out = nn.Linear(8, 3, dtype="float64")

    def forward(self, x):
        x = self.inward(x)
        for block in self.blocks:
            x = block(x)
        return self.out(x)


def network_loss(net):
    rng = np.random.default_rng(0)
    return nn.CrossEntropyLoss()(net(rng.normal(size=(5, 4))), np.array([0, 1, 2, 0, 1]))


@pytest.fixture
def net():
    return Network()


def test_calls_of_modules_are_groups_with_dotted_names(net):
    e = cr.explain(network_loss(net), names={"net": net})
    names = {g.id: g.name for g in e.groups}
    tree = {g.name: names.get(g.parent) for g in e.groups}
    assert tree == {"net": None, "inward": "net", "blocks.0": "net", "blocks.0.fc": "blocks.0", "blocks.0.act": "blocks.0",
                    "blocks.1": "net", "blocks.1.fc": "blocks.1", "blocks.1.act": "blocks.1", "out": "net",
                    "CrossEntropyLoss": None}
    assert {g.kind for g in e.groups if g.name.endswith("fc")} == {"Linear"}
    inside = {n.name: names[n.group] for n in e.nodes if n.group}
    assert inside["blocks.1.fc.weight"] == "blocks.1.fc" and inside["loss" if "loss" in inside else "L"] == "CrossEntropyLoss"
    assert [n.name for n in e.nodes if n.group is None] == ["c1", "c2"]  # the data


def test_every_value_is_in_one_group_and_groups_nest(net):
    e = cr.explain(network_loss(net))
    listed = [i for g in e.groups for i in g.nodes]
    assert len(listed) == len(set(listed)) == sum(n.group is not None for n in e.nodes)
    seen = set()
    for g in e.groups:
        assert g.parent is None or g.parent in seen
        seen.add(g.id)


def test_parameters_go_by_their_dotted_names_without_being_named(net):
    e = cr.explain(network_loss(net))
    assert set(e.gradients) == {name for name, _ in net.named_parameters()}
    assert e.element("blocks.0.fc.weight", (2, 3)).residual < 1e-12


def test_a_name_that_somebody_gave_is_kept(net):
    net.out.bias.name = "offset"
    assert "offset" in cr.explain(network_loss(net)).gradients


def test_parameters_of_several_networks_are_told_apart():
    one, two = nn.Linear(2, 2), nn.Linear(2, 2)
    loss = two(one(np.ones((1, 2), "float32"))).sum()
    assert set(cr.explain(loss, names={"one": one, "two": two}).gradients) == {"one.weight", "one.bias", "two.weight", "two.bias"}


def test_each_call_of_a_cell_is_a_group_of_its_own():
    cell = nn.Linear(3, 3)
    h = np.ones((1, 3), "float32")
    for _ in range(4):
        h = cr.tanh(cell(h))
    e = cr.explain(h.sum())
    assert [(g.call, g.calls) for g in e.groups] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert e["weight"].group is None  # it is used in all of them


def test_named_scopes_nest_like_modules(net):
    x = cr.tensor([1.0, 2.0], requires_grad=True, name="x")
    with cr.named_scope("outer"):
        with cr.named_scope("inner"):
            y = x * x
        z = y + x
    e = cr.explain(z.sum())
    assert [(g.name, g.kind, g.parent) for g in e.groups] == [("outer", "scope", None), ("inner", "scope", "g0")]
    assert [n.group for n in e.nodes] == [None, "g1", "g0", None]


def test_what_records_nothing_leaves_no_scope(net):
    before = len(scopes)
    with cr.no_grad():
        net(np.ones((1, 4)))
    assert len(scopes) == before


def test_a_network_that_is_gone_is_still_drawn_in_boxes():
    loss = network_loss(Network())
    import gc
    gc.collect()
    assert [g.kind for g in cr.explain(loss).groups][:2] == ["Network", "Linear"]


def test_two_threads_at_once_give_no_boxes_rather_than_wrong_ones():
    barrier, results = threading.Barrier(2), {}

    def work(key):
        x = cr.tensor(1.0, requires_grad=True, name=key)
        with cr.named_scope(key):
            for _ in range(20):
                barrier.wait()
                x = x * 1.5
        results[key] = x
    threads = [threading.Thread(target=work, args=(key,)) for key in "ab"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(cr.explain(x).groups == () for x in results.values())


def test_a_gate_opens_into_its_parts_and_closes_again(net):
    e = cr.explain(network_loss(net))
    gate = next(n.name for n in e.nodes if n.operation == "gelu")
    opened = e.open(gate)
    assert {n.inside for n in opened.nodes} == {None, gate} and opened.opened == {gate}
    assert [n.name for n in opened.nodes if n.inside is None] == [n.name for n in e.nodes]
    assert [n.name for n in opened.close(gate).nodes] == [n.name for n in e.nodes]
    assert {n.group for n in opened.nodes if n.inside} == {e[gate].group}


@pytest.mark.parametrize("levels", [(), ("two",), ("all",)], ids=["closed", "some open", "all open"])
def test_gradients_are_the_same_at_every_level(net, levels):
    e = cr.explain(network_loss(net))
    some = [n.name for n in e.nodes if n.opens][:2]
    at_level = e.open(*some) if levels == ("two",) else e.open() if levels else e
    for name, gradient in e.gradients.items():
        np.testing.assert_allclose(at_level.gradients[name], gradient, rtol=1e-12, atol=1e-15)
    for n in e.nodes:
        if n.gradient is not None and not isinstance(n.gradient, tuple):
            np.testing.assert_allclose(at_level[n.name].gradient, n.gradient, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_closed_again_is_what_it_was(name):
    e = EXAMPLES[name].explain()
    again = e.open().close()
    assert [n.name for n in again.nodes] == [n.name for n in e.nodes]
    assert again.text() == e.text()


def test_what_has_no_parts_says_so(net):
    e = cr.explain(network_loss(net))
    with pytest.raises(cr.errors.ArgumentError, match=r"'v4' has no parts.*Gates with parts: v1"):
        e.open("v4")
    with pytest.raises(cr.errors.ArgumentError, match="'nothing' is no value here"):
        e.close("nothing")


def test_a_residual_connection_tells_the_skip_from_the_block(net):
    e = cr.explain(network_loss(net))
    roles = [[b.role for b in m.branches] for m in e.merges]
    assert roles == [["skip", "block"]] * 2
    assert "v7, skip" in e.text() and '"role": "block"' in e.json()
    q = cr.tensor(2.0, requires_grad=True, name="q")
    assert [b.role for b in cr.explain(q * q + q * 3.0).merges[0].branches] == [None] * 3
