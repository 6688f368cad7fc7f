"""PyTorch as a judge: the same call, the same values and the same gradients in float64."""
from itertools import product

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.peers

WELL = 2.5  # what is added to diagonals, so that matrices are well-conditioned


def drawn(*shapes):
    rng = np.random.default_rng(17)
    return [rng.normal(size=s) for s in shapes]


def agree(ours, theirs, xs, rtol=1e-10):
    """Values, and gradients of a random combination of all results."""
    y, pullback = cr.vjp(ours, *xs)
    ts = [torch.tensor(x, requires_grad=True) for x in xs]
    z = theirs(*ts)
    ys, zs = ([*p] if isinstance(p, tuple) else [p] for p in (y, z))
    gs = [np.random.default_rng(i).normal(size=np.shape(p)) for i, p in enumerate(ys)]
    for a, b in zip(ys, zs):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=rtol, atol=1e-11)
    seeds = tuple(gs) if len(gs) > 1 else gs[0]
    if hasattr(y, "_fields"):
        seeds = type(y)(*seeds)
    expected = torch.autograd.grad(zs, ts, [torch.tensor(g) for g in gs], allow_unused=True)
    for a, b in zip(pullback(seeds), expected):
        np.testing.assert_allclose(a, 0 if b is None else b.numpy(), rtol=rtol, atol=1e-10)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # PyTorch tells of a copy it makes
@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"),
                         list(product([1, 2], [0, 1, (2, 1), "same"], [1, (1, 2)], [1, 2])))
