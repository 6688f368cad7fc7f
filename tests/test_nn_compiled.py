"""Every layer trains compiled as it does eagerly: outputs, weights and buffers after each step of gradient descent."""
import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

pytest.importorskip("llvmlite")

IMAGE, VOLUME, ROW = (3, 4, 7, 6), (2, 4, 5, 4, 6), (3, 4, 9)
G = np.random.default_rng(0)
OPTIONS = {"dtype": "float64", "generator": G}
CHOSEN = {"dtype": "float64"}
UP = np.triu(np.ones((4, 4), bool), 1)
PADDING = np.array([[False] * 4, [False, True, True, True], [False, False, True, True]])
X = {"row": ROW, "image": IMAGE, "volume": VOLUME, "table": (3, 4), "tokens": (4, 3, 6)}
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
    "dropout": [(nn.Dropout(0.3), "table"), (nn.Dropout1d(0.3), "row"), (nn.Dropout2d(0.3), "image"), (nn.Dropout3d(0.3), "volume"),
                (nn.Dropout(0.3).eval(), "table"), (nn.Dropout(1.0), "table")],
    "activations": [(layer, "table") for layer in (
        nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(), nn.Threshold(0.1, 2.0), nn.Hardtanh(), nn.Hardsigmoid(), nn.Hardswish(), nn.ELU(),
        nn.CELU(0.5), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.LogSigmoid(), nn.Tanh(),
        nn.Softsign(), nn.Softplus(), nn.Softmax(), nn.Softmin(0), nn.LogSoftmax(), nn.GLU())],
    "attention": [(lambda x, layer=nn.MultiheadAttention(6, 2, **OPTIONS): layer(x, x, x), "tokens"),
                  (lambda x, layer=nn.MultiheadAttention(6, 3, add_bias_kv=True, add_zero_attn=True, **OPTIONS): layer(
                      x, x[:, ::-1], x, PADDING, attn_mask=UP), "tokens"),
                  (lambda x, layer=nn.MultiheadAttention(6, 2, dropout=0.2, **OPTIONS): layer(
                      x, x, x, attn_mask=np.where(UP, -np.inf, 0.0)), "tokens")],
    "transformers": [
        (lambda x, layer=nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 5, **OPTIONS), 2): layer(x, is_causal=True), "tokens"),
        (lambda x, layer=nn.TransformerDecoderLayer(6, 2, 5, norm_first=True, activation="gelu", **OPTIONS): layer(
            x, x * 2.0, tgt_key_padding_mask=PADDING, tgt_is_causal=True), "tokens")]}


def modules_in(f):
    return f if isinstance(f, nn.Module) else f.__defaults__[0]


def trainer(family):
    """A step of gradient descent on all layers of a family, on their own copies, and what it can change."""
    layers = [(copy.deepcopy(modules_in(f)), f, X[kind]) for f, kind in FAMILIES[family]]
    parameters = [p for layer, _, _ in layers for p in layer.parameters()]
    optimizer = cr.optim.SGD(parameters, lr=0.01) if parameters else None

    def step(*inputs):
        results = []
        for (layer, f, _), x in zip(layers, inputs):
            out = layer(x) if isinstance(f, nn.Module) else f(x, layer)
            results += cr.core.tree.flatten(out)[0]
        loss = sum((y * y).mean() + cr.sin(y).mean() for y in results)
        loss.backward()
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad()
        return loss, results
    return step, [layer for layer, _, _ in layers], [shape for _, _, shape in layers]


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
