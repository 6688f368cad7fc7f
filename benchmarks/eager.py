"""Time per recorded operation, forward and backward, beside PyTorch, HIPS autograd and MyGrad; and the cost of the import.

    python benchmarks/eager.py [--json FILE] [--document README.md]

Each library runs in a process of its own, on one thread, the processes in turn, for several rounds. A round reports the median
over many sweeps of one program: a hundred operations, a mixture of products, sums, quotients and sines, and their total.
The number given is the median over the rounds.
"""
from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from report import Row, arguments, machine, publish

SIZES = (8, 1000)
STEPS = 25  # of four operations each
OPERATIONS = 4 * STEPS + 1
ROUNDS = 9
SWEEPS = {8: 300, 1000: 150}
PEERS = ("chainrule", "torch", "autograd", "mygrad")


def program(x: Any, w: Any, sin: Callable[[Any], Any], total: Callable[[Any], Any]) -> Any:
    """One scalar out of two arrays."""
    y = x
    for _ in range(STEPS):
        y = y * w
        y = y + x
        y = sin(y)
        y = y / w
    return total(y)


def chainrule_sweep() -> tuple[str, Callable[[Any, Any], Any]]:
    import chainrule as cr

    def sweep(x: Any, w: Any) -> Any:
        a, b = cr.tensor(x, requires_grad=True), cr.tensor(w, requires_grad=True)
        program(a, b, cr.sin, cr.sum).backward()
        return b.grad
    return cr.__version__, sweep


def torch_sweep() -> tuple[str, Callable[[Any, Any], Any]]:
    import torch
    torch.set_num_threads(1)

    def sweep(x: Any, w: Any) -> Any:
        a, b = torch.tensor(x, requires_grad=True), torch.tensor(w, requires_grad=True)
        program(a, b, torch.sin, torch.sum).backward()
        return b.grad
    return torch.__version__, sweep


def autograd_sweep() -> tuple[str, Callable[[Any, Any], Any]]:
    from importlib.metadata import version

    import autograd
    import autograd.numpy as anp

    gradient = autograd.grad(lambda pair: program(pair[0], pair[1], anp.sin, anp.sum))
    return version("autograd"), lambda x, w: gradient((x, w))[1]


def mygrad_sweep() -> tuple[str, Callable[[Any, Any], Any]]:
    import mygrad as mg

    def sweep(x: Any, w: Any) -> Any:
        a, b = mg.tensor(x), mg.tensor(w)
        program(a, b, mg.sin, mg.sum).backward()
        return b.grad
    return mg.__version__, sweep


def worker(name: str) -> None:
    """Measure one library, and print what was found as JSON."""
    import numpy as np
    version, sweep = globals()[f"{name}_sweep"]()
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {"version": version}
    for size in SIZES:
        x, w = (rng.uniform(0.5, 1.5, size).astype(np.float32) for _ in range(2))
        times = []
        for _ in range(SWEEPS[size]):
            start = time.perf_counter()
            result = sweep(x, w)
            times.append(time.perf_counter() - start)
        found[str(size)] = 1e6 * statistics.median(times) / OPERATIONS
        found[f"check {size}"] = float(np.asarray(result).sum())
    print(json.dumps(found))


def run(*command: str) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an import is timed as users have it, compiled once before
    return subprocess.run([sys.executable, *command], env=environment, check=True, capture_output=True, text=True).stdout


def import_times() -> list[float]:
    """Milliseconds that `import chainrule` and `import torch` add to `import numpy`: medians of fresh processes."""
    code = "import numpy, time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    return [1e3 * statistics.median(float(run("-c", code.format(name))) for _ in range(7)) for name in ("chainrule", "torch")]


def main() -> None:
    options = arguments(__doc__ or "")
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in PEERS}
    for _ in range(ROUNDS):
        for name in PEERS:
            rounds[name].append(json.loads(run(__file__, "--worker", name)))
    rows: list[Row] = []
    for size in SIZES:
        answers = {name: found[0][f"check {size}"] for name, found in rounds.items()}
        spread = max(answers.values()) - min(answers.values())
        assert spread <= 1e-3 * abs(answers["torch"]), f"the libraries disagree: {answers}"
        medians = {name: statistics.median(found[str(size)] for found in results) for name, results in rounds.items()}
        rows.append({"case": f"one operation on {size} numbers, forward and backward", "ours": medians.pop("chainrule"),
                     "peers": medians, "unit": "us", "better": "lower"})
    ours, torch = import_times()
    rows.append({"case": "import, on top of NumPy's", "ours": ours, "peers": {"torch": torch}, "unit": "ms", "better": "lower"})
    versions = ", ".join(f"{name} {found[0]['version']}" for name, found in rounds.items())
    publish("eager", rows, f"Medians of {ROUNDS} rounds, one thread, float32; in brackets, how many times faster chainrule is. "
            f"{machine()}; {versions}.", options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2])
    else:
        main()
