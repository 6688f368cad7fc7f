"""NumPy's protocols let `np.sin(x)` and `np.sum(x, axis=0)` work on boxes: each NumPy function is a row of a table here."""
from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core import interpreter
from chainrule.core.interpreter import NUMPY, Box, escaped, now
from chainrule.core.type import Array, typeof
from chainrule.errors import ChainruleError, ImmutableError, UntraceableError

from . import (
    arithmetic,
    broadcasting,
    choice,
    comparison,
    contraction,
    cumulative,
    diagonals,
    exponential,
    factorizations,
    gathering,
    hyperbolic,
    joining,
    movement,
    norms,
    power,
    rearrangement,
    reduction,
    rounding,
    searching,
    shaping,
    sorting,
    special,
    statistics,
    systems,
    trigonometric,
)
from .einsum import einsum
from .matmul import matmul

Function = Callable[..., Any]


# ---------------------------------------------------------------------------------------- leaving for plain numbers
def numbers(x: Box, use: str) -> np.ndarray[Any, Any]:
    """The numbers of an eager value; inside a transform an error, because what is computed from them would count as constant."""
    if x.owner.closed:
        raise escaped(x, use)
    values = x.concrete(use)
    if x.owner is NUMPY or x.owner is interpreter.ground:
        return values
    raise UntraceableError(f"{use} takes the numbers out of a value of type {x.type} inside {x.owner.name}, and its derivative "
                           "would be lost. Use chainrule's function (cr.sin instead of math.sin), or say that it is meant as "
                           "a constant with cr.stop_gradient(x).")


def lowered(x: Any, where: str) -> Any:
    """An argument with the values of eager boxes in place of the boxes, for the bottom, which knows arrays only."""
    if isinstance(x, Box):
        if x.owner is NUMPY or x.owner is interpreter.ground:
            return x.value  # type: ignore[attr-defined]
        raise escaped(x, where)
    if isinstance(x, tuple | list):
        return type(x)(lowered(part, where) for part in x)
    return x


def function_name(function: Any) -> str:
    module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np", 1)
    return f"{module}.{function.__name__}"


