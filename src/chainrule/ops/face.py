"""The face of a value: the operators and methods that every box has, whichever interpreter made it."""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.core.interpreter import Box, concrete
from chainrule.core.type import Array
from chainrule.errors import ArgumentError, DTypeError, ShapeError

from . import (
    activation,
    arithmetic,
    broadcasting,
    choice,
    comparison,
    contraction,
    cumulative,
    diagonals,
    exponential,
    gathering,
    hyperbolic,
    indexing,
    joining,
    movement,
    norms,
    power,
    protocols,
    rearrangement,
    reduction,
    rounding,
    searching,
    shaping,
    sorting,
    special,
    statistics,
    trigonometric,
    updates,
)
from .matmul import matmul
from .protocols import numbers
from .softmax import log_softmax, softmax


def countable(other: Any) -> bool:
    """Whether == with it compares elements; a value equals no name and no None."""
    return other is not None and not isinstance(other, str)


def whole_number(x: Box) -> int:
    """The one integer that serves as an index or a size."""
    if x.size != 1 or x.dtype.kind not in "iu":
        raise DTypeError(f"an index or a size is one integer, not {x.type}.")
    return int(numbers(x, "an index or a size").item())


def only_cpu(name: str, device: Any) -> None:
    """Refuse any device but the one there is."""
    if str(device) != "cpu":
        raise ArgumentError(f"{name}: there is no device {device!r}: chainrule computes on the 'cpu'.")


def namespace(api_version: str | None) -> Any:
    """The module `chainrule`, if it follows that version of the array API standard."""
    module = sys.modules["chainrule"]
    if api_version not in (None, module.__array_api_version__):
        raise ArgumentError(f"__array_namespace__: version {api_version} of the array API standard was asked for; this is "
                            f"{module.__array_api_version__}.")
    return module


