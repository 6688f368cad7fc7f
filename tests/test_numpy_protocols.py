"""NumPy's own functions work on tensors, and inside every transform; what cannot be followed is refused by name."""
import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.interpreter import NUMPY, under
from chainrule.errors import ArgumentError, DTypeError, EscapedError, ImmutableError, StagingError, UntraceableError
from chainrule.ops.protocols import FUNCTIONS, REDUCTIONS, UFUNCS

x = np.random.default_rng(0).uniform(0.1, 0.9, (3, 3))
whole = np.arange(1, 10).reshape(3, 3)

CALLS = {  # what each function is called with, besides the array
    np.where: lambda f, a: f(a > 0.5, a, 1.0), np.clip: lambda f, a: f(a, 0.2, 0.5), np.reshape: lambda f, a: f(a, (1, 9)),
    np.expand_dims: lambda f, a: f(a, 1), np.broadcast_to: lambda f, a: f(a, (2, 3, 3)), np.moveaxis: lambda f, a: f(a, 0, 1),
    np.swapaxes: lambda f, a: f(a, 0, 1), np.concatenate: lambda f, a: f([a, a], axis=1),
    np.stack: lambda f, a: f([a, a], axis=1),
    np.vstack: lambda f, a: f([a, a[0]]), np.hstack: lambda f, a: f([a, a]), np.split: lambda f, a: f(a, 3)[1],
    np.unstack: lambda f, a: f(a)[2], np.tile: lambda f, a: f(a, 2), np.repeat: lambda f, a: f(a, 2, axis=0),
    np.roll: lambda f, a: f(a, 1, axis=0), np.pad: lambda f, a: f(a, 1), np.take: lambda f, a: f(a, [2, 0], axis=1),
    np.take_along_axis: lambda f, a: f(a, whole[:1] % 3, axis=0), np.tensordot: lambda f, a: f(a, a, axes=1),
    np.einsum: lambda f, a: f("ij,kj->ik", a, a), np.diagonal: lambda f, a: f(a, offset=1),
    np.astype: lambda f, a: f(a, np.float32),
    np.broadcast_arrays: lambda f, a: f(a, a[0])[1], np.meshgrid: lambda f, a: f(a[0], a[1])[0],
    np.empty_like: lambda f, a: f(a).shape, np.full_like: lambda f, a: f(a, 2.0),
    np.nonzero: lambda f, a: f(a)[0], np.searchsorted: lambda f, a: f(np.array([0.2, 0.5]), a),
    np.lib.stride_tricks.sliding_window_view: lambda f, a: f(a, (2, 2)), np.var: lambda f, a: f(a, axis=0, ddof=1),
    np.std: lambda f, a: f(a, 1, ddof=1, keepdims=True), np.sum: lambda f, a: f(a, axis=0),
    np.mean: lambda f, a: f(a, 0, dtype=float), np.linalg.slogdet: lambda f, a: f(a)[1], np.linalg.qr: lambda f, a: f(a)[1],
    np.linalg.eigh: lambda f, a: f(a + a.T)[0], np.linalg.eigvalsh: lambda f, a: f(a + a.T), np.linalg.svd: lambda f, a: f(a)[1],
    np.linalg.solve: lambda f, a: f(a, a[0]), np.linalg.cholesky: lambda f, a: f(a @ a.T), np.cross: lambda f, a: f(a[0], a[1]),
    np.linalg.outer: lambda f, a: f(a[0], a[1]), np.linalg.tensordot: lambda f, a: f(a, a, axes=1),
    np.linalg.matrix_power: lambda f, a: f(a, 3),
    np.diff: lambda f, a: f(a, axis=0), np.median: lambda f, a: f(a, axis=0), np.sort: lambda f, a: f(a, 0),
}
BINARY = {f for f in UFUNCS if f.nin == 2} | {np.isclose, np.allclose, np.array_equal, np.dot, np.inner, np.outer, np.kron}
BINARY |= {np.linalg.matmul, np.linalg.vecdot}
WHOLE = {np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift}


