"""Transforms nest in any order, keep derivatives of different variables apart, and give back what they were given."""
from __future__ import annotations

import copy
import math
from collections import namedtuple
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.stage import stage
from chainrule.core.type import typeof
from chainrule.errors import ArgumentError, DTypeError, NonScalarError, ShapeError

close = np.testing.assert_allclose
A = np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]])
X = np.array([0.3, -0.7])


# ---------------------------------------------------------------------------------------- nesting
def base(x):
    return cr.sin(2.0 * x) + x * x * x


def derivative(order, x):
    """The derivative of `base` of this order, by hand."""
    polynomial = [x ** 3, 3 * x ** 2, 6 * x, 6.0]
    return 2 ** order * math.sin(2 * x + order * math.pi / 2) + (polynomial[order] if order < 4 else 0.0)


@cr.custom_rule(backward=lambda g, y, x, f: (g * cr.grad(f)(x),))
def by_hand(x, *, f):
    return f(x)


NEST = {  # name: (how many derivatives it takes, the transform of a function of one number)
    "grad": (1, cr.grad),
    "jvp": (1, lambda f: lambda x: cr.jvp(f, x, 1.0)[1]),
    "vjp": (1, lambda f: lambda x: cr.vjp(f, x)[1](1.0)[0]),
    "jacobian forward": (1, lambda f: cr.jacobian(f, mode="forward")),
    "jacobian reverse": (1, lambda f: cr.jacobian(f, mode="reverse")),
    "hessian": (2, cr.hessian),
    "hvp": (2, lambda f: lambda x: cr.hvp(f, x, 1.0)),
    "vmap": (0, lambda f: lambda x: cr.vmap(f)(cr.stack([3.0 * x, x]))[1]),
    "vmap over a closure": (0, lambda f: lambda x: cr.vmap(lambda s: f(x * s))(np.array([2.0, 1.0]))[1]),
    "vmap of a pullback": (1, lambda f: lambda x: cr.vmap(cr.vjp(f, x)[1])(np.array([2.0, 1.0]))[0][1]),
    "checkpoint": (0, cr.checkpoint),
    "checkpoint of a closure": (0, lambda f: lambda x: cr.checkpoint(lambda zero: f(x + zero))(0.0)),
    "stage": (0, lambda f: lambda x: stage(f, typeof(x))(x)),
    "custom rule": (0, lambda f: lambda x: by_hand(x, f=f)),
    "tree": (0, lambda f: lambda x: f(cr.jvp(lambda t: t["a"][0], {"a": [x]}, {"a": [1.0]})[0])),
}


def nested(names):
    f, order = base, 0
    for name in names:
        taken, transform = NEST[name]
        f, order = transform(f), order + taken
    return f, order


@pytest.mark.parametrize("names", list(product(NEST, repeat=2)), ids=" of ".join)
def test_two_transforms_nest_in_every_order(names):
    f, order = nested(names)
    close(f(0.4), derivative(order, 0.4), rtol=1e-9)


TRIPLES = [names for names in product(NEST, repeat=3) if sum(NEST[n][0] for n in names) <= 3]


def test_three_transforms_nest_in_any_order():
    chosen = np.random.default_rng(0).choice(len(TRIPLES), 150, replace=False)
    for names in (TRIPLES[i] for i in chosen):
        f, order = nested(names)
        close(f(0.4), derivative(order, 0.4), rtol=1e-8, err_msg=" of ".join(names))


DIRECTIONS = {name: NEST[name][1] for name in ("grad", "jvp", "vjp", "jacobian forward", "jacobian reverse")}


