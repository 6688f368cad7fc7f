"""Square matrices as systems of equations: inverses, solutions, determinants.

The rules are those of Giles, "An extended collection of matrix derivative results for forward and reverse mode automatic
differentiation" (2008), and of Golub and Pereyra (1973) for the pseudoinverse. All work on stacks of matrices.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.primitive import Generator, Sample
from chainrule.core.type import Array, Type, broadcast, is_float, promote, typeof
from chainrule.errors import ArgumentError, DTypeError, ShapeError

from .broadcasting import align, chain, reshape, sum, unbroadcast
from .families import arrays, primitive, several
from .matmul import fit, matmul


# ---------------------------------------------------------------------------------------- what is asked of a matrix
def float_of(name: str, *types: Type) -> np.dtype[Any]:
    """The dtype in which NumPy's linear algebra computes: float32 or float64; integers become float64."""
    dtype = promote(*types)
    if dtype.kind not in "fiub" or (dtype.itemsize == 2 and is_float(dtype)):
        raise DTypeError(f"{name}: linear algebra is done in float32 or float64, not in {dtype}. Convert with "
                         ".astype('float32').")
    return dtype if is_float(dtype) else np.dtype(np.float64)


def matrix(name: str, t: Type, *, square: bool = False) -> Type:
    if t.ndim < 2 or (square and t.shape[-1] != t.shape[-2]):
        what = "a square matrix" if square else "a matrix"
        raise ShapeError(f"{name}: {t} is not {what} (or a stack of them): the last two axes are rows and columns.")
    return Type(t.shape, float_of(name, t))


