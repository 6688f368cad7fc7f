"""The curves of compiled code stay within a few units in the last place of the truth, from the tails to the subnormal numbers."""
from __future__ import annotations

import ctypes

import mpmath as mp
import numpy as np
import pytest

pytest.importorskip("llvmlite")

import llvmlite.ir as ir

from chainrule.compiler.loops.language import Apply
from chainrule.compiler.native import kernels
from chainrule.compiler.native.host import this_host
from chainrule.compiler.native.machine import Loaded, translate
from test_native import F32, F64, NATIVE, each

LARGEST = 2.5  # units in the last place
BY_LIBRARY = {"cbrt": 4.0, "tan": 4.0, "asinh": 4.0}  # the C library's are not all as close
REFERENCES = {
    "exp": mp.exp, "exp2": lambda x: mp.mpf(2) ** x, "expm1": mp.expm1, "log": mp.log, "log1p": mp.log1p,
    "log2": lambda x: mp.log(x) / mp.log(2), "log10": mp.log10, "tanh": mp.tanh, "sinh": mp.sinh, "cosh": mp.cosh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)), "sin": mp.sin, "cos": mp.cos, "erf": mp.erf, "erfc": mp.erfc,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)), "atan": mp.atan, "asinh": mp.asinh, "tan": mp.tan,
}
LIMITS = {"log": 0, "log2": 0, "log10": 0, "log1p": -1}  # arguments lie above
LIMIT_OF_RANGE = {"exp", "exp2", "expm1", "sinh", "cosh", "sigmoid", "erfc", "tanh"}


def evaluated(operation: str, x: np.ndarray) -> np.ndarray:
    host, module, y = this_host(), ir.Module("test"), np.empty_like(x)
    kernel = each(x.size, Apply(operation, ("v0",), x.dtype), dtype=x.dtype)
    (phase,) = kernels.build(kernel, module, host).phases
    loaded = Loaded([translate(str(module), host)], [phase.function])
    NATIVE(loaded[phase.function])((ctypes.c_void_p * 2)(x.ctypes.data, y.ctypes.data), 0, phase.rounds, None, None)
    return y


def arguments(operation: str, dtype: np.dtype) -> np.ndarray:
    """Numbers of every size, among them subnormal ones, and many where the curve bends."""
    rng = np.random.default_rng(3)
    whole = np.dtype(f"uint{8 * dtype.itemsize}")
    every = rng.integers(0, 1 << (8 * dtype.itemsize), 400, dtype=whole).view(dtype)
    edge = 800 if dtype == F64 else 110
    near = [rng.normal(size=300), rng.uniform(-edge, edge, 200), 1 + 0.1 * rng.normal(size=200), 10.0 ** rng.uniform(-30, 0, 100),
            [float(np.finfo(dtype).smallest_subnormal), float(np.finfo(dtype).tiny), -float(np.finfo(dtype).tiny) / 4, 0.5, 1, 2]]
    x = np.concatenate([every, *(np.asarray(part).astype(dtype) for part in near)])
    x = x[np.isfinite(x) & (x > LIMITS.get(operation, -np.inf))]
    return x[np.abs(x) < 2000] if operation in LIMIT_OF_RANGE else x


def units(found: np.floating, exact: mp.mpf, dtype: np.dtype) -> float:
    """How far apart, in units of the last place of the exact value."""
    with np.errstate(over="ignore"):
        nearest = np.array(float(exact)).astype(dtype)[()]
    if not np.isfinite(nearest) or not np.isfinite(found):
        return 0.0 if nearest == found else np.inf
    return abs(float((mp.mpf(float(found)) - exact) / mp.mpf(float(np.spacing(np.abs(nearest))))))


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("operation", REFERENCES)
def test_a_curve_is_close_to_the_truth_everywhere(operation: str, dtype: np.dtype) -> None:
    x = arguments(operation, dtype)
    y = evaluated(operation, x)
    with mp.workdps(340 if operation in ("sin", "cos", "tan") and dtype == F64 else 60):
        wrong = [(float(a), float(b), units(b, REFERENCES[operation](mp.mpf(float(a))), dtype)) for a, b in zip(x, y)]
    worst = max(wrong, key=lambda row: row[2])
    assert worst[2] <= BY_LIBRARY.get(operation, LARGEST), f"{operation}({worst[0]!r}) = {worst[1]!r}: {worst[2]} units"


@pytest.mark.parametrize("dtype", [F32, F64])
def test_powers_are_close_to_the_truth(dtype: np.dtype) -> None:
    rng = np.random.default_rng(4)
    x, y = np.abs(rng.normal(size=500)).astype(dtype), (rng.normal(size=500) * 20).astype(dtype)
    kernel = each(x.size, Apply("pow", ("v0", "v1"), dtype), dtype=dtype, reads=2)
    module, host, z = ir.Module("test"), this_host(), np.empty_like(x)
    (phase,) = kernels.build(kernel, module, host).phases
    loaded = Loaded([translate(str(module), host)], [phase.function])
    pointers = (ctypes.c_void_p * 3)(x.ctypes.data, y.ctypes.data, z.ctypes.data)
    NATIVE(loaded[phase.function])(pointers, 0, phase.rounds, None, None)
    with mp.workdps(60):
        worst = max(units(c, mp.mpf(float(a)) ** mp.mpf(float(b)), dtype) for a, b, c in zip(x, y, z))
    assert worst <= 1.0


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize(("operation", "values"), [
    ("exp", {-np.inf: 0, np.inf: np.inf, 0.0: 1}), ("expm1", {-np.inf: -1, np.inf: np.inf, -0.0: -0.0}),
    ("log", {-0.0: -np.inf, np.inf: np.inf, -1.0: np.nan, 1.0: 0}), ("log2", {8.0: 3, 0.5: -1, 0.0: -np.inf}),
    ("log1p", {-1.0: -np.inf, -2.0: np.nan, np.inf: np.inf, -0.0: -0.0}), ("exp2", {10.0: 1024, -3.0: 0.125, -np.inf: 0}),
    ("tanh", {-np.inf: -1, np.inf: 1, -0.0: -0.0}), ("sigmoid", {-np.inf: 0, np.inf: 1, 0.0: 0.5}),
    ("sinh", {-np.inf: -np.inf, -0.0: -0.0}), ("cosh", {-np.inf: np.inf, 0.0: 1}), ("sin", {np.inf: np.nan, -0.0: -0.0}),
    ("cos", {-np.inf: np.nan, 0.0: 1}), ("erf", {-np.inf: -1, np.inf: 1, -0.0: -0.0}), ("erfc", {-np.inf: 2, np.inf: 0}),
])
def test_edges_are_exact(operation: str, values: dict[float, float], dtype: np.dtype) -> None:
    x = np.array([*values, np.nan] * 9, dtype)
    expected = np.array([*values.values(), np.nan] * 9, dtype)
    y = evaluated(operation, x)
    np.testing.assert_array_equal(y, expected)
    assert (np.signbit(y) == np.signbit(expected))[~np.isnan(expected)].all()
