"""Random programs give the same results in NumPy and compiled, with all passes and with some of them off.

`CHAINRULE_FUZZ=100000` tries so many programs, `CHAINRULE_FUZZ_SEED=123` that one alone. On a mismatch the seed is shown, and the
program as staged and as compiled.
"""
from __future__ import annotations

import importlib
import os
import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from chainrule.compiler.building import without_collection
from chainrule.compiler.passes.patterns import Row, made
from chainrule.compiler.passes.recomputation import measure, recompute
from chainrule.compiler.passes.running import TABLES, rows
from chainrule.core.stage import Graph
from chainrule.errors import ArgumentError
from closeness import mismatch, replay
from compiling import improved, run_together
from random_graphs import random_program

pytest.importorskip("llvmlite")
circular, kernels, lines = (importlib.import_module(f"chainrule.compiler.{name}")
                            for name in ("native.circular", "native.kernels", "lowering.lines"))

TOGETHER = 20
CHUNK = 100
COUNT = int(os.environ.get("CHAINRULE_FUZZ", 2000))
QUICK = COUNT if "CHAINRULE_FUZZ" in os.environ else 200
"""So many programs are tried by `make test`; `make test-all` tries them all."""
SEED = os.environ.get("CHAINRULE_FUZZ_SEED")
OFF = [frozenset({name}) for name in (*TABLES, "simplify", "share", "settle", "pieces")]
OFF.append(frozenset({"simplify", "share", "dead"}))


class Case(NamedTuple):
    """A program, its results in NumPy, and the graphs that must give the same."""

    seed: int
    graph: Graph
    inputs: list[Any]
    expected: list[np.ndarray]
    variants: list[Graph]