def called(function, a):
    if function in CALLS:
        return CALLS[function](function, a)
    return function(a, a) if function in BINARY else function(a)


@pytest.mark.parametrize("function", [*UFUNCS, *FUNCTIONS], ids=lambda f: f.__name__)
def test_a_numpy_function_of_a_tensor_is_what_numpy_says(function):
    a = whole if function in WHOLE else x + 1 if function is np.arccosh else x
    expected, found = called(function, a), called(function, cr.tensor(a))
    constants = (np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.nonzero)
    plain = not isinstance(expected, np.ndarray) or function in constants
    assert plain or isinstance(found, cr.Tensor)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12)
    assert np.asarray(found).dtype == np.asarray(expected).dtype or function in (np.searchsorted,)


@pytest.mark.parametrize("options", [
    {}, {"axis": 1}, {"axis": (0, 2), "keepdims": True}, {"ord": 1, "axis": -1}, {"ord": np.inf, "axis": 0},
    {"ord": "nuc", "axis": (0, 1)}], ids=str)
def test_the_norm_is_of_vectors_or_of_matrices(options):
    a = np.random.default_rng(1).normal(size=(2, 3, 4))
    np.testing.assert_allclose(np.linalg.norm(cr.tensor(a), **options).numpy(), np.linalg.norm(a, **options))


@pytest.mark.parametrize("ufunc", REDUCTIONS, ids=lambda f: f.__name__)
def test_reductions_by_ufunc_methods(ufunc):
    np.testing.assert_allclose(ufunc.reduce(cr.tensor(x)).numpy(), ufunc.reduce(x))
    np.testing.assert_allclose(ufunc.reduce(cr.tensor(x), axis=1, keepdims=True).numpy(), ufunc.reduce(x, axis=1, keepdims=True))


def test_gradients_pass_through_numpy_functions():
    def f(a):
        return np.sum(np.sin(a) * np.concatenate([a[:1], a[1:]]), axis=None)
    expected = np.cos(x) * x + np.sin(x)
    np.testing.assert_allclose(cr.grad(f)(x), expected)
    t = cr.tensor(x, requires_grad=True)
    f(t).backward()
    np.testing.assert_allclose(t.grad.numpy(), expected)
    np.testing.assert_allclose(cr.vmap(np.sin)(x), np.sin(x))
    np.testing.assert_allclose(cr.jvp(np.exp, x, x)[1], np.exp(x) * x)


def test_arrays_and_numbers_on_the_left():
    t = cr.tensor(x, requires_grad=True)
    for made, expected in [(x * t, x * x), (x - t, x - x), (np.float64(3) * t, 3 * x), (x @ t, x @ x), (x > t, x > x),
                           (np.float64(2) ** t, 2 ** x), (x / t, x / x), (np.int64(2) + t, 2 + x)]:
        assert isinstance(made, cr.Tensor)
        np.testing.assert_allclose(made.numpy(), expected)
    numbers = [1.0, 2.0]
    assert (numbers + cr.tensor(np.ones(2))).tolist() == [2, 3]
    single = np.float32(3) * cr.tensor([1.0])
    assert single.dtype == np.float32


def test_writing_into_arrays_is_refused():
    a, t = x.copy(), cr.tensor(x)
    with pytest.raises(ImmutableError, match=r"np\.add.*x = x \+ y"):
        a += t
    with pytest.raises(ImmutableError, match="out="):
        np.sum(t, axis=0, out=np.zeros(3))


def test_unknown_functions_are_refused_by_name():
    t = cr.tensor(x)
    with pytest.raises(UntraceableError, match=r"np\.fft\.fft has no counterpart.*\.numpy\(\)"):
        np.fft.fft(t)
    with pytest.raises(TypeError, match=r"np\.add\.outer has no"):
        np.add.outer(t, t)
    with pytest.raises(UntraceableError, match=r"np\.sum: .*'where'; chainrule's counterpart takes x, axis, dtype, keepdims"):
        np.sum(t, where=x > 0)
    with pytest.raises(UntraceableError, match=r"np\.ldexp has no"):
        np.ldexp(t, 2)


