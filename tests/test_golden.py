"""Programs and formulas written by the engine, kept as text: a refactor leaves them as they are.

After a change that is meant to change them, write them anew with `python tests/test_golden.py`, and read the difference.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stage import Graph, stage
from chainrule.core.type import Type

FOLDER = Path(__file__).parent / "golden"


def f32(*shape: int) -> Type:
    return Type(shape, np.dtype("float32"))


def neuron(x, w, b, y):
    return cr.square(cr.relu(w * x + b) - y)


def layer(x, w, b):
    return cr.tanh(cr.linear(x, w, b))


def two_layers(w1, w2, x):
    return cr.sum(cr.square(cr.tanh(x @ w1) @ w2))


PROGRAMS: dict[str, tuple[Callable[..., object], tuple[Type, ...]]] = {
    "neuron": (neuron, (f32(),) * 4),
    "neuron_gradient": (cr.value_and_grad(neuron, (0, 1, 2)), (f32(),) * 4),
    "neuron_second_derivative": (cr.grad(cr.grad(neuron, 1), 1), (f32(),) * 4),
    "layer_tangent": (lambda x, w, b, t: cr.jvp(lambda x: layer(x, w, b), x, t)[1], (f32(5, 3), f32(2, 3), f32(2), f32(5, 3))),
    "two_layers_gradient": (cr.grad(two_layers, (0, 1)), (f32(3, 4), f32(4, 1), f32(5, 3))),
    "two_layers_per_example": (cr.vmap(cr.grad(two_layers), in_axes=(None, None, 0)), (f32(3, 4), f32(4, 1), f32(5, 3))),
    "two_layers_checkpointed": (cr.grad(cr.checkpoint(two_layers)), (f32(3, 4), f32(4, 1), f32(5, 3))),
    "softmax_cross_entropy_gradient": (cr.grad(lambda z, t: cr.sum(cr.softmax_cross_entropy(z, t))),
                                       (f32(2, 3), Type((2,), np.dtype("int64")))),
}


def formula(values: dict[str, float], loss: Callable[..., object]) -> str:
    named = {name: cr.tensor(v, requires_grad=True, name=name) for name, v in values.items()}
    return cr.explain(loss(**named)).latex()


FORMULAS: dict[str, Callable[[], str]] = {
    "neuron_formula": lambda: formula({"x": 2.0, "w": 3.0, "b": 1.0, "y": 5.0}, neuron),
}


def program(name: str) -> Graph:
    f, types = PROGRAMS[name]
    return stage(f, *types)


def written(name: str) -> str:
    return (str(program(name)) if name in PROGRAMS else FORMULAS[name]()).rstrip() + "\n"


@pytest.mark.parametrize("name", [*PROGRAMS, *FORMULAS])
def test_the_text_is_as_it_was(name):
    assert written(name) == (FOLDER / f"{name}.txt").read_text(), "if this is meant: python tests/test_golden.py"


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_is_sound_and_computes_what_the_function_does(name):
    f, types = PROGRAMS[name]
    graph = program(name)
    graph.check()
    random = np.random.default_rng(0)
    args = [random.normal(size=t.shape).astype(t.dtype) if t.dtype.kind == "f" else random.integers(0, 3, t.shape) for t in types]
    for a, b in zip(leaves(graph(*args)), leaves(f(*args)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def leaves(out):
    return [x for part in out for x in leaves(part)] if isinstance(out, tuple) else [out]


def test_no_text_is_left_over():
    assert {p.stem for p in FOLDER.glob("*.txt")} == {*PROGRAMS, *FORMULAS}


if __name__ == "__main__":
    for name in (*PROGRAMS, *FORMULAS):
        (FOLDER / f"{name}.txt").write_text(written(name))
