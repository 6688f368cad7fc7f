"""What the laws do not say of contractions: agreement with NumPy on odd calls, and the words of the errors."""
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, ShapeError
from chainrule.ops.matmul import chain_matmul

close = np.testing.assert_allclose


def drawn(*shapes):
    rng = np.random.default_rng(3)
    return [rng.normal(size=s) for s in shapes]


@pytest.mark.parametrize(("a", "b"), [
    ((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((0, 4), (4, 3)), ((3, 0), (0, 2)), ((2, 0, 3), (3, 4)),
    ((2, 3, 0), (0, 4))])
def test_matmul_is_numpys(a, b):
    x, w = drawn(a, b)
    close(cr.matmul(x, w), np.matmul(x, w))
    gradients = cr.grad(lambda x, w: cr.sum(x @ w), argnums=(0, 1))(x, w)
    assert [g.shape for g in gradients] == [a, b]


def test_matmul_of_integers_and_booleans_keeps_numpys_type():
    i, b = np.arange(6).reshape(2, 3), np.eye(3, dtype=bool)
    assert cr.matmul(i, i.T).dtype == np.int64
    assert cr.matmul(b, b).dtype == np.bool_
    close(cr.matmul(i, i.T), i @ i.T)


def test_matmul_names_the_sizes_that_differ():
    with pytest.raises(ShapeError, match=r"matmul: inner sizes differ: float64\[3,4\] @ float64\[3,4\] \(4 != 3\).*\.mT"):
        cr.matmul(*drawn((3, 4), (3, 4)))
    with pytest.raises(ShapeError, match=r"Multiply with \*"):
        cr.matmul(np.ones(()), np.ones(3))


def test_products_of_mixed_precision_return_each_gradient_in_its_own():
    x, w = np.ones((3, 4), np.float32), np.ones((4, 2))
    gx, gw = cr.grad(lambda x, w: cr.sum(x @ w), argnums=(0, 1))(x, w)
    assert (gx.dtype, gw.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize(("subscripts", "shapes"), [
    ("ij,jk->ik", [(3, 4), (4, 5)]), ("ij,jk", [(3, 4), (4, 5)]), ("ba,bc", [(2, 3), (2, 4)]), ("ii->i", [(3, 3)]),
    ("ii", [(3, 3)]), ("ij->ji", [(3, 4)]), ("ij->", [(3, 4)]), (",ij->ij", [(), (3, 4)]), ("i,j->ij", [(3,), (4,)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]), ("i...->...i", [(3, 4, 5)]), ("...,...", [(3, 4), (4,)]),
    ("i...,i...->...", [(3, 4), (3, 5, 4)]), ("ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 5), (5, 2)]),
    ("iij,jk->ik", [(3, 3, 4), (4, 5)]), ("bhqd,bhkd->bhqk", [(2, 3, 7, 8), (2, 3, 6, 8)]), ("ij,ij->ij", [(1, 4), (3, 4)]),
    ("ijk,ijl,kl->ij", [(2, 3, 4), (2, 3, 5), (4, 5)]), ("abcd,cdef->aebf", [(6, 5, 4, 3), (4, 3, 6, 5)]),
    ("zij,zjk,m->zk", [(9, 8, 7), (9, 7, 6), (5,)]), ("aab,bbc->ac", [(20, 20, 12), (12, 12, 9)])])
def test_einsum_is_numpys(subscripts, shapes):
    xs = drawn(*shapes)
    close(cr.einsum(subscripts, *xs), np.einsum(subscripts, *xs), rtol=1e-12, atol=1e-12)
    assert cr.einsum(subscripts, *xs).shape == np.einsum(subscripts, *xs).shape


@pytest.mark.parametrize(("error", "words", "call"), [
    (ArgumentError, "names? 2 arrays, but 1", ("ij,jk", (3, 4))),
    (ShapeError, "'j' have sizes 4 and 3", ("ij,jk", (3, 4), (3, 4))),
    (ShapeError, "names 2 axes, but the array has 1", ("ij", (3,))), (ShapeError, "diagonal", ("ii", (3, 4))),
    (ArgumentError, "output 'z'", ("ij->z", (3, 4))), (ArgumentError, "must appear in it once", ("ij->ii", (3, 4))),
    (ArgumentError, "subscripts are letters", ("i1", (3, 4)))])
def test_einsum_says_what_is_wrong_with_a_call(error, words, call):
    with pytest.raises(error, match=words):
        cr.einsum(call[0], *drawn(*call[1:]))


def test_einsum_without_subscripts_says_what_it_wants():
    with pytest.raises(ArgumentError, match="first argument is the subscripts"):
        cr.einsum(np.ones(3), np.ones(3))


@pytest.mark.parametrize(("name", "shapes", "options"), [
    ("tensordot", [(3, 4, 5), (4, 5, 2)], {}), ("tensordot", [(3, 4, 5), (4, 3, 2)], {"axes": ([1, 0], [0, 1])}),
    ("tensordot", [(3,), (4,)], {"axes": 0}), ("tensordot", [(3, 4), (5, 4)], {"axes": (1, -1)}), ("outer", [(2, 3), (4,)], {}),
    ("inner", [(2, 3), (4, 3)], {}), ("inner", [(), (4, 3)], {}), ("dot", [(3,), (3,)], {}), ("dot", [(2, 3), (5, 3, 4)], {}),
    ("dot", [(), (3, 4)], {}), ("kron", [(2, 3), (4, 5)], {}), ("kron", [(3,), (2, 2)], {}), ("kron", [(2, 1, 3), (2,)], {}),
    ("vecdot", [(2, 3), (3,)], {}), ("vecdot", [(3, 1), (3, 4)], {"axis": -2})])
def test_relatives_of_the_matrix_product_are_numpys(name, shapes, options):
    xs = drawn(*shapes)
    close(getattr(cr, name)(*xs, **options), getattr(np, name)(*xs, **options))


def test_linear_is_a_matrix_product_and_a_bias():
    x, w, b = drawn((2, 3, 4), (5, 4), (5,))
    close(cr.linear(x, w, b), x @ w.T + b)
    close(cr.linear(x[0, 0], w), w @ x[0, 0])
    assert cr.linear(x.astype("float32"), w, b).dtype == np.float64
    with pytest.raises(ShapeError, match=r"shape is \(out, in\)"):
        cr.linear(x, w.T, b)
    with pytest.raises(ShapeError, match=r"give shape \(5,\)"):
        cr.linear(x, w, b[:4])


NOT_NUMBERS = np.array([[np.nan, 1.0], [np.inf, 2.0], [3.0, 4.0]])
LAST = np.array([[False], [False], [True]])


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("product", [
    lambda x, w: x @ w, lambda x, w: cr.linear(x, w.mT), lambda x, w: cr.linear(x, w.mT, np.ones(2)),
    lambda x, w: cr.einsum("ij,jk->ik", x, w), lambda x, w: cr.tensordot(x, w, 1), lambda x, w: cr.stack([r @ w for r in x]),
    lambda x, w: cr.vecdot(x[:, None], w.mT),
    lambda x, w: cr.conv1d(x[:, :, None], w.mT[:, :, None])[..., 0],
], ids=["matmul", "linear", "with bias", "einsum", "tensordot", "vectors", "vecdot", "convolution"])
def test_data_that_are_masked_out_leave_clean_gradients_whatever_they_hold(product):
    w = np.array([[1.0, 2.0], [3.0, -4.0]])

    def loss(w):
        return cr.sum(cr.where(LAST, product(NOT_NUMBERS, w), 0.0))
    t = cr.tensor(w, requires_grad=True)
    loss(t).backward()
    for g in (cr.grad(loss)(w), t.grad.numpy(), cr.vmap(cr.grad(loss))(np.stack([w, w]))[1]):
        assert g.tolist() == [[3.0, 3.0], [4.0, 4.0]]
    v = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert cr.jvp(loss, w, v)[1] == 7.0


def test_zero_wins_over_infinity_term_by_term():
    a = np.array([[np.inf, 0, 1], [np.inf, 1, 0], [np.nan, 0, 0], [np.inf, -1, 2]])
    b = np.array([[0, 1, 0, 2], [np.inf, 0, 1, np.inf], [5, -1, np.nan, 3]])
    with np.errstate(all="ignore"):
        terms = np.where((a[:, :, None] == 0) | (b == 0), 0, a[:, :, None] * b)
        expected = terms.sum(1)
        np.testing.assert_array_equal(chain_matmul(a, b), expected)


def test_nested_lists_are_matrices_too():
    t = cr.tensor(np.eye(2), requires_grad=True)
    ((t @ [[1.0], [2.0]]).sum() + ([[1.0, 2.0]] @ t).sum() + cr.linear([[1.0, 2.0]], t).sum()).backward()
    assert t.grad.tolist() == [[3.0, 5.0], [4.0, 6.0]]
