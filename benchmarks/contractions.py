"""Products of matrices and convolutions, compiled, beside NumPy's matrix product of the same size, in GFLOP/s.

    python benchmarks/contractions.py [--json FILE] [--document FILE]

Each side runs in a process of its own, on one thread and on two, in turn, for several rounds. A convolution is compared with a
product of matrices that has as many multiplications, which is what it would be if its windows were copied into a matrix at no
cost. A multiplication and its addition count as two operations; medians over calls, and the best round.
"""
from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from report import Row, arguments, machine, publish

ROUNDS = 3
SECONDS = 0.15  # for each case in each round
FLOAT = np.dtype("float32")

# rows, summed, columns, which sides are transposed, matrices in the stack
PRODUCTS = {
    "128 square": (128, 128, 128, "", 1), "256 square": (256, 256, 256, "", 1), "512 square": (512, 512, 512, "", 1),
    "1024 square": (1024, 1024, 1024, "", 1), "linear 128x784x512": (128, 784, 512, "b", 1),
    "its weight's gradient": (512, 128, 784, "a", 1), "its data's gradient": (128, 512, 784, "", 1),
    "linear 128x512x256": (128, 512, 256, "b", 1), "linear 1024x128x384": (1024, 128, 384, "b", 1),
    "weight's gradient of 1024x128x384": (384, 1024, 128, "a", 1), "64 attentions q k": (64, 32, 64, "b", 64),
    "64 attentions a v": (64, 64, 32, "", 64), "cell 32x128x512": (32, 128, 512, "b", 1), "small 32x64x32": (32, 64, 32, "", 1),
}
# examples, channels in and out, kernel, size of the image, and which of the three operations
CONVOLUTIONS = {
    "convolution 32 to 32, 3x3 at 32x32": (32, 32, 32, 3, 32, "forward"), "its kernel's gradient": (32, 32, 32, 3, 32, "kernel"),
    "convolution 1 to 16, 5x5 at 28x28": (64, 1, 16, 5, 28, "forward"), "its kernel's gradient ": (64, 1, 16, 5, 28, "kernel"),
    "convolution 16 to 32, 3x3 at 14x14": (64, 16, 32, 3, 14, "forward"), "its data's gradient ": (64, 32, 16, 3, 14, "forward"),
    "its kernel's gradient  ": (64, 16, 32, 3, 14, "kernel"),
}


# ---------------------------------------------------------------------------------------- the compiled side
def product_plan(m: int, k: int, n: int, turned: str, count: int) -> Any:
    """A stack of products of matrices; a transposed one lies with its columns one after the other."""
    from chainrule.compiler.loops.language import Axis
    left, right = ((1, m) if "a" in turned else (k, 1)), ((1, k) if "b" in turned else (n, 1))
    axes = (Axis("b", count, m * k, k * n), Axis("i", m, left[0], 0), Axis("j", n, 0, right[1]),
            Axis("k", k, left[1], right[0], summed=True))
    return plan(axes, (count * m * k, count * k * n, count * m * n), (("b", m * n), ("i", n), ("j", 1)))


def convolution_plan(examples: int, inside: int, out: int, kernel: int, size: int, which: str) -> Any:
    """A convolution of images that have their border and their channels last, or the gradient of its kernel."""
    from chainrule.compiler.loops.language import Axis
    wide, back = size + kernel - 1, which == "kernel"
    pixels = (size * size * out, size * out, out)  # from image to image, row to row, place to place of the result
    taps = (kernel * inside * out, inside * out, out)
    at_pixels, at_taps = (pixels, (0, 0, 0)) if back else ((0, 0, 0), taps)
    axes = (Axis("n", examples, wide * wide * inside, at_pixels[0], back), Axis("y", size, wide * inside, at_pixels[1], back),
            Axis("x", size, inside, at_pixels[2], back), Axis("o", out, 0, 1),
            Axis("v", kernel, wide * inside, at_taps[0], not back),
            Axis("u", kernel, inside, at_taps[1], not back), Axis("c", inside, 1, at_taps[2], not back))
    image, place, weights = examples * wide * wide * inside, examples * size * size * out, kernel * kernel * inside * out
    index = (*zip("vuc" if back else "nyx", taps if back else pixels), ("o", 1))
    return plan(axes, (image, place, weights) if back else (image, weights, place), index)


