"""The namespace is the array API standard's, version 2024.12, as far as it makes sense for real numbers."""
import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, DTypeError, StagingError

ELEMENTS = """
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or
    bitwise_right_shift bitwise_xor ceil copysign cos cosh divide equal exp expm1 floor floor_divide greater
    greater_equal hypot isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp logical_and logical_not
    logical_or logical_xor maximum minimum multiply negative nextafter not_equal positive pow reciprocal remainder round
    sign signbit sin sinh square sqrt subtract tan tanh trunc
"""
STANDARD = {  # each function, and those of its parameters that may be given by name
    # creation
    "arange": "stop step dtype device", "asarray": "dtype device copy", "empty": "shape dtype device",
    "empty_like": "dtype device",
    "eye": "k dtype device", "from_dlpack": "device copy", "full": "shape fill_value dtype device", "full_like": "dtype device",
    "linspace": "num dtype device endpoint", "meshgrid": "indexing", "ones": "shape dtype device", "ones_like": "dtype device",
    "tril": "k", "triu": "k", "zeros": "shape dtype device", "zeros_like": "dtype device",
    # dtypes
    "astype": "dtype copy", "can_cast": "", "finfo": "", "iinfo": "", "isdtype": "dtype kind", "result_type": "",
    # elements
    **dict.fromkeys(ELEMENTS.split(), ""),
    "clip": "min max",
    # indexing, searching, sorting, sets
    "take": "axis", "take_along_axis": "axis", "argmax": "axis keepdims", "argmin": "axis keepdims",
    "count_nonzero": "axis keepdims", "nonzero": "", "searchsorted": "side sorter", "where": "",
    "argsort": "axis descending stable", "sort": "axis descending stable",
    "unique_all": "", "unique_counts": "", "unique_inverse": "", "unique_values": "",
    # inspection
    "__array_namespace_info__": "",
    # linear algebra
    "matmul": "", "matrix_transpose": "", "tensordot": "axes", "vecdot": "axis",
    # manipulation
    "broadcast_arrays": "", "broadcast_to": "shape", "concat": "axis", "expand_dims": "axis", "flip": "axis",
    "moveaxis": "", "permute_dims": "axes", "repeat": "repeats axis", "reshape": "shape copy", "roll": "shift axis",
    "squeeze": "axis", "stack": "axis", "tile": "", "unstack": "axis",
    # statistics and tests
    "cumulative_prod": "axis dtype include_initial", "cumulative_sum": "axis dtype include_initial",
    "max": "axis keepdims", "mean": "axis keepdims", "min": "axis keepdims", "prod": "axis dtype keepdims",
    "std": "axis correction keepdims", "sum": "axis dtype keepdims", "var": "axis correction keepdims",
    "all": "axis keepdims", "any": "axis keepdims", "diff": "axis n prepend append",
}
NAMES = """
    e inf nan newaxis pi bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 __array_api_version__
"""
ATTRIBUTES = """
    dtype device mT ndim shape size T __abs__ __add__ __and__ __array_namespace__ __bool__ __dlpack__ __dlpack_device__
    __eq__ __float__ __floordiv__ __ge__ __getitem__ __gt__ __index__ __int__ __invert__ __le__ __lshift__ __lt__
    __matmul__ __mod__ __mul__ __ne__ __neg__ __or__ __pos__ __pow__ __rshift__ __setitem__ __sub__ __truediv__ __xor__
    to_device __radd__ __rand__ __rfloordiv__ __rlshift__ __rmatmul__ __rmod__ __rmul__ __ror__ __rpow__ __rrshift__
    __rsub__ __rtruediv__ __rxor__
"""
LEFT_OUT = {  # what the standard has and chainrule has not, and why
    "conj": "complex", "imag": "complex", "real": "complex", "complex64": "complex", "complex128": "complex",
    "__complex__": "complex", "fft": "complex",
    "__iadd__": "values are immutable; += makes a new one", "__isub__": "values are immutable; -= makes a new one",
    "__imul__": "values are immutable; *= makes a new one",
}


@pytest.mark.parametrize("name", STANDARD)
def test_a_function_of_the_standard_is_there_with_its_options(name):
    parameters = inspect.signature(getattr(cr, name)).parameters.values()
    by_name = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    assert set(STANDARD[name].split()) <= by_name


@pytest.mark.parametrize("name", NAMES.split())
def test_a_constant_or_dtype_of_the_standard_is_there(name):
    assert hasattr(cr, name)


@pytest.mark.parametrize("name", ATTRIBUTES.split())
def test_a_tensor_has_what_the_standard_asks_of_an_array(name):
    assert hasattr(cr.Tensor, name)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_is_left_out_for_a_reason(name):
    assert not hasattr(cr, name) and not hasattr(cr.Tensor, name)


CREATED = {
    "zeros": (lambda m, **o: m.zeros((2, 3), **o)), "ones": (lambda m, **o: m.ones(4, **o)),
    "eye": (lambda m, **o: m.eye(3, **o)),
    "wide eye": (lambda m, **o: m.eye(2, 4, k=1, **o)), "full": (lambda m, **o: m.full((2,), 7.0, **o)),
    "linspace": (lambda m, **o: m.linspace(0, 1, 5, endpoint=False, **o)),
    "arange": (lambda m, **o: m.arange(0.0, 2.0, 0.5, **o)),
    "zeros_like": (lambda m, **o: m.zeros_like(np.ones((2, 2), np.float32), **o)),
    "full_like": (lambda m, **o: m.full_like(np.ones((2, 2), np.float32), 3.0, **o)),
    "ones_like": (lambda m, **o: m.ones_like(np.zeros(2, np.float32), **o)),
    "asarray": (lambda m, **o: m.asarray([[1.0, 2.0]], **o)),
}


