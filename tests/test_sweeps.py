"""A sweep runs launches that share an axis part by part: the same results in less memory, on any number of threads."""
from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.loops.checking import KernelError, check
from chainrule.compiler.loops.language import Sweep
from chainrule.compiler.loops.printing import shown
from chainrule.compiler.lowering import sweeping
from chainrule.compiler.lowering.lowering import knows, lower
from chainrule.compiler.passes.running import improve
from chainrule.compiler.plan import Launch, Plan, Repeat, When
from chainrule.core.stage import Graph, stage
from chainrule.core.type import Type
from lowered import agrees, natively, slowly

K, N, D = 16, 12, 5


def mixture(x: Any, means: Any, roots: Any, weights: Any) -> Any:
    """How well points fit components, each with a product of its own."""
    away = (x - means[:, None]) @ roots.mT
    return cr.sum(cr.logsumexp(cr.expand_dims(weights, 1) - 0.5 * cr.sum(away ** 2, axis=2), axis=0))


def attention(q: Any, k: Any, v: Any) -> Any:
    return cr.sum(cr.sin(cr.softmax(q @ k.mT, axis=-1) @ v))


def chained(x: Any, w: Any) -> Any:
    return cr.sum(cr.square(cr.exp(x @ w) @ cr.sin(w)))


def flat(f: Any) -> Any:
    def run(*args: Any) -> Any:
        value, slopes = f(*args)
        return value, *slopes
    return run


PROGRAMS: dict[str, tuple[Any, tuple[tuple[int, ...], ...]]] = {
    "a mixture and its gradient": (flat(cr.value_and_grad(mixture, (1, 2, 3))), ((N, D), (K, D), (K, D, D), (K,))),
    "attention": (attention, ((K, N, D),) * 3),
    "attention and its gradient": (cr.grad(attention, (0, 1, 2)), ((K, N, D),) * 3),
    "stacks of stacks": (cr.grad(attention, (0, 1, 2)), ((K, 2, N, D),) * 3),
    "products of products": (cr.grad(chained, (0, 1)), ((K, D, D), (K, D, D))),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps are made of small arrays, too."""
    monkeypatch.setattr(sweeping, "WORTH", 1)


def program(name: str) -> tuple[Graph, list[np.ndarray]]:
    f, shapes = PROGRAMS[name]
    rng = np.random.default_rng(0)
    graph = stage(lambda *a: y if isinstance(y := f(*a), tuple) else (y,), *(Type(s, np.dtype("float64")) for s in shapes))
    return improve(graph, knows)[0], [rng.normal(size=s) for s in shapes]


def sweeps(plan: Plan) -> list[Sweep]:
    return [step.kernel for step in plan.steps if isinstance(step, Launch) and isinstance(step.kernel, Sweep)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_sweep_computes_what_its_launches_do(name: str) -> None:
    graph, arrays = program(name)
    made = sweeps(lower(graph, {}))
    assert made
    for sweep in made:
        check(sweep)
    agrees(graph, arrays, run=slowly, tolerance=1e-10)
    agrees(graph, arrays, run=natively, tolerance=1e-10)


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_thread_and_two_give_the_same_bits(name: str) -> None:
    graph, arrays = program(name)
    for one, two in zip(natively(graph, arrays, threads=1), natively(graph, arrays, threads=2)):
        assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("run", [slowly, natively])
def test_zero_wins_over_infinity_in_a_sweep(name: str, run: Any) -> None:
    graph, arrays = program(name)
    for number, a in enumerate(arrays):
        a[..., :1], a.flat[a.size // 2 + number] = 0, np.inf
    agrees(graph, arrays, run=run, tolerance=1e-10)


def test_what_passes_within_a_round_needs_no_memory_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, _ = program("a mixture and its gradient")
    plan = lower(graph, {})
    whole, forward, backward = K * N * D, *sweeps(plan)
    assert [a.size for a in forward.own] == [N * D]  # the differences, which the way back computes again
    assert {N * D: 2, N: 1}.items() <= Counter(a.size for a in backward.own).items()
    assert sum(b.size == whole for b in plan.buffers) == 1  # the product, which both need
    monkeypatch.setattr(sweeping, "WORTH", 1 << 20)
    assert not sweeps(lower(graph, {}))


def test_finite_sums_are_not_computed_part_by_part_again() -> None:
    graph, _ = program("a mixture and its gradient")
    rare = [step for step in lower(graph, {}).steps if isinstance(step, When)]
    assert any(isinstance(step.steps[0], Repeat) for step in rare)


def test_a_product_with_a_factor_that_all_parts_share_is_not_cut() -> None:
    graph = stage(lambda x, w: (chained(x, w),), Type((K, N, D), np.dtype("float64")), Type((D, D), np.dtype("float64")))
    assert not sweeps(lower(graph, {}))


def test_rounds_that_meet_are_an_error() -> None:
    (sweep,) = sweeps(lower(program("attention")[0], {}))
    last = sweep.turns[-1]
    places = tuple((name, offset, 0) if array.written else (name, offset, step)
                   for array, (name, offset, step) in zip(last.kernel.arrays, last.places))
    wrong = replace(sweep, turns=(*sweep.turns[:-1], replace(last, places=places)))
    with pytest.raises(KernelError, match="rounds meet"):
        check(wrong)


def test_a_sweep_is_shown_with_its_turns() -> None:
    graph, _ = program("attention")
    (sweep,) = sweeps(lower(graph, {}))
    text = shown(sweep)
    assert f"parallel for round in {K}:" in text
    assert f"a0 = a0[round*{N * D}]" in text and "own own0" in text
