"""What a recording costs: training steps of four networks, plain and recorded; and the time and size of an explanation.

    python benchmarks/explain.py [--json FILE] [--document README.md]

A step is forward, backward, Adam's update and zero_grad. Each network runs in a process of its own, on one thread; what is
measured is processor time, which other programs disturb little. In each round the four ways take turns, so that what is disturbed
falls on all of them; a ratio is the median, over the rounds, of the ratio within a round.
"""
from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

import chainrule as cr
from report import Row, arguments, machine, publish

Step = Callable[[], Any]
ROUNDS = 21
WAYS: dict[str, Callable[[], Any]] = {
    "plain": nullcontext,
    "summary": lambda: cr.recording("summary"),
    "summary of every sweep": lambda: cr.recording("summary", every=1),
    "full": cr.recording,
}
BARS = {"summary": 1.1, "full": 1.5}
FACES = ("json", "html", "svg")


def drawn(rng: np.random.Generator, *shape: int) -> Any:
    """A weight, its size such that sums keep theirs; a vector starts at 0."""
    scale = np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 0.0
    return cr.tensor((scale * rng.normal(size=shape)).astype(np.float32), requires_grad=True)


def training(parameters: list[Any], loss_of: Callable[[], Any]) -> Step:
    """One step of training on the same batch, again and again."""
    optimizer = cr.optim.Adam(parameters)

    def step() -> Any:
        loss = loss_of()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss
    return step


def mlp() -> Step:
    batch = next(cr.data.digits().batches(32))
    model = cr.nn.Sequential(cr.nn.Linear(64, 128), cr.nn.ReLU(), cr.nn.Linear(128, 64), cr.nn.ReLU(), cr.nn.Linear(64, 10))
    return training(list(model.parameters()), lambda: cr.cross_entropy(model(batch.inputs), batch.targets))


def cnn() -> Step:
    rng, batch = np.random.default_rng(0), next(cr.data.digits().batches(32))
    images = batch.inputs.reshape(-1, 1, 8, 8)
    parameters = [drawn(rng, *shape) for shape in ((16, 1, 3, 3), (16,), (32, 16, 3, 3), (32,), (10, 128), (10,))]
    k1, b1, k2, b2, w, b = parameters

    def loss() -> Any:
        x = cr.max_pool2d(cr.relu(cr.conv2d(images, k1, b1, padding=1)), 2)
        x = cr.max_pool2d(cr.relu(cr.conv2d(x, k2, b2, padding=1)), 2)
        return cr.cross_entropy(cr.linear(cr.reshape(x, (len(images), -1)), w, b), batch.targets)
    return training(parameters, loss)


def lstm(size: int = 128, steps: int = 20, symbols: int = 65, batch: int = 32) -> Step:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(steps, batch, symbols)).astype(np.float32), rng.integers(0, symbols, batch)
    start = np.zeros((batch, size), np.float32)
    shapes = (4 * size, symbols), (4 * size, size), (4 * size,), (symbols, size), (symbols,)
    parameters = [drawn(rng, *shape) for shape in shapes]
    wx, wh, b, out, c = parameters

    def loss() -> Any:
        hidden = cell = start
        for x in inputs:
            i, f, g, o = cr.split(cr.linear(x, wx, b) + cr.linear(hidden, wh), 4, axis=1)
            cell = cr.sigmoid(f) * cell + cr.sigmoid(i) * cr.tanh(g)
            hidden = cr.sigmoid(o) * cr.tanh(cell)
        return cr.cross_entropy(cr.linear(hidden, out, c), targets)
    return training(parameters, loss)