def plan(axes: tuple[Any, ...], sizes: tuple[int, int, int], index: tuple[tuple[str, int], ...]) -> Any:
    """A program of one contraction of two inputs."""
    from chainrule.compiler.loops.language import Array, Contraction, Index, Write
    from chainrule.compiler.plan import Buffer, Launch, Place, Plan, View
    arrays = tuple(Array(name, FLOAT, size, written=name == "y") for name, size in zip("aby", sizes))
    contraction = Contraction(axes, arrays, ("a", 0), ("b", 0), FLOAT, (Write("y", Index(0, index), "sum"),))
    buffers = tuple(Buffer(a.name, FLOAT, a.size, "output" if a.written else "input") for a in arrays)
    a, b, y = (View(Place(x.name), (x.size,), (1,), FLOAT) for x in arrays)
    return Plan((a, b), (y,), buffers, (Launch(contraction, tuple(Place(x.name) for x in arrays)),))


def chainrule_call(case: str, threads: int) -> Callable[[], Any]:
    from chainrule.compiler.native.driver import Program
    made = product_plan(*PRODUCTS[case]) if case in PRODUCTS else convolution_plan(*CONVOLUTIONS[case])
    program = Program(made, threads)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(view.shape, FLOAT) for view in made.inputs]
    return lambda: program(inputs)


# ---------------------------------------------------------------------------------------- NumPy's side
def shape(case: str) -> tuple[int, int, int, str, int]:
    """The product of matrices with as many operations: rows, summed, columns, transposed sides, matrices."""
    if case in PRODUCTS:
        return PRODUCTS[case]
    examples, inside, out, kernel, size, which = CONVOLUTIONS[case]
    rows, taps = examples * size * size, kernel * kernel * inside
    return (taps, rows, out, "a", 1) if which == "kernel" else (rows, taps, out, "", 1)


def numpy_call(case: str, threads: int) -> Callable[[], Any]:
    m, k, n, turned, count = shape(case)
    rng = np.random.default_rng(0)
    lead = (count,) if count > 1 else ()
    a, b = rng.standard_normal((*lead, m, k), FLOAT), rng.standard_normal((*lead, k, n), FLOAT)
    a = np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2) if "a" in turned else a
    b = np.ascontiguousarray(b.swapaxes(-1, -2)).swapaxes(-1, -2) if "b" in turned else b
    return lambda: np.matmul(a, b)


# ---------------------------------------------------------------------------------------- measuring
def worker(name: str, threads: int) -> None:
    """Measure one side, and print what was found as JSON."""
    found = {}
    for case in (*PRODUCTS, *CONVOLUTIONS):
        call = globals()[f"{name}_call"](case, threads)
        call()
        times, end = [], time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        found[case] = 2 * prod(n for n in shape(case) if isinstance(n, int)) / statistics.median(times) / 1e9
    print(json.dumps(found))


def run(name: str, threads: int) -> dict[str, float]:
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    done = subprocess.run([sys.executable, __file__, "--worker", name, str(threads)], env=os.environ | limits, check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    options = arguments(__doc__ or "")
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        for threads in (1, 2):
            for name in ("chainrule", "numpy"):
                found.setdefault((name, threads), []).append(run(name, threads))
    best = {key: {case: max(r[case] for r in results) for case in results[0]} for key, results in found.items()}
    rows: list[Row] = [
        {"case": f"{case.rstrip()}, {threads} thread{'s' * (threads > 1)}", "ours": best["chainrule", threads][case],
         "peers": {"numpy": best["numpy", threads][case]}, "unit": "GFLOP/s", "better": "higher"}
        for case in (*PRODUCTS, *CONVOLUTIONS) for threads in (1, 2)]
    publish("contractions", rows, f"Best of {ROUNDS} rounds, float32; in brackets, how many times faster chainrule is. "
            f"{machine()}; NumPy {np.__version__}.", options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], int(sys.argv[3]))
    else:
        main()
