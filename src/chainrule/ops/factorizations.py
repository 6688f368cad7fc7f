"""A factorization writes a matrix as a product of simpler ones: triangular, orthogonal, diagonal.

Sources of the rules: Murray 2016 (cholesky), Walter and Lehmann 2010 and Liao et al. 2019 (qr), Giles 2008 (eigh),
Townsend 2016 and Ionescu et al. 2015 (svd). Cholesky and eigh take the symmetric part of their matrix, so their
gradients are symmetric. Where eigenvalues or singular values are equal, their vectors are not determined; the derivative
then leaves out the turning among them (the factor 1 / difference is taken as 0). That is exact for functions of the values, and
of the space that equal values share; a function that treats the vectors of equal values differently has no derivative
there, and one that rebuilds a matrix from both (`v * f(w) @ v.mT`) loses its part within that space.
"""
from __future__ import annotations

import numpy as np

from chainrule.core.primitive import Generator, Sample
from chainrule.core.type import Array, Type, typeof
from chainrule.errors import ArgumentError, GradientError

from .broadcasting import reshape
from .choice import where
from .families import arrays, primitive, several
from .joining import concat
from .matmul import fit, matmul
from .systems import matrix, refused, solve


def symmetric(x: Array) -> Array:
    """The symmetric part of each matrix."""
    return (x + x.mT) * 0.5


def row(x: Array) -> Array:
    """Vectors as rows, to multiply the columns of matrices by."""
    return reshape(x, (*typeof(x).shape[:-1], 1, typeof(x).shape[-1]))


def column(x: Array) -> Array:
    """Vectors as columns, to multiply the rows of matrices by."""
    return reshape(x, (*typeof(x).shape, 1))


def safe_reciprocal(x: Array) -> Array:
    """1 / x, and 0 where x is 0."""
    nothing = x == 0
    return where(nothing, 0.0, 1 / where(nothing, 1.0, x))


def positive_definite(rng: Generator) -> list[Sample]:
    m = [rng.uniform(-1, 1, s) for s in ((3, 3), (2, 4, 4))]
    return [Sample((a @ a.swapaxes(-1, -2) + np.eye(a.shape[-1]),)) for a in m]


def symmetric_samples(rng: Generator) -> list[Sample]:
    m = [rng.uniform(-0.5, 0.5, s) for s in ((3, 3), (2, 4, 4))]
    return [Sample((a + a.swapaxes(-1, -2) + np.diag(np.arange(1.0, a.shape[-1] + 1)) * 2,)) for a in m]


# ---------------------------------------------------------------------------------------- cholesky
def cholesky_gradient(g: Array, y: Array, a: Array) -> Array:
    """dA = sym(L⁻ᵀ Φ(Lᵀ G) L⁻¹), where Φ takes the lower triangle with half the diagonal."""
    n, dtype = typeof(y).shape[-1], typeof(y).dtype
    half = (np.tri(n) - 0.5 * np.eye(n)).astype(dtype)
    inner = solve(y.mT, (matmul(y.mT, g) * half))
    return fit(symmetric(solve(y.mT, inner.mT)), a)


@primitive(
    backward=(cholesky_gradient,), result=lambda a: matrix("cholesky", a, square=True), batch=lambda flags, a: cholesky(a),
    samples=positive_definite, tex=r"\operatorname{{chol}} {0}")
def cholesky(a: Array) -> Array:
    """The lower triangular L with L L' = A, for symmetric positive definite A (Murray 2016).

    Raises ArgumentError where A is not positive definite.
    """
    try:
        return np.linalg.cholesky(symmetric(a)) if a.shape[-1] == a.shape[-2] else np.linalg.cholesky(a)
    except np.linalg.LinAlgError as error:
        def trouble(m: Array) -> str:
            least = float(np.linalg.eigvalsh(symmetric(m))[0])
            return f"is not positive definite: its smallest eigenvalue is {least:.3g}" if least <= 0 else ""
        raise refused("cholesky", a, error, trouble, "Check that it is a covariance or a Gram matrix, or add to the diagonal: "
                      f"a + 1e-6 * cr.eye({a.shape[-1]}).") from None


# ---------------------------------------------------------------------------------------- qr
def qr_type(a: Type, mode: str) -> list[Type]:
    a = matrix("qr", a)
    if mode not in ("reduced", "complete"):
        raise ArgumentError(f"qr: mode={mode!r} is not known; the modes are 'reduced' and 'complete'.")
    (*lead, m, n), dtype = a[:2]
    k = min(m, n) if mode == "reduced" else m
    return [Type((*lead, m, k), dtype), Type((*lead, k, n), dtype)]


def tall_qr_gradient(gq: Array, gr: Array, q: Array, r: Array) -> Array:
    """For at least as many rows as columns: (G_Q + Q copyltu(R G_Rᵀ - G_Qᵀ Q)) R⁻ᵀ (Walter and Lehmann 2010)."""
    n, dtype = typeof(r).shape[-1], typeof(r).dtype
    m = matmul(r, gr.mT) - matmul(gq.mT, q)
    mirrored = m * np.tri(n, dtype=dtype) + (m * np.tri(n, k=-1, dtype=dtype)).mT
    return solve(r, (gq + matmul(q, mirrored)).mT).mT