def transformer_block(batch: int = 8, tokens: int = 64, size: int = 128, heads: int = 4) -> Step:
    rng = np.random.default_rng(0)
    x, target = (rng.normal(size=(batch, tokens, size)).astype(np.float32) for _ in range(2))
    weights = [drawn(rng, *shape) for shape in ((3 * size, size), (size, size), (4 * size, size), (size, 4 * size))]
    biases = [drawn(rng, len(w)) for w in weights]
    gains = [cr.tensor(np.ones(size, np.float32), requires_grad=True) for _ in range(2)]
    shifts = [drawn(rng, size) for _ in range(2)]

    def loss() -> Any:
        z = cr.linear(cr.layer_norm(x, size, gains[0], shifts[0]), weights[0], biases[0])
        q, k, v = cr.unstack(cr.permute_dims(cr.reshape(z, (batch, tokens, 3, heads, -1)), (2, 0, 3, 1, 4)))
        mixed = cr.permute_dims(cr.scaled_dot_product_attention(q, k, v, is_causal=True), (0, 2, 1, 3))
        h = x + cr.linear(cr.reshape(mixed, (batch, tokens, size)), weights[1], biases[1])
        inner = cr.gelu(cr.linear(cr.layer_norm(h, size, gains[1], shifts[1]), weights[2], biases[2]))
        return cr.mse_loss(h + cr.linear(inner, weights[3], biases[3]), target)
    return training([*weights, *biases, *gains, *shifts], loss)


NETWORKS: dict[str, tuple[str, Callable[[], Step], int]] = {  # what it is, its step, how many steps a way has in a round
    "mlp": ("MLP 64-128-64-10, batch 32", mlp, 50),
    "cnn": ("CNN 8x8: conv16, pool, conv32, pool, linear, batch 32", cnn, 20),
    "lstm": ("LSTM 128 over 20 steps, batch 32", lstm, 10),
    "block": ("transformer block: width 128, 4 heads, 64 tokens, batch 8", transformer_block, 10),
}


def worker(name: str) -> None:
    """Measure one network, and print what was found as JSON."""
    _, make, steps = NETWORKS[name]
    step = make()
    for way in WAYS.values():
        with way():
            step()
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for k in range(ROUNDS):
        turn = k % len(WAYS)
        for way in [*WAYS, *WAYS][turn:turn + len(WAYS)]:
            with WAYS[way]():
                began = time.process_time()
                for _ in range(steps):
                    step()
                times[way].append((time.process_time() - began) / steps)
    ratios = {way: statistics.median(a / b for a, b in zip(times[way], times["plain"])) for way in WAYS if way != "plain"}
    with cr.recording() as r:
        step()
    explaining = []
    for _ in range(5):
        began = time.process_time()
        e = r.explain()
        explaining.append(time.process_time() - began)
    print(json.dumps({"plain": 1e3 * statistics.median(times["plain"]), "ratios": ratios,
                      "explain": 1e3 * statistics.median(explaining), "values": len(e.nodes),
                      "sizes": {face: len(getattr(e, face)().encode()) / 1e6 for face in FACES}}))


def run(name: str) -> dict[str, Any]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--worker", name]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    options = arguments(__doc__ or "")
    steps: list[Row] = []
    explanations: list[Row] = []
    for name, (title, _, _) in NETWORKS.items():
        found = run(name)
        steps.append({"case": f"step of {title}", "ours": found["plain"], "unit": "ms", "better": "lower",
                      "peers": {way: ratio * found["plain"] for way, ratio in found["ratios"].items()}, "bars": BARS})
        told = [("r.explain()", found["explain"], "ms"), *((f"its .{face}()", found["sizes"][face], "MB") for face in FACES)]
        explanations += [{"case": f"{name}, {found['values']} values: {what}", "ours": number, "peers": {}, "unit": unit,
                          "better": "lower"} for what, number, unit in told]
    publish("recording", [*steps, *explanations],
            f"Medians of {ROUNDS} rounds, processor time of one thread, float32; in brackets, how many times as long a recorded "
            f"step takes as a plain one: one sweep in ten as a summary, each as a summary, each in full. {machine()}; "
            f"chainrule {cr.__version__}, NumPy {np.__version__}.", options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2])
    else:
        main()
