"""A comparison answers yes or no for each element; its answer jumps, so no gradient flows through it."""
from __future__ import annotations

import numpy as np

from chainrule.core.interpreter import concrete
from chainrule.core.primitive import Generator, Sample
from chainrule.core.type import Array, typeof

from .broadcasting import astype
from .elementwise import elementwise
from .families import Samples, integers


def indicator(condition: Array, y: Array) -> Array:
    """1 where the condition holds and 0 elsewhere, in the dtype of `y`: the slope of an operation that chooses."""
    return astype(condition, typeof(y).dtype)


# ---------------------------------------------------------------------------------------- order
def tied(*shapes: tuple[int, ...]) -> Samples:
    """Whole numbers as floats, few enough that equal ones meet."""
    return lambda rng: [Sample(tuple(rng.integers(-1, 2, s).astype(float) for s in shapes))]


@elementwise(None, None, samples=tied((3, 4), (4,)), tex="{0} = {1}", infix="==", native=np.equal)
def equal(a: Array, b: Array) -> Array:
    """Whether two elements are equal."""


@elementwise(None, None, samples=tied((3, 4), (4,)), tex=r"{0} \ne {1}", infix="!=", native=np.not_equal)
def not_equal(a: Array, b: Array) -> Array:
    """Whether two elements differ; NaN differs from everything, itself included."""


@elementwise(None, None, samples=tied((3, 4), (4,)), tex="{0} < {1}", infix="<", native=np.less)
def less(a: Array, b: Array) -> Array:
    """Whether the first element is less than the second."""


@elementwise(None, None, samples=tied((3, 4), (4,)), tex=r"{0} \le {1}", infix="<=", native=np.less_equal)
def less_equal(a: Array, b: Array) -> Array:
    """Whether the first element is less than the second, or equal to it."""


@elementwise(None, None, samples=tied((3, 4), (4,)), tex="{0} > {1}", infix=">", native=np.greater)
def greater(a: Array, b: Array) -> Array:
    """Whether the first element is greater than the second."""


@elementwise(None, None, samples=tied((3, 4), (4,)), tex=r"{0} \ge {1}", infix=">=", native=np.greater_equal)
def greater_equal(a: Array, b: Array) -> Array:
    """Whether the first element is greater than the second, or equal to it."""


@elementwise(None, None, samples=tied((3, 4), (4,)), tex=r"{0} \approx {1}")
def isclose(a: Array, b: Array, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """Whether two elements differ by at most `atol + rtol * |b|`."""
    return np.isclose(a, b, rtol, atol, equal_nan)


def allclose(a: Array, b: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements of two arrays are close, as one Python boolean.

    >>> import chainrule as cr
    >>> cr.allclose([1.0, 2.0], [1.0, 2.0 + 1e-9])
    True
    """
    return bool(concrete(isclose(a, b, rtol, atol, equal_nan), "allclose").all())


# ---------------------------------------------------------------------------------------- kinds of numbers
def strange(rng: Generator) -> list[Sample]:
    return [Sample((np.array([[0.0, -0.0, 1.5], [np.inf, -np.inf, np.nan]]),))]


@elementwise(None, samples=strange, native=np.isfinite)
def isfinite(x: Array) -> Array:
    """Whether a number is neither infinite nor NaN."""


@elementwise(None, samples=strange, native=np.isinf)
def isinf(x: Array) -> Array:
    """Whether a number is infinite."""


@elementwise(None, samples=strange, native=np.isnan)
def isnan(x: Array) -> Array:
    """Whether a number is NaN, which stands for no number."""


@elementwise(None, samples=strange, native=np.signbit)
def signbit(x: Array) -> Array:
    """Whether the sign of a number is minus, that of -0.0 included."""


# ---------------------------------------------------------------------------------------- logic
@elementwise(None, None, samples=tied((3, 4), (4,)), tex=r"{0} \wedge {1}", native=np.logical_and)
def logical_and(a: Array, b: Array) -> Array:
    """Whether both elements are true; a number is true unless it is zero."""


@elementwise(None, None, samples=tied((3, 4), (4,)), tex=r"{0} \vee {1}", native=np.logical_or)
def logical_or(a: Array, b: Array) -> Array:
    """Whether at least one of two elements is true."""


@elementwise(None, None, samples=tied((3, 4), (4,)), tex=r"{0} \oplus {1}", native=np.logical_xor)
def logical_xor(a: Array, b: Array) -> Array:
    """Whether exactly one of two elements is true."""


@elementwise(None, samples=tied((3, 4)), tex=r"\neg {0}", native=np.logical_not)
def logical_not(x: Array) -> Array:
    """Whether an element is false."""


# ---------------------------------------------------------------------------------------- bits
@elementwise(None, None, samples=integers((3, 4), (4,)), infix="&", native=np.bitwise_and)
def bitwise_and(a: Array, b: Array) -> Array:
    """The bits set in both of two integers; of booleans, the logical and."""


@elementwise(None, None, samples=integers((3, 4), (4,)), infix="|", native=np.bitwise_or)
def bitwise_or(a: Array, b: Array) -> Array:
    """The bits set in at least one of two integers; of booleans, the logical or."""


@elementwise(None, None, samples=integers((3, 4), (4,)), infix="^", native=np.bitwise_xor)
def bitwise_xor(a: Array, b: Array) -> Array:
    """The bits set in exactly one of two integers; of booleans, the exclusive or."""


@elementwise(None, samples=integers((3, 4)), tex=r"\sim {0}", native=np.invert)
def bitwise_invert(x: Array) -> Array:
    """Every bit of an integer turned over; of booleans, the logical not."""


@elementwise(None, None, samples=integers((3, 4), (4,)), infix="<<", native=np.left_shift)
def bitwise_left_shift(a: Array, b: Array) -> Array:
    """The bits of the first integer moved left by the second: it is multiplied by two as often."""


@elementwise(None, None, samples=integers((3, 4), (4,)), infix=">>", native=np.right_shift)
def bitwise_right_shift(a: Array, b: Array) -> Array:
    """The bits of the first integer moved right by the second: it is halved as often, rounding down."""
