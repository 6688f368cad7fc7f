"""A norm says how long a vector is, or how much a matrix stretches."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.primitive import Generator, Sample
from chainrule.core.type import Array, Shape, Type, is_float, normal_axes, typeof
from chainrule.errors import ArgumentError, ShapeError

from .arithmetic import abs, sign
from .broadcasting import cast, chain, reshape, spread, sum
from .choice import where
from .comparison import not_equal
from .factorizations import svdvals
from .families import past_batch, primitive, reduced_shape
from .matmul import fit
from .power import pow
from .reduction import max, min

ENDS = {np.inf: max, -np.inf: min}  # the orders that single out an element


def length_slope(y: Array, x: Array, axis: Shape, keepdims: bool, ord: float) -> Array:
    """sign(x) (|x| / y)^(p - 1), which for p = 2 is the unit vector x / y; 0 for the vector 0."""
    whole = spread(y, x, axis, keepdims)
    nothing = whole == 0
    unit = where(nothing, 0.0, x / where(nothing, 1.0, whole))
    return unit if ord == 2 else chain(sign(unit), pow(abs(unit), ord - 1))


def lengths(rng: Generator) -> list[Sample]:
    x = rng.normal(size=(3, 4)) + np.sign(rng.normal(size=(3, 4)))
    options = {"ord": 2}, {"axis": 0, "ord": 3}, {"axis": (0, -1), "keepdims": True, "ord": 1.5}, {"axis": 1, "ord": -1.0}
    return [Sample((x,), o) for o in options]


@primitive(
    backward=(lambda g, y, x, axis, keepdims, ord: fit(
        chain(spread(g, x, axis, keepdims), length_slope(y, x, axis, keepdims, ord)), x),),
    tangent=lambda tangents, y, x, axis, keepdims, ord: sum(
        chain(tangents[0], length_slope(y, x, axis, keepdims, ord)), axis=axis, keepdims=keepdims),
    batch=lambda flags, x, axis, keepdims, ord: length(x, axis=past_batch(axis), keepdims=keepdims, ord=ord),
    result=lambda x, axis, keepdims, ord: Type(reduced_shape(x.shape, axis, keepdims), x.dtype),
    prepare=lambda x, axis=None, keepdims=False, ord=2: (
        (x,), {"axis": normal_axes("vector_norm", axis, typeof(x).ndim), "keepdims": bool(keepdims), "ord": ord}),
    samples=lengths, tex=r"\lVert {0} \rVert_{{{ord}}}")
def length(x: Array, *, axis: Shape, keepdims: bool, ord: float) -> Array:
    """The p-norm (Σ |x|^p)^(1/p) along axes, for a finite p other than 0, scaled so that it neither overflows nor vanishes."""
    size = np.abs(x)
    largest = (np.max if ord > 0 else np.min)(size, axis=axis, keepdims=True, initial=0 if ord > 0 else np.inf)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, x.dtype.type(1))
    part = size / scale
    total = np.sum(part * part if ord == 2 else part ** ord, axis=axis, keepdims=True)
    y = scale * (np.sqrt(total) if ord == 2 else total ** (1 / ord))
    return y if keepdims else y.reshape(reduced_shape(x.shape, axis, False))


def vector_norm(x: Array, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """The length of the vectors along `axis` (None: of all elements), by the p-norm of order `ord`.

    `ord` is a number, inf (the largest size), -inf (the smallest) or 0 (how many are not 0). The gradient at 0 is 0.
    Integers become float64.

    >>> import chainrule as cr, numpy as np
    >>> float(cr.linalg.vector_norm(np.array([3.0, 4.0])))
    5.0
    """
    t = typeof(x)
    if not is_float(t.dtype):
        x = cast(x, dtype=np.dtype(np.float64))
    if isinstance(ord, str) or ord != ord:
        raise ArgumentError(f"vector_norm: ord={ord!r} is not a number; matrix_norm has norms with names.")
    if ord in ENDS:
        return ENDS[ord](abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return sum(cast(not_equal(x, 0), dtype=typeof(x).dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum(abs(x), axis=axis, keepdims=keepdims)
    return length(x, axis=axis, keepdims=keepdims, ord=ord)


def matrix_norm(x: Array, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norm of each matrix: "fro" (of all elements), "nuc" (sum of the singular values), 2 and -2 (largest and smallest
    singular value), 1 and -1 (largest and smallest sum of a column), inf and -inf (of a row).
    """
    t = typeof(x)
    if t.ndim < 2:
        raise ShapeError(f"matrix_norm: {t} has fewer than two axes, so it is no matrix. Use vector_norm.")
    if ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in ("nuc", 2, -2):
        values = svdvals(x)
        y = sum(values, axis=-1) if ord == "nuc" else values[..., 0 if ord == 2 else -1]
    elif ord in (1, -1, np.inf, -np.inf):
        sums = sum(abs(x), axis=-2 if ord in (1, -1) else -1)
        y = ENDS[np.inf if ord > 0 else -np.inf](sums, axis=-1)
    else:
        raise ArgumentError(f"matrix_norm: ord={ord!r} is not known; give 'fro', 'nuc', 1, -1, 2, -2, inf or -inf.")
    return reshape(y, (*t.shape[:-2], 1, 1)) if keepdims else y
