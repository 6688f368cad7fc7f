"""What the laws do not say of linear algebra: NumPy's values, singular and repeated cases, and the words of the errors."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, DTypeError, GradientError, ShapeError

close = np.testing.assert_allclose
rng = np.random.default_rng(11)
SQUARE, TALL, STACK = rng.normal(size=(4, 4)), rng.normal(size=(5, 3)), rng.normal(size=(2, 3, 4, 4))
POSITIVE = STACK @ STACK.swapaxes(-1, -2) + np.eye(4)
SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])


@pytest.mark.parametrize("x", [SQUARE, STACK, SQUARE.astype("float32")], ids=["one", "stack", "float32"])
@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "pinv", "svdvals", "matrix_rank", "qr", "svd", "matrix_norm", "trace",
                                  "vector_norm", "diagonal"])
def test_values_are_numpys(name, x):
    ours, numpys = getattr(cr.linalg, name)(x), getattr(np.linalg, name)(x)
    for a, b in zip(ours if isinstance(ours, tuple) else [ours], numpys if isinstance(numpys, tuple) else [numpys]):
        close(a, b, rtol=2e-5 if x.dtype == np.float32 else 1e-11)
        assert np.asarray(a).dtype == np.asarray(b).dtype


def test_values_of_positive_definite_and_symmetric_matrices_are_numpys():
    close(cr.linalg.cholesky(POSITIVE), np.linalg.cholesky(POSITIVE))
    close(cr.linalg.cholesky(POSITIVE, upper=True), np.linalg.cholesky(POSITIVE, upper=True))
    close(cr.linalg.eigvalsh(POSITIVE), np.linalg.eigvalsh(POSITIVE))
    w, v = cr.linalg.eigh(POSITIVE)
    close(v @ (w[..., None] * v.mT), POSITIVE)


@pytest.mark.parametrize("n", [-2, -1, 0, 1, 2, 3, 5])
def test_matrix_power_is_numpys(n):
    close(cr.linalg.matrix_power(SQUARE, n), np.linalg.matrix_power(SQUARE, n))


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
@pytest.mark.parametrize("keepdims", [False, True])
def test_matrix_norms_are_numpys(ord, keepdims):
    close(cr.linalg.matrix_norm(STACK, ord=ord, keepdims=keepdims), np.linalg.matrix_norm(STACK, ord=ord, keepdims=keepdims))


@pytest.mark.parametrize("ord", [0, 1, 2, 3, 0.5, -1, -2, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [None, 1, (0, -1)])
def test_vector_norms_are_numpys(ord, axis):
    close(cr.linalg.vector_norm(TALL, ord=ord, axis=axis), np.linalg.vector_norm(TALL, ord=ord, axis=axis))


@pytest.mark.parametrize("ord", [1, 2, 3])
def test_the_norm_of_nothing_has_gradient_zero(ord):
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    g = cr.grad(lambda x: cr.sum(cr.linalg.vector_norm(x, axis=1, ord=ord)))(x)
    assert g[0].tolist() == [0, 0]
    assert np.isfinite(g).all()


def test_norms_neither_overflow_nor_vanish():
    norm = cr.linalg.vector_norm
    close(norm(np.array([3e200, 4e200])), 5e200)
    close(norm(np.array([3e-200, 4e-200])), 5e-200)
    close(norm(np.array([3e30, 4e30], "float32")), 5e30, rtol=1e-6)
    close(cr.grad(norm)(np.array([3e200, 4e200])), [0.6, 0.8])
    assert norm(np.array([np.inf, 1.0])) == np.inf
    assert norm(np.zeros((0,))) == 0


def test_the_gradient_of_a_determinant_is_exact_for_singular_matrices():
    cofactors = [[4, 4, -4], [-2, -2, 2], [0, 0, 0]]
    close(cr.grad(cr.det)(SINGULAR), cofactors, atol=1e-12)
    close(cr.grad(cr.det)(np.zeros((3, 3))), np.zeros((3, 3)))
    close(cr.grad(cr.det)(np.zeros((1, 1))), [[1]])


@pytest.mark.parametrize("name", ["inv", "solve", "slogdet"])
def test_a_singular_matrix_is_named_with_what_to_do(name):
    calls = {"inv": cr.inv, "solve": lambda x: cr.solve(x, np.ones(3)), "slogdet": cr.grad(lambda x: cr.slogdet(x)[1])}
    with pytest.raises(ArgumentError, match=r"the matrix float64\[3,3\] is singular \(rank 2 of 3\).*cr\.eye\(3\)"):
        calls[name](SINGULAR)


def test_of_a_stack_the_singular_matrix_is_named():
    with pytest.raises(ArgumentError, match=r"matrix \[1\] of the stack float64\[2,3,3\] is singular"):
        cr.inv(np.stack([np.eye(3), SINGULAR]))


def test_a_matrix_that_is_not_positive_definite_is_named_with_its_eigenvalue():
    with pytest.raises(ArgumentError, match=r"not positive definite: its smallest eigenvalue is -1"):
        cr.cholesky(np.diag([1.0, -1.0]))


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "cholesky", "eigh", "matrix_power"])
def test_a_matrix_that_is_not_square_is_refused(name):
    with pytest.raises(ShapeError, match=rf"{name}: float64\[5,3\] is not a square matrix"):
        getattr(cr.linalg, name)(TALL, *([2] if name == "matrix_power" else []))


@pytest.mark.parametrize("name", ["svd", "qr", "pinv", "matrix_rank", "matrix_norm"])
def test_a_vector_is_no_matrix(name):
    with pytest.raises(ShapeError, match=r"float64\[3\] (is not a matrix|has fewer than two axes)"):
        getattr(cr.linalg, name)(np.ones(3))


def test_other_misuse_is_named():
    with pytest.raises(ShapeError, match="must have 4 rows"):
        cr.solve(SQUARE, np.ones(3))
    with pytest.raises(ArgumentError, match="mode='raw' is not known"):
        cr.qr(SQUARE, mode="raw")
    with pytest.raises(ArgumentError, match="ord='fro' is not a number"):
        cr.vector_norm(SQUARE, ord="fro")
    with pytest.raises(ArgumentError, match="ord=3 is not known"):
        cr.matrix_norm(SQUARE, ord=3)
    with pytest.raises(DTypeError, match="float32 or float64, not in float16"):
        cr.inv(SQUARE.astype("float16"))


def test_vectors_that_are_not_determined_have_no_gradient():
    with pytest.raises(GradientError, match="full_matrices=False"):
        cr.grad(lambda x: cr.sum(cr.svd(x)[0]))(TALL)
    with pytest.raises(GradientError, match="mode='reduced'"):
        cr.grad(lambda x: cr.sum(cr.qr(x, mode="complete")[0]))(TALL)


def test_repeated_eigenvalues_have_exact_gradients_where_the_vectors_do_not_matter():
    x = np.diag([2.0, 2.0, 3.0])
    close(cr.grad(lambda x: cr.sum(cr.eigvalsh(x)))(x), np.eye(3))  # the trace

    def shared_space(x):
        v = cr.eigh(x)[1][:, :2]
        return cr.sum(v @ v.mT * np.arange(9.0).reshape(3, 3))
    close(cr.grad(shared_space)(x), [[0, 0, -4], [0, 0, -6], [-4, -6, 0]])


def test_the_spectrum_of_a_matrix_with_equal_singular_values_has_a_gradient():
    close(cr.grad(lambda x: cr.sum(cr.svdvals(x)))(np.eye(3)), np.eye(3), atol=1e-12)


def test_results_carry_their_names():
    assert cr.qr(SQUARE)._fields == ("Q", "R")
    assert cr.svd(SQUARE)._fields == ("U", "S", "Vh")
    assert cr.eigh(SQUARE)._fields == ("eigenvalues", "eigenvectors")
    assert cr.slogdet(SQUARE)._fields == ("sign", "logabsdet")


def test_a_result_of_several_parts_can_be_returned_from_a_batched_function():
    u, s, vh = cr.vmap(lambda x: cr.svd(x, full_matrices=False))(np.stack([TALL, 2 * TALL]))
    close(s[1], 2 * s[0])
    assert (u.shape, vh.shape) == ((2, 5, 3), (2, 3, 3))


def test_a_vector_product_needs_three_dimensions():
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    close(cr.cross(a, b, axis=0), np.cross(a, b, axis=0))
    with pytest.raises(ShapeError, match="must both have 3 elements"):
        cr.cross(a, b)


def test_the_gradient_of_a_determinant_with_nan_is_nan_and_spares_its_neighbours():
    a = np.stack([np.full((2, 2), np.nan), np.eye(2)])
    with np.errstate(invalid="ignore"):
        gradient = cr.grad(lambda a: cr.linalg.det(a).sum())(a)
    assert np.isnan(gradient[0]).all() and (gradient[1] == np.eye(2)).all()
