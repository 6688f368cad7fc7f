"""What networks can do after training, in chainrule beside PyTorch: the same architecture, data, budget and first weights.

    python benchmarks/accuracy.py [--only NAME ...] [--seeds N] [--quick] [--json FILE] [--document FILE]

A seed draws the part that is held out, the first weights and the order of the batches; the numbers are means over the seeds.
chainrule trains with its Trainer, compiled; PyTorch once from chainrule's first weights, so that only rounding makes a
difference, and once from weights that it draws. Both use AdamW and a one-cycle schedule with the same numbers. The three run
side by side, in processes of one thread each, so times say nothing here. An accuracy must reach its bar; the loss of a network
on text must be at most so many times PyTorch's, from whichever first weights that is lower. The text is the source of Python's
library: its version decides the loss.
It fails where a bar is missed. Without PyTorch or mlxtend it does what can be done without.
"""
from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from report import Row, machine, publish
from trainings import ACCURACY, LOSS, TASKS, Result, Task

OURS, SAME, OWN = "chainrule", "torch", "torch, own first weights"
SIDES: dict[str, tuple[str, dict[str, Any]]] = {
    OURS: ("chainrule", {}), SAME: ("torch", {}), OWN: ("torch", {"own": True})}
BEGINNING = 10  # steps whose losses are compared: later ones differ as rounding errors grow
UNITS = {ACCURACY: ("accuracy, %", "higher"), LOSS: ("validation loss, nats a character", "lower")}
THREADS = ("CHAINRULE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class Outcome:
    """A task, and by side what came of it for each seed."""

    task: Task
    quick: bool
    results: dict[str, list[Result]] = field(default_factory=dict)

    def mean(self, side: str) -> float:
        return statistics.fmean(r.measure for r in self.results[side]) if side in self.results else math.nan

    @property
    def peers(self) -> dict[str, float]:
        return {side: self.mean(side) for side in self.results if side != OURS}

    @property
    def judged(self) -> float:
        """What is held against the bar: the accuracy, or the loss over PyTorch's lower one."""
        ours = self.mean(OURS)
        return ours if self.task.measure == ACCURACY else ours / min(self.peers.values(), default=math.nan)

    @property
    def missed(self) -> bool:
        """Without PyTorch, a loss misses nothing."""
        return self.judged < self.task.bar if self.task.measure == ACCURACY else self.judged > self.task.bar

    def bar(self) -> str:
        told = "" if self.quick or math.isnan(self.judged) else " missed" if self.missed else " met"
        if self.task.measure == ACCURACY:
            return f"at least {self.task.bar:g} %{told}"
        return f"at most {self.task.bar:g} x PyTorch's" + (f": {self.judged:.4f}{told}" if told else "")

    def difference(self) -> str:
        """How far PyTorch's losses are from ours in the first steps from the same weights, and how many guesses are the same."""
        if SAME not in self.results:
            return ""
        pairs = list(zip(self.results[OURS], self.results[SAME]))
        far = max(abs(np.array(a.losses[:BEGINNING]) / b.losses[:BEGINNING] - 1).max() for a, b in pairs)
        same = [(a.guesses == b.guesses).mean() for a, b in pairs if a.guesses is not None]
        return f"{far:.0e}" + (f"; {np.mean(same):.2%}" if same else "")

    def row(self) -> Row:
        unit, better = UNITS[self.task.measure]
        return {"case": self.task.title, "ours": self.mean(OURS), "peers": self.peers, "unit": unit, "better": better,
                "bar": self.task.bar, "judged": None if math.isnan(self.judged) else self.judged,
                "results": {side: [r._asdict() | {"guesses": None if r.guesses is None else r.guesses.tolist()} for r in found]
                            for side, found in self.results.items()}}


def trained(library: str, name: str, seed: int, quick: bool, options: dict[str, Any]) -> Result:
    """One training, in the process of its library."""
    task = TASKS[name].shortened() if quick else TASKS[name]
    return import_module(f"trainings.in_{library}").train(task, seed, **options)


def details(outcomes: list[Outcome]) -> str:
    """The second table: bars, every single result, and the budget."""
    lines = [["case", "bar", "each seed (torch; own first weights)", "steps x batch", "parameters", "losses; guesses"]]
    for o in outcomes:
        each = ["; ".join(", ".join(f"{r.measure:.{2 if o.task.measure == ACCURACY else 4}f}" for r in o.results[side])
                          for side in sides if side in o.results) for sides in ((OURS,), (SAME, OWN))]
        ours = o.results[OURS][0]
        lines.append([o.task.title, o.bar(), f"{each[0]} ({each[1]})" if each[1] else each[0],
                      f"{len(ours.losses):,} x {o.task.batch}", f"{ours.parameters:,}", o.difference()])
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, ["-" * w for w in widths])
    return "\n".join("| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths)) + " |" for line in lines)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), metavar="NAME", help=f"of {', '.join(TASKS)}")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="how many (default: 3)")
    parser.add_argument("--quick", action="store_true", help="short trainings: numbers to look at, too few steps for the bars")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found to FILE")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the tables into this Markdown file")
    return parser.parse_args()


def there(package: str | None, what: str) -> bool:
    """Whether a package is installed; says what is left out otherwise."""
    if package is None or find_spec(package):
        return True
    print(f"{what} is left out: {package} is not installed. `make .venv/peers` installs what the comparison needs.",
          file=sys.stderr, flush=True)
    return False


def measured(given: argparse.Namespace) -> list[Outcome]:
    """All trainings; each side has a process of its own."""
    sides = SIDES if there("torch", "torch") else {OURS: SIDES[OURS]}
    names = [name for name in given.only if there(TASKS[name].needs, name)]
    outcomes = [Outcome(TASKS[name], given.quick) for name in names]
    with ExitStack() as ends:
        pools = {side: ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) for side in sides}
        for pool in pools.values():
            ends.callback(pool.shutdown, cancel_futures=True)  # of all, where one fails
        futures = [[{side: pools[side].submit(trained, library, name, seed, given.quick, more)
                     for side, (library, more) in sides.items()} for seed in range(given.seeds)] for name in names]
        for name, outcome, of_seeds in zip(names, outcomes, futures):
            for seed, of_sides in enumerate(of_seeds):
                for side, future in of_sides.items():
                    outcome.results.setdefault(side, []).append(future.result())
                told = ", ".join(f"{found[-1].measure:.4f}" for found in outcome.results.values())
                print(f"{name}, seed {seed}: {told}", file=sys.stderr, flush=True)
    return outcomes


def main() -> None:
    given = options()
    begin = time.perf_counter()
    os.environ.update(dict.fromkeys(THREADS, "1"))  # the processes of the libraries inherit it
    outcomes = measured(given)
    versions = ", ".join(dict.fromkeys(f"{SIDES[side][0]} {r.version}" for o in outcomes for side, found in o.results.items()
                                       for r in found))
    publish("accuracy", [o.row() for o in outcomes], "\n\n".join([
        f"Means over {given.seeds} seeds; in brackets, how many times better chainrule is. What each seed gave, and the budget:",
        details(outcomes),
        f"\"Losses\": their largest relative difference over the first {BEGINNING} steps from the same weights. \"Guesses\": "
        "how many of the classes given in the end to what was held out are the same in both.",
        f"{machine()}; {versions}."]), given)
    print(f"\nThis took {time.perf_counter() - begin:.0f} s.")
    sys.exit(not given.quick and any(o.missed for o in outcomes))


if __name__ == "__main__":
    main()
