"""Four networks whose gradients are worth looking at: an MLP and a CNN on handwritten digits, an LSTM, a transformer block.

    python examples/networks.py mlp

writes mlp.html, a page on which every number of the gradient can be followed. Each function computes a loss in float64.
"""
import sys
from pathlib import Path

import numpy as np

import chainrule as cr

nn = cr.nn


def parameter(rng, *shape, name):
    return cr.tensor(rng.normal(size=shape) / np.sqrt(shape[-1]), requires_grad=True, name=name)


class MLP(nn.Module):
    """64-20-12-10, relu."""

    def __init__(self):
        generator = cr.random.Generator(0)
        self.fc1, self.fc2, self.fc3 = (nn.Linear(a, b, dtype="float64", generator=generator)
                                        for a, b in ((64, 20), (20, 12), (12, 10)))
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return self.fc3(self.act2(self.fc2(self.act1(self.fc1(x)))))


MODEL = MLP()  # kept, since explanations ask it for the names of its layers


def some_digits(count):
    digits = cr.data.digits()
    return digits.inputs[:count].astype("float64"), digits.targets[:count]


def mlp():
    """An MLP on the first 8 of the digits."""
    x, labels = some_digits(8)
    return nn.CrossEntropyLoss()(MODEL(x), labels)


def cnn():
    """Two convolutions with pooling between, on 2 digits."""
    rng = np.random.default_rng(1)
    x, labels = some_digits(2)
    h = np.reshape(x, (2, 1, 8, 8))
    with cr.named_scope("conv1"):
        h = cr.relu(cr.conv2d(h, parameter(rng, 4, 1, 3, 3, name="conv1.weight"), parameter(rng, 4, name="conv1.bias")))
    h = cr.max_pool2d(h, 2)
    with cr.named_scope("conv2"):
        h = cr.relu(cr.conv2d(h, parameter(rng, 6, 4, 2, 2, name="conv2.weight"), parameter(rng, 6, name="conv2.bias")))
    with cr.named_scope("fc"):
        z = cr.linear(cr.reshape(h, (2, -1)), parameter(rng, 10, 24, name="fc.weight"), parameter(rng, 10, name="fc.bias"))
    return cr.cross_entropy(z, labels)


def lstm():
    """An LSTM of width 3 over 20 steps: the way back through time."""
    rng = np.random.default_rng(2)
    x, width = rng.normal(size=(20, 1, 2)), 3
    inward, back = parameter(rng, 4 * width, 2, name="weight_ih"), parameter(rng, 4 * width, width, name="weight_hh")
    bias = parameter(rng, 4 * width, name="bias")
    h = c = np.zeros((1, width))
    for step in range(20):
        with cr.named_scope(f"step {step + 1}"):
            i, f, g, o = cr.split(cr.linear(x[step], inward, bias) + cr.matmul(h, back.mT), 4, axis=1)
            c = cr.sigmoid(f) * c + cr.sigmoid(i) * cr.tanh(g)
            h = cr.sigmoid(o) * cr.tanh(c)
    return cr.mse_loss(h, np.ones((1, width)))


def transformer():
    """One transformer block of width 8 with two heads, on six tokens."""
    rng, width, heads = np.random.default_rng(3), 8, 2
    words, labels = rng.integers(0, 12, (1, 6)), rng.integers(0, 12, 6)
    with cr.named_scope("embedding"):
        x = cr.embedding(words, parameter(rng, 12, width, name="embedding")) + parameter(rng, 6, width, name="positions")
    with cr.named_scope("attention"):
        h = cr.layer_norm(x, width, parameter(rng, width, name="ln1.weight"), parameter(rng, width, name="ln1.bias"))
        q, k, v = (cr.permute_dims(cr.reshape(cr.linear(h, parameter(rng, width, width, name=f"{n}.weight")),
                                              (1, 6, heads, -1)), (0, 2, 1, 3)) for n in "qkv")
        a = cr.permute_dims(cr.scaled_dot_product_attention(q, k, v, is_causal=True), (0, 2, 1, 3))
        x = x + cr.linear(cr.reshape(a, (1, 6, width)), parameter(rng, width, width, name="out.weight"))
    with cr.named_scope("feed-forward"):
        h = cr.layer_norm(x, width, parameter(rng, width, name="ln2.weight"), parameter(rng, width, name="ln2.bias"))
        h = cr.gelu(cr.linear(h, parameter(rng, 16, width, name="up.weight"), parameter(rng, 16, name="up.bias")))
        x = x + cr.linear(h, parameter(rng, width, 16, name="down.weight"))
    return cr.cross_entropy(cr.reshape(cr.linear(x, parameter(rng, 12, width, name="head")), (6, 12)), labels)


NETWORKS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "transformer": transformer}

if __name__ == "__main__":
    for name in sys.argv[1:] or NETWORKS:
        Path(f"{name}.html").write_text(cr.explain(NETWORKS[name]()).html(title=NETWORKS[name].__doc__), encoding="utf-8")
