"""A worker is a process that holds one library and one problem, and runs its programs when asked."""
from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from . import CASES
from .libraries import LIBRARIES, Inapplicable, Programs

CURVE = 10  # steps whose losses are compared
STARTING = 2  # calls in which programs are compiled: an optimizer's first step is another program than the later ones
PEERS = ("torch", "jax")


class Missing(Exception):
    """A library is not installed."""


class Failed(Exception):
    """A library did not do what it was asked; the text says how."""


class Worker:
    """The parent's side: ask, and wait for the answer. Raises Missing, Inapplicable, Failed."""

    def __init__(self, library: str, case: str, environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, library, case), daemon=True)
        before = dict(os.environ)
        os.environ.update(environment)
        try:
            self.process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        try:
            self.version, self.first = self.answer()
        except Exception:
            self.close()
            raise

    def answer(self) -> Any:
        try:
            kind, value = self.connection.recv()
        except EOFError:
            self.process.join()
            raise Failed(f"its process ended with code {self.process.exitcode}") from None
        if kind:
            raise kind(value)
        return value

    def ask(self, *question: Any) -> Any:
        self.connection.send(question)
        return self.answer()

    def close(self) -> None:
        self.connection.close()
        self.process.join(5)
        self.process.kill()


def serve(connection: Connection, library: str, case: str) -> None:
    """The child's side: take the first steps, say how long they took, then answer questions until the parent hangs up."""
    programs: Programs | None = None
    if library.startswith(PEERS):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # their notes on profiling; errors are sent

    def start() -> tuple[str, float]:
        nonlocal programs
        programs = LIBRARIES[library](CASES[case].problem())
        begin = time.perf_counter()
        losses.extend(programs.step() for _ in range(STARTING))
        return programs.version, time.perf_counter() - begin

    losses: list[Any] = []
    answers: dict[str, Callable[..., Any]] = {
        "start": start,
        "curve": lambda: [float(np.asarray(loss)) for loss in (*losses, *(programs.step() for _ in range(CURVE - STARTING)))],
        "gradient": lambda: {name: np.asarray(g) for name, g in programs.gradient()[1].items()},
        "time": lambda program, seconds: median_time(getattr(programs, program), seconds),
        "peak": lambda: programs.peak(),
        "products": lambda: product_rate(library, CASES[case].problem().double),
    }
    question: tuple[Any, ...] = ("start",)
    try:
        while True:
            name, *args = question
            try:
                connection.send((None, answers[name](*args)))
            except ModuleNotFoundError as error:
                connection.send((Missing if error.name in PEERS else Failed, str(error)))
            except Inapplicable:
                connection.send((Inapplicable, ""))
            except Exception as error:  # of whatever kind: the parent tells, and goes on with the others
                connection.send((Failed, f"{name}: {type(error).__name__}: {error}"))
            question = connection.recv()
    except (EOFError, BrokenPipeError):
        return


def median_time(program: Callable[[], Any], seconds: float) -> float:
    """The median time of calls made one after the other for that long; the first, of several, warms the caches."""
    times: list[float] = []
    while not times or sum(times) < seconds:
        begin = time.perf_counter()
        program()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:] or times)


def product_rate(library: str, double: bool) -> float:
    """The most operations per second in products of large matrices, by NumPy's BLAS or PyTorch's."""
    best = 0.0
    for n in (512, 1024, 1536):
        a, b = np.random.default_rng(0).normal(size=(2, n, n)).astype(np.float64 if double else np.float32)
        product = np.matmul
        if library.startswith("torch"):
            import torch
            a, b, product = torch.from_numpy(a), torch.from_numpy(b), torch.matmul
        for _ in range(4):
            begin = time.perf_counter()
            product(a, b)
            best = max(best, 2 * n ** 3 / (time.perf_counter() - begin))
    return best
