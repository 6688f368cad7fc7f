"""None, exactly zero, partly zero and tiny are different answers, each with the line that made it so."""
import linecache

import numpy as np
import pytest

import chainrule as cr


def leaf(value, name="w", dtype=np.float64):
    return cr.tensor(np.array(value, dtype), requires_grad=True, name=name)


def code(place):
    """The line of code a place points to."""
    file, number = place.line.rsplit(":", 1)
    return linecache.getline(file, int(number)).strip()


def outside(w):
    with cr.no_grad():
        return w * 3.0  # inside no_grad


KEPT = []


def kept(x):
    """The same value, referenced until the next case."""
    KEPT[:] = [x]
    return x


CUTS = {  # a loss of w and b, the kind of its cut, and what stands on the line of the cut
    "detach": (lambda w, b: cr.sum(w.detach() * b), "detach", "w.detach()"),
    "detach further on": (lambda w, b: cr.sum(kept(cr.exp(w * 2)).detach() * b), "detach", ".detach()"),
    "data": (lambda w, b: cr.sum(w.data * b), "detach", "w.data"),
    "comparison": (lambda w, b: cr.sum(cr.where(w > 0, b, 2.0)), "comparison", "w > 0"),
    "a logical operation": (lambda w, b: cr.sum(cr.where(cr.logical_not(w), b, 2.0)), "comparison", "logical_not(w)"),
    "integer cast": (lambda w, b: cr.sum(w.astype("int64") * b), "integer cast", 'astype("int64")'),
    "argmax": (lambda w, b: cr.sum(cr.argmax(w) * b), "index", "argmax(w)"),
    "stop_gradient": (lambda w, b: cr.sum(cr.stop_gradient(w) * b), "stop_gradient", "stop_gradient(w)"),
    "no_grad": (lambda w, b: cr.sum(outside(w) * b), "no_grad", "# inside no_grad"),
    "numpy": (lambda w, b: cr.sum(np.sqrt(w.numpy() ** 2) * b), "NumPy copy", "w.numpy()"),
    "tolist": (lambda w, b: cr.sum(cr.tensor(w.tolist()) * b), "NumPy copy", "w.tolist()"),
    "item": (lambda w, b: w.max().item() * b, None, None),
    "a cut behind a cut": (lambda w, b: cr.sum(cr.exp(w.detach() * b).detach() * b), None, None),
    "the whole loss cut": (lambda w, b: cr.sum(w * b).detach(), None, None),
    "the loss a constant": (lambda w, b: cr.sum(w.detach() * 3.0), "detach", "w.detach()"),
    "a condition that is a float": (lambda w, b: cr.sum(cr.where(w, b, 2.0)), "where", "cr.where(w, b, 2.0)"),
    "never used": (lambda w, b: cr.sum(b * b), "never used", None),
}


@pytest.mark.parametrize("name", CUTS)
def test_the_cut_between_a_value_and_the_loss_is_named_with_its_line(name):
    f, kind, fragment = CUTS[name]
    cr.cuts.copies.clear()
    w, b = leaf([1.0, -2.0, 3.0]), leaf(0.5, "b")
    answer = cr.why(f(w, b), w)
    assert answer.kind == "none"
    assert answer.gradient is None
    assert answer.cuts
    assert "None" in answer.text()
    assert all(len(line) <= 80 for line in answer.text().splitlines())
    if kind:
        assert [c.kind for c in answer.cuts] == [kind]
    if fragment:
        assert fragment in code(answer.cuts[0])
        assert answer.cuts[0].sure
        assert answer.cuts[0].path[0] == "w"
        assert f"[{kind}" in answer.text().replace("[numpy()", "[NumPy copy").replace("[tolist()", "[NumPy copy")
        assert "-/->" in answer.text()


