"""Arithmetic and elementary functions: the conventions at single points, and the dtypes of mixed calls."""
import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DTypeError, ShapeError

X = np.array([0.5, 2.0, 3.0], np.float32)
inf = math.inf
LOG2 = math.log(2)
BINARY = [cr.add, cr.subtract, cr.multiply, cr.divide, cr.remainder, cr.floor_divide, cr.pow, cr.hypot, cr.copysign, cr.logaddexp,
          cr.atan2, cr.xlogy, cr.xlog1py]
UNARY = [cr.exp, cr.exp2, cr.expm1, cr.log, cr.log1p, cr.log2, cr.log10, cr.sqrt, cr.cbrt, cr.sin, cr.cos, cr.tan, cr.atan,
         cr.sinh, cr.cosh, cr.tanh, cr.asinh, cr.acosh, cr.erf, cr.erfc, cr.sinc, cr.deg2rad, cr.rad2deg]


@pytest.mark.parametrize("f, at, gradients", [
    (cr.pow, (0.0, 0.0), (0.0, 0.0)), (cr.pow, (0.0, 2.0), (0.0, 0.0)), (cr.pow, (0.0, 1.0), (1.0, 0.0)),
    (cr.pow, (0.0, 0.5), (inf, 0.0)), (cr.pow, (-2.0, 3.0), (12.0, -8 * LOG2)), (cr.pow, (-2.0, 2.0), (-4.0, 4 * LOG2)),
    (cr.pow, (-2.0, -1.0), (-0.25, -0.5 * LOG2)), (cr.pow, (2.0, 0.0), (0.0, LOG2)), (cr.pow, (-0.0, 3.0), (0.0, 0.0)),
    (cr.atan2, (0.0, 0.0), (0.0, 0.0)), (cr.hypot, (0.0, 0.0), (0.0, 0.0)), (cr.hypot, (-3.0, 4.0), (-0.6, 0.8)),
    (cr.xlogy, (0.0, 0.0), (0.0, 0.0)), (cr.xlogy, (2.0, 0.0), (-inf, inf)), (cr.xlog1py, (0.0, -1.0), (0.0, 0.0)),
    (cr.logaddexp, (1000.0, 1000.0), (0.5, 0.5)), (cr.logaddexp, (-inf, 0.0), (0.0, 1.0)), (cr.copysign, (0.0, -1.0), (0.0, 0.0)),
    (cr.copysign, (-2.0, -1.0), (1.0, 0.0)), (cr.remainder, (7.0, -3.0), (1.0, 3.0)), (cr.heaviside, (0.0, 0.5), (0.0, 1.0)),
    (cr.sqrt, (0.0,), (inf,)), (cr.cbrt, (0.0,), (inf,)), (cr.cbrt, (-8.0,), (1 / 12,)),
    (cr.abs, (0.0,), (0.0,)), (cr.abs, (-3.0,), (-1.0,)), (cr.sign, (3.0,), (0.0,)), (cr.sinc, (0.0,), (0.0,)),
    (cr.sinc, (1.0,), (-1.0,)), (cr.tan, (math.pi / 4,), (2.0,)), (cr.exp2, (1024.0,), (2 ** 1023 * (2 * LOG2),)),
], ids=lambda v: getattr(v, "name", str(v)))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_gradients_at_single_points(f, at, gradients):
    found = cr.grad(f, argnums=tuple(range(len(at))))(*at)
    np.testing.assert_allclose(found, gradients, rtol=1e-14)


@pytest.mark.parametrize("exponent", [2, 2.0, 3, 1, 0, -1, -2, 0.5, -0.5, 1.5, 1 / 3, -1 / 3, 0.1])
def test_powers_with_a_python_number_have_the_slope_of_an_array_of_it(exponent):
    x = np.array([0.3, 1.0, 2.5])
    along = cr.grad(lambda x: (x ** exponent).sum())(x)
    np.testing.assert_allclose(along, cr.grad(lambda x: (x ** np.full(3, float(exponent))).sum())(x), rtol=1e-14)
    np.testing.assert_allclose(along, exponent * x ** (exponent - 1.0), rtol=1e-13)
    assert cr.grad(lambda x: (x ** exponent).sum())(X).dtype == np.float32


