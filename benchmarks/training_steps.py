"""Whole training steps, and the gradients of two objectives of ADBench, compiled by chainrule beside PyTorch and JAX.

    python benchmarks/training_steps.py [--only NAME ...] [--rounds N] [--quick] [--threads N] [--json FILE] [--document FILE]

Each step is written three times, side by side in one file of `steps/`, with the same data, first weights (drawn by NumPy) and
Adam: for `cr.compile`, for PyTorch as it is (eager, its weights updated by one fused call), and for `jax.jit`. Each library runs
in a process of its own, on the same cores. A round times them in turn, so that what disturbs the machine falls on all; a time is
the median over the rounds of the median within a round. Each library must have computed the same losses over 10 steps, and the
same gradients at the first weights; the largest relative difference is shown.

The ratio is the time of the fastest peer over ours. "Of the limit" is the share of the machine's arithmetic that our step puts to
use: the multiplications and additions of its contractions, over its time, over the rate of the fastest large matrix product of
NumPy's or PyTorch's BLAS in this run; "at the limit" is what the ratio would be if our step put all of it to use.
"Gradient/forward" is the time of the compiled loss with its gradient over that of the compiled loss. "Cold" is what the first two
calls take longer than later ones (an optimizer's first step is a program of its own), with no cache on disk; "warm" is the same
in a new process that finds the cache filled. Memory is the peak within a step, with weights, Adam's means and data: for ours what
the compiled program holds, its arguments and results; for PyTorch what its allocator gave out (its profiler's record of
allocations and releases, summed up); for JAX what its compiler says.
"""
from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
import tempfile
import time
from pathlib import Path

from report import Row, machine, publish
from steps import CASES
from steps.libraries import LIBRARIES, Inapplicable
from steps.outcome import GRADIENT_BAR, OURS, Outcome, details, mark
from steps.worker import CURVE, Failed, Missing, Worker

PROGRAMS = {"step": 1.0, "forward": 0.3, "gradient": 0.3}  # the shares of the time that is spent on each
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def started(outcome: Outcome) -> dict[str, Worker]:
    """A worker for each library that is there and works, each with its first step taken."""
    workers = {}
    for library in LIBRARIES:
        try:
            workers[library] = Worker(library, outcome.case, {"CHAINRULE_CACHE": "off"})
        except Inapplicable:
            continue
        except Missing as error:
            outcome.tell(f"{library} is left out: {error}. `make .venv/peers` installs what the comparison needs.")
        except Failed as error:
            outcome.tell(f"{library} failed: {error}")
    return workers


def measured(case: str, rounds: int, seconds: float) -> Outcome:
    """Everything about one case."""
    problem = CASES[case].problem()
    outcome = Outcome(case, problem.flops, "float64" if problem.double else "float32")
    workers = started(outcome)
    for library, worker in workers.items():
        outcome.versions[library], outcome.first[library] = worker.version, worker.first
        outcome.curves[library] = outcome.attempt(library, worker, "curve")
        outcome.gradients[library] = outcome.attempt(library, worker, "gradient")
        if library in (OURS, "torch"):
            outcome.rates.append(outcome.attempt(library, worker, "products") or 0.0)
    for turn, program in itertools.product(range(rounds), PROGRAMS):
        names = list(workers)
        for library in names[turn % len(names):] + names[:turn % len(names)]:
            found = outcome.attempt(library, workers[library], "time", program, seconds * PROGRAMS[program])
            if found:
                outcome.times.setdefault((library, program), []).append(found)
    for library, worker in workers.items():
        outcome.peaks[library] = outcome.attempt(library, worker, "peak")
        worker.close()
    if OURS in workers:
        outcome.warm = warm_start(outcome)
    outcome.tell(", ".join(f"{library} {1e3 * outcome.time(library):.3g} ms" for library in workers))
    return outcome


def warm_start(outcome: Outcome) -> float | None:
    """The seconds of the first calls in a second process, after the first has filled an empty cache."""
    first = None
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            try:
                worker = Worker(OURS, outcome.case, {"CHAINRULE_CACHE": folder})
            except Failed as error:
                outcome.tell(f"chainrule failed on a warm start: {error}")
                return None
            first = worker.first
            worker.close()
    return first