@pytest.mark.parametrize("name", CREATED)
def test_creation_gives_tensors_of_float32_unless_told_otherwise(name):
    for dtype in (cr.float64, cr.int32):
        t = CREATED[name](cr, dtype=dtype, device="cpu")
        assert isinstance(t, cr.Tensor) and t.dtype == dtype and not t.requires_grad
        np.testing.assert_array_equal(t.numpy(), CREATED[name](np, dtype=dtype))
    assert CREATED[name](cr).dtype == cr.float32
    with pytest.raises(ArgumentError, match="no device 'tpu'"):
        CREATED[name](cr, device="tpu")


def test_integers_make_integers():
    assert cr.arange(5).dtype == cr.arange(1, 7, 2).dtype == cr.full((2,), 1).dtype == cr.int64
    assert cr.arange(1, 7, 2).tolist() == [1, 3, 5]
    assert cr.full((2,), True).dtype == cr.bool
    assert cr.empty((2, 0)).shape == (2, 0) and cr.empty_like(np.ones(3)).dtype == cr.float64


def test_asarray_keeps_the_history_of_a_tensor_and_copies_everything_else():
    t, data = cr.tensor([1.0, 2.0], requires_grad=True), np.ones(2)
    assert cr.asarray(t) is t
    cr.asarray(t, dtype=cr.float64).sum().backward()
    assert t.grad.tolist() == [1, 1]
    copied = cr.asarray(data)
    data[0] = 9
    assert copied.tolist() == [1, 1]
    assert cr.asarray(t, copy=True) is not t
    for refused in (lambda: cr.asarray(data, copy=False), lambda: cr.asarray(t, dtype=cr.float64, copy=False),
                    lambda: cr.from_dlpack(data, copy=False)):
        with pytest.raises(ArgumentError, match="copied"):
            refused()


def test_gradients_flow_into_a_fill_value():
    c = cr.tensor(2.0, requires_grad=True)
    (cr.full((3,), c) + cr.full_like(cr.ones(3), c)).sum().backward()
    assert c.grad.item() == 6
    np.testing.assert_allclose(cr.grad(lambda c: cr.full((3,), c).sum())(2.0), 3)


def test_new_tensors_inside_transforms_are_constants():
    np.testing.assert_allclose(cr.grad(lambda x: (x * cr.arange(3, dtype=cr.float64)).sum())(np.ones(3)), [0, 1, 2])
    np.testing.assert_allclose(cr.vmap(lambda x: x + cr.ones(2, dtype=cr.float64))(np.zeros((3, 2))), np.ones((3, 2)))


def test_from_dlpack_copies():
    data = np.arange(3.0)
    t = cr.from_dlpack(data)
    data[0] = 9
    assert t.tolist() == [0, 1, 2]
    with pytest.raises(DTypeError, match="does not speak DLPack"):
        cr.from_dlpack([1.0])


def test_dtypes_answer_questions():
    assert cr.result_type(cr.float32, np.ones(2), 1.0) == cr.float64
    assert cr.result_type(np.ones(2, np.float32), 1.0) == cr.result_type(cr.ones(1), 2) == cr.float32
    assert cr.can_cast(cr.float32, cr.float64) and not cr.can_cast(np.ones(2), cr.float32)
    assert cr.isdtype(cr.float32, ("bool", "real floating")) and cr.isdtype(cr.uint8, "integral")
    assert cr.isdtype(cr.int8, cr.int8) and not cr.isdtype(cr.bool, "numeric")
    with pytest.raises(ArgumentError, match="no kind of number"):
        cr.isdtype(cr.float32, "complex floating")
    assert cr.finfo(cr.ones(1)).bits == 32 and cr.iinfo(cr.int16).max == 32767


def test_the_namespace_can_be_asked_what_it_offers():
    info = cr.__array_namespace_info__()
    assert info.devices() == [info.default_device()] == ["cpu"]
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"} and len(info.dtypes()) == 11
    assert info.default_dtypes()["real floating"] == cr.zeros(1).dtype
    assert info.default_dtypes()["integral"] == cr.arange(1).dtype
    assert info.capabilities()["boolean indexing"] and cr.__array_api_version__ == "2024.12"


def test_the_different_elements_of_an_array():
    x = np.array([[3.0, 1.0], [3.0, np.nan]])
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        for mine, numpys in zip(getattr(cr, name)(x), getattr(np, name)(x)):
            np.testing.assert_array_equal(mine, numpys)
    np.testing.assert_array_equal(cr.unique_values(x), np.unique_values(x))
    assert isinstance(cr.unique_values(cr.tensor(x)), cr.Tensor)
    gradient = cr.grad(lambda x: (cr.unique_values(x) * np.array([10.0, 1.0])).sum())(np.array([7.0, 5.0, 5.0, 7.0]))
    np.testing.assert_array_equal(gradient, [1, 10, 0, 0])
    with pytest.raises(StagingError, match="a set"):
        cr.vmap(cr.unique_values)(x)
