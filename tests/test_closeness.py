"""What noise moves may differ, as far as it moves it, and nothing else may."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stage import Graph, stage
from chainrule.core.type import typeof
from closeness import mismatch, replay


def judged(f: Any, inputs: list[Any], change: Any) -> str | None:
    """What is wrong with the result of `f`, changed."""
    graph: Graph = stage(lambda *args: (f(*args),), *map(typeof, inputs))
    (expected,) = replay(graph, inputs)
    with np.errstate(all="ignore"):
        return mismatch(graph, inputs, [expected], [np.asarray(change(expected), expected.dtype)])


X = np.random.default_rng(0).normal(size=(3, 5))
SCALES = np.array([1e-8, 1e8])
ONE = np.array([1.0])


@pytest.mark.parametrize("f, inputs, change", [
    (lambda x: cr.flip(x), [X], lambda y: np.nextafter(y, 9)),
    (lambda x: cr.maximum(x, 0.5), [X], lambda y: np.nextafter(y, 9)),
    (lambda x: cr.exp(x), [X], lambda y: y * (1 + 20 * np.finfo(float).eps)),
    (lambda x: cr.sum(x, axis=1), [X], lambda y: y + 1e-13),
    (lambda x: x * 3.0, [SCALES], lambda y: y + np.array([1e-15, 0])),
    (lambda x: cr.astype(x, "float32") * 3.0, [SCALES], lambda y: y + np.array([1e-13, 0])),
    (lambda x: x > 0.0, [X], lambda y: ~y),
    (lambda x: cr.argmax(x, axis=1), [X], lambda y: y + 1),
    (lambda x: cr.scan(lambda c, row: (c + row, c * row), np.zeros(5), x)[1], [X], lambda y: y + 1e-13),
    (lambda x: x * (1 << 60), [np.arange(3)], lambda y: y + 1),
    (lambda x: x * 0.0, [np.array([np.inf])], lambda y: np.zeros(1)),
    (lambda x: x * 2.0, [np.array([np.inf])], lambda y: -y),
    (lambda x: cr.mean(x), [np.tile(ONE, 3000)], lambda y: y + 3e-14),
    (lambda x: cr.signbit(x * 2.0), [np.array([np.inf])], lambda y: ~y),
    (lambda x: cr.logaddexp(x, -1.0), [np.array([-0.43])], lambda y: y + 2e-15),
    (lambda x: x * 1e-300, [np.array([1e-23])], lambda y: y + 1e-322),
    (lambda x: cr.log_softmax(x), [np.array([0.0, 36.0])], lambda y: y + 4e-15),
    (lambda x: cr.atan(cr.einsum("i,j->i", x, np.array([0.0, 2.0]))), [np.array([np.nan])], lambda y: np.full(1, np.pi / 2)),
    (lambda x: cr.atan(cr.einsum("i,j->i", x, np.array([1.0, 2.0]))), [np.array([np.inf])], lambda y: -y),
], ids=["what is moved", "what is chosen", "a few steps", "a sum", "what is small beside others", "in float32", "a comparison",
        "a place", "a loop", "large whole numbers", "NaN made a number", "the sign of infinity", "a mean of many",
        "its sign bit", "a logarithm near 0", "the smallest numbers", "a share of nearly 1", "a product of NaN", "infinite sums"])
def test_what_rounding_does_not_explain_is_noticed(f, inputs, change):
    assert judged(f, inputs, lambda y: y) is None
    assert "elements differ" in (judged(f, inputs, change) or "")


def iterated(x: Any) -> Any:
    return cr.scan(lambda c, _: (cr.sin(c * 57.0), c), x, np.zeros(30))[0]


@pytest.mark.parametrize("f, inputs, change", [
    (lambda x: cr.exp(x), [X], lambda y: y * (1 + 3 * np.finfo(float).eps)),
    (lambda x: cr.sum(x, axis=1), [X], lambda y: y + 1e-15),
    (lambda x: cr.sum(cr.ops.centred(x, axis=1), axis=1), [X], lambda y: y * 0),
    (lambda x: cr.sum(cr.ops.centred(x, axis=1)) == 0, [X], lambda y: ~y),
    (lambda x: 1 / cr.sum(cr.ops.centred(x, axis=1)), [X], lambda y: y * -30),
    (lambda x: cr.exp(x) - cr.exp(x * 1.0) > 0, [X], lambda y: y),
    (iterated, [ONE], lambda y: -0.3 * y),
    (lambda x: 1 / cr.maximum(x, 0.0), [-ONE], lambda y: -y),
    (lambda x: cr.ops.sigmoid_cross_entropy(cr.astype(x, "float32"), np.array([0.5])), [ONE], lambda y: y * (1 + 1e-7)),
    (lambda x: x * 0.0, [np.array([np.inf])], lambda y: np.full(1, np.inf)),
    (lambda x: cr.mean(x), [np.tile(ONE, 3000)], lambda y: y + 2e-15),
    (lambda x: cr.signbit(x * 0.0), [np.array([np.inf])], lambda y: ~y),
    (lambda x: cr.logaddexp(x, -1.0), [np.array([-0.43])], lambda y: y + 5e-17),
    (lambda x: x * 1e-300, [np.array([1e-23])], lambda y: y + 5e-324),
    (lambda x: cr.log_softmax(x), [np.array([0.0, 36.0])], lambda y: y + 2e-16),
    (lambda x: cr.atan(cr.einsum("i,j->i", x, np.array([0.0, 2.0]))), [np.array([np.inf])], lambda y: np.full(1, np.pi / 2)),
], ids=["a few steps", "a sum", "a sum that vanishes", "whether it vanishes", "a division by it", "equal numbers",
        "a loop without a digit left", "the sign of a zero", "float32 inside", "infinity for NaN", "a mean of many",
        "the sign of NaN", "a logarithm near 0", "the smallest numbers", "a share of nearly 1", "infinity times a sum"])
def test_what_rounding_explains_is_not(f, inputs, change):
    assert judged(f, inputs, change) is None
