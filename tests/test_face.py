"""Methods are operations: `x.exp()` is `cr.exp(x)`, on every kind of value."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.core.interpreter import Box
from chainrule.core.stage import stage
from chainrule.core.type import typeof
from chainrule.errors import ShapeError
from chainrule.ops.face import ALIASES, METHODS

x = np.random.default_rng(0).uniform(0.1, 0.9, (3, 3))
ARGUMENTS = {
    "pow": (2.0,), "clip": (0.2, 0.5), "clamp": (0.2, 0.5), "allclose": (x,), "matmul": (x,), "dot": (x,),
    "astype": (np.float32,),
    "moveaxis": (0, 1), "swapaxes": (0, 1), "roll": (1,), "repeat": (2,), "split": (3,), "take": ([2, 0],), "maximum": (0.5,),
    "gather": (1, np.array([[0, 2]])), "scatter": (1, np.array([[0, 2]]), x), "scatter_add": (1, np.array([[0, 2]]), x),
    "masked_fill": (x > 0.5, 0.0), "minimum": (0.5,), "unsqueeze": (1,), "topk": (2,),
    **dict.fromkeys(["add", "subtract", "multiply", "divide", "sub", "mul", "div"], (2.0,)),
}


def leaves(found):
    return [np.asarray(part) for part in (found if isinstance(found, tuple | list) else [found])]


@pytest.mark.parametrize("name, operation", [*((f.__name__, f) for f in METHODS), *ALIASES.items()],
                         ids=lambda n: n if type(n) is str else "")
def test_a_method_is_the_operation_of_its_name(name, operation):
    arguments = ARGUMENTS.get(name, ())
    for method, function in zip(leaves(getattr(cr.tensor(x), name)(*arguments)), leaves(operation(x, *arguments))):
        np.testing.assert_array_equal(method, function)
    assert getattr(Box, name).__doc__, "help(x.method) says what it does"
    if name not in ALIASES:
        assert getattr(cr, name) is operation or name == "stop_gradient"


OPERATORS = [
    lambda a: a + 2, lambda a: 2 - a, lambda a: a * a, lambda a: 1 / a, lambda a: a ** 2, lambda a: 2 ** a, lambda a: a // 0.3,
    lambda a: 0.7 // a, lambda a: a % 0.3, lambda a: 0.7 % a, lambda a: -a, lambda a: +a, lambda a: abs(a - 0.5), lambda a: a @ a,
    lambda a: x @ a, lambda a: a < 0.5, lambda a: a <= 0.5, lambda a: a > 0.5, lambda a: a >= 0.5, lambda a: a == a,
    lambda a: a != 0.5,
    lambda a: (a > 0.2) & (a < 0.8), lambda a: (a < 0.2) | (a > 0.8), lambda a: (a < 0.2) ^ (a > 0.1), lambda a: ~(a > 0.5),
    lambda a: a[1], lambda a: a[..., ::2], lambda a: a.T, lambda a: a.mT, lambda a: a.reshape(9), lambda a: a.reshape((9, 1)),
    lambda a: a.reshape(1, -1), lambda a: a.transpose(), lambda a: a.sum(axis=0), lambda a: a.mean(), lambda a: a.max(axis=1),
]


@pytest.mark.parametrize("use", OPERATORS, ids=range(len(OPERATORS)))
def test_operators_work_on_every_kind_of_value(use):
    expected = use(x)
    np.testing.assert_allclose(use(cr.tensor(x)).numpy(), expected)
    np.testing.assert_allclose(use(cr.tensor(x, requires_grad=True)).numpy(), expected)
    np.testing.assert_allclose(stage(use, typeof(x))(x), expected)
    np.testing.assert_allclose(cr.vmap(use)(np.stack([x, x]))[1], expected)
    seen = []
    cr.grad(lambda a: seen.append(use(a)) or a.sum())(x)
    assert typeof(seen[0])[:2] == typeof(expected)[:2]


def test_shapes_may_be_given_as_several_numbers():
    t = cr.tensor(np.zeros((2, 3, 4)))
    assert t.permute(2, 0, 1).shape == t.permute((2, 0, 1)).shape == t.transpose(2, 0, 1).shape == (4, 2, 3)
    assert t.transpose(0, 2).shape == t.transpose().shape == (4, 3, 2) and t.transpose(-1, -2).shape == (2, 4, 3)
    assert t.broadcast_to(5, 2, 3, 4).shape == (5, 2, 3, 4)
    assert t[0].T.shape == (4, 3) and t[0, 0].T.shape == (4,)
    with pytest.raises(ShapeError, match=r"Use \.mT"):
        _ = t.T


def test_a_value_is_a_sequence_of_its_rows():
    t = cr.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = t
    (first * second).sum().backward()
    assert t.grad.tolist() == [[3, 4], [1, 2]] and len(t) == 2 and 4.0 in t and 5.0 not in t
    assert cr.grad(lambda a: sum(row.sum() * (i + 1) for i, row in enumerate(a)))(x)[:, 0].tolist() == [1, 2, 3]
    with pytest.raises(ShapeError, match="single number"):
        len(t[0, 0])
    with pytest.raises(ShapeError, match="single number"):
        iter(t[0, 0])


def test_comparison_with_nothing_is_no_comparison_of_elements():
    t = cr.tensor([1.0])
    assert (t == None) is False and (t != "a") is True and t in {t}  # noqa: E711  None is meant
