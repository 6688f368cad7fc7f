"""The training that `chainrule train digits` does, with nothing hidden: two layers, softmax, gradient descent.

    python examples/train_by_hand.py
"""
import numpy as np

import chainrule as cr

rng = np.random.default_rng(0)
seen, held_out = cr.data.digits().split(seed=0)

# He's start: weights small enough not to explode, large enough not to vanish.
weights = {
    "W1": rng.normal(0, (2 / 64) ** 0.5, (32, 64)).astype("float32"), "b1": np.zeros(32, "float32"),
    "W2": rng.normal(0, (2 / 32) ** 0.5, (10, 32)).astype("float32"), "b2": np.zeros(10, "float32"),
}


def scores(w, x):
    a = cr.relu(x @ w["W1"].mT + w["b1"])
    return a @ w["W2"].mT + w["b2"]


def loss(w, x, y):
    return cr.cross_entropy(scores(w, x), y)


for epoch in range(1, 21):
    for x, y in seen.batches(32, shuffle=rng):
        value, gradients = cr.value_and_grad(loss)(weights, x, y)
        weights = {name: w - 0.1 * gradients[name] for name, w in weights.items()}
    right = np.mean(scores(weights, held_out.inputs).argmax(axis=1) == held_out.targets)
    if epoch % 5 == 0:
        print(f"epoch {epoch:2}   loss {value:.4f}   held-out accuracy {right:.1%}")
