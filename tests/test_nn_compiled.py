"""Every layer trains compiled as it does eagerly: outputs, weights and buffers after each step of gradient descent."""
import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.core.tree import flatten

pytest.importorskip("llvmlite")

IMAGE, VOLUME, ROW = (3, 4, 7, 6), (2, 4, 5, 4, 6), (3, 4, 9)
G = np.random.default_rng(0)
OPTIONS = {"dtype": "float64", "generator": G}
CHOSEN = {"dtype": "float64"}
UP = np.triu(np.ones((4, 4), bool), 1)
PADDING = np.array([[False] * 4, [False, True, True, True], [False, False, True, True]])
LENGTHS = np.array([3, 6, 1])
X = {"row": ROW, "image": IMAGE, "volume": VOLUME, "table": (3, 4), "tokens": (4, 3, 6), "steps": (6, 3, 4)}
FAMILIES = {
    "linear": [(nn.Linear(4, 3, **OPTIONS), "table"), (nn.Identity(), "table"), (nn.PReLU(4, dtype="float64"), "image"),
               (nn.Flatten(), "image"), (nn.Unflatten(1, (2, 2)), "image"),
               (nn.Residual(nn.Linear(4, 4, **OPTIONS), nn.Tanh()), "table"),
               (nn.Residual(nn.Linear(4, 3, **OPTIONS), shortcut=nn.Linear(4, 3, **OPTIONS)), "table")],
    "convolution": [(nn.Conv1d(4, 2, 3, padding="same", **OPTIONS), "row"),
                    (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, **OPTIONS), "image"),
                    (nn.Conv3d(4, 2, 2, bias=False, **OPTIONS), "volume")],
    "padding": [(nn.Conv1d(4, 2, 3, padding=2, padding_mode="reflect", **OPTIONS), "row"),
                (nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular", **OPTIONS), "image"),
                (nn.Conv2d(4, 2, 3, padding=1, padding_mode="replicate", **OPTIONS), "image")],
    "transposed": [(nn.ConvTranspose1d(4, 2, 3, padding=1, **OPTIONS), "row"),
                   (nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1, groups=2, **OPTIONS), "image"),
                   (nn.ConvTranspose3d(4, 2, 2, bias=False, **OPTIONS), "volume")],
    "maxima": [(nn.MaxPool1d(2), "row"), (nn.MaxPool2d(3, 2, padding=1), "image"), (nn.MaxPool3d(2), "volume"),
               (nn.AdaptiveMaxPool1d(4), "row"), (nn.AdaptiveMaxPool2d((3, 4)), "image"), (nn.AdaptiveMaxPool3d(2), "volume")],
    "averages": [(nn.AvgPool1d(2), "row"), (nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), "image"),
                 (nn.AvgPool3d(2), "volume"), (nn.AdaptiveAvgPool1d(4), "row"), (nn.AdaptiveAvgPool2d(1), "image"),
                 (nn.AdaptiveAvgPool3d((2, 3, 4)), "volume")],
    "batch normalization": [(nn.BatchNorm1d(4, **CHOSEN), "table"), (nn.BatchNorm2d(4, momentum=None, **CHOSEN), "image"),
                            (nn.BatchNorm3d(4, affine=False, **CHOSEN), "volume"),
                            (nn.BatchNorm2d(4, track_running_stats=False, **CHOSEN), "image"),
                            (nn.BatchNorm2d(4, **CHOSEN).eval(), "image")],
    "normalization": [(nn.InstanceNorm1d(4, **CHOSEN), "row"),
                      (nn.InstanceNorm2d(4, affine=True, track_running_stats=True, **CHOSEN), "image"),
                      (nn.LayerNorm(6, **CHOSEN), "image"), (nn.RMSNorm((7, 6), **CHOSEN), "image"),
                      (nn.GroupNorm(2, 4, **CHOSEN), "image")],
    "dropout": [(nn.Dropout(0.3), "table"), (nn.Dropout1d(0.3), "row"), (nn.Dropout2d(0.3), "image"),
                (nn.Dropout3d(0.3), "volume"), (nn.Dropout(0.3).eval(), "table"), (nn.Dropout(1.0), "table")],
    "activations": [(layer, "table") for layer in (
        nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(), nn.Threshold(0.1, 2.0), nn.Hardtanh(), nn.Hardsigmoid(), nn.Hardswish(), nn.ELU(),
        nn.CELU(0.5), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.LogSigmoid(), nn.Tanh(),
        nn.Softsign(), nn.Softplus(), nn.Softmax(), nn.Softmin(0), nn.LogSoftmax(), nn.GLU())],
    "attention": [
        (nn.MultiheadAttention(6, 2, **OPTIONS), "tokens", lambda layer, x: layer(x, x, x)),
        (nn.MultiheadAttention(6, 3, add_bias_kv=True, add_zero_attn=True, **OPTIONS), "tokens",
         lambda layer, x: layer(x, x[:, ::-1], x, PADDING, attn_mask=UP)),
        (nn.MultiheadAttention(6, 2, dropout=0.2, **OPTIONS), "tokens",
         lambda layer, x: layer(x, x, x, attn_mask=np.where(UP, -np.inf, 0.0)))],
    "transformers": [
        (nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 5, **OPTIONS), 2), "tokens",
         lambda layer, x: layer(x, is_causal=True)),
        (nn.TransformerDecoderLayer(6, 2, 5, norm_first=True, activation="gelu", **OPTIONS), "tokens",
         lambda layer, x: layer(x, x * 2.0, tgt_key_padding_mask=PADDING, tgt_is_causal=True))],
    "recurrent": [
        (nn.RNN(4, 5, **OPTIONS), "steps", lambda layer, x: layer(x, lengths=LENGTHS)),
        (nn.LSTM(4, 5, 2, bidirectional=True, **OPTIONS), "steps", lambda layer, x: layer(x, lengths=LENGTHS, truncate=2)),
        (nn.GRU(4, 5, **OPTIONS), "steps", lambda layer, x: layer(x, truncate=4))]}