def test_a_cut_whose_far_side_is_gone_is_only_possible():
    w, b = leaf([1.0, 2.0]), leaf(0.5, "b")
    loss = cr.sum((w * 2).detach() * b)
    cut, = cr.why(loss, w).cuts
    assert (cut.kind, cut.sure) == ("detach", False)
    assert ".detach()" in code(cut)
    assert "not known" in cut.says


def test_a_cut_elsewhere_is_not_blamed():
    w, v, b = leaf([1.0, 2.0]), leaf([3.0, 4.0], "v"), leaf(0.5, "b")
    loss = cr.sum(v.detach() * b)
    assert [c.kind for c in cr.why(loss, w).cuts] == ["never used"]
    assert [c.kind for c in cr.why(loss, v).cuts] == ["detach"]


def test_a_value_made_after_the_loss_and_one_that_asks_for_nothing():
    b = leaf(0.5, "b")
    x = cr.tensor([1.0, 2.0], name="x")
    loss = cr.sum(x * b)
    late, constant, copy = cr.why(loss, leaf(1.0)), cr.why(loss, x), cr.why(loss, b.detach())
    assert (late.cuts[0].kind, constant.cuts[0].kind, copy.cuts[0].kind) == ("never used", "not requires_grad", "detach")
    assert "after the loss" in late.cuts[0].says
    assert "requires_grad=True" in constant.text()


def test_two_cuts_in_a_row_are_both_drawn():
    w, b = leaf([1.0, 2.0]), leaf(0.5, "b")
    first = w.detach() * b
    loss = cr.sum(first.detach() * b)
    cut, = cr.why(loss, w).cuts
    assert [s.split(" ")[0] for s in cut.path] == ["w", "[detach", "multiply", "[detach", "multiply", "loss"]
    assert cr.why(loss, w).text().count("-/->") == 2


def test_all_cuts_are_named_also_those_on_one_line():
    w, b = leaf([1.0, 2.0]), leaf(0.5, "b")
    loss = cr.sum(w.detach() * b) + cr.sum((w > 0) * b) + cr.sum(w.astype("int8") * b)
    assert {c.kind for c in cr.why(loss, w).cuts} == {"detach", "comparison", "integer cast"}


def test_a_rule_that_returns_none_is_a_cut():
    @cr.custom_rule(backward=lambda g, y, x: (None,))
    def silent(x):
        return x * 2
    w = leaf([1.0, 2.0])
    loss = cr.sum(silent(w))  # the rule says nothing
    answer = cr.why(loss, w)
    assert (answer.kind, answer.cuts[0].kind) == ("none", "rule")
    assert "silent(w)" in code(answer.cuts[0])


HALF = np.array([False, False, False])
ZEROS = {  # a loss of w = [1, -2, 3], the kind of its zero, and what stands on its line
    "mask off": (lambda w: cr.sum(cr.where(HALF, w, 0.0)), "mask off", "cr.where(HALF"),
    "clip": (lambda w: cr.sum(cr.clip(w, 10.0, 20.0)), "out of bounds", "cr.clip"),
    "maximum": (lambda w: cr.sum(cr.maximum(w, 9.0)), "not chosen", "cr.maximum"),
    "minimum": (lambda w: cr.sum(cr.minimum(-9.0, w)), "not chosen", "cr.minimum"),
    "dead relu": (lambda w: cr.mean(cr.relu(w - 5.0)), "dead relu", "cr.relu"),
    "floor": (lambda w: cr.sum(cr.floor(w * 2.0) * 3.0), "flat", "cr.floor"),
    "round": (lambda w: cr.sum(cr.round(w)), "flat", "cr.round"),
    "sign": (lambda w: cr.sum(cr.sign(w)), "flat", "cr.sign"),
    "an exact zero": (lambda w: cr.sum(cr.exp(w) * 0.0), "zero factor", "* 0.0"),
    "a matrix of zeros": (lambda w: cr.sum(cr.matmul(np.zeros((2, 3)), w)), "zero factor", "np.zeros"),
    "max of another": (lambda w: cr.max(cr.concat([w, np.array([9.0])])), "not chosen", "cr.max"),
    "pooling": (lambda w: cr.sum(cr.max_pool1d(cr.concat([w, [9.0]]).reshape((1, 1, 4)), 4)), "not chosen", "max_pool1d"),
    "never gathered": (lambda w: cr.sum(cr.concat([w, w * 0.0 + 1.0])[3:] * 2.0), None, None),
    "indexed away": (lambda w: cr.sum(cr.concat([w, np.ones(2)])[3:]), "never gathered", "[3:]"),
    "saturated": (lambda w: cr.sum(cr.tanh(w * 1e4)), "saturated", "cr.tanh"),
    "cancelled": (lambda w: cr.sum(w - w), "cancelled", None),
    "dropout": (lambda w: cr.sum(cr.dropout(w, 1.0)), None, None),
    "overwritten": (lambda w: cr.sum(cr.at(w)[:].set(3.0)), "overwritten", ".set(3.0)"),
    "underflow": (lambda w: cr.sum(w * 1e-200) * 1e-200, "underflow", "1e-200"),
    "a slope that is 0": (lambda w: cr.sum((w - w.detach()) ** 2), "zero slope", "** 2"),
}