def row(outcome: Outcome) -> Row:
    """The outcome as a row of the first table."""
    scale, unit = (1e6, "us") if outcome.case == "overhead" else (1e3, "ms")
    return {"case": CASES[outcome.case].title, "ours": scale * outcome.time(OURS), "unit": unit, "better": "lower",
            "peers": {library: scale * t for library, t in outcome.peers.items()}, **outcome.record()}


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def summary(outcomes: list[Outcome]) -> str:
    """The bars that concern all cases together."""
    cases = [o for o in outcomes if o.case != "overhead"]
    overhead = [1e6 * o.time(OURS) for o in outcomes if o.case == "overhead"]
    bars = [("gradient/forward, geometric mean", geometric_mean([o.slope for o in cases]), 3.2, 2.8),
            ("slowest cold compile, s", max((o.cold(OURS) for o in cases), default=math.nan), 2.0, 0.7),
            ("largest share of PyTorch's memory", max((o.memory for o in cases), default=math.nan), 1.0, 0.7),
            ("a call with 20 arrays, us", overhead[0] if overhead else math.nan, 10.0, 2.0)]
    return "\n".join(f"- {name}: {value:.3g} (at most {bar:g} {mark(value, bar, above=False)}, aim {aim:g} "
                     f"{mark(value, aim, above=False)})" for name, value, bar, aim in bars)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="NAME", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=9, metavar="N")
    parser.add_argument("--quick", action="store_true", help="3 short rounds: numbers to look at, not to quote")
    parser.add_argument("--threads", type=int, metavar="N", help="cores that each library may use; by default all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to FILE")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the tables into this Markdown file")
    return parser.parse_args()


def disturbed(busy: float) -> str:
    """A warning where other programs ran at the beginning: times are then not to be quoted, PyTorch's least of all."""
    return f", and began on a busy machine (load {busy:.1f}): the times are not to be quoted" if busy > 0.5 else ""


def agreed(outcomes: list[Outcome]) -> str:
    """What was found equal, and how closely."""
    found = {kind: max((d for o in outcomes for what, d, _ in o.agreement() if what.startswith(kind)), default=math.nan)
             for kind in ("losses", "gradients")}
    if any(map(math.isnan, found.values())):
        return "No peer was there to compare with."
    return (f"All libraries computed the same losses over {CURVE} steps (relative difference at most {found['losses']:.0e}) and "
            f"the same gradients at the first weights ({found['gradients']:.0e}).")


def verdict(outcomes: list[Outcome]) -> list[str]:
    """What is wrong: libraries that computed something else, and cases of ours that did not run."""
    failed = [f"{o.case}: chainrule did not run" for o in outcomes if math.isnan(o.time(OURS))]
    return failed + [f"{o.case}: {what} differ from ours by {found:.1e}, more than {bar:g}"
                     for o in outcomes for what, found, bar in o.agreement() if found > bar]


def main() -> None:
    given = options()
    begin, busy = time.perf_counter(), os.getloadavg()[0]
    cores = sorted(os.sched_getaffinity(0))[:given.threads]
    os.sched_setaffinity(0, cores)  # the workers inherit it
    os.environ.update(dict.fromkeys(POOLS, str(len(cores))))
    rounds, seconds = (min(3, given.rounds), 0.05) if given.quick else (given.rounds, 0.2)
    outcomes = [measured(case, rounds, seconds) for case in given.only]
    rate = {dtype: max((r for o in outcomes if o.dtype == dtype for r in o.rates), default=0.0) for dtype in GRADIENT_BAR}
    limits = ", ".join(f"{value / 1e9:.0f} GFLOP/s in {dtype}" for dtype, value in rate.items() if value)
    versions = ", ".join(sorted({f"{k} {v}" for o in outcomes for k, v in o.versions.items() if "," not in k}))
    wrong = verdict(outcomes)
    publish("training_steps", [row(o) for o in outcomes], "\n\n".join([
        "In brackets, how many times faster chainrule is.", details(outcomes, rate), summary(outcomes),
        "\n".join(wrong) or agreed(outcomes),
        f"Medians of {rounds} rounds; {len(cores)} threads; large matrix products reach {limits}. {machine()}; {versions}. "
        f"This took {time.perf_counter() - begin:.0f} s{disturbed(busy)}."]), given)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