def trainer(family):
    """A step of gradient descent on copies of all layers of a family, the layers, and the shapes of their inputs."""
    cases = [(copy.deepcopy(layer), X[kind], call[0] if call else nn.Module.__call__) for layer, kind, *call in FAMILIES[family]]
    parameters = [p for layer, _, _ in cases for p in layer.parameters()]
    optimizer = cr.optim.SGD(parameters, lr=0.01) if parameters else None

    def step(*inputs):
        results = [y for (layer, _, call), x in zip(cases, inputs) for y in flatten(call(layer, x))[0]]
        loss = sum((y * y).mean() + cr.sin(y).mean() for y in results)
        loss.backward()
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad()
        return loss, results
    return step, [layer for layer, _, _ in cases], [shape for _, shape, _ in cases]


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_train_compiled_as_they_do_eagerly(family):
    eager, plain, shapes = trainer(family)
    other, native, _ = trainer(family)
    compiled = cr.compile(other)
    outcome = []
    for step, layers in ((eager, plain), (compiled, native)):
        cr.random.seed(3)
        rng = np.random.default_rng(1)
        inputs = [[cr.tensor(rng.normal(size=s), requires_grad=True) for s in shapes] for _ in range(3)]
        losses = [step(*xs) for xs in inputs]
        outcome.append((losses, [layer.state_dict() for layer in layers], [x.grad for xs in inputs for x in xs]))
    (losses, states, gradients), (theirs, others, again) = outcome
    for a, b in zip(gradients, again, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
    for (a, ys), (b, zs) in zip(losses, theirs):
        np.testing.assert_allclose(b, a.item(), rtol=1e-9)
        for y, z in zip(ys, zs, strict=True):
            np.testing.assert_allclose(np.asarray(z), np.asarray(y.detach()), rtol=1e-9, atol=1e-12)
    for state, new in zip(states, others):
        for name, value in state.items():
            np.testing.assert_allclose(new[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


# ---------------------------------------------------------------------------------------- what a step changes besides weights
def test_a_compiled_step_moves_running_statistics_and_counts():
    layer = nn.BatchNorm1d(2, dtype="float64")
    x = np.array([[0.0, 2.0], [4.0, 2.0]])
    forward = cr.compile(lambda x: layer(x))
    for _ in range(2):
        forward(x)
    np.testing.assert_allclose(layer.running_mean, [0.38, 0.38], rtol=1e-12)
    assert layer.num_batches_tracked.item() == 2
    layer.eval()
    np.testing.assert_allclose(forward(x), (x - 0.38) / np.sqrt(np.array(layer.running_var) + 1e-5), rtol=1e-9)
    assert layer.num_batches_tracked.item() == 2


def test_a_compiled_dropout_draws_anew():
    layer = nn.Dropout(0.5)
    forward, x = cr.compile(lambda x: layer(x)), np.ones(64, np.float32)
    assert (np.asarray(forward(x)) != np.asarray(forward(x))).any()
    np.testing.assert_array_equal(layer.eval() and forward(x), x)


def test_lengths_and_states_may_be_arguments_of_a_compiled_step():
    layer = nn.LSTM(4, 5, **OPTIONS)
    step = cr.compile(lambda x, state, lengths: layer(x, state, lengths=lengths))
    state = (np.zeros((1, 3, 5)),) * 2
    for seed in range(2):
        rng = np.random.default_rng(seed)
        x, lengths = rng.normal(size=X["steps"]), rng.integers(0, 7, size=3)
        for a, b in zip(flatten(step(x, state, lengths))[0], flatten(layer(x, state, lengths=lengths))[0]):
            np.testing.assert_allclose(a, b.detach(), rtol=1e-9, atol=1e-12)
        _, state = step(x, state, lengths)  # cut from the graph: the next batch goes on from the values


def test_padding_that_is_not_a_number_reaches_no_gradient():
    layer, x = nn.GRU(4, 5, bidirectional=True, **OPTIONS), np.ones(X["steps"])
    x[3:, 0] = np.nan
    weights = layer.state_dict()

    def gradient(x):
        return cr.grad(lambda w: nn.functional_call(layer, w, x, lengths=np.array([3, 6, 6]))[0].sum())(weights)
    for found in (gradient(x), cr.compile(gradient)(x)):
        assert all(np.isfinite(np.asarray(g)).all() for g in found.values())


def test_a_query_that_may_look_nowhere_gets_zeros_and_gives_no_gradient():
    layer, x = nn.MultiheadAttention(6, 2, bias=False, batch_first=True, **OPTIONS), np.ones((2, 3, 6))
    nowhere = np.array([[True, True, True], [False, False, False]])

    def run(x):
        return layer(x, x, x, nowhere)
    slope = cr.grad(lambda x: (run(x)[0] ** 2).sum())
    for (y, weights), g in ((run(x), slope(x)), (cr.compile(run)(x), cr.compile(slope)(x))):
        assert not np.asarray(y.detach())[0].any() and not np.asarray(weights.detach())[0].any()
        assert not np.asarray(g)[0].any() and np.isfinite(np.asarray(g)).all()