@pytest.mark.parametrize("name", ZEROS)
def test_the_operation_that_made_a_gradient_exactly_zero_is_named_with_its_line(name):
    f, kind, fragment = ZEROS[name]
    w = leaf([1.0, -2.0, 3.0])
    answer = cr.why(f(w), w)
    assert answer.kind == "zero"
    assert answer.zeros == 3
    assert not answer.gradient.any()
    assert answer.cuts
    assert all(len(line) <= 80 for line in answer.text().splitlines())
    if kind:
        assert [c.kind for c in answer.cuts] == [kind]
    if fragment:
        assert fragment in code(answer.cuts[0])


def test_every_path_that_was_blocked_has_its_place():
    w = leaf([1.0, -2.0, 3.0])
    loss = cr.sum(cr.relu(w - 5.0)) + cr.sum(cr.floor(w)) + cr.sum(w * 0.0)
    assert {c.kind for c in cr.why(loss, w).cuts} == {"dead relu", "flat", "zero factor"}


def test_where_nothing_arrives_the_place_nearer_the_loss_is_named():
    w = leaf([1.0, -2.0, 3.0])
    loss = cr.sum(cr.relu(w)) * 0.0
    assert [c.kind for c in cr.why(loss, w).cuts] == ["zero factor"]


def test_dead_units_of_a_batch_are_counted():
    rng = np.random.default_rng(0)
    weight = leaf(rng.normal(size=(5, 3)), "W")
    bias = leaf([0.0, -100.0, 0.0, -100.0, 0.0], "b")
    x = rng.normal(size=(32, 3))
    loss = cr.mean(cr.relu(cr.matmul(x, weight.mT) + bias))
    loss.backward()
    answer = cr.why(loss, weight)
    assert (answer.kind, answer.zeros, answer.dead) == ("partly zero", 6, (1, 3))
    assert [c.kind for c in answer.cuts] == ["dead relu"]
    assert "all 32 pre-activations of units 1, 3 are <= 0 (2 of 5" in answer.cuts[0].says
    assert cr.why(loss, bias).dead == (1, 3)
    assert weight.grad.numpy()[[1, 3]].tolist() == [[0.0] * 3] * 2


def test_an_input_that_is_always_zero_leaves_a_column_without_gradient():
    weight = leaf(np.ones((2, 3)), "W")
    x = np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 1.0]])
    answer = cr.why(cr.sum(cr.matmul(x, weight.mT) ** 2), weight)
    assert (answer.kind, answer.zeros, answer.dead) == ("partly zero", 2, ())
    assert [c.kind for c in answer.cuts] == ["zero factor"]