class Face(Box):
    """Operators and methods, put on `Box` below: the machine defines boxes but knows no operation."""

    __slots__ = ()

    def __add__(self, other: Array) -> Array: return arithmetic.add(self, other)
    def __radd__(self, other: Array) -> Array: return arithmetic.add(other, self)
    def __sub__(self, other: Array) -> Array: return arithmetic.subtract(self, other)
    def __rsub__(self, other: Array) -> Array: return arithmetic.subtract(other, self)
    def __mul__(self, other: Array) -> Array: return arithmetic.multiply(self, other)
    def __rmul__(self, other: Array) -> Array: return arithmetic.multiply(other, self)
    def __truediv__(self, other: Array) -> Array: return arithmetic.divide(self, other)
    def __rtruediv__(self, other: Array) -> Array: return arithmetic.divide(other, self)
    def __matmul__(self, other: Array) -> Array: return matmul(self, other)
    def __rmatmul__(self, other: Array) -> Array: return matmul(other, self)
    def __floordiv__(self, other: Array) -> Array: return arithmetic.floor_divide(self, other)
    def __rfloordiv__(self, other: Array) -> Array: return arithmetic.floor_divide(other, self)
    def __mod__(self, other: Array) -> Array: return arithmetic.remainder(self, other)
    def __divmod__(self, other: Array) -> tuple[Array, Array]: return self // other, self % other
    def __rdivmod__(self, other: Array) -> tuple[Array, Array]: return other // self, other % self
    def __rmod__(self, other: Array) -> Array: return arithmetic.remainder(other, self)
    def __pow__(self, other: Array) -> Array: return power.pow(self, other)
    def __rpow__(self, other: Array) -> Array: return power.pow(other, self)
    def __neg__(self) -> Array: return arithmetic.negative(self)
    def __pos__(self) -> Array: return arithmetic.positive(self)
    def __abs__(self) -> Array: return arithmetic.abs(self)

    def __lt__(self, other: Array) -> Array: return comparison.less(self, other)
    def __le__(self, other: Array) -> Array: return comparison.less_equal(self, other)
    def __gt__(self, other: Array) -> Array: return comparison.greater(self, other)
    def __ge__(self, other: Array) -> Array: return comparison.greater_equal(self, other)
    def __eq__(self, other: Any) -> Any: return comparison.equal(self, other) if countable(other) else NotImplemented
    def __ne__(self, other: Any) -> Any: return comparison.not_equal(self, other) if countable(other) else NotImplemented
    __hash__ = object.__hash__  # boxes are keys of sets and dicts by identity; == compares elements

    def __and__(self, other: Array) -> Array: return comparison.bitwise_and(self, other)
    def __rand__(self, other: Array) -> Array: return comparison.bitwise_and(other, self)
    def __or__(self, other: Array) -> Array: return comparison.bitwise_or(self, other)
    def __ror__(self, other: Array) -> Array: return comparison.bitwise_or(other, self)
    def __xor__(self, other: Array) -> Array: return comparison.bitwise_xor(self, other)
    def __rxor__(self, other: Array) -> Array: return comparison.bitwise_xor(other, self)
    def __invert__(self) -> Array: return comparison.bitwise_invert(self)
    def __lshift__(self, other: Array) -> Array: return comparison.bitwise_left_shift(self, other)
    def __rlshift__(self, other: Array) -> Array: return comparison.bitwise_left_shift(other, self)
    def __rshift__(self, other: Array) -> Array: return comparison.bitwise_right_shift(self, other)
    def __rrshift__(self, other: Array) -> Array: return comparison.bitwise_right_shift(other, self)
    def __getitem__(self, index: Any) -> Array: return indexing.getitem(self, index)
    def __setitem__(self, index: Any, value: Any) -> None: raise updates.assignment(self, index, value)

    # ---------------------------------------------------------------- as a Python number or sequence
    def __bool__(self) -> bool: return bool(self.concrete("`if`, `while`, `and`, `or` or bool()"))
    def __float__(self) -> float: return float(numbers(self, "float()"))
    def __int__(self) -> int: return int(numbers(self, "int()"))
    def __index__(self) -> int: return whole_number(self)
    def __contains__(self, value: Any) -> bool: return bool(concrete(comparison.equal(self, value), "`in`").any())
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any: return numbers(self, "np.asarray()")

    def item(self) -> Any:
        """The one value as a Python number; inside a transform an error, because its derivative would be lost."""
        return numbers(self, "item()").item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers; inside a transform an error."""
        return numbers(self, "tolist()").tolist()

    def numpy(self) -> Any:
        """The values as a NumPy array; inside a transform an error."""
        return numbers(self, "numpy()")

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError(f"len: {self.type} is a single number, which has no length.")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def __format__(self, spec: str) -> str:
        return format(concrete(self, "format()").item(), spec) if spec and self.size == 1 else str(self)

    # ---------------------------------------------------------------- what it is, and where
    @property
    def device(self) -> str:
        """Where the numbers are: always "cpu"."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Array:
        """The same array: there is one device."""
        only_cpu("to_device", device)
        return self

    def to(self, target: Any) -> Array:
        """The array in another dtype, or on a device, which can only be "cpu"."""
        on_device = isinstance(target, str) and target in ("cpu", "cuda", "mps")
        return self.to_device(target) if on_device else broadcasting.astype(self, target)

    def float(self) -> Array:
        """The array in float32."""
        return broadcasting.astype(self, np.float32)

    def double(self) -> Array:
        """The array in float64."""
        return broadcasting.astype(self, np.float64)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The module whose functions take this array: chainrule."""
        return namespace(api_version)

    # ---------------------------------------------------------------- shapes given as several numbers
    def reshape(self, *shape: Any) -> Array:
        """The same elements in another shape, given as one tuple or as several numbers; one size may be -1."""
        return broadcasting.reshape(self, shape[0] if len(shape) == 1 else shape)

    def permute(self, *axes: Any) -> Array:
        """The array with its axes in another order, given as one tuple or as several numbers."""
        return movement.permute_dims(self, axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes)

    def transpose(self, *axes: Any) -> Array:
        """The array with its axes reversed, or two axes exchanged (as in PyTorch), or all in the order given (as in NumPy)."""
        if len(axes) == 2:
            return movement.swapaxes(self, *axes)
        return self.permute(*(axes if axes and axes != (None,) else range(self.ndim)[::-1]))

    def broadcast_to(self, *shape: Any) -> Array:
        """The array repeated to a shape, given as one tuple or as several numbers."""
        return broadcasting.broadcast_to(self, shape[0] if len(shape) == 1 else shape)

    @property
    def T(self) -> Array:
        """The matrix with rows and columns exchanged."""
        if self.ndim > 2:
            raise ShapeError(f"T: {self.type} has {self.ndim} axes. Use .mT to exchange the last two, or .permute(...).")
        return movement.permute_dims(self, axes=(1, 0)) if self.ndim == 2 else self

    @property
    def mT(self) -> Array:
        """The array with its last two axes exchanged."""
        return movement.matrix_transpose(self)

    @property
    def at(self) -> updates.at:
        """Functional updates: `x.at[i].set(v)`, and `add`, `multiply`, `min`, `max`."""
        return updates.at(self)

    __array_ufunc__ = protocols.array_ufunc
    __array_function__ = protocols.array_function


# ---------------------------------------------------------------------------------------- methods that are operations
METHODS: tuple[Callable[..., Any], ...] = (  # x.exp() is cr.exp(x)
    arithmetic.abs, arithmetic.sign, exponential.exp, exponential.exp2, exponential.expm1, exponential.log, exponential.log1p,
    exponential.log2, exponential.log10, power.sqrt, power.square, power.pow, power.reciprocal,
    trigonometric.sin, trigonometric.cos, trigonometric.tan, trigonometric.asin, trigonometric.acos, trigonometric.atan,
    hyperbolic.sinh, hyperbolic.cosh, hyperbolic.tanh, special.erf,
    activation.relu, activation.sigmoid, softmax, log_softmax,
    rounding.floor, rounding.ceil, rounding.round, rounding.trunc, choice.clip, choice.nan_to_num,
    comparison.isnan, comparison.isinf, comparison.isfinite, comparison.allclose,
    broadcasting.sum, statistics.mean, statistics.var, statistics.std, reduction.prod, reduction.max, reduction.min,
    reduction.all, reduction.any, reduction.logsumexp, reduction.count_nonzero, cumulative.cumsum, cumulative.cumprod,
    searching.argmax, searching.argmin, searching.nonzero, sorting.sort, sorting.argsort, sorting.topk, statistics.median,
    arithmetic.add, arithmetic.subtract, arithmetic.multiply, arithmetic.divide, arithmetic.negative,
    matmul, contraction.dot, diagonals.diagonal, diagonals.tril, diagonals.triu,
    broadcasting.astype, broadcasting.stop_gradient, shaping.flatten, shaping.ravel, shaping.squeeze, shaping.expand_dims,
    movement.moveaxis, movement.swapaxes, rearrangement.flip, rearrangement.roll, joining.repeat, joining.split,
    gathering.take, gathering.gather, gathering.scatter, gathering.scatter_add, updates.masked_fill,
)
ALIASES: dict[str, Callable[..., Any]] = {
    "unsqueeze": shaping.expand_dims, "unbind": joining.unstack, "clamp": choice.clip,
    "amax": reduction.max, "amin": reduction.min, "maximum": choice.maximum, "minimum": choice.minimum,
    "norm": norms.vector_norm, "detach": broadcasting.stop_gradient,
    "sub": arithmetic.subtract, "mul": arithmetic.multiply, "div": arithmetic.divide, "neg": arithmetic.negative,
}


def method(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
    """An operation as a method: the value comes first."""
    def bound(self: Box, *args: Any, **options: Any) -> Any:
        return operation(self, *args, **options)
    bound.__name__, bound.__doc__, bound.__wrapped__ = name, operation.__doc__, operation  # type: ignore[attr-defined]
    return bound


for name, member in vars(Face).items():
    if callable(member) or isinstance(member, property):
        setattr(Box, name, member)
for name, operation in [*((operation.__name__, operation) for operation in METHODS), *ALIASES.items()]:
    setattr(Box, name, method(name, operation))
