"""Gates, normalizations and losses beside PyTorch's: the same values and gradients, with every option."""
import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers
F, T = cr.nn.functional, torch.nn.functional
RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6, 5)) * 3
TOLERANCE = {"float64": 1e-10, "float32": 2e-4}
COARSE = {"hardsigmoid": 1e-7, "celu": 1e-7}  # PyTorch rounds 1/6, and 1/alpha, to float32 in between


def tensors(values, dtype, requires_grad):
    """The same numbers for both: floats in `dtype`, integers and the rest as they are."""
    ours, theirs = [], []
    for v in values:
        if isinstance(v, np.ndarray) and v.dtype.kind == "f":
            ours.append(cr.tensor(v.astype(dtype), requires_grad=requires_grad))
            theirs.append(torch.tensor(v.astype(dtype), requires_grad=requires_grad))
        else:
            ours.append(v)
            theirs.append(torch.tensor(v) if isinstance(v, np.ndarray) else v)
    return ours, theirs


def compare(ours, theirs, *args, dtype="float64", constant=(), **options):
    """Values and all gradients of two functions, on the same numbers; arguments in `constant` get no gradient."""
    tolerance = max(TOLERANCE[dtype], COARSE.get(getattr(ours, "name", ""), 0.0))
    a, b = tensors(args, dtype, True)
    ka, kb = (dict(zip(options, values)) for values in tensors(options.values(), dtype, False))
    for i in constant:
        (a[i],), (b[i],) = tensors([args[i]], dtype, False)
    y, t = ours(*a, **ka), theirs(*b, **kb)
    np.testing.assert_allclose(y.numpy(), t.detach().numpy(), rtol=tolerance, atol=tolerance)
    assert y.dtype == dtype
    weights = np.random.default_rng(1).uniform(0.5, 1.5, y.shape).astype(dtype)
    y.backward(weights)
    t.backward(torch.tensor(weights))
    for mine, other in zip(a, b):
        if isinstance(mine, cr.Tensor) and mine.requires_grad:
            expected = np.zeros(mine.shape) if other.grad is None else other.grad.numpy()
            np.testing.assert_allclose(mine.grad.numpy(), expected, rtol=tolerance, atol=tolerance)


ACTIVATIONS = [
    ("relu", {}), ("relu6", {}), ("leaky_relu", {}), ("leaky_relu", {"negative_slope": 0.3}), ("elu", {}),
    ("elu", {"alpha": 0.7}), ("selu", {}), ("celu", {}), ("celu", {"alpha": 0.7}), ("gelu", {}),
    ("gelu", {"approximate": "tanh"}), ("silu", {}), ("mish", {}), ("softplus", {}), ("softplus", {"beta": 0.5}), ("sigmoid", {}),
    ("logsigmoid", {}), ("hardsigmoid", {}), ("hardswish", {}), ("hardtanh", {}), ("hardtanh", {"min_val": -2.0, "max_val": 0.5}),
    ("softsign", {}), ("tanh", {}), ("threshold", {"threshold": 0.2, "value": 1.5}),
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name, options", ACTIVATIONS, ids=lambda v: v if isinstance(v, str) else ",".join(v))
def test_activations(name, options, dtype):
    compare(getattr(F, name), getattr(T, name), X, dtype=dtype, **options)


@pytest.mark.parametrize("name", [n for n, options in ACTIVATIONS if not options])
def test_activations_at_their_kinks(name):
    compare(getattr(F, name), getattr(T, name), np.array([-3.0, -1.0, 0.0, 1.0, 3.0, 6.0]))


@pytest.mark.parametrize("shape", [(1,), (6,)])
def test_prelu(shape):
    compare(F.prelu, T.prelu, X, RNG.uniform(size=shape))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "glu"])
@pytest.mark.parametrize("axis", [1, -2])
def test_functions_along_an_axis(name, axis):
    compare(lambda x: getattr(F, name)(x, axis), lambda x: getattr(T, name)(x, dim=axis), X)


# ---------------------------------------------------------------------------------------- normalization
W, B = RNG.uniform(0.5, 1.5, 6), RNG.normal(size=6)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_layer_and_rms_norm(dtype):
    weight, bias = RNG.normal(size=(6, 5)), RNG.normal(size=(6, 5))
    compare(lambda x, w, b: F.layer_norm(x, (6, 5), w, b, 1e-3), lambda x, w, b: T.layer_norm(x, (6, 5), w, b, 1e-3),
            X, weight, bias, dtype=dtype)
    compare(lambda x: F.layer_norm(x, 5), lambda x: T.layer_norm(x, (5,)), X, dtype=dtype)
    compare(lambda x, w: F.rms_norm(x, (6, 5), w), lambda x, w: T.rms_norm(x, (6, 5), w), X, weight, dtype=dtype)
    compare(lambda x: F.rms_norm(x, 5, eps=0.1), lambda x: T.rms_norm(x, (5,), eps=0.1), X, dtype=dtype)