@pytest.mark.parametrize("f, second, third", [
    (cr.tanh, 0, -2), (cr.atan, 0, -2), (cr.asinh, 0, -1), (cr.sinh, 0, 1), (cr.cosh, 1, 0), (cr.tan, 0, 2), (cr.asin, 0, 1),
    (cr.acos, 0, -1), (cr.atanh, 0, 2), (cr.erf, 0, -4 / math.sqrt(math.pi)), (cr.erfc, 0, 4 / math.sqrt(math.pi)),
    (cr.sinc, -math.pi ** 2 / 3, 0), (cr.expm1, 1, 1), (cr.log1p, -1, 2), (cr.exp2, LOG2 ** 2, LOG2 ** 3),
    (cr.sigmoid, 0, -1 / 8), (cr.softplus, 1 / 4, 0), (cr.logsigmoid, -1 / 4, 0), (cr.silu, 1 / 2, 0),
    (cr.gelu, math.sqrt(2 / math.pi), 0), (lambda x: cr.logaddexp(x, 0.0), 1 / 4, 0),
    (lambda x: cr.hypot(x, 1.0), 1, 0), (lambda x: cr.atan2(x, 1.0), 0, -2),
    (lambda x: cr.pow(1 + x, 0.5), -1 / 4, 3 / 8), (lambda x: cr.pow(1 + x, np.array(0.3)), -0.21, 0.357),
    (lambda x: cr.pow(2.0, x), LOG2 ** 2, LOG2 ** 3), (lambda x: x ** 3, 0, 6), (lambda x: x ** 2, 2, 0), (cr.square, 2, 0),
], ids=lambda v: getattr(v, "name", "x"))
def test_second_and_third_derivatives_at_zero_know_of_no_kink(f, second, third):
    twice = cr.grad(cr.grad(f))
    assert twice(0.0) == pytest.approx(second, rel=1e-13, abs=1e-15)
    assert cr.grad(twice)(0.0) == pytest.approx(third, rel=1e-13, abs=1e-15)
    assert cr.jvp(twice, 0.0, 1.0)[1] == pytest.approx(third, rel=1e-13, abs=1e-15)


def test_python_operators_reach_the_operations():
    t = cr.tensor([-2.5, 3.0])
    assert (abs(t).tolist(), (+t).tolist(), (-t).tolist()) == ([2.5, 3.0], [-2.5, 3.0], [2.5, -3.0])
    assert ((t % 2).tolist(), (t // 2).tolist(), (7 // t).tolist()) == ([1.5, 1.0], [-2.0, 1.0], [-3.0, 2.0])
    assert ((t ** 2).tolist(), (2 ** t).tolist()[1], (7 % t).tolist()[1]) == ([6.25, 9.0], 8.0, 1.0)
    assert cr.grad(lambda x: 2.0 ** x)(3.0) == pytest.approx(8 * LOG2, rel=1e-15)


@pytest.mark.parametrize("f", BINARY, ids=str)
@pytest.mark.parametrize("number", [2.0, 2])
def test_a_python_number_leaves_float32_alone(f, number):
    for g in (lambda x: f(x, number), lambda x: f(number, x)):
        y, pullback = cr.vjp(g, X)
        assert y.dtype == np.float32
        assert pullback(np.ones_like(y))[0].dtype == np.float32
        assert cr.jvp(g, X, np.ones_like(X))[1].dtype == np.float32


@pytest.mark.parametrize("f", UNARY, ids=str)
def test_integers_and_python_numbers_become_floats(f):
    assert f(np.array([1, 2])).dtype == np.float64
    assert f(np.array([1, 2], np.int8)).dtype.kind == "f"
    assert float(f(1)) == pytest.approx(float(f(1.0)))
    assert np.shape(f(np.ones((2, 0, 3)))) == (2, 0, 3)


def test_integers_stay_integers_where_numpy_keeps_them():
    i = np.array([3, -4])
    for y in (cr.square(i), cr.abs(i), i * cr.negative(i), cr.pow(i, 2), cr.remainder(i, 3), cr.floor_divide(i, 3), cr.sign(i)):
        assert y.dtype == i.dtype
    assert cr.divide(i, 2).dtype == np.float64


@pytest.mark.parametrize("f, same", [(cr.erf, math.erf), (cr.erfc, math.erfc)], ids=str)
def test_the_error_function_is_that_of_the_c_library(f, same):
    x = np.concatenate([np.linspace(-7, 28, 3001), [0.0, -0.0, 1e-310, 0.84375, 1.25, 1 / 0.35, 1e300, inf, -inf]])
    np.testing.assert_allclose(f(x), [same(v) for v in x], rtol=1e-15, atol=1e-323)
    assert np.isnan(f(np.nan))
    assert np.signbit(cr.erf(-0.0))
    assert f(x.reshape(-1, 10)).shape == (301, 10)
    assert isinstance(f(0.5), np.float64)


def test_sinc_is_numpys_and_exactly_zero_at_whole_numbers():
    x = np.linspace(-5.3, 5.3, 1000)
    np.testing.assert_allclose(cr.sinc(x), np.sinc(x), rtol=1e-13, atol=1e-16)
    assert not cr.sinc(np.array([1.0, -2.0, 7.0, 1e9, 1e300, inf])).any()


def test_the_error_of_a_wrong_call_names_the_operation_by_our_name():
    with pytest.raises(ShapeError, match=r"^atan2: shapes do not broadcast: float64\[3\] and float64\[2\]"):
        cr.atan2(np.ones(3), np.ones(2))
    with pytest.raises(DTypeError, match=r"^asin: an argument is <U1"):
        cr.asin(np.array(["a"]))