@pytest.mark.parametrize("outer", DIRECTIONS)
@pytest.mark.parametrize("inner", DIRECTIONS)
def test_perturbations_are_not_confused(outer, inner):
    D, d = DIRECTIONS[outer], DIRECTIONS[inner]
    # J. Siskind and B. Pearlmutter, "Nesting forward-mode AD in a functional framework", 2008: 1, not 2
    assert D(lambda x: x * d(lambda y: x + y)(1.0))(1.0) == 1.0
    assert D(lambda x: x * d(lambda y: x * y)(2.0))(3.0) == 6.0
    assert D(lambda x: d(lambda y: x * x * y * y)(x))(2.0) == 6 * 2.0 ** 2
    assert D(lambda x: d(lambda y: x)(x) + x)(5.0) == 1.0  # the inner derivative of an outer value is 0


def test_a_function_that_returns_functions_keeps_derivatives_apart():
    # O. Manzyuk et al., "Perturbation confusion in forward automatic differentiation of higher-order functions", 2019
    shifted = lambda u: lambda g: lambda x: g(x + u)  # noqa: E731
    slope_in_u = lambda g: lambda x: cr.jvp(lambda u: shifted(u)(g)(x), 0.0, 1.0)[1]  # noqa: E731
    twice = slope_in_u(slope_in_u(lambda x: x * x * x * x))
    close(twice(2.0), 12 * 2.0 ** 2)


def test_five_derivatives_of_one_function():
    f = base
    for order in range(1, 6):
        f = (cr.grad, lambda f: lambda x: cr.jvp(f, x, 1.0)[1])[order % 2](f)
        close(f(0.4), derivative(order, 0.4), rtol=1e-9)


# ---------------------------------------------------------------------------------------- trees
Pair = namedtuple("Pair", "left right")


@dataclass
class Layer:
    weight: object
    bias: object
    kind: str = field(default="dense", metadata={"static": True})


def test_gradients_are_trees_like_their_arguments():
    tree = {"layer": Layer(A, np.ones(3)), "pair": Pair(X, [2.0, (X * 2,)]), "nothing": None}
    g = cr.grad(lambda t: cr.sum(t["layer"].weight @ t["pair"].left + t["layer"].bias)
                + t["pair"].right[0] * cr.sum(t["pair"].right[1][0]))(tree)
    assert isinstance(g["layer"], Layer) and isinstance(g["pair"], Pair) and g["nothing"] is None
    assert g["layer"].kind == "dense"
    close(g["layer"].weight, np.tile(X, (3, 1)))
    close(g["pair"].left, A.sum(0))
    close(g["pair"].right[0], 2 * X.sum())
    close(g["pair"].right[1][0], [2.0, 2.0])


def test_trees_match_by_key_in_any_order():
    value, tangent = cr.jvp(lambda t: t["a"] * t["b"], {"a": 2.0, "b": 3.0}, {"b": 1.0, "a": 0.0})
    assert (value, tangent) == (6.0, 2.0)
    with pytest.raises(ArgumentError, match=r"\{a: \*, b: \*\} and \{a: \*\}"):
        cr.jvp(lambda t: t["a"] * t["b"], {"a": 2.0, "b": 3.0}, {"a": 0.0})


def test_a_named_tuple_is_one_argument():
    value, tangent = cr.jvp(lambda p: p.left * p.right, Pair(2.0, 3.0), Pair(1.0, 0.0))
    assert (value, tangent) == (6.0, 3.0)
    assert isinstance(cr.hvp(lambda p: p.left * p.right, Pair(2.0, 3.0), Pair(1.0, 0.0)), Pair)


def test_stop_gradient_takes_trees():
    g = cr.grad(lambda t: t["a"] * cr.stop_gradient(t)["b"])({"a": 2.0, "b": 3.0})
    assert g == {"a": 3.0, "b": 0.0}


# ---------------------------------------------------------------------------------------- what goes in comes out
def test_tensors_give_tensors_and_arrays_give_arrays():
    f = lambda x: cr.sum(x * x)  # noqa: E731
    for given in (cr.tensor(X), cr.tensor(X, requires_grad=True)):
        for made in (cr.grad(f)(given), cr.vjp(f, given)[1](1.0)[0], cr.jvp(lambda x: x * 2.0, given, given)[1],
                     cr.vmap(cr.sin)(given), cr.jacobian(cr.sin)(given), cr.hessian(f)(given), cr.hvp(f, given, given)):
            assert type(made) is cr.Tensor
    assert type(cr.grad(f)(X)) is np.ndarray
    assert type(cr.grad(lambda x: 3.0)(cr.tensor(1.0))) is cr.Tensor


