"""Where a NaN or an infinity was born: the operation, the element, the line, the arithmetic, and a fix that works."""
import linecache

import numpy as np
import pytest

import chainrule as cr

pytestmark = [pytest.mark.filterwarnings("ignore::RuntimeWarning")]  # NumPy's, at the births themselves


def leaf(value, name="x", dtype=np.float64):
    return cr.tensor(np.array(value, dtype), requires_grad=True, name=name)


def single(value):
    return leaf(value, dtype=np.float32)


def code(found):
    file, number = found.line.rsplit(":", 1)
    return linecache.getline(file, int(number)).strip()


def hand_softmax(z):
    e = cr.exp(z)  # e to the scores
    return e / cr.sum(e, axis=-1, keepdims=True)


def hand_cross_entropy(z):
    e = cr.exp(z)  # e to the scores
    return -cr.log(e / cr.sum(e))[0]


def norm(x):
    squares = x * x  # squares of it
    return cr.sqrt(cr.sum(squares))


def gradient_penalty(x):
    loss = cr.sum(cr.sqrt(x) * 2.0)
    loss.backward(create_graph=True)  # slopes of the root
    return cr.sum(x.grad ** 2)


@cr.custom_rule(backward=lambda g, y, x: (g / (x - x),))
def badly_ruled(x):
    return x * 2.0


@cr.custom_rule(backward=lambda g, y, x: (g * (x - x),))
def capped(x):
    return cr.minimum(x, 5.0)


def scaled_up(x):
    return x * 1e300  # the great factor


