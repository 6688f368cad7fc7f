"""Comparisons on values of every kind, and boxes as keys."""
import numpy as np
import pytest

import chainrule as cr


def test_operators_compare_elements_and_cut_the_path():
    x = cr.tensor([1.0, 2.0, 3.0], requires_grad=True)
    answers = {
        "<": x < 2, "<=": x <= 2, ">": x > 2, ">=": x >= 2, "==": x == 2, "!=": x != 2, "array > tensor": np.full(3, 2.0) > x,
        "&": (x > 1) & (x > 2), "|": (x < 2) | (x > 2), "^": (x < 3) ^ (x > 1), "~": ~(x > 2)}
    expected = {
        "<": [1, 0, 0], "<=": [1, 1, 0], ">": [0, 0, 1], ">=": [0, 1, 1], "==": [0, 1, 0], "!=": [1, 0, 1],
        "array > tensor": [1, 0, 0], "&": [0, 0, 1], "|": [1, 0, 1], "^": [1, 0, 1], "~": [1, 1, 0]}
    for name, answer in answers.items():
        assert answer.tolist() == [bool(e) for e in expected[name]], name
        assert answer.dtype == bool
        assert not answer.requires_grad


def test_a_box_equals_no_name_and_no_none_and_is_a_key_by_identity():
    x, same = (cr.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    assert x != "x"
    assert x is not None and x != None  # noqa: E711  the operator is what is tested
    assert len({x, same, x}) == 2


def test_sweeps_tell_tensors_apart_by_identity_not_by_value():
    x = cr.tensor([1.0, 1.0], requires_grad=True)
    y = x * x
    for _ in range(2):
        y.backward(gradient=np.ones(2), inputs=[x])
    assert x.grad.tolist() == [4.0, 4.0]
    assert y.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("f", [cr.floor, cr.ceil, cr.round, cr.trunc])
def test_rounding_has_a_zero_gradient_not_a_cut_even_from_infinity(f):
    x = cr.tensor([1.5, -2.0], requires_grad=True)
    f(x).backward(gradient=np.array([np.inf, 1.0]))
    assert x.grad.tolist() == [0.0, 0.0]


def test_round_takes_decimals():
    assert cr.round(np.array([1.25, 2.5]), decimals=1).tolist() == [1.2, 2.5]


def test_allclose_answers_with_a_python_boolean():
    x = cr.tensor([1.0, np.nan], requires_grad=True)
    assert cr.allclose(x, x, equal_nan=True) is True
    assert cr.allclose(x, x) is False
