"""A sweep in any algebra finds what listing all paths one by one would find."""
import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.interpreter import NUMPY, under
from chainrule.explanation.paths.algebra import ALGEBRAS, Wiring
from chainrule.explanation.paths.links import links_of, size_of
from chainrule.explanation.record.trace import rule_of
from chainrule.ops import ALL

close = np.testing.assert_allclose


def leaf(value, name=None):
    return cr.tensor(np.array(value, np.float64), requires_grad=True, name=name)


def random_graph(seed, size=9):
    """A loss of scalars put together at random, with negative slopes, values used again, and closed gates."""
    rng = np.random.default_rng(seed)
    leaves = [leaf(v, f"x{i}") for i, v in enumerate(rng.normal(size=3))]
    values = list(leaves)
    for _ in range(size):
        a, b = (values[i] for i in rng.integers(max(0, len(values) - 5), len(values), 2))
        values.append([lambda a, b: a * b, lambda a, b: a - b, lambda a, b: cr.sin(a) + b, lambda a, b: cr.relu(a) * 2.0 - b,
                       lambda a, b: cr.maximum(a, b)][rng.integers(5)](a, b))
    return values[-1] * values[-2] + sum(leaves), leaves


def all_paths(x, to, product=1.0):
    """The products of the local derivatives along every path, one by one: scalars only."""
    if x is to:
        yield product
    for i, a in enumerate(x.sources):
        if a is not None:
            with under(NUMPY):
                slope = float(rule_of(x, i)(np.ones(()), x.value, *x.values, **x.params))
            if slope:
                yield from all_paths(a, to, product * slope)


def entropy_of(products):
    shares = np.abs(products) / np.abs(products).sum()
    return float(-(shares * np.log(shares)).sum())


BY_LISTING = {
    "gradient": sum, "mass": lambda p: sum(map(abs, p)), "strongest": lambda p: max(map(abs, p)), "count": len,
    "log_mass": lambda p: math.log(sum(map(abs, p))), "log_strongest": lambda p: math.log(max(map(abs, p))),
    "entropy": entropy_of,
}


@pytest.mark.parametrize("name", ALGEBRAS)
def test_every_algebra_finds_what_listing_all_paths_finds(name):
    for seed in range(12):
        loss, leaves = random_graph(seed)
        found = cr.sweep(loss, name)
        for x in leaves:
            close(float(found[x]), BY_LISTING[name](list(all_paths(loss, x))), rtol=1e-10, atol=1e-12)


def network():
    """Two layers on a batch, with broadcasting, indexing, means and a gate that mixes elements."""
    rng = np.random.default_rng(0)
    w1, b1, w2 = (leaf(rng.normal(size=s)) for s in ((5, 3), (5,), (4, 5)))
    h = cr.relu(cr.matmul(rng.normal(size=(6, 3)), w1.mT) + b1)
    z = cr.linear(h, w2, None)
    loss = cr.cross_entropy(z, rng.integers(0, 4, 6)) + cr.mean(z[1:, ::2] ** 2) + cr.sum(cr.softmax(h, axis=1)[0] * b1)
    return loss, (w1, b1, w2)


def test_sums_of_products_are_the_gradient():
    loss, parameters = network()
    loss.backward()
    for t, found in zip(parameters, cr.sweep(loss, wrt=list(parameters))):
        close(found, t.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_an_unused_value_and_a_closed_gate_have_no_paths():
    x, y = leaf(-1.0), leaf(2.0)
    assert cr.sweep(cr.relu(x) + y, "count")[x] == 0
    assert cr.sweep(cr.relu(x) + y, "log_mass", x) == -np.inf
    assert cr.sweep(cr.relu(x) + y, "entropy", x) == 0.0


def test_exponentially_many_paths_take_linear_time():
    x = leaf(1.0)
    y = x
    for _ in range(200):
        y = y + 3.0 * y
    assert cr.sweep(y, "count", x) == 2**200
    close(cr.sweep(y, "log_mass", x), 200 * np.log(4.0), rtol=1e-12)
    close(cr.sweep(y, "entropy", x), 200 * entropy_of(np.array([1.0, 3.0])), rtol=1e-12)


def test_logarithms_do_not_overflow():
    x = leaf(1.0)
    y = x
    for _ in range(400):
        y = y * 1e-3
    assert cr.sweep(y, "mass", x) == 0.0
    close(cr.sweep(y, "log_mass", x), 400 * np.log(1e-3), rtol=1e-12)


def test_paths_through_a_matrix_product_run_through_its_elements():
    w, v, x = np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([[-1.0, 5.0]]), leaf([0.5, 0.25])
    loss = cr.sum(cr.matmul(v, cr.matmul(w, x)))
    assert cr.sweep(loss, "count", x).tolist() == [2, 2]
    close(cr.sweep(loss, "mass", x), (np.abs(v) @ np.abs(w))[0])
    close(cr.sweep(loss, "strongest", x), (np.abs(v).T * np.abs(w)).max(axis=0))


def test_one_can_bring_an_algebra():
    longest = cr.Algebra("longest", zero=-np.inf, one=0.0, plus=np.maximum, times=np.add, lift=lambda d: np.ones(len(d)))
    x = leaf(2.0)
    assert cr.sweep(cr.sin(cr.exp(x)) * x, longest, x) == 3.0


@pytest.mark.parametrize("prim", ALL, ids=lambda p: p.name)
def test_links_are_the_local_derivatives_of_every_operation(prim):
    """What arrives along the links is what the operation's own rules give."""
    rng = np.random.default_rng(0)
    for sample in prim.samples(rng)[:4]:
        args = [leaf(a) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in sample.args]
        out = prim(*args, **sample.params)
        first = next((o for o in (out if isinstance(out, tuple) else (out,)) if isinstance(o, cr.Tensor) and o.prim), None)
        if first is None or first.size == 0:
            continue
        seed = rng.normal(size=first.shape)
        swept = cr.eager.EAGER.sweep(first, seed)
        weights = {first: seed.ravel()}
        for x in Wiring(first).order:
            for i, a in enumerate(x.sources):
                if a is not None and x in weights and a in swept:
                    arriving = ALGEBRAS["gradient"].through(weights[x], links_of(x, i), size_of(a))
                    weights[a] = weights[a] + arriving if a in weights else arriving
        for a in args:
            if isinstance(a, cr.Tensor) and a in swept:
                close(weights[a].reshape(a.shape), np.asarray(swept[a]), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda x: cr.sweep(cr.sum(x), "sideways"), cr.errors.ArgumentError, "no algebra"),
    (lambda x: cr.sweep(x, "mass"), cr.errors.NonScalarError, "sweep: "),
    (lambda x: cr.sweep(cr.sum(x), "mass", leaf(1.0)), cr.errors.NoPathError, "no path leads"),
    (lambda x: cr.sweep(cr.sum(cr.softmax(x)), "mass"), cr.errors.ArgumentError,
     r"softmax\(float64\[2000\]\) at .*4,000,000 pairs"),
])
def test_what_cannot_be_swept_says_why(call, error, says):
    with pytest.raises(error, match=says):
        call(leaf(np.ones(2000)))