def refused(name: str, a: Array, error: Exception, trouble: Any, advice: str) -> Exception:
    """The error for a matrix that NumPy refused; of a stack it names the first one in `trouble`."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        return error  # the type rule says it better
    flat = a.reshape(-1, *a.shape[-2:])
    found = next(((i, why) for i, m in enumerate(flat) if (why := trouble(m))), (0, str(error)))
    place = ", ".join(map(str, np.unravel_index(found[0], a.shape[:-2]))) if a.ndim > 2 else ""
    which = f"matrix [{place}] of the stack {typeof(a)}" if place else f"the matrix {typeof(a)}"
    return ArgumentError(f"{name}: {which} {found[1]}. {advice}")


def singular(name: str, a: Array, error: Exception) -> Exception:
    n = a.shape[-1]

    def trouble(m: Array) -> str:
        rank = int(np.linalg.matrix_rank(m))
        return f"is singular (rank {rank} of {n})" if rank < n else ""
    return refused(name, a, error, trouble, "Remove rows that depend on others, add a little to the diagonal "
                   f"(a + 1e-6 * cr.eye({n})), or use cr.linalg.pinv.")


def regular(*shapes: tuple[int, ...]) -> Any:
    """Well-conditioned square matrices of these shapes for the laws."""
    return lambda rng: [Sample(tuple(rng.uniform(-1, 1, s) + 2.5 * np.eye(s[-1]) for s in shapes))]


# ---------------------------------------------------------------------------------------- inverse and solution
@primitive(
    backward=(lambda g, y, a: fit(-matmul(matmul(y.mT, g), y.mT), a),),
    tangent=lambda tangents, y, a: -matmul(matmul(y, tangents[0]), y),
    result=lambda a: matrix("inv", a, square=True), batch=lambda flags, a: inv(a),
    samples=several(regular((3, 3)), regular((2, 4, 4))), tex="{0}^{{-1}}")
def inv(a: Array) -> Array:
    """The inverse of each square matrix. Raises ArgumentError for a singular one.

    Its gradient is -Y' G Y' (Giles 2008, 2.2.3). To solve equations, use `solve`: it is faster and more accurate.
    """
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError as error:
        raise singular("inv", a, error) from None


def solve_type(a: Type, b: Type) -> Type:
    a = matrix("solve", a, square=True)
    rows = b.shape[-2 if b.ndim > 1 else 0] if b.ndim else None
    if rows != a.shape[-1]:
        raise ShapeError(f"solve: the matrix is {a} and the right side {b}: the only axis of b, or the last but one, must have "
                         f"{a.shape[-1]} rows.")
    if b.ndim == 1:
        return Type(a.shape[:-1], float_of("solve", a, b))
    lead = broadcast(f"solve of {a} and {b}", Type(a.shape[:-2], a.dtype), Type(b.shape[:-2], b.dtype))
    return Type((*lead, *b.shape[-2:]), float_of("solve", a, b))


def solve_left(g: Array, y: Array, a: Array, b: Array) -> Array:
    """dA = -(A⁻ᵀ G) Xᵀ."""
    if typeof(b).ndim == 1:
        g, y = (reshape(x, (*typeof(x).shape, 1)) for x in (g, y))
    return unbroadcast(-matmul(solve(a.mT, g), y.mT), a)


def solve_right(g: Array, y: Array, a: Array, b: Array) -> Array:
    """dB = A⁻ᵀ G."""
    if typeof(b).ndim > 1:
        return unbroadcast(solve(a.mT, g), b)
    d = solve(a.mT, reshape(g, (*typeof(g).shape, 1)))
    return unbroadcast(reshape(d, typeof(d).shape[:-1]), b)


def solve_tangent(tangents: list[Array | None], y: Array, a: Array, b: Array) -> Array:
    ta, tb = tangents
    if ta is None:
        return fit(solve(a, tb), y)
    vector = typeof(b).ndim == 1
    wide = reshape(y, (*typeof(y).shape, 1)) if vector else y
    d = -solve(a, matmul(ta, wide))
    d = reshape(d, typeof(y).shape) if vector else d
    return fit(d if tb is None else d + solve(a, tb), y)


def solve_batch(flags: list[bool], a: Array, b: Array) -> Array:
    many_a, many_b = flags
    if typeof(b).ndim - many_b == 1:  # vectors: in a stack they have to be columns
        b = reshape(b, (*typeof(b).shape, 1))
        rank = max(typeof(a).ndim - many_a, 2)
        b = reshape(b, (typeof(b).shape[0], *[1] * (rank - 2), *typeof(b).shape[-2:])) if many_b else b
        y = solve(*align(flags, (a, b)))
        return reshape(y, typeof(y).shape[:-1])
    return solve(*align(flags, (a, b)))


def systems(rng: Generator) -> list[Sample]:
    a, stack = rng.uniform(-1, 1, (3, 3)) + 2.5 * np.eye(3), rng.uniform(-1, 1, (2, 3, 3)) + 2.5 * np.eye(3)
    return [Sample((a, rng.normal(size=s))) for s in ((3,), (3, 2), (2, 3, 2))] + [
        Sample((stack, rng.normal(size=s))) for s in ((3,), (3, 2), (4, 1, 3, 2))]


@primitive(backward=(solve_left, solve_right), tangent=solve_tangent, batch=solve_batch, result=solve_type, samples=systems,
           tex="{0}^{{-1}} {1}")
def solve(a: Array, b: Array) -> Array:
    """The x of `a @ x == b`, for a vector b (n,) or the columns of (..., n, k). Raises ArgumentError for a singular matrix.

    Giles 2008, 2.3.1.

    >>> import chainrule as cr, numpy as np
    >>> cr.linalg.solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([1.0, 1.0]))
    array([0.5 , 0.25])
    """
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError as error:
        raise singular("solve", a, error) from None


# ---------------------------------------------------------------------------------------- determinants
def numbers(name: str, a: Type) -> Type:
    a = matrix(name, a, square=True)
    return Type(a.shape[:-2], a.dtype)


def as_matrices(g: Array) -> Array:
    """One number for each matrix, with two axes to multiply matrices by."""
    return reshape(g, (*typeof(g).shape, 1, 1))


def not_invertible(rng: Generator) -> list[Sample]:
    a = rng.uniform(-1, 1, (3, 3))
    a[2] = a[0] + a[1]
    return [Sample((a,), smooth=False)]


@primitive(
    backward=(lambda g, y, a: fit(as_matrices(g) * cofactor(a), a),),
    result=lambda a: numbers("det", a), batch=lambda flags, a: det(a),
    samples=several(regular((3, 3)), regular((2, 4, 4)), arrays((1, 1))), tex=r"\det {0}")
def det(a: Array) -> Array:
    """The determinant of each square matrix. Its gradient, the matrix of cofactors, is exact for singular matrices too."""
    return np.linalg.det(a)


def cofactor_gradient(g: Array, y: Array, a: Array) -> Array:
    """Y = det(A) A⁻ᵀ, so dA = A⁻ᵀ <G, Y> - A⁻ᵀ Gᵀ Y, which needs the inverse."""
    back = inv(a).mT
    whole = sum(g * y, axis=(-2, -1))
    return fit(as_matrices(whole) * back - matmul(matmul(back, g.mT), y), a)


@primitive(
    backward=(cofactor_gradient,), result=lambda a: matrix("cofactor", a, square=True), batch=lambda flags, a: cofactor(a),
    samples=several(regular((3, 3)), regular((2, 2, 2))), tex=r"\operatorname{{cof}} {0}")
def cofactor(a: Array) -> Array:
    """The matrix of cofactors, det(A) A⁻ᵀ, also where A has no inverse; there its own gradient raises ArgumentError.

    From the singular values: each is replaced by the product of the others.
    """
    broken = ~np.isfinite(a).all((-2, -1), keepdims=True)  # of which there are no singular values
    u, s, vh = np.linalg.svd(np.where(broken, 0, a))
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), s.dtype.type(1), s[..., None, :]).prod(-1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return np.where(broken, np.nan, sign[..., None, None] * np.matmul(u * others[..., None, :], vh))


def slogdet_type(a: Type) -> list[Type]:
    return [numbers("slogdet", a)] * 2


@primitive(
    backward=(lambda g, y, a: fit(chain(as_matrices(g[1]), inv(a).mT), a),),
    result=slogdet_type, batch=lambda flags, a: slogdet(a), samples=several(regular((3, 3)), regular((2, 4, 4))),
    tex=r"\log \det {0}")
def slogdet(a: Array) -> tuple[Array, Array]:
    """The sign of the determinant and the logarithm of its size, which does not overflow.

    The gradient is A⁻ᵀ (Giles 2008, 2.2.4). Where the matrix is singular the logarithm is -inf, and its gradient raises
    ArgumentError.
    """
    sign, size = np.linalg.slogdet(a)
    return sign, size


# ---------------------------------------------------------------------------------------- where there is no inverse
def pinv_gradient(g: Array, y: Array, a: Array) -> Array:
    """With P = A⁺: -Pᵀ G Pᵀ + (I - A P) Gᵀ P Pᵀ + Pᵀ P Gᵀ (I - P A)."""
    left = matmul(matmul(g.mT, y), y.mT)
    right = matmul(y.mT, matmul(y, g.mT))
    return fit(left - matmul(a, matmul(y, left)) + right - matmul(matmul(right, y), a) - matmul(matmul(y.mT, g), y.mT), a)


def pinv_type(a: Type) -> Type:
    a = matrix("pinv", a)
    return Type((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)


@primitive(backward=(pinv_gradient,), result=pinv_type, batch=lambda flags, a: pinv(a),
           samples=several(arrays((4, 2)), arrays((2, 3)), regular((2, 3, 3))), tex="{0}^+")
def pinv(a: Array) -> Array:
    """The pseudoinverse (Moore, Penrose) of each matrix: `pinv(a) @ b` is the smallest x for which |a @ x - b| is least.

    The gradient holds where the rank does not change (Golub and Pereyra 1973).
    """
    return np.linalg.pinv(a)


@primitive(
    backward=(None,), result=lambda a, rtol: Type(matrix("matrix_rank", a).shape[:-2], np.dtype(np.int64)),
    batch=lambda flags, a, rtol: matrix_rank(a, rtol=rtol), samples=several(arrays((3, 3)), not_invertible))
def matrix_rank(a: Array, *, rtol: float | None = None) -> Array:
    """How many rows of each matrix are independent: how many singular values exceed `rtol` times the largest. No gradient."""
    return np.asarray(np.linalg.matrix_rank(matrix_only(a), rtol=rtol), np.int64)


def matrix_only(a: Array) -> Array:
    """NumPy takes a vector for a matrix of one row here; nothing else does."""
    matrix("matrix_rank", typeof(a))
    return a


def matrix_power(a: Array, n: int) -> Array:
    """Each square matrix multiplied n times by itself; a negative n takes the inverse first. By repeated squaring."""
    matrix("matrix_power", typeof(a), square=True)
    if n < 0:
        return matrix_power(inv(a), -n)
    result: Array = None
    while n:
        if n & 1:
            result = a if result is None else matmul(result, a)
        n >>= 1
        a = matmul(a, a) if n else a
    t = typeof(a)
    return np.broadcast_to(np.eye(t.shape[-1], dtype=t.dtype), t.shape) if result is None else result