@pytest.mark.parametrize("shape", [(7, 6), (4, 6, 5), (3, 6, 4, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(shape, training):
    x, mean, var = RNG.normal(size=shape) * 2 + 1, RNG.normal(size=6), RNG.uniform(1, 2, 6)
    compare(lambda x, w, b: F.batch_norm(x, mean, var, w, b, training=training),
            lambda x, w, b: T.batch_norm(x, torch.tensor(mean), torch.tensor(var), w, b, training), x, W, B)


def test_running_statistics():
    mean, var = RNG.normal(size=6), RNG.uniform(1, 2, 6)
    theirs = torch.tensor(mean), torch.tensor(var)
    T.batch_norm(torch.tensor(X), *theirs, training=True, momentum=0.3)
    for mine, other in zip(cr.running_statistics(X, mean, var, 0.3), theirs):
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-12)


def test_group_and_instance_norm():
    compare(lambda x, w, b: F.group_norm(x, 3, w, b), lambda x, w, b: T.group_norm(x, 3, w, b), X, W, B)
    compare(lambda x, w, b: F.instance_norm(x, w, b), lambda x, w, b: T.instance_norm(x, weight=w, bias=b), X, W, B)


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0])
def test_normalize(p):
    compare(lambda x: F.normalize(x, p, -1), lambda x: T.normalize(x, p, -1), X)


def test_cosine_similarity():
    compare(lambda a, b: F.cosine_similarity(a, b, 2), lambda a, b: T.cosine_similarity(a, b, 2), X, X[::-1].copy())


# ---------------------------------------------------------------------------------------- losses
REDUCTIONS = ["mean", "sum", "none"]
Y, CHANCE, TRUTH = RNG.normal(size=X.shape), RNG.uniform(0.05, 0.95, X.shape), RNG.uniform(size=X.shape)
LABELS = RNG.integers(0, 6, (4, 5))
SHARES = (lambda e: e / e.sum(1, keepdims=True))(np.exp(X))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name, args, options", [
    ("mse_loss", (X, Y), {}), ("l1_loss", (X, Y), {}), ("huber_loss", (X, Y), {}), ("huber_loss", (X, Y), {"delta": 0.4}),
    ("smooth_l1_loss", (X, Y), {}), ("smooth_l1_loss", (X, Y), {"beta": 0.4}), ("smooth_l1_loss", (X, Y), {"beta": 0.0}),
    ("binary_cross_entropy", (CHANCE, TRUTH), {}), ("binary_cross_entropy", (CHANCE, TRUTH), {"weight": TRUTH}),
    ("binary_cross_entropy_with_logits", (X, TRUTH), {}), ("binary_cross_entropy_with_logits", (X, TRUTH), {"weight": CHANCE}),
    ("binary_cross_entropy_with_logits", (X, TRUTH), {"pos_weight": CHANCE}),
    ("kl_div", (np.log(CHANCE), TRUTH), {}), ("kl_div", (np.log(CHANCE), np.log(TRUTH)), {"log_target": True}),
])
@pytest.mark.filterwarnings("ignore:reduction")  # PyTorch recommends batchmean for kl_div
def test_losses_element_by_element(name, args, options, reduction):
    compare(getattr(F, name), getattr(T, name), *args, reduction=reduction, **options)


def test_kl_div_by_batch():
    compare(F.kl_div, T.kl_div, np.log(CHANCE), TRUTH, reduction="batchmean")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("options", [
    {}, {"weight": W}, {"label_smoothing": 0.1}, {"weight": W, "label_smoothing": 0.1}, {"ignore_index": 2},
    {"ignore_index": 2, "weight": W, "label_smoothing": 0.2}], ids=lambda o: ",".join(o) or "plain")
def test_cross_entropy(options, reduction, dtype):
    compare(F.cross_entropy, T.cross_entropy, X, LABELS, dtype=dtype, reduction=reduction, **options)
    compare(F.cross_entropy, T.cross_entropy, X[..., 0], LABELS[:, 0], dtype=dtype, reduction=reduction, **options)
    if "ignore_index" not in options:
        compare(F.cross_entropy, T.cross_entropy, X, SHARES, dtype=dtype, constant=(1,), reduction=reduction, **options)


def test_cross_entropy_of_one_example_and_in_its_target():
    compare(F.cross_entropy, T.cross_entropy, X[0, :, 0], np.array(3))
    compare(F.cross_entropy, T.cross_entropy, X, SHARES)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", [{}, {"weight": W}, {"ignore_index": 2}], ids=lambda o: ",".join(o) or "plain")
def test_nll_loss(options, reduction):
    logs = np.log(SHARES)
    compare(F.nll_loss, T.nll_loss, logs, LABELS, reduction=reduction, **options)


# ---------------------------------------------------------------------------------------- look-ups and attention
@pytest.mark.parametrize("padding", [None, 2])
def test_embedding(padding):
    indices = np.array([[0, 2, 2], [3, 1, 0]])
    compare(lambda w: F.embedding(indices, w, padding), lambda w: T.embedding(torch.tensor(indices), w, padding),
            RNG.normal(size=(5, 3)))


@pytest.mark.parametrize("options", [
    {}, {"scale": 0.3}, {"attn_mask": RNG.uniform(size=(6, 7)) > 0.4}, {"attn_mask": RNG.normal(size=(6, 7))},
    {"attn_mask": np.arange(6)[:, None] > np.full(7, 1)}], ids=["plain", "scale", "mask", "numbers", "rows without a key"])
def test_attention(options):
    compare(F.scaled_dot_product_attention, T.scaled_dot_product_attention, RNG.normal(size=(2, 6, 4)),
            RNG.normal(size=(2, 7, 4)), RNG.normal(size=(2, 7, 3)), **options)


def test_causal_attention():
    compare(F.scaled_dot_product_attention, T.scaled_dot_product_attention, *RNG.normal(size=(3, 2, 6, 4)), is_causal=True)