def test_conv2d(stride, padding, dilation, groups):
    if padding == "same":
        stride = 1
    xs = drawn((2, 4, 7, 8), (6, 4 // groups, 3, 2), (6,))
    agree(lambda *a: cr.conv2d(*a, stride, padding, dilation, groups),
          lambda *a: F.conv2d(*a, stride, padding, dilation, groups), xs)


@pytest.mark.parametrize(("rank", "stride", "padding", "dilation", "groups"), [
    (1, 1, 0, 1, 1), (1, 3, 2, 2, 2), (1, 2, "valid", 1, 4), (3, 1, 1, 1, 1), (3, (2, 1, 2), (0, 1, 1), (1, 2, 1), 2)])
def test_convolutions_of_other_ranks(rank, stride, padding, dilation, groups):
    xs = drawn((2, 4, *(9, 5, 6)[:rank]), (4, 4 // groups, *[3, 2, 3][:rank]), (4,))
    name = f"conv{rank}d"
    agree(lambda *a: getattr(cr, name)(*a, stride, padding, dilation, groups),
          lambda *a: getattr(F, name)(*a, stride, padding, dilation, groups), xs)


@pytest.mark.parametrize(("rank", "stride", "padding", "output_padding", "groups", "dilation"), [
    (1, 1, 0, 0, 1, 1), (1, 2, 1, 1, 2, 1), (1, 3, 2, 2, 1, 2), (1, 1, 1, 1, 1, 2), (2, 2, 1, 1, 1, 1),
    (2, (1, 2), (0, 1), (0, 1), 2, (2, 1)), (3, 2, 1, 0, 2, 1)])
def test_transposed_convolutions(rank, stride, padding, output_padding, groups, dilation):
    xs = drawn((2, 4, *(5, 4, 3)[:rank]), (4, 3, *[3, 2, 3][:rank]), (3 * groups,))
    name = f"conv_transpose{rank}d"
    agree(lambda *a: getattr(cr, name)(*a, stride, padding, output_padding, groups, dilation),
          lambda *a: getattr(F, name)(*a, stride, padding, output_padding, groups, dilation), xs)


def test_second_derivatives_of_a_convolution():
    x, w = drawn((1, 2, 6, 5), (4, 1, 3, 2))
    v, = drawn(w.shape)

    def ours(x, w):
        return cr.sum(cr.sin(cr.conv2d(x, w, None, 2, 1, 1, 2)))
    a = cr.grad(lambda x, w: cr.sum(cr.grad(ours, 1)(x, w) * v), (0, 1))(x, w)
    tx, tw = (torch.tensor(z, requires_grad=True) for z in (x, w))
    first, = torch.autograd.grad(F.conv2d(tx, tw, None, 2, 1, 1, 2).sin().sum(), tw, create_graph=True)
    for p, q in zip(a, torch.autograd.grad((first * torch.tensor(v)).sum(), (tx, tw))):
        np.testing.assert_allclose(p, q.numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("rank", "kernel", "stride", "padding", "dilation", "ceil_mode"), [
    (1, 2, None, 0, 1, False), (1, 3, 2, 1, 2, True), (2, 2, None, 0, 1, False), (2, (3, 2), (2, 1), (1, 0), 1, True),
    (2, 3, 2, 1, 2, False), (2, 3, 3, 1, 1, True), (2, 2, 3, 1, 1, True), (3, 2, None, 1, 1, False), (3, 2, 2, 0, 1, True)])
def test_max_pool(rank, kernel, stride, padding, dilation, ceil_mode):
    xs = drawn((2, 3, *(9, 8, 7)[:rank]))
    name = f"max_pool{rank}d"
    agree(lambda x: getattr(cr, name)(x, kernel, stride, padding, dilation, ceil_mode=ceil_mode),
          lambda x: getattr(F, name)(x, kernel, stride, padding, dilation, ceil_mode=ceil_mode), xs)


def test_max_pool_with_ties_chooses_as_pytorch():
    x = np.random.default_rng(0).integers(0, 3, (2, 2, 8, 8)).astype(float)
    agree(lambda x: cr.max_pool2d(x, 3, 2, 1), lambda x: F.max_pool2d(x, 3, 2, 1), [x])


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize(("rank", "kernel", "stride", "padding", "ceil_mode"), [
    (1, 2, None, 0, False), (1, 3, 2, 1, True), (2, 2, None, 0, False), (2, (3, 2), (2, 1), (1, 0), True), (2, 3, 3, 1, True),
    (2, 2, 3, 1, True), (3, 2, None, 1, False), (3, 3, 2, 1, True)])
def test_average_pool(rank, kernel, stride, padding, ceil_mode, count_include_pad):
    xs = drawn((2, 3, *(9, 8, 7)[:rank]))
    name = f"avg_pool{rank}d"
    options = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    agree(lambda x: getattr(cr, name)(x, kernel, stride, padding, **options),
          lambda x: getattr(F, name)(x, kernel, stride, padding, **options), xs)


@pytest.mark.parametrize(("rank", "size"), [(1, 3), (1, 4), (2, 1), (2, (3, 5)), (3, 2)])
def test_adaptive_average_pool(rank, size):
    name = f"adaptive_avg_pool{rank}d"
    agree(lambda x: getattr(cr, name)(x, size), lambda x: getattr(F, name)(x, size), drawn((2, 3, *(9, 8, 7)[:rank])))


@pytest.mark.parametrize(("a", "b"), [
    ((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,))])
def test_matmul(a, b):
    agree(cr.matmul, torch.matmul, drawn(a, b))


@pytest.mark.parametrize(("subscripts", "shapes"), [
    ("ij,jk->ik", [(3, 4), (4, 5)]), ("ii->i", [(3, 3)]), ("ii", [(3, 3)]), ("ij->", [(3, 4)]), ("i,j->ij", [(3,), (4,)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]), ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
    ("bhqd,bhkd->bhqk", [(2, 3, 12, 8), (2, 3, 10, 8)]), ("ijk,ijl,kl->ij", [(2, 3, 4), (2, 3, 5), (4, 5)]),
    ("aab,bbc->ac", [(9, 9, 8), (8, 8, 7)]), ("ij,ij->ij", [(1, 4), (3, 4)])])
def test_einsum(subscripts, shapes):
    agree(lambda *xs: cr.einsum(subscripts, *xs), lambda *xs: torch.einsum(subscripts, *xs), drawn(*shapes))


def linalg(name, *args, **options):
    return (lambda *xs: getattr(cr.linalg, name)(*xs, *args, **options),
            lambda *xs: getattr(torch.linalg, name)(*xs, *args, **options))


SQUARE = drawn((2, 4, 4))[0] + WELL * np.eye(4)
POSITIVE = SQUARE @ SQUARE.swapaxes(-1, -2)


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "pinv", "svdvals", "qr"])
def test_functions_of_a_square_matrix(name):
    agree(*linalg(name), [SQUARE])


@pytest.mark.parametrize(("name", "shape"), [
    ("qr", (5, 3)), ("qr", (3, 5)), ("pinv", (5, 3)), ("pinv", (3, 5)), ("svdvals", (3, 5))])
def test_functions_of_a_matrix_that_is_not_square(name, shape):
    agree(*linalg(name), drawn(shape))


@pytest.mark.parametrize("name", ["cholesky", "eigvalsh"])
def test_functions_of_a_symmetric_matrix(name):
    ours, theirs = linalg(name)
    agree(ours, lambda x: theirs((x + x.mT) / 2), [POSITIVE])


def test_eigh_through_functions_that_do_not_depend_on_signs():
    agree(lambda x: cr.linalg.eigh(x)[1] ** 2, lambda x: torch.linalg.eigh((x + x.mT) / 2)[1] ** 2, [POSITIVE])


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3)])
def test_svd_through_functions_that_do_not_depend_on_signs(shape):
    def ours(x):
        u, s, vh = cr.linalg.svd(x, full_matrices=False)
        return cr.matmul(u * cr.sin(s), vh)

    def theirs(x):
        u, s, vh = torch.linalg.svd(x, full_matrices=False)
        return (u * s.sin()) @ vh
    agree(ours, theirs, drawn(shape), rtol=1e-9)