MASK = np.array([[True, False], [False, False]])
GREAT = np.array([[1e30, 0.0], [1.0, 1.0]], np.float32)
FORWARD = {  # a loss, its operation, its element, what stands on its line, its arithmetic, the fix
    "log of 0": (lambda: cr.sum(cr.log(leaf([1.0, 2.0, 0.0]))), "log", (2,), "cr.log(", "log(0) = -inf", "log(maximum"),
    "log of a negative": (lambda: cr.mean(cr.log(leaf([[1.0, 2.0], [-3.0, 1.0]]))),
        "log", (1, 0), "cr.log(", "log(-3) = nan", "log("),
    "0/0": (lambda: cr.sum(leaf([1.0, 0.0]) / leaf([2.0, 0.0], "b")),
        "divide", (1,), "leaf([1.0, 0.0]) /", "0 / 0 = nan", "where"),
    "1/0": (lambda: cr.sum(1.0 / leaf([2.0, 0.0]) * 3.0), "divide", (1,), "1.0 / leaf", "1 / 0 = inf", "where"),
    "inf - inf": (lambda: cr.sum(leaf([1.0, np.inf]) - cr.tensor([0.0, np.inf])),
        "subtract", (1,), "- cr.tensor", "inf - inf = nan",
                  None),
    "sqrt of a negative": (lambda: cr.sum(cr.sqrt(leaf([4.0, -4.0]))),
        "sqrt", (1,), "cr.sqrt", "sqrt(-4) = nan", "inside the root"),
    "power of 0": (lambda: cr.sum(leaf([1.0, 0.0]) ** -1.5), "pow", (1,), "** -1.5", "0**(-1.5) = inf", "**"),
    "power of a negative": (lambda: cr.sum(leaf([1.0, -8.0]) ** 0.5), "pow", (1,), "** 0.5", "(-8)**0.5 = nan", "**"),
    "norm": (lambda: norm(single([1e20, 1.0])), "multiply", (0,), "# squares of it", "overflows float32", "float64"),
    "exp in float32": (lambda: cr.sum(cr.exp(single([1.0, 1000.0]))),
        "exp", (1,), "cr.exp", "exp(1000) overflows float32", "clip"),
    "softmax by hand": (lambda: hand_softmax(leaf([[0.0, 1.0], [1000.0, 0.0]]))[1, 0], "exp", (1, 0), "# e to the scores",
                        "exp(1000) overflows float64", "softmax(z)"),
    "cross entropy by hand": (lambda: hand_cross_entropy(single([200.0, 1.0])), "exp", (0,), "# e to the scores",
                              "exp(200) overflows float32", "log_softmax(z)"),
    "log of a sum of exp": (lambda: cr.log(cr.sum(cr.exp(leaf([800.0, 1.0])))), "exp", (0,), "cr.exp", "exp(800) overflows",
                            "logsumexp(z)"),
    "log of a softmax": (lambda: cr.sum(cr.log(cr.softmax(leaf([0.0, 2000.0])))), "log", (0,), "cr.log", "log(0) = -inf",
                         "log_softmax(z)"),
    "softmax of nothing": (lambda: cr.sum(cr.softmax(cr.where(MASK, leaf([[1.0, 2.0]]), -np.inf))),
                           "softmax", (1, 0), "cr.softmax", "gives nan", None),
    "a sum that overflows": (lambda: cr.sum(single([3e38, 3e38])) * 0.5, "sum", (), "cr.sum", "overflows float32", "float64"),
    "a matrix product that overflows": (lambda: cr.sum(cr.matmul(GREAT, single([1e30, 1.0]))),
                                        "matmul", (0,), "cr.matmul", "overflows float32", "float64"),
    "acos outside": (lambda: cr.sum(cr.acos(leaf([0.5, 1.5]))), "acos", (1,), "cr.acos", "acos(1.5) = nan", "clip"),
    "behind a mask with the wrong side": (lambda: cr.sum(cr.where(np.array([True, False]), cr.log(leaf([0.0, 0.0])), 1.0)),
        "log", (0,),
                                          "cr.log", "log(0) = -inf", "log("),
    "a NaN made from an infinity computed": (lambda: cr.sum(0.0 * cr.exp(leaf([1.0, 800.0]))), "exp", (1,), "cr.exp",
                                             "exp(800) overflows", "clip"),
}
BACKWARD = {
    "sqrt at 0": (lambda: cr.sum(cr.sqrt(leaf([[1.0, 4.0], [0.0, 9.0]]))),
        "sqrt", (1, 0), "cr.sqrt", "1 × inf (0.5 / sqrt(0))",
                  "inside the root"),
    "norm of a zero difference": (lambda: 3.0 * cr.sqrt(cr.sum(leaf([0.0, 0.0]))),
        "sqrt", (), "cr.sqrt", "3 × inf", "inside the root"),
    "power at 0": (lambda: cr.sum(leaf([4.0, 0.0]) ** 0.5), "pow", (1,), "** 0.5", "1 × inf", "** p"),
    "asin at its end": (lambda: cr.sum(cr.asin(leaf([0.0, 1.0]))), "asin", (1,), "cr.asin", "1 × inf", "clip"),
    "a merge of infinities": (lambda: (lambda x: cr.sum(cr.sqrt(x) - cr.cbrt(x)))(leaf([1.0, 0.0])),
        "cbrt", (1,), "cr.cbrt", "-1 × inf",
                              None),
    "masked on the wrong side": (lambda: (lambda x: cr.sum(cr.where(x >= 0, cr.sqrt(x), 0.0)))(leaf([-1.0, 4.0, 0.0])),
        "sqrt", (2,),
                                 "cr.sqrt", "1 × inf (0.5 / sqrt(0))", "inside the root"),
    "a bad rule": (lambda: cr.sum(badly_ruled(leaf([1.0, 2.0]))),
        "badly_ruled", (0,), "badly_ruled(leaf", "the rule of badly_ruled",
                   "without its own rule"),
    "a product that overflows": (lambda: cr.sum(scaled_up(leaf([1e-300, 2e-300]))) * 1e300,
        "multiply", (0,), "# the great factor",
                                 "1e300 × 1e300 overflows float64", None),
}
OTHERS = {
    "NaN in a leaf": (lambda: cr.sum(leaf([1.0, np.nan]) * 2.0), "given", "x", (1,)),
    "NaN in the data": (lambda: cr.sum(leaf([1.0, 2.0]) * cr.tensor([[1.0, 2.0], [3.0, np.nan]], name="inputs")),
        "given", "inputs", (1, 1)),
    "infinity in the data": (lambda: cr.sum(leaf([1.0, 2.0]) * np.array([1.0, np.inf])), "given", "data", (1,)),
    "a merge that overflows": (lambda: (lambda x: cr.sum(x * 1.5e308 + x * 1.5e308))(leaf([1e-10])), "merge", "x", (0,)),
    "slopes recorded, and differentiated": (lambda: gradient_penalty(leaf([4.0, 0.0])), "forward", "divide", (1,)),
}