def checked_options(function: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a NumPy call that are set; writing into an array is refused."""
    out = options.get("out")
    if any(o is not None for o in (out if isinstance(out, tuple) else (out,))):
        raise ImmutableError(f"{function_name(function)}: out= (or an operator such as +=) writes into an array, and what is "
                             "written there would not be recorded. Write x = x + y instead of x += y.")
    return {name: value for name, value in options.items() if name != "out"}


def unknown(function: Any, detail: str = "") -> UntraceableError:
    return UntraceableError(f"{function_name(function)}{detail} has no counterpart in chainrule, so derivatives cannot follow "
                            "it. Compute on plain numbers with x.numpy(), without gradient; or wrap it, with its rule, in "
                            "cr.custom_rule.")


# ---------------------------------------------------------------------------------------- where signatures differ
def spread(operation: Function) -> Function:
    """NumPy's var and std count the degrees of freedom that are lost as `ddof`."""
    def call(a: Array, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False) -> Array:
        a = a if dtype is None else broadcasting.astype(a, dtype)
        return operation(a, axis=axis, correction=ddof, keepdims=keepdims)
    return call


def without_dtype(operation: Function) -> Function:
    """NumPy's reductions take a dtype to compute in."""
    def call(a: Array, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Array:
        return operation(a if dtype is None else broadcasting.astype(a, dtype), axis=axis, keepdims=keepdims)
    return call


def without_out(operation: Function) -> Function:
    """NumPy's other reductions take `out` third."""
    def call(a: Array, axis: Any = None, out: Any = None, keepdims: bool = False) -> Array:
        return operation(a, axis=axis, keepdims=keepdims)
    return call


def transpose(a: Array, axes: Any = None) -> Array:
    return movement.permute_dims(a, tuple(range(typeof(a).ndim))[::-1] if axes is None else axes)


def joined_along(axis: int) -> Function:
    """vstack joins rows, hstack columns; arrays of one axis count as rows."""
    def call(arrays: Any) -> Array:
        if axis == 0:
            return joining.concat([a if typeof(a).ndim > 1 else broadcasting.reshape(a, (1, -1)) for a in arrays], axis=0)
        return joining.concat(list(map(shaping.atleast_1d, arrays)), axis=min(typeof(arrays[0]).ndim - 1, 1) if
                              typeof(arrays[0]).ndim else 0)
    return call


def alike(create: Function) -> Function:
    """A constant array in the shape and dtype of another."""
    return lambda a, dtype=None: create(typeof(a).shape, dtype or typeof(a).dtype)


def array_equal(a: Array, b: Array) -> bool:
    return typeof(a).shape == typeof(b).shape and bool(reduction.all(comparison.equal(a, b)))


def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """NumPy's norm is of vectors, or of matrices where two axes are meant."""
    ndim = typeof(x).ndim
    if axis is None and (ord is None or ndim == 1):
        return norms.vector_norm(x, keepdims=keepdims, ord=2 if ord is None else ord)
    axes = (axis,) if isinstance(axis, int) else tuple(range(ndim)) if axis is None else tuple(axis)
    if len(axes) == 1:
        return norms.vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    y = norms.matrix_norm(movement.moveaxis(x, axes, (-2, -1)), ord="fro" if ord is None else ord)
    return shaping.expand_dims(y, tuple(a % ndim for a in axes)) if keepdims else y


# ---------------------------------------------------------------------------------------- the tables
UFUNCS: dict[Any, Function] = {
    np.add: arithmetic.add, np.subtract: arithmetic.subtract, np.multiply: arithmetic.multiply, np.divide: arithmetic.divide,
    np.floor_divide: arithmetic.floor_divide, np.remainder: arithmetic.remainder, np.negative: arithmetic.negative,
    np.positive: arithmetic.positive, np.absolute: arithmetic.abs, np.fabs: arithmetic.abs, np.sign: arithmetic.sign,
    np.copysign: arithmetic.copysign, np.nextafter: arithmetic.nextafter, np.heaviside: arithmetic.heaviside,
    np.square: power.square, np.sqrt: power.sqrt, np.cbrt: power.cbrt, np.reciprocal: power.reciprocal, np.power: power.pow,
    np.float_power: power.pow, np.hypot: power.hypot,
    np.exp: exponential.exp, np.exp2: exponential.exp2, np.expm1: exponential.expm1, np.log: exponential.log,
    np.log1p: exponential.log1p, np.log2: exponential.log2, np.log10: exponential.log10, np.logaddexp: exponential.logaddexp,
    np.sin: trigonometric.sin, np.cos: trigonometric.cos, np.tan: trigonometric.tan, np.arcsin: trigonometric.asin,
    np.arccos: trigonometric.acos, np.arctan: trigonometric.atan, np.arctan2: trigonometric.atan2,
    np.deg2rad: trigonometric.deg2rad, np.radians: trigonometric.deg2rad, np.rad2deg: trigonometric.rad2deg,
    np.degrees: trigonometric.rad2deg,
    np.sinh: hyperbolic.sinh, np.cosh: hyperbolic.cosh, np.tanh: hyperbolic.tanh, np.arcsinh: hyperbolic.asinh,
    np.arccosh: hyperbolic.acosh, np.arctanh: hyperbolic.atanh,
    np.floor: rounding.floor, np.ceil: rounding.ceil, np.trunc: rounding.trunc, np.rint: rounding.round,
    np.maximum: choice.maximum, np.minimum: choice.minimum, np.fmax: choice.fmax, np.fmin: choice.fmin,
    np.equal: comparison.equal, np.not_equal: comparison.not_equal, np.less: comparison.less,
    np.less_equal: comparison.less_equal, np.greater: comparison.greater, np.greater_equal: comparison.greater_equal,
    np.isfinite: comparison.isfinite, np.isinf: comparison.isinf, np.isnan: comparison.isnan, np.signbit: comparison.signbit,
    np.logical_and: comparison.logical_and, np.logical_or: comparison.logical_or, np.logical_xor: comparison.logical_xor,
    np.logical_not: comparison.logical_not, np.bitwise_and: comparison.bitwise_and, np.bitwise_or: comparison.bitwise_or,
    np.bitwise_xor: comparison.bitwise_xor, np.invert: comparison.bitwise_invert,
    np.left_shift: comparison.bitwise_left_shift, np.right_shift: comparison.bitwise_right_shift,
    np.matmul: matmul, np.vecdot: contraction.vecdot,
}
REDUCTIONS: dict[Any, Function] = {
    np.add: broadcasting.sum, np.multiply: reduction.prod, np.maximum: reduction.max, np.minimum: reduction.min,
    np.logical_and: reduction.all, np.logical_or: reduction.any,
}
FUNCTIONS: dict[Any, Function] = {
    np.sum: broadcasting.sum, np.mean: without_dtype(statistics.mean), np.var: spread(statistics.var),
    np.std: spread(statistics.std), np.prod: without_dtype(reduction.prod), np.max: without_out(reduction.max),
    np.min: without_out(reduction.min), np.amax: without_out(reduction.max), np.amin: without_out(reduction.min),
    np.all: without_out(reduction.all), np.any: without_out(reduction.any), np.count_nonzero: reduction.count_nonzero,
    np.cumsum: cumulative.cumsum, np.cumprod: cumulative.cumprod, np.argmax: searching.argmax, np.argmin: searching.argmin,
    np.nonzero: searching.nonzero, np.searchsorted: searching.searchsorted,
    np.where: choice.where, np.clip: choice.clip, np.nan_to_num: choice.nan_to_num, np.round: rounding.round,
    np.around: rounding.round, np.isclose: comparison.isclose, np.allclose: comparison.allclose, np.array_equal: array_equal,
    np.sinc: special.sinc, np.median: without_out(statistics.median), np.diff: cumulative.diff,
    np.sort: lambda a, axis=-1: sorting.sort(a, axis=axis), np.argsort: lambda a, axis=-1: sorting.argsort(a, axis=axis),
    np.reshape: broadcasting.reshape, np.ravel: shaping.ravel, np.squeeze: shaping.squeeze, np.expand_dims: shaping.expand_dims,
    np.broadcast_to: broadcasting.broadcast_to, np.broadcast_arrays: shaping.broadcast_arrays, np.meshgrid: shaping.meshgrid,
    np.atleast_1d: shaping.atleast_1d,
    np.transpose: transpose, np.matrix_transpose: movement.matrix_transpose, np.moveaxis: movement.moveaxis,
    np.swapaxes: movement.swapaxes,
    np.concatenate: joining.concat, np.stack: movement.stack, np.vstack: joined_along(0), np.hstack: joined_along(1),
    np.unstack: joining.unstack, np.split: joining.split, np.tile: joining.tile, np.repeat: joining.repeat,
    np.flip: rearrangement.flip, np.roll: rearrangement.roll, np.rot90: rearrangement.rot90, np.pad: rearrangement.pad,
    np.lib.stride_tricks.sliding_window_view: rearrangement.sliding_window_view,
    np.tril: lambda m, k=0: diagonals.tril(m, k=k), np.triu: lambda m, k=0: diagonals.triu(m, k=k), np.diag: diagonals.diag,
    np.diagonal: lambda a, offset=0, axis1=0, axis2=1: diagonals.diagonal(a, offset=offset, axis1=axis1, axis2=axis2),
    np.take: gathering.take, np.take_along_axis: gathering.take_along_axis,
    np.dot: contraction.dot, np.inner: contraction.inner, np.outer: contraction.outer, np.tensordot: contraction.tensordot,
    np.kron: contraction.kron, np.einsum: einsum, np.cross: contraction.cross,
    np.trace: lambda a, offset=0: diagonals.trace(a, offset=offset),
    np.linalg.norm: norm, np.linalg.inv: systems.inv, np.linalg.pinv: systems.pinv, np.linalg.det: systems.det,
    np.linalg.slogdet: systems.slogdet, np.linalg.solve: systems.solve, np.linalg.cholesky: factorizations.cholesky,
    np.linalg.qr: factorizations.qr, np.linalg.eigh: factorizations.eigh, np.linalg.eigvalsh: factorizations.eigvalsh,
    np.linalg.svd: factorizations.svd, np.linalg.svdvals: factorizations.svdvals, np.linalg.matrix_power: systems.matrix_power,
    np.linalg.matmul: matmul, np.linalg.vecdot: contraction.vecdot, np.linalg.outer: contraction.outer,
    np.linalg.tensordot: contraction.tensordot, np.linalg.matrix_transpose: movement.matrix_transpose,
    np.linalg.vector_norm: norms.vector_norm, np.linalg.matrix_norm: norms.matrix_norm,
    np.linalg.diagonal: diagonals.diagonal, np.linalg.trace: diagonals.trace,
    np.astype: broadcasting.astype, np.copy: lambda a: a, np.shape: lambda a: typeof(a).shape, np.ndim: lambda a: typeof(a).ndim,
    np.size: lambda a: typeof(a).size, np.zeros_like: alike(np.zeros),
    np.ones_like: alike(np.ones), np.empty_like: alike(np.empty),
    np.full_like: lambda a, fill_value, dtype=None: np.full(typeof(a).shape, fill_value, dtype or typeof(a).dtype),
}


def call(function: Any, operation: Function, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Call the counterpart of a NumPy function, and say which options it has where one is given that it has not."""
    try:
        return operation(*args, **options)
    except TypeError as error:
        if isinstance(error, ChainruleError):
            raise
        signature = inspect.signature(operation)
        try:
            signature.bind(*args, **options)
        except TypeError as misfit:
            taken = ", ".join(name for name in signature.parameters if name != "out")
            raise UntraceableError(f"{function_name(function)}: {misfit}; chainrule's counterpart takes {taken}.") from None
        raise


def array_ufunc(self: Box, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
    """What NumPy calls for `np.sin(x)`, and for `array * x`."""
    if now() is NUMPY:
        return getattr(ufunc, method)(*lowered(args, ufunc.__name__), **options)
    options = checked_options(ufunc, options)
    operation = UFUNCS.get(ufunc) if method == "__call__" else REDUCTIONS.get(ufunc) if method == "reduce" else None
    if operation is None:
        raise unknown(ufunc, "" if method == "__call__" else f".{method}")
    if method == "reduce":
        options.setdefault("axis", 0)
    dtype = options.pop("dtype", None)
    out = call(ufunc, operation, args, options)
    return out if dtype is None else broadcasting.astype(out, dtype)


def array_function(self: Box, function: Any, types: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What NumPy calls for `np.sum(x, axis=0)`."""
    if now() is NUMPY:
        return function(*lowered(args, function.__name__), **options)
    operation = FUNCTIONS.get(function)
    if operation is None:
        raise unknown(function)
    return call(function, operation, args, checked_options(function, options))