def test_the_gradient_of_a_leaf_has_a_history_of_its_own():
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    cr.sum(cr.grad(lambda x: cr.sum(x * x * x))(w)).backward()
    assert w.grad.tolist() == [6.0, 12.0]


def test_a_captured_tensor_collects_the_gradient_of_a_gradient():
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    slope = cr.grad(lambda x: cr.sum(w * w * x * x))(cr.tensor([3.0, 4.0]))
    cr.sum(slope).backward()
    close(w.grad.numpy(), 4 * np.array([1.0, 2.0]) * np.array([3.0, 4.0]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_stay(dtype):
    x = X.astype(dtype)
    f = lambda x: cr.sum(cr.sin(x) * 2.0)  # noqa: E731
    for made in (cr.grad(f)(x), cr.jvp(f, x, X)[1], cr.vjp(cr.sin, x)[1](X)[0], cr.jacobian(cr.sin)(x), cr.hessian(f)(x),
                 cr.vmap(cr.grad(cr.sin))(x)):
        assert made.dtype == dtype


# ---------------------------------------------------------------------------------------- grad, vjp, jvp
def test_value_aux_argnums_and_names():
    def loss(w, x, *, power=1.0):
        return cr.sum((w * x) * power), {"product": w * x}

    (value, aux), (gw, gx) = cr.value_and_grad(loss, (0, -1), has_aux=True)(X, 2 * X, power=3.0)
    close(value, 6 * (X * X).sum())
    close(aux["product"], 2 * X * X)
    assert type(aux["product"]) is np.ndarray
    close(gw, 6 * X)
    close(gx, 3 * X)
    assert cr.grad(loss).__name__ == "grad(loss)"


def test_a_pullback_can_be_called_again_and_under_other_transforms():
    value, pullback = cr.vjp(lambda x: {"y": A @ x, "z": cr.sum(x)}, X)
    close(value["y"], A @ X)
    for seed in (1.0, 2.0):
        close(pullback({"z": 0, "y": seed * np.ones(3)})[0], seed * A.sum(0))
    close(cr.vmap(lambda g: pullback({"y": g, "z": 0.0})[0])(np.eye(3)), A)
    close(cr.grad(lambda g: cr.sum(pullback({"y": g, "z": g[0]})[0]))(np.ones(3)), np.add(A.sum(1), [2, 0, 0]))


def test_one_sweep_serves_several_results():
    calls = []

    def f(x):
        y = counted(x, calls=calls)
        return [y * float(k) for k in range(20)]

    close(cr.vjp(f, 2.0)[1]([1.0] * 20)[0], 190.0)
    assert len(calls) == 1


@cr.custom_rule(backward=lambda g, y, x, calls: calls.append(1) or (g,))
def counted(x, *, calls):
    return x * 1.0


def test_a_copied_value_keeps_its_history():
    for duplicate in (copy.copy, copy.deepcopy):
        assert cr.grad(lambda x, duplicate=duplicate: duplicate(x) * 2.0)(1.0) == 2.0
        assert cr.jvp(lambda x, duplicate=duplicate: duplicate(x) * 2.0, 1.0, 1.0)[1] == 2.0
        close(cr.vmap(lambda x, duplicate=duplicate: duplicate(x) * 2.0)(X), 2 * X)


def test_values_without_influence_get_zeros():
    assert cr.grad(lambda x: 3.0)(2.0) == 0.0
    assert cr.grad(lambda t: t["a"] * 2.0)({"a": 1.0, "b": X})["b"].tolist() == [0.0, 0.0]
    assert cr.jvp(lambda x: np.ones(2), 1.0, 1.0)[1].tolist() == [0.0, 0.0]
    close(cr.jacobian(lambda x: np.ones(3))(X), np.zeros((3, 2)))
    assert cr.vjp(lambda x: (cr.argmax(x), cr.sum(x)), X)[1]((0, 1.0))[0].tolist() == [1.0, 1.0]


# ---------------------------------------------------------------------------------------- jacobian and hessian
def tree_function(t, scale):
    return {"lin": A @ t["x"] * scale, "sq": cr.sum(t["x"] * t["x"]) * t["s"]}


@pytest.mark.parametrize("mode", [None, "forward", "reverse"])
def test_a_jacobian_is_a_tree_of_outputs_by_a_tree_of_inputs(mode):
    J = cr.jacobian(tree_function, (0, 1), mode=mode)({"x": X, "s": 2.0}, 3.0)
    by_tree, by_scale = J["lin"]
    close(by_tree["x"], 3 * A)
    close(by_tree["s"], np.zeros(3))
    close(by_scale, A @ X)
    by_tree, by_scale = J["sq"]
    close(by_tree["x"], 4 * X)
    close(by_tree["s"], X @ X)
    assert by_scale.shape == () and by_scale == 0.0


@pytest.mark.parametrize(("rows", "columns"), [(5, 2), (2, 5), (3, 3)])
def test_the_modes_agree_and_the_cheap_one_is_taken(rows, columns):
    W, x = np.random.default_rng(0).normal(size=(rows, columns)), np.linspace(-1, 1, columns)
    evaluations = []

    def f(x):
        evaluations.append(1)
        return cr.sin(W @ x)

    expected = np.cos(W @ x)[:, None] * W
    for mode in ("forward", "reverse", None):
        close(cr.jacobian(f, mode=mode)(x), expected)
    assert len(evaluations) == (4 if rows > columns else 3)


def test_jacobians_of_matrices_have_the_shape_of_the_result_then_of_the_argument():
    assert cr.jacobian(lambda w: w @ X)(A).shape == (3, 3, 2)
    assert cr.jacobian(lambda w: w.mT, mode="forward")(A).shape == (2, 3, 3, 2)


def test_a_hessian_has_blocks_for_every_pair():
    H = cr.hessian(lambda w, b: cr.sum(w * w) * b, (0, 1))(X, 3.0)
    close(H[0][0], 6 * np.eye(2))
    close(H[0][1], 2 * X)
    close(H[1][0], 2 * X)
    close(H[1][1], 0.0)


def test_a_hessian_vector_product_is_that():
    f = lambda x: cr.sum(cr.sin(A @ x) * cr.sum(x * x))  # noqa: E731
    v = np.array([1.0, -2.0])
    close(cr.hvp(f, X, v), cr.hessian(f)(X) @ v)
    both = cr.hvp(lambda a, b: cr.sum(a * a * b), (X, 2 * X), (v, 0 * v))
    close(both[0], 2 * v * 2 * X)
    close(both[1], 2 * v * X)


# ---------------------------------------------------------------------------------------- vmap
def test_axes_of_examples_may_lie_anywhere():
    xs = np.arange(24.0).reshape(2, 3, 4)
    for axis in (0, 1, 2, -1):
        close(cr.vmap(lambda x: x * 2.0, in_axes=axis, out_axes=axis)(xs), 2 * xs)
    close(cr.vmap(lambda x, y: x * y, in_axes=(0, 1))(xs, xs.swapaxes(0, 1)), xs * xs)
    assert cr.vmap(lambda x: x, out_axes=-1)(xs).shape == (3, 4, 2)


def test_constants_come_out_for_every_example():
    out = cr.vmap(lambda x: {"c": 3.0, "x": x, "a": np.arange(2)})(X)
    assert out["c"].tolist() == [3.0, 3.0] and out["a"].tolist() == [[0, 1], [0, 1]]


def test_examples_in_trees_with_shared_weights_and_options():
    def f(weights, example, *, scale):
        return cr.sum(weights["w"] * example.left) * scale + example.right

    batch = Pair(A, np.arange(3.0))
    close(cr.vmap(f, in_axes=(None, 0))({"w": X}, batch, scale=2.0), 2 * A @ X + np.arange(3.0))
    per_example = cr.vmap(cr.grad(f), in_axes=(None, 0))({"w": X}, batch, scale=2.0)
    close(per_example["w"], 2 * A)


def test_batches_nest():
    close(cr.vmap(lambda a: cr.vmap(lambda b: a * b)(X))(A[:, 0]), np.outer(A[:, 0], X))
    close(cr.vmap(cr.vmap(cr.grad(cr.sin)))(A), np.cos(A))


# ---------------------------------------------------------------------------------------- refusals
REFUSED = {
    "the arguments' number": (lambda: cr.grad(lambda x: x, argnums=1)(1.0), ArgumentError, "1 positional argument"),
    "integers": (lambda: cr.grad(lambda t: t["w"][1] * 1.0)({"w": [1.0, 2]}), DTypeError, r"argument 0 at 'w.1' is int64"),
    "integers of the second argument": (lambda: cr.grad(lambda a, b: a * b, 1)(1.0, 2), DTypeError, "argument 1 is int64"),
    "what is no number": (lambda: cr.grad(lambda m: 1.0)([cr.nn.Linear(2, 2)]), DTypeError, "argument 0 at '0' is a Linear"),
    "words in a batch": (lambda: cr.vmap(lambda x: x)("words"), DTypeError, "argument 0 is a str"),
    "a vector": (lambda: cr.grad(lambda x: x)(X), NonScalarError, r"float64\[2\].*jacobian"),
    "a tree": (lambda: cr.grad(lambda x: (x, x))(1.0), NonScalarError, "has_aux"),
    "nothing": (lambda: cr.grad(lambda x: None)(1.0), NonScalarError, "returned None"),
    "an integer": (lambda: cr.grad(lambda x: 3)(1.0), DTypeError, "integers"),
    "no pair": (lambda: cr.grad(lambda x: x, has_aux=True)(1.0), ArgumentError, "has_aux"),
    "a wrong seed": (lambda: cr.vjp(cr.sin, X)[1](np.ones(3)), ShapeError, r"vjp: a gradient of shape \(3,\)"),
    "a wrong tangent": (lambda: cr.jvp(cr.sin, X, 1.0), ShapeError, "jvp: a tangent of shape"),
    "a wrong tree": (lambda: cr.vjp(lambda x: {"y": x}, X)[1](X), ArgumentError, r"vjp: the trees differ: \{y: \*\} and \*"),
    "batch sizes": (lambda: cr.vmap(lambda a, b: a)(X, A), ShapeError, "argument 0 has 2, argument 1 has 3"),
    "a number in a batch": (lambda: cr.vmap(lambda a, b: a * b)(X, 2.0), ShapeError, "argument 1 is a single number.*None"),
    "no examples": (lambda: cr.vmap(lambda a: a, in_axes=None)(X), ArgumentError, "size of the batch"),
    "entries of in_axes": (lambda: cr.vmap(lambda a: a, in_axes=(0, 0))(X), ArgumentError, "2 entries for 1"),
    "an axis of examples": (lambda: cr.vmap(lambda a: a, in_axes=1)(X), ShapeError, "vmap: axis 1 is not there"),
    "a mode": (lambda: cr.jacobian(cr.sin, mode="backward"), ArgumentError, "'forward', 'reverse'"),
    "a jacobian of integers": (lambda: cr.jacobian(lambda x: cr.argmax(x))(X), DTypeError, "jacobian.*integers"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_is_said(what):
    call, error, words = REFUSED[what]
    with pytest.raises(error, match=f"(?s){words}"):
        call()