@pytest.mark.parametrize("name", [*FORWARD, *BACKWARD])
def test_operation_element_line_and_arithmetic_of_a_birth(name):
    f, operation, index, fragment, arithmetic, fix = {**FORWARD, **BACKWARD}[name]
    found = cr.birth(f())
    assert found.kind == ("forward" if name in FORWARD else "backward")
    assert (found.operation, found.index) == (operation, index)
    assert fragment in code(found)
    assert arithmetic in found.arithmetic
    assert (found.fix is None) == (fix is None)
    if fix:
        assert fix in found.fix.title
        assert np.isfinite([found.fix.loss, found.fix.largest_gradient]).all()
    assert all(len(line) <= 80 for line in found.text().splitlines())
    assert operation in found.text()
    assert operation in found.path
    assert (found.path[0], found.path[-1]) == ((operation, "loss") if name in FORWARD else ("loss", "x"))


@pytest.mark.parametrize("name", OTHERS)
def test_births_in_data_in_merges_and_in_recorded_slopes(name):
    f, kind, operation, index = OTHERS[name]
    found = cr.birth(f())
    assert (found.kind, found.operation, found.index) == (kind, operation, index)
    assert all(len(line) <= 80 for line in found.text().splitlines())


def test_a_hook_can_be_the_place():
    x = leaf([1.0, 2.0])
    h = x * 3.0
    h.register_hook(lambda g: g * np.nan)
    found = cr.birth(cr.sum(h))
    assert (found.kind, found.operation, found.index) == ("hook", "multiply", (0,))


def test_the_earliest_of_several_births_is_named():
    x = leaf([1.0, 0.0, -1.0])
    first = cr.log(x)  # the first one
    loss = cr.sum(first) + cr.sum(1.0 / x) + cr.sum(cr.sqrt(x))
    found = cr.birth(loss)
    assert (found.operation, found.index) == ("log", (1,))
    assert "the first one" in code(found)