@pytest.mark.parametrize("leave, name", [
    (float, "float"), (math.sin, "float"), (int, "int"), (lambda x: np.asarray(x).sum(), "np.asarray"),
    (lambda x: np.array([x, x]), "np.asarray"), (lambda x: x.item(), "item"), (lambda x: x.numpy(), "numpy"),
    (lambda x: x.tolist(), "tolist")])
def test_numbers_cannot_leave_a_transform_unnoticed(leave, name):
    for transform in (cr.grad, lambda f: lambda x: cr.jvp(f, x, 1.0)):
        with pytest.raises(UntraceableError, match=rf"{name}\(\).*cr\.stop_gradient"):
            transform(leave)(1.0)
    with pytest.raises(StagingError, match=r"test_numpy_protocols\.py:.*inside vmap"):
        cr.vmap(leave)(np.ones(2))


def test_detach_inside_a_transform_stops_the_gradient():
    assert cr.grad(lambda x: x * x.detach())(3.0) == 3.0


def test_branches_look_at_values_inside_derivatives():
    def f(x):
        return x * x if x > 0 else -x
    assert cr.grad(f)(3.0) == 6 and cr.grad(f)(-3.0) == -1
    assert cr.jvp(f, 3.0, 1.0)[1] == 6


def test_a_tensor_is_a_number_where_python_wants_one():
    t = cr.tensor([1.5, 2.0])
    assert float(t[0]) == 1.5 and int(t[1]) == 2 and [10, 20, 30][cr.tensor(2)] == 30
    assert math.sqrt(cr.tensor(4.0)) == 2 and list(range(cr.tensor(3))) == [0, 1, 2]
    assert f"{t[0]:.2f}" == "1.50" and 2.0 in t and 9.0 not in t and bool(t[0] > 1)
    with pytest.raises(DTypeError, match="one integer"):
        [1, 2][t[0]]


def test_a_box_at_the_bottom_is_lowered_or_refused():
    t = cr.tensor(x, requires_grad=True)
    with under(NUMPY):
        assert type(np.add(x, t)) is np.ndarray and type(x @ t) is np.ndarray
        np.testing.assert_array_equal(np.concatenate([t, t]), np.concatenate([x, x]))
    kept = []
    cr.grad(lambda a: kept.append(a) or a.sum())(x)
    for use in (lambda: np.add(x, kept[0]), lambda: x * kept[0], lambda: np.sum(kept[0]), lambda: float(kept[0][0, 0]),
                lambda: np.asarray(kept[0])):
        with pytest.raises(EscapedError, match="outlived"):
            use()
    with under(NUMPY), pytest.raises(EscapedError):
        np.add(x, kept[0])


def test_dlpack_in_and_out():
    t = cr.tensor(x)
    out = np.from_dlpack(t)
    np.testing.assert_array_equal(out, x)
    assert not np.shares_memory(out, t.numpy())
    assert t.__dlpack_device__() == (1, 0)

    class Foreign:  # an array of another library
        def __dlpack__(self, **options):
            return x.__dlpack__(**options)

        def __dlpack_device__(self):
            return x.__dlpack_device__()
    assert cr.tensor(Foreign()).tolist() == x.tolist()


def test_devices_and_namespace():
    t = cr.tensor(x)
    assert t.__array_namespace__() is cr and t.device == "cpu" and t.to_device("cpu") is t and t.to("cpu") is t
    assert t.to(np.float32).dtype == t.float().dtype == np.float32 and t.float().double().dtype == np.float64
    with pytest.raises(ArgumentError, match="no device 'cuda'"):
        t.to("cuda")
    with pytest.raises(ArgumentError, match="version 1999"):
        t.__array_namespace__(api_version="1999")
