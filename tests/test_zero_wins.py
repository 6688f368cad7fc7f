"""Zero wins: a gradient of exactly 0 stays 0 behind an infinite slope, and a finite value never has a NaN for a slope."""
from itertools import product

import numpy as np
import pytest

import chainrule as cr
from accuracy import measurable
from chainrule.core.stage import stage
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError
from references import REFERENCES

# A function, a point where its slope is infinite (or worse), and an ordinary point.
STEEP = [
    (cr.log, 0.0, 2.0), (cr.log2, 0.0, 2.0), (cr.log10, 0.0, 2.0), (cr.log1p, -1.0, 2.0),
    (cr.sqrt, 0.0, 2.0), (cr.cbrt, 0.0, 2.0),
    (cr.reciprocal, 0.0, 2.0), (cr.asin, 1.0, 0.5), (cr.acos, -1.0, 0.5), (cr.acosh, 1.0, 2.0), (cr.atanh, 1.0, 0.5),
    (cr.exp, 1000.0, 1.0), (cr.sinh, 1000.0, 1.0), (cr.exp2, 2000.0, 1.0), (cr.log, np.nan, 1.0), (cr.tanh, np.nan, 1.0),
    (lambda x: 1 / x, 0.0, 2.0), (lambda x: x / 0.0, 0.0, 2.0), (lambda x: x ** -2, 0.0, 2.0), (lambda x: x ** 0.5, 0.0, 2.0),
    (lambda x: cr.pow(x, np.array([0.5, 2.0])), 0.0, 2.0), (lambda x: cr.log(cr.sqrt(x)), 0.0, 2.0),
    (lambda x: cr.sqrt(x * x), 0.0, 2.0), (lambda x: cr.xlogy(3.0, x), 0.0, 2.0), (lambda x: cr.exp(cr.exp(x)), 1000.0, 1.0),
]
NAMES = [f"{getattr(f, 'name', 'lambda')}-{i}" for i, (f, _, _) in enumerate(STEEP)]
pytestmark = [pytest.mark.filterwarnings("ignore::RuntimeWarning")]  # NumPy's, at the steep points themselves


def masked(f, x):
    """The sum of `f` without its steep first point; `where` is told by its condition, never by its value."""
    return cr.sum(cr.where(np.array([False, True]), f(x), 0.0))


@pytest.mark.parametrize("f, steep, plain", STEEP, ids=NAMES)
def test_a_mask_in_front_of_a_steep_point_leaves_clean_gradients(f, steep, plain):
    x = np.array([steep, plain])
    expected = cr.grad(lambda x: cr.sum(f(x) * np.array([0.0, 1.0])))(np.array([plain, plain]))
    tensor = cr.tensor(x, requires_grad=True)
    masked(f, tensor).backward()
    assert tensor.grad.tolist() == [0.0, expected[1]]
    tensor = cr.tensor(x, requires_grad=True)
    f(tensor).backward(np.array([0.0, 1.0]))
    assert tensor.grad.tolist() == [0.0, expected[1]]
    assert cr.grad(lambda x: masked(f, x))(x).tolist() == [0.0, expected[1]]
    assert cr.jvp(lambda x: masked(f, x), x, np.array([1.0, 0.0]))[1] == 0.0
    assert cr.jvp(f, x, np.array([0.0, 1.0]))[1].tolist() == [0.0, expected[1]]
    rows = cr.vmap(cr.grad(lambda x: masked(f, x)))(np.stack([x, x]))
    assert rows.tolist() == [[0.0, expected[1]]] * 2
    program = stage(cr.grad(lambda x: masked(f, x)), typeof(x))
    assert program(x).tolist() == [0.0, expected[1]]


@pytest.mark.parametrize("f, steep, plain", STEEP, ids=NAMES)
def test_a_mask_holds_for_second_derivatives_too(f, steep, plain):
    x, v = np.array([steep, plain]), np.array([1.0, 1.0])
    first = cr.grad(lambda x: masked(f, x))
    for second in (cr.grad(lambda x: cr.sum(first(x) * v))(x), cr.jvp(first, x, v)[1],
                   cr.grad(lambda x: cr.jvp(lambda x: masked(f, x), x, v)[1])(x)):
        assert second[0] == 0.0
        assert np.isfinite(second[1])
    t = cr.tensor(x, requires_grad=True)
    masked(f, t).backward(create_graph=True)
    slope = t.grad
    t.grad = None
    if slope.requires_grad:
        cr.sum(slope).backward()
        assert t.grad[0].item() == 0.0


EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -3.0, 1e300, -1e300, 5e-324, -5e-324, 1000.0, -1000.0)


def at_the_edges(prim, edges):
    """The operation, for each set of options its references name, and every combination of edges as its arguments."""
    for reference in REFERENCES[prim.name]:
        args = tuple(map(np.array, zip(*product(edges, repeat=len(prim.slopes)))))
        try:
            prim(*args, **reference.params)
        except ArgumentError:  # it refuses what lies outside its domain
            inside = np.logical_and.reduce([(a >= low) & (a <= high) for a, (low, high) in zip(args, reference.domain)])
            args = tuple(a[inside] for a in args)
        yield (lambda *args, reference=reference: prim(*args, **reference.params)), args


@pytest.mark.parametrize("prim", measurable(), ids=str)
def test_no_gradient_in_is_no_gradient_out_at_every_edge(prim):
    for f, args in at_the_edges(prim, (*EDGES, np.inf, -np.inf, np.nan)):
        y, pullback = cr.vjp(f, *args)
        for g in pullback(np.zeros_like(y)):
            assert not g.any() and not np.isnan(g).any()
        pushed = cr.jvp(f, args, tuple(map(np.zeros_like, args)))[1]
        assert not pushed.any() and not np.isnan(pushed).any()


@pytest.mark.parametrize("prim", measurable(), ids=str)
def test_where_an_operation_is_finite_its_slope_is_a_number(prim):
    for f, args in at_the_edges(prim, EDGES):
        y, pullback = cr.vjp(f, *args)
        for i, g in enumerate(pullback(np.ones_like(y))):
            wrong = np.isnan(g) & np.isfinite(y)
            assert not wrong.any(), f"argument {i} at {[a[wrong][:3] for a in args]}"


@pytest.mark.parametrize("f", [lambda x: cr.chain(x, 2.0), lambda x: cr.chain(2.0, x), lambda x: cr.chain(x * x, 3),
                               lambda x: cr.chain(x, x)], ids=["number second", "number first", "integer", "itself"])
def test_the_product_of_the_chain_rule_takes_python_numbers(f):
    for x in (np.array(3.0), np.array(3.0, np.float32), np.array([3.0, 0.0])):
        def gradient(x):
            return cr.grad(lambda x: cr.sum(f(x) * x))(x)
        twice = cr.grad(lambda x: cr.sum(gradient(x)))(x)
        assert twice.dtype == x.dtype
        np.testing.assert_allclose(twice, cr.jvp(gradient, x, np.ones_like(x))[1])
        np.testing.assert_allclose(twice, stage(cr.grad(lambda x: cr.sum(gradient(x))), typeof(x))(x))
        np.testing.assert_allclose(cr.vmap(gradient)(np.stack([x, x])), np.stack([gradient(x)] * 2))