def case(seed: int) -> Case | None:
    """A random program; None where it fails in NumPy, or gives nothing."""
    program = random_program(seed)
    graph, inputs = program.graph(), program.inputs()
    try:
        expected = replay(graph, inputs)
    except (ValueError, IndexError, np.linalg.LinAlgError):
        return None
    if not expected:
        return None
    whole = improved(graph)
    others = [improved(graph, OFF[seed // 2 % len(OFF)])] if seed % 2 else lighter(whole) if seed % 6 == 0 else []
    return Case(seed, graph, inputs, expected, [whole, *others])


def lighter(graph: Graph) -> list[Graph]:
    """The program with some values computed twice, if that takes less memory."""
    try:
        return [recompute(graph, measure(graph).peak * 7 // 10)[0]]
    except ArgumentError:
        return []


def failures(cases: list[Case]) -> list[str]:
    """What goes wrong with these programs, compiled together; alone, where together they do not compile."""
    graphs = [graph for each in cases for graph in each.variants]
    try:
        found = run_together(graphs, [each.inputs for each in cases for _ in each.variants], threads=1 + cases[0].seed % 2)
    except Exception as error:
        if len(cases) == 1:
            return [report(cases[0], cases[0].variants[0], f"{type(error).__name__}: {error}")]
        alone = [text for each in cases for text in failures([each])]
        return alone or [f"only together, seeds {[each.seed for each in cases]}: {error}"]
    outputs = iter(found)
    return [report(each, graph, wrong) for each in cases for graph in each.variants
            if (wrong := mismatch(each.graph, each.inputs, each.expected, next(outputs)))]


def report(each: Case, graph: Graph, wrong: str) -> str:
    return f"seed {each.seed}: {wrong}\n\nas staged:\n{each.graph}\n\nas compiled:\n{graph}"


def check(seeds: range) -> None:
    with without_collection(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of empty means and the like
        cases = [each for seed in seeds if (each := case(seed))]
        wrong = [text for i in range(0, len(cases), TOGETHER) for text in failures(cases[i:i + TOGETHER])]
    assert not wrong, f"{len(wrong)} of seeds {seeds.start} to {seeds.stop - 1}:\n\n" + "\n\n".join(wrong[:3])


@pytest.mark.skipif(SEED is not None, reason="one seed alone was asked for")
@pytest.mark.parametrize("start", [pytest.param(start, marks=[pytest.mark.slow] if start >= QUICK else [])
                                   for start in range(0, COUNT, CHUNK)])
def test_random_programs_give_the_same_compiled(start):
    check(range(start, min(start + CHUNK, COUNT)))


@pytest.mark.skipif(SEED is None, reason="no seed was asked for")
def test_the_program_of_one_seed():
    check(range(int(SEED or 0), int(SEED or 0) + 1))


def test_a_seed_always_gives_the_same_program():
    for seed in range(20):
        first, second = random_program(seed), random_program(seed)
        assert str(first.graph()) == str(second.graph())
        assert all(np.array_equal(a, b) for a, b in zip(first.inputs(), second.inputs()))


# ---------------------------------------------------------------------------------------- what the judge must tell apart
@pytest.mark.parametrize("seed", [
    4821,  # a loop that takes the sine of 57 times what it carries: in the second step no digit is left
    5206,  # the same for a single number
    11671,  # infinity times a sum, where eagerly a term of it is 0
    92255,  # the same, before an arc tangent
    11871,  # what depends on a mean of 3,000 numbers, whose rounding grows with their number
    61010,  # a logarithm of a sum of exponentials, near 0
    61014,  # the sign of NaN
    64871,  # the same, after a minimum
    21291,  # a product of numbers so small that it has two digits
    72783,  # a value that is the smallest there is, or 0
    23417,  # a logarithm of a share of nearly 1
    5567,  # whether a sum of centred numbers is 0: in NumPy it is 2e-7
    566,  # a softmax of numbers near 1e31, of which seven are equal
    1660,  # the slope of gelu, near its root
])
def test_rounding_may_be_amplified_without_limit(seed):
    check(range(seed, seed + 1))


def test_a_float32_factor_is_not_summed_in_float32_for_a_float64_product():
    check(range(1114, 1115))


def test_old_values_that_are_gone_are_not_computed_with_again_where_a_sum_is_infinite():
    check(range(60291, 60292))


def test_a_constant_that_is_nan_may_have_a_sign():
    check(range(89342, 89343))


def simplified_wrongly(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(TABLES, "wrong", (Row(made("sin", "x"), lambda x: x),))


def a_term_dropped(patch: pytest.MonkeyPatch) -> None:
    """The least term of the sine in float64: 7e-12 of the value at most."""
    patch.setitem(circular.SINE, 64, circular.SINE[64][1:])


def a_mask_too_short(patch: pytest.MonkeyPatch) -> None:
    """The last of the elements that full vectors leave over is left out."""
    rest = kernels.Walker.rest
    patch.setattr(kernels.Walker, "rest", lambda walker, loop, division, environment: rest(
        walker, loop, replace(division, rest=division.rest - (division.rest > 1)), environment))


def the_neighbour_of_the_last_element(patch: pytest.MonkeyPatch) -> None:
    """Where one element along an axis is taken, and it is the last one, the one before it is taken."""
    sliced = lines.sliced

    def wrong(old: Any, key: Any) -> Any:
        move = sliced(old, key)
        starts = [start - (target is None and 0 < start == n - 1) for start, target, n in zip(move.starts, move.targets, old)]
        return replace(move, starts=tuple(starts))
    patch.setattr(lines, "sliced", wrong)


@pytest.mark.parametrize("fault, seed", [
    (simplified_wrongly, 1), (a_term_dropped, 9), (a_mask_too_short, 1), (the_neighbour_of_the_last_element, 76),
], ids=lambda x: getattr(x, "__name__", ""))
def test_a_fault_in_the_compiler_is_found(fault, seed, monkeypatch):
    fault(monkeypatch)
    rows.cache_clear()
    try:
        with pytest.raises(AssertionError, match="as compiled"):
            check(range(seed, seed + 1))
    finally:
        rows.cache_clear()