def test_rows_of_a_table_that_nobody_asked_for():
    table = leaf(np.ones((6, 2)), "table")
    answer = cr.why(cr.sum(cr.embedding(np.array([0, 3, 3]), table) ** 2), table)
    assert answer.dead == (1, 2, 4, 5)
    assert [c.kind for c in answer.cuts] == ["never gathered"]
    assert "all of rows 1, 2, 4, 5" in answer.text()


def test_a_tiny_gradient_names_what_shrank_it_most():
    w = leaf([0.5, 1.0])
    y = cr.sin(w)
    y = y * 1e-6  # the greatest loss
    y = cr.sigmoid(y) * 0.01
    loss = cr.sum(y)
    answer = cr.why(loss, w)
    assert answer.kind == "tiny"
    assert answer.gradient.all()
    assert "the greatest loss" in code(answer.cuts[0])
    assert "0.01" in code(answer.cuts[1])
    assert "1e-6" in answer.cuts[0].says
    assert cr.why(loss, w, tiny=1e-12).kind == "healthy"


def test_gradients_below_the_normal_numbers_are_said_to_lose_digits():
    w = leaf([1.0, 2.0], dtype=np.float32)
    answer = cr.why(cr.sum(w * 1e-40), w)
    assert answer.kind == "tiny"
    assert answer.cuts[-1].kind == "underflow"


def test_a_healthy_gradient_has_no_cuts():
    w = leaf([1.0, 2.0])
    loss = cr.sum(w * w)
    assert "no sweep has reached it yet" in cr.why(loss, w).text()
    loss.backward()
    answer = cr.why(loss, w)
    assert (answer.kind, answer.cuts, answer.note) == ("healthy", (), "")
    assert w.grad.tolist() == [2.0, 4.0]


def test_an_intermediate_value_can_be_asked_about_and_a_hook_can_be_the_reason():
    w = leaf([1.0, 2.0])
    h = w * 3.0
    h.register_hook(lambda g: g * 0.0)
    loss = cr.sum(h * h)
    assert cr.why(loss, h).cuts[0].kind == "hook"
    assert cr.why(loss, w).kind == "zero"


def test_what_is_not_a_loss_is_refused():
    w = leaf([1.0, 2.0])
    with pytest.raises(cr.errors.NonScalarError, match="2 elements"):
        cr.why(w * 2.0, w)
    with pytest.raises(cr.errors.ArgumentError, match="both tensors"):
        cr.why(cr.sum(w), 3.0)
    for tiny in (-1.0, float("nan"), "1e-7", None):
        with pytest.raises(cr.errors.ArgumentError, match="tiny is a number from 0 on"):
            cr.why(cr.sum(w), w, tiny=tiny)


def test_a_gradient_that_is_not_finite_is_a_question_for_birth():
    w = leaf([0.0, 4.0])
    assert cr.why(cr.sum(cr.sqrt(w)), w).kind == "not finite"
    assert "holds inf. cr.birth(loss) tells where that came from." in cr.why(cr.sum(cr.sqrt(w)), w).headline()
    n = leaf([np.nan, 1.0])
    assert "holds nan." in cr.why(cr.sum(n * n), n).headline()


def test_a_value_without_elements_has_a_gradient_without_elements():
    w = leaf(np.zeros((0, 3)))
    assert "has no elements, as the value has none." in cr.why(cr.sum(w), w).headline()


@pytest.mark.parametrize("prim", [p for p in cr.ops.ALL if p.flows and p.samples], ids=str)
def test_every_operation_with_an_upstream_of_zero_is_followed(prim):
    sample = prim.samples(np.random.default_rng(0))[0]
    if not all(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in sample.args):
        return
    w = leaf(sample.args[0])
    out = prim(w, *sample.args[1:], **sample.params)
    out = out[0] if isinstance(out, tuple) else out
    if not getattr(out, "requires_grad", False):
        return
    answer = cr.why(cr.sum(out) * 0.0, w)
    assert answer.kind == "zero"
    assert "zero factor" in {c.kind for c in answer.cuts}
