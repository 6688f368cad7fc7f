"""Linear algebra, by the names of the array API standard: `cr.linalg.solve`, `cr.linalg.svd`, ...

Matrices are the last two axes; axes before them are stacks.
"""
from __future__ import annotations

from typing import NamedTuple

from .core.type import Array
from .ops import factorizations, systems
from .ops.contraction import cross, outer, tensordot, vecdot
from .ops.diagonals import diagonal, trace
from .ops.factorizations import eigvalsh, svdvals
from .ops.matmul import matmul
from .ops.movement import matrix_transpose
from .ops.norms import matrix_norm, vector_norm
from .ops.systems import det, inv, matrix_power, matrix_rank, pinv, solve

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power", "matrix_rank",
    "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot",
    "vector_norm",
]


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Array
    R: Array


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Array
    eigenvectors: Array


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Array
    S: Array
    Vh: Array


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Array
    logabsdet: Array


def cholesky(x: Array, *, upper: bool = False) -> Array:
    """The triangular factor of a symmetric positive definite matrix: x = L L', or with `upper` x = U' U.

    Raises ArgumentError where x is not positive definite. The gradient is symmetric (Murray 2016).

    >>> import chainrule as cr, numpy as np
    >>> cr.linalg.cholesky(np.array([[4.0, 2.0], [2.0, 5.0]]))
    array([[2., 0.],
           [1., 2.]])
    """
    lower = factorizations.cholesky(x)
    return matrix_transpose(lower) if upper else lower


def qr(x: Array, *, mode: str = "reduced") -> QRResult:
    """Q with orthonormal columns and upper triangular R with Q R = x, in the mode "reduced" or "complete".

    The gradient is that of the reduced form (Walter and Lehmann 2010, Liao et al. 2019).
    """
    return QRResult(*factorizations.qr(x, mode=mode))


def eigh(x: Array) -> EighResult:
    """The eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as columns.

    The signs of the vectors are arbitrary, and where eigenvalues are equal so are the vectors: gradients are meaningful for
    functions that do not depend on the choice (Giles 2008).
    """
    return EighResult(*factorizations.eigh(x))


def svd(x: Array, *, full_matrices: bool = True) -> SVDResult:
    """U, the singular values S in descending order, and Vh, with U diag(S) Vh = x.

    The extra vectors that full_matrices=True gives for a matrix that is not square have no gradient (Townsend 2016).
    """
    return SVDResult(*factorizations.svd(x, full_matrices=full_matrices))


def slogdet(x: Array) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its size, which neither overflows nor vanishes (Giles 2008)."""
    return SlogdetResult(*systems.slogdet(x))