HEALTHY = {
    "large values": lambda: cr.sum(leaf([1e150, -1e150]) * 1e150),
    "large in float32": lambda: cr.sum(single([1e37, 2e37])),
    "large gradients": lambda: cr.sum(cr.sqrt(leaf([1e-200, 1.0]))),
    "the engine's softmax": lambda: -cr.log_softmax(leaf([0.0, 1e6]))[0],
    "the engine's logsumexp": lambda: cr.logsumexp(leaf([1e5, 9e4])),
    "exp just below": lambda: cr.sum(cr.exp(single([88.0, 1.0]))),
    "a mask of -inf": lambda: cr.softmax(cr.where(np.array([True, False]), leaf([1.0, 2.0]), -np.inf))[0],
    "a masked logarithm of 0": lambda: cr.sum(cr.where(np.array([False, True]), cr.log(leaf([0.0, 2.0])), 0.0)),
    "1 over a large number": lambda: cr.sum(1.0 / leaf([1e300, 1e-150])),
    "norm at 0": lambda: norm(leaf([0.0, 0.0])),
    "a network": lambda: cr.cross_entropy(cr.relu(cr.matmul(np.ones((4, 3)) * 1e8, leaf(np.ones((3, 5))))), np.arange(4)),
    "an infinity that does not count": lambda: cr.sum(cr.minimum(cr.exp(leaf([1.0, 2000.0])), 5.0)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_with_large_numbers_is_silent(name):
    found = cr.birth(HEALTHY[name]())
    assert (found.kind, found.operation, found.fix) == ("healthy", None, None)
    assert found.text().startswith("Nothing is wrong")


def test_a_value_that_hides_from_the_loss_and_spoils_a_gradient_is_named_where_it_was_born():
    found = cr.birth(cr.sum(capped(cr.exp(leaf([1.0, 800.0])))))
    assert (found.kind, found.operation, found.index) == ("forward", "exp", (1,))
    assert found.path == ("exp", "capped", "sum", "loss")
    assert cr.birth(cr.sum(capped(leaf([1.0, np.nan]) * 1.0))).kind == "given"


FLOWING = [p for p in cr.ops.ALL if p.flows]


@pytest.mark.parametrize("prim", FLOWING, ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, 1e308])
def test_of_every_operation_what_is_not_finite_is_found_and_what_is_finite_is_silent(prim, bad):
    for sample in prim.samples(np.random.default_rng(0))[:1]:
        if not isinstance(sample.args[0], np.ndarray) or sample.args[0].dtype.kind != "f":
            continue
        value = np.array(sample.args[0])
        value.flat[-1] = bad
        try:
            out = prim(x := leaf(value), *sample.args[1:], **sample.params)
        except cr.errors.ChainruleError:  # it refuses such a number
            continue
        out = out[0] if isinstance(out, tuple) else out
        if not getattr(out, "requires_grad", False):
            continue
        loss = cr.sum(out)
        found, answer = cr.birth(loss), cr.why(loss, x)
        gradient = 0.0 if answer.gradient is None else answer.gradient
        assert (found.kind == "healthy") == bool(np.isfinite(loss.value) and np.isfinite(gradient).all())
        if np.isnan(bad) and found.kind != "healthy":
            assert (found.kind, found.operation, found.index) == ("given", "x", tuple(n - 1 for n in value.shape))


def test_a_loss_from_before_a_step_is_asked_with_the_numbers_of_then():
    x = leaf([1.0, np.nan])
    y = leaf([1.0, 0.0], "y")
    given, computed = cr.sum(x * 2.0), cr.sum(cr.log(y))
    x.data, y.data = np.ones(2), np.array([3.0, -1.0])
    assert (cr.birth(given).index, cr.birth(given).arithmetic) == ((1,), "x holds nan: 1 of 2 elements are not finite")
    assert cr.birth(computed).fix.loss == pytest.approx(np.log(1e-12))


def test_a_birth_inside_a_function_with_a_rule_is_named_by_the_operation_in_it():
    @cr.custom_rule(backward=lambda g, y, x: (g / x,))
    def block(x):
        y = x * 2.0
        return cr.log(y) + 1.0  # inside the block
    found = cr.birth(cr.sum(block(leaf([1.0, 0.0]))))
    assert (found.operation, found.index, found.arithmetic) == ("log", (1,), "log(0) = -inf")
    assert "inside the block" in code(found)
    assert found.path == ("log", "add", "block", "sum", "loss")


def test_a_rewrite_is_tried_at_all_places_where_one_is_not_enough():
    x = leaf([1.0, 0.0])
    found = cr.birth(cr.sum(cr.log(x) + cr.log(x * 2.0)))
    assert found.fix.title == "log(maximum(x, 1e-12)), at all 2 places"


def test_what_is_no_recorded_tensor_is_refused():
    with pytest.raises(cr.errors.ArgumentError, match="birth"):
        cr.birth(3.0)
    with pytest.raises(cr.errors.NoPathError, match="requires_grad=True"):
        cr.birth(cr.tensor([1.0]))
    with pytest.raises(cr.errors.NonScalarError, match="2 elements"):
        cr.birth(leaf([1.0, 2.0]) * 2.0)
    assert cr.birth(cr.log(leaf([1.0, 0.0]))).operation == "log"
