"""A checkpointed function has the gradients it would have had, and computes again instead of remembering."""
from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stage import stage
from chainrule.core.type import Type
from chainrule.eager import EAGER
from chainrule.errors import EscapedError

close = np.testing.assert_allclose
X = np.array([0.3, -0.7])


def leaf(values):
    return cr.tensor(values, requires_grad=True)


def test_captured_parameters_get_their_gradients():
    x, w, b = leaf([1.0, 2.0]), leaf([3.0, -4.0]), leaf(0.5)

    def block(x):
        return cr.sum(cr.tanh(x * w + b) * w)

    def gradients(f):
        for t in (x, w, b):
            t.grad = None
        (f(x) * 3.0).backward()
        return [t.grad.tolist() for t in (x, w, b)]

    assert gradients(cr.checkpoint(block)) == gradients(block)
    assert gradients(cr.checkpoint(cr.checkpoint(block))) == gradients(block)


def test_captured_values_may_depend_on_each_other():
    x = leaf([1.0, 2.0])
    h = x * x
    cr.sum(cr.checkpoint(lambda x: h * x + cr.sum(h))(x)).backward()
    expected = cr.grad(lambda x: cr.sum(x * x * x) + 2 * cr.sum(x * x))(np.array([1.0, 2.0]))
    close(x.grad.numpy(), expected)


def test_only_inputs_are_kept_and_the_rest_is_computed_once_more():
    runs = []

    def deep(x):
        runs.append(1)
        for _ in range(50):
            x = cr.sin(x)
        return x

    x = leaf(0.3)
    y = cr.checkpoint(deep)(x)
    assert len(EAGER.history(y)) == 2
    assert runs == [1]
    y.backward()
    assert runs == [1, 1]
    z = leaf(0.3)
    deep(z).backward()
    assert x.grad.item() == z.grad.item()


def test_trees_and_several_outputs():
    def f(tree, *, scale):
        y = tree["x"] * scale
        return {"sum": cr.sum(y), "y": [y, tree["x"]], "count": 7, "sign": cr.sum(y) > 0}

    x = leaf([1.0, 2.0])
    out = cr.checkpoint(f)({"x": x}, scale=3.0)
    assert out["y"][1] is x and out["count"] == 7 and bool(out["sign"])
    (out["sum"] * 2.0 + cr.sum(out["y"][0] * out["y"][1])).backward()
    assert x.grad.tolist() == [2 * 3 + 3 * 2 * 1, 2 * 3 + 3 * 2 * 2]


def test_an_output_that_is_not_used_costs_nothing():
    x = leaf(2.0)
    a, _ = cr.checkpoint(lambda x: (x * x, x * 5.0))(x)
    a.backward()
    assert x.grad.item() == 4.0


def test_nothing_recorded_nothing_changed():
    assert type(cr.checkpoint(lambda x: x * 2.0)(X)) is np.ndarray
    with cr.no_grad():
        assert not cr.checkpoint(lambda x: x * 2.0)(leaf(1.0)).requires_grad
    constant = cr.tensor([1.0, 2.0])
    x = leaf([3.0, 4.0])
    cr.sum(cr.checkpoint(lambda x: x * constant)(x)).backward()
    assert x.grad.tolist() == [1.0, 2.0]


def test_second_derivatives_through_the_tensor_face():
    def second(f):
        x, w = leaf([1.0, 2.0]), leaf([0.5, -0.5])
        f(x, w).backward(create_graph=True)
        cr.sum(w.grad * w.grad).backward(inputs=[x, w])
        return [t.grad_by_sweep[-1].gradient.tolist() for t in (x, w)]

    def loss(x, w):
        return cr.sum(cr.sin(x * w) * x)

    close(second(cr.checkpoint(loss)), second(loss), rtol=1e-6)


def test_boxes_of_outer_transforms_are_captured():
    def through(wrap):
        return cr.grad(lambda a: cr.grad(lambda b: wrap(lambda c: cr.sin(a * b) * c + a * a * b)(b))(2.0))

    close(through(cr.checkpoint)(0.7), through(lambda f: f)(0.7))
    close(cr.jvp(through(cr.checkpoint), 0.7, 1.0)[1], cr.jvp(through(lambda f: f), 0.7, 1.0)[1])
    close(cr.vmap(through(cr.checkpoint))(X), cr.vmap(through(lambda f: f))(X))