def qr_gradient(g: tuple[Array, Array], y: tuple[Array, Array], a: Array, mode: str) -> Array:
    """A wide matrix [X Y] is Q [U V]: X = Q U as for a tall one, and Y = Q V (Liao et al. 2019)."""
    (gq, gr), (q, r) = g, y
    rows, columns = typeof(a).shape[-2:]
    if mode == "complete" and rows > columns:
        raise GradientError(f"qr: with mode='complete' the last {rows - columns} columns of Q are not determined by "
                            f"{typeof(a)}, so they have no gradient. Use mode='reduced'.")
    if rows >= columns:
        return fit(tall_qr_gradient(gq, gr, q, r), a)
    right = a[..., :, rows:]
    left = tall_qr_gradient(gq + matmul(right, gr[..., :, rows:].mT), gr[..., :, :rows], q, r[..., :, :rows])
    return fit(concat(left, matmul(q, gr[..., :, rows:]), axis=-1), a)


@primitive(
    backward=(qr_gradient,), result=qr_type, batch=lambda flags, a, mode: qr(a, mode=mode),
    samples=several(arrays((4, 3), mode="reduced"), arrays((2, 3, 3), mode="complete"), arrays((2, 4), mode="reduced")),
    tex=r"\operatorname{{qr}} {0}")
def qr(a: Array, *, mode: str = "reduced") -> tuple[Array, Array]:
    """Q with orthonormal columns and upper triangular R with Q R = A.

    The gradient is that of the reduced form; with mode="complete" and more rows than columns it raises GradientError.
    """
    qr_type(typeof(a), mode)  # NumPy has more modes, which give other things
    q, r = np.linalg.qr(a, mode)  # type: ignore[call-overload]
    return q, r


# ---------------------------------------------------------------------------------------- eigh
def eigh_type(a: Type) -> list[Type]:
    a = matrix("eigh", a, square=True)
    return [Type(a.shape[:-1], a.dtype), a]


def eigh_gradient(g: tuple[Array, Array], y: tuple[Array, Array], a: Array) -> Array:
    """dA = sym(V (diag(g_w) + F ∘ Vᵀ G_V) Vᵀ), F_ij = 1 / (w_j - w_i), 0 where equal (Giles 2008, 3.1)."""
    (gw, gv), (w, v) = g, y
    turned = matmul(v.mT, gv) * safe_reciprocal(row(w) - column(w))
    return fit(symmetric(matmul(matmul(v, turned) + v * row(gw), v.mT)), a)


@primitive(
    backward=(eigh_gradient,), result=eigh_type, batch=lambda flags, a: eigh(a), samples=symmetric_samples,
    tex=r"\operatorname{{eig}} {0}")
def eigh(a: Array) -> tuple[Array, Array]:
    """The eigenvalues of each symmetric matrix, in ascending order, and the eigenvectors as columns.

    An eigenvector may as well be its negative: a function of it should not depend on that.
    """
    w, v = np.linalg.eigh(symmetric(a) if a.shape[-1] == a.shape[-2] else a)
    return w, v


# ---------------------------------------------------------------------------------------- svd
def svd_type(a: Type, full_matrices: bool) -> list[Type]:
    a = matrix("svd", a)
    (*lead, m, n), dtype = a[:2]
    k = min(m, n)
    sides = (m, n) if full_matrices else (k, k)
    return [Type((*lead, m, sides[0]), dtype), Type((*lead, k), dtype), Type((*lead, sides[1], n), dtype)]


def svd_gradient(g: tuple[Array, ...], y: tuple[Array, ...], a: Array, full_matrices: bool) -> Array:
    """Townsend 2016: the turning of U, the turning of V, the stretching, and what leaves the spaces of U and V."""
    m, n = typeof(a).shape[-2:]
    if full_matrices and m != n:
        raise GradientError(f"svd: with full_matrices=True the extra {abs(m - n)} vectors are not determined by {typeof(a)}, "
                            "so they have no gradient. Use full_matrices=False.")
    (gu, gs, gvh), (u, s, vh) = g, y
    f = safe_reciprocal((row(s) - column(s)) * (row(s) + column(s)))
    pu, pv = matmul(u.mT, gu), matmul(vh, gvh.mT)
    inner = f * (pu - pu.mT) * row(s) + column(s) * f * (pv - pv.mT)
    d = matmul(matmul(u, inner) + u * row(gs), vh)
    over = safe_reciprocal(s)
    if m > n:
        d = d + matmul((gu - matmul(u, pu)) * row(over), vh)
    if n > m:
        d = d + matmul(u, column(over) * (gvh - matmul(pv.mT, vh)))
    return fit(d, a)


@primitive(
    backward=(svd_gradient,), result=svd_type, batch=lambda flags, a, full_matrices: svd(a, full_matrices=full_matrices),
    samples=several(arrays((4, 2), full_matrices=False), arrays((2, 3), full_matrices=False),
                    arrays((2, 3, 3), full_matrices=True)),
    tex=r"\operatorname{{svd}} {0}")
def svd(a: Array, *, full_matrices: bool = True) -> tuple[Array, Array, Array]:
    """U, the singular values in descending order, and V transposed, with U diag(s) V' = A.

    A pair of vectors in U and V may as well change sign together: a function of them should not depend on that. The
    extra vectors of full_matrices=True for a matrix that is not square have no gradient: GradientError.
    """
    u, s, vh = np.linalg.svd(a, full_matrices)
    return u, s, vh


def svdvals(a: Array) -> Array:
    """The singular values of each matrix, in descending order."""
    return svd(a, full_matrices=False)[1]


def eigvalsh(a: Array) -> Array:
    """The eigenvalues of each symmetric matrix, in ascending order."""
    return eigh(a)[0]