@pytest.mark.parametrize("b", [(4,), (4, 3), (2, 4, 3)])
def test_solve(b):
    a = SQUARE[0]
    agree(*linalg("solve"), [a, *drawn(b)])


@pytest.mark.parametrize("ord", [0, 1, 2, 3, 0.5, np.inf, -np.inf])
def test_vector_norm(ord):
    agree(lambda x: cr.linalg.vector_norm(x, ord=ord, axis=1), lambda x: torch.linalg.vector_norm(x, ord=ord, dim=1),
          drawn((3, 4)))


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_matrix_norm(ord):
    agree(*linalg("matrix_norm", ord=ord), drawn((2, 4, 3)))


def test_matrix_power_cross_and_linear():
    agree(*linalg("matrix_power", 5), [SQUARE])
    agree(*linalg("matrix_power", -3), [SQUARE])
    agree(cr.cross, torch.linalg.cross, drawn((4, 3), (4, 3)))
    agree(cr.linear, F.linear, drawn((2, 5, 4), (3, 4), (3,)))


ELEMENTWISE = {  # operation and the interval its arguments are drawn from
    "exp": (-2, 2), "log": (0.1, 3), "sin": (-3, 3), "cos": (-3, 3), "tan": (-1, 1), "tanh": (-3, 3), "sinh": (-2, 2),
    "cosh": (-2, 2),
    "asin": (-0.9, 0.9), "acos": (-0.9, 0.9), "atan": (-3, 3), "asinh": (-3, 3), "acosh": (1.1, 3), "atanh": (-0.9, 0.9),
    "sqrt": (0.1, 3), "square": (-2, 2), "abs": (-2, 2), "expm1": (-1, 1), "log1p": (-0.5, 2), "exp2": (-2, 2), "log2": (0.1, 3),
    "log10": (0.1, 3), "reciprocal": (0.5, 2), "erf": (-2, 2), "sign": (-2, 2), "floor": (-2, 2), "negative": (-1, 1)}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_of_one_number(name):
    x = np.random.default_rng(3).uniform(*ELEMENTWISE[name], (3, 4))
    agree(getattr(cr, name), getattr(torch, name), [x])


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum", "atan2", "hypot", "logaddexp",
                                  "pow", "copysign"])
def test_functions_of_two_numbers(name):
    x, y = np.random.default_rng(3).uniform(0.5, 2, (2, 3, 4))
    agree(getattr(cr, name), getattr(torch, name), [x, y[:1]])


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "logsumexp", "var", "std", "amax", "amin", "cumsum", "cumprod",
                                  "logcumsumexp"])
def test_reductions_and_running_ones(name):
    ours = getattr(cr, {"amax": "max", "amin": "min"}.get(name, name))
    options = {"correction": 0} if name in ("var", "std") else {}
    agree(lambda x: ours(x, axis=1), lambda x: getattr(torch, name)(x, dim=1, **options), drawn((3, 4, 2)))


REARRANGED = {
    "permute": (lambda x: cr.permute_dims(x, (2, 0, 1)), lambda x: x.permute(2, 0, 1)),
    "roll": (lambda x: cr.roll(x, 2, axis=1), lambda x: x.roll(2, 1)),
    "flip": (lambda x: cr.flip(x, axis=0), lambda x: x.flip(0)),
    "reshape": (lambda x: cr.reshape(x, (4, 6)), lambda x: x.reshape(4, 6)),
    "index": (lambda x: x[1:, ::2, [0, 1]], lambda x: x[1:, ::2, [0, 1]]),
    "tril": (cr.tril, torch.tril),
    "concat": (lambda x: cr.concat([x, x * x], axis=1), lambda x: torch.cat([x, x * x], 1)),
    "stack": (lambda x: cr.stack([x, x * x], axis=1), lambda x: torch.stack([x, x * x], 1)),
    "where": (lambda x: cr.where(x > 0, x, x * x), lambda x: torch.where(x > 0, x, x * x)),
    "clip": (lambda x: cr.clip(x, -0.5, 0.5), lambda x: x.clip(-0.5, 0.5)),
    "sort": (lambda x: cr.sort(x, axis=1), lambda x: x.sort(1)[0]),
}


@pytest.mark.parametrize("name", REARRANGED)
def test_movements_and_choices(name):
    agree(*REARRANGED[name], drawn((3, 4, 2)))