def test_a_chain_of_nested_checkpoints_with_captures_at_every_level():
    def nest(wrap):
        def outer(x):
            h = cr.sin(x) * x

            def middle(y):
                k = y * h

                def inner(z):
                    return cr.sum(z * k * h) * x
                return wrap(inner)(y * y)
            return cr.sum(wrap(middle)(x))
        return wrap(outer)

    close(cr.grad(nest(cr.checkpoint))(1.3), cr.grad(nest(lambda f: f))(1.3))
    close(cr.grad(cr.grad(nest(cr.checkpoint)))(1.3), cr.grad(cr.grad(nest(lambda f: f)))(1.3))
    x, y = leaf(1.3), leaf(1.3)
    nest(cr.checkpoint)(x).backward()
    nest(lambda f: f)(y).backward()
    close(x.grad.item(), y.grad.item(), rtol=1e-6)


def test_python_may_decide_inside():
    def f(x):
        y = x * 1.0
        return x * x if y > 0 and cr.stop_gradient(cr.sum(y)).item() > 0 else -x

    for value in (2.0, -2.0):
        x = leaf(value)
        cr.checkpoint(f)(x).backward()
        assert x.grad.item() == (4.0 if value > 0 else -1.0)
        assert cr.grad(cr.checkpoint(f))(value) == x.grad.item()


def test_gradients_inside_a_checkpoint():
    f = lambda x: cr.grad(lambda y: y * y * x)(x)  # noqa: E731
    assert cr.grad(cr.checkpoint(f))(3.0) == 12.0


def test_a_staged_gradient_computes_again_in_the_program():
    f = cr.checkpoint(lambda x: cr.sin(cr.sin(x)))
    program = stage(cr.grad(f), Type((), np.dtype("float64")))
    program.check()
    close(program(0.4), cr.grad(f)(0.4))
    assert [line.prim.name for line in program.lines].count("sin") >= 3


def test_infinite_slopes_that_do_not_matter_stay_harmless():
    f = cr.checkpoint(lambda x: cr.sum(cr.where(x > 0, cr.sqrt(x), 0.0 * x)))
    x = leaf([0.0, 4.0])
    f(x).backward()
    assert x.grad.tolist() == [0.0, 0.25]


def test_intermediate_values_do_not_outlive_the_function():
    kept = []
    x = leaf(2.0)
    y = cr.checkpoint(lambda x: kept.append(x * x) or x * 3.0)(x)
    with pytest.raises(EscapedError, match="checkpoint"):
        kept[0] * 2.0
    y.backward()
    assert x.grad.item() == 3.0


def test_the_line_of_the_call_is_known_at_the_top_of_a_program_too():
    program = "import chainrule as cr\ny = cr.checkpoint(lambda x: x * 2.0)(cr.tensor(1.0, requires_grad=True))"
    names = {}
    exec(compile(program, "program.py", "exec"), names)
    assert names["y"].line == "program.py:2"
    done = subprocess.run([sys.executable, "-c", program + "; print(y.line)"], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": ":".join(sys.path)})
    assert done.stdout == "<string>:2\n"


def test_checkpointing_leaves_no_trace_on_the_leaves():
    w = leaf([1.0, 2.0])
    cr.sum(cr.checkpoint(lambda x: x * w)(w)).backward()
    assert copy.deepcopy(w).tolist() == [1.0, 2.0]
    assert w.grad.tolist() == [2.0, 4.0]


def test_dropout_drops_the_same_values_again():
    w = leaf(np.ones(1000))
    y = cr.checkpoint(lambda w: cr.dropout(w, 0.5) * w)(w)
    after = cr.random.get_state()
    cr.sum(y).backward()
    assert set(w.grad.tolist()) == {0.0, 4.0}
    assert ((y.numpy() > 0) == (w.grad.numpy() > 0)).all()
    assert cr.random.get_state() == after  # and the stream of random numbers goes on as if nothing had happened
