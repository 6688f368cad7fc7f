"""A program runs the steps of a plan in one native call, with memory of its own, on any number of threads."""
from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import chainrule as cr
from chainrule.compiler.loops.language import Apply, Array, Gather, Index, Kernel, Let, Loop, Origin, Read, Start, Write
from chainrule.compiler.lowering.arena import lifetimes
from chainrule.compiler.native import pool
from chainrule.compiler.native.driver import Program
from chainrule.compiler.native.scheduling import launches
from chainrule.compiler.native.workspace import needed
from chainrule.compiler.plan import Buffer, Call, Launch, Place, Plan, Repeat, View

F32 = np.dtype(np.float32)
AT = Index(0, (("i", 1),))


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))


def view(name: str, *shape: int, offset: int = 0, steps: tuple = ()) -> View:
    strides = tuple(int(np.prod(shape[k + 1:])) for k in range(len(shape)))
    return View(Place(name, offset, steps), shape, strides, F32)


def binary(operation: str, n: int) -> Kernel:
    """out = operation(a, b), element by element."""
    body = (Let("x", Read("a", AT)), Let("y", Read("b", AT)),
            Let("z", Apply(operation, ("x", "y"), F32), Origin(operation, "f.py:1")), Write("out", AT, "z"))
    return Kernel((Array("a", F32, n), Array("b", F32, n), Array("out", F32, n, written=True)), (Loop("i", n, body, "vector"),))


def total(n: int) -> Kernel:
    each = Loop("i", n, (Let("x", Read("a", AT)), Gather("s", "x")), "vector")
    body = (Start("s", "sum", F32), each, Write("out", Index(), "s"))
    return Kernel((Array("a", F32, n), Array("out", F32, 1, written=True)), body)


def chain(n: int) -> Plan:
    """y = (a + b) * b, s = sum(y): through scratch memory."""
    return Plan(
        (view("a", n), view("b", n)), (view("y", n), view("s")),
        (Buffer("a", F32, n, "input"), Buffer("b", F32, n, "input"), Buffer("t", F32, n, offset=64),
         Buffer("y", F32, n, "output"), Buffer("s", F32, 1, "output")),
        (Launch(binary("add", n), (Place("a"), Place("b"), Place("t"))),
         Launch(binary("multiply", n), (Place("t"), Place("b"), Place("y"))),
         Launch(total(n), (Place("y"), Place("s")))))


def numbers(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n).astype(np.float32)


@pytest.mark.parametrize("n", [1, 17, 100_000])
def test_steps_run_in_order_through_scratch_memory(n: int) -> None:
    program = Program(chain(n))
    for seed in range(3):
        a, b = numbers(n, seed), numbers(n, seed + 10)
        y, s = program([a, b])
        np.testing.assert_allclose(y, (a + b) * b, rtol=1e-6)
        np.testing.assert_allclose(s, y.sum(dtype=float), rtol=1e-4, atol=1e-2)
        assert s.shape == ()


def test_outputs_of_one_call_stay_when_the_next_is_made() -> None:
    program = Program(chain(10))
    a, b = numbers(10), numbers(10, 1)
    first, _ = program([a, b])
    kept = first.copy()
    second, _ = program([b, b])
    assert second is not first
    np.testing.assert_array_equal(first, kept)


def test_equal_kernels_are_compiled_once() -> None:
    n = 64
    plan = Plan((view("a", n),), (view("y", n),), (Buffer("a", F32, n, "input"), Buffer("y", F32, n, "output")), tuple(
        Launch(binary("add", n), (Place(source), Place("a"), Place("y"))) for source in ("a", "y", "y")))
    program = Program(plan)
    assert len(program.distinct.kernels) == 1
    np.testing.assert_allclose(program([numbers(n)])[0], 4 * numbers(n), rtol=1e-6)
    assert program.loops().count("out[i] = a[i] + b[i]") == 1
    assert "define void" in program.llvm()


def test_threads_do_not_change_a_bit() -> None:
    n = 300_000
    plan, a, b = chain(n), numbers(n), numbers(n, 1)
    alone, both, three = (Program(plan, threads)([a, b]) for threads in (1, 2, 3))
    for x, y, z in zip(alone, both, three):
        assert (x == y).all()
        assert (x == z).all()


def test_a_donated_input_is_the_output() -> None:
    n = 100
    plan = Plan((view("w", n), view("g", n)), (view("w", n),), (Buffer("w", F32, n, "input"), Buffer("g", F32, n, "input")),
                (Launch(binary("subtract", n), (Place("w"), Place("g"), Place("w"))),), donated={0: 0})
    w, g = numbers(n), numbers(n, 1)
    before = w.copy()
    (result,) = Program(plan)([w, g])
    assert result is w
    np.testing.assert_array_equal(w, before - g)


def test_a_donated_array_with_strides_is_changed_too() -> None:
    n = 10
    plan = Plan((view("w", n), view("g", n)), (view("w", n),), (Buffer("w", F32, n, "input"), Buffer("g", F32, n, "input")),
                (Launch(binary("subtract", n), (Place("w"), Place("g"), Place("w"))),), donated={0: 0})
    whole, g = numbers(2 * n), numbers(n, 1)
    before, program = whole.copy(), Program(plan)
    for _ in range(2):
        program([whole[::2], g])
    np.testing.assert_array_equal(whole[::2], before[::2] - g - g)
    np.testing.assert_array_equal(whole[1::2], before[1::2])


def test_a_repeat_moves_its_places() -> None:
    """h = h * x[t], and all of them are kept."""
    n, steps = 5, 7
    plan = Plan(
        (view("x", steps, n), view("h", n)), (view("all", steps + 1, n),),
        (Buffer("x", F32, n * steps, "input"), Buffer("h", F32, n, "input"), Buffer("zero", F32, n, "constant", np.zeros(n, F32)),
         Buffer("all", F32, n * (steps + 1), "output")),
        (Launch(binary("add", n), (Place("h"), Place("zero"), Place("all"))),
         Repeat("t", steps, (Launch(binary("multiply", n), (
             Place("all", 0, (("t", n),)), Place("x", 0, (("t", n),)), Place("all", n, (("t", n),)))),))))
    x, h = numbers(n * steps).reshape(steps, n), numbers(n, 1)
    expected = np.concatenate([h[None], h * np.cumprod(x, axis=0)])
    np.testing.assert_allclose(Program(plan)([x, h])[0], expected, rtol=1e-5)


def test_kept_memory_is_zero_at_first_and_stays() -> None:
    n = 10
    buffers = (Buffer("a", F32, n, "input"), Buffer("k", F32, n, "kept"), Buffer("y", F32, n, "output"))
    plan = Plan((view("a", n),), (view("y", n),), buffers,
                (Launch(binary("add", n), (Place("a"), Place("k"), Place("k"))),
                 Launch(binary("add", n), (Place("k"), Place("a"), Place("y")))))
    program = Program(plan)
    one = np.ones(n, np.float32)
    assert [program([one])[0][0] for _ in range(3)] == [2, 3, 4]
    assert program.memory()["kept"] == 64


def test_numpy_does_what_a_call_asks_for_on_views() -> None:
    """Sorted columns, each put to its place within a repeat."""
    rows, columns = 6, 4
    column = View(Place("x", 0, (("c", 1),)), (rows,), (columns,), F32)
    target = View(Place("y", columns * (rows - 1), (("c", 1),)), (rows,), (-columns,), F32)
    sorting = {"axis": 0, "descending": False, "stable": True}
    plan = Plan((view("x", rows, columns),), (view("y", rows, columns),),
                (Buffer("x", F32, rows * columns, "input"), Buffer("y", F32, rows * columns, "output")),
                (Repeat("c", columns, (Call(cr.ops.sort, (column,), sorting, (target,)),)),))
    x = numbers(rows * columns).reshape(rows, columns)
    np.testing.assert_array_equal(Program(plan)([x])[0], np.sort(x, axis=0)[::-1])


def failing(n: int) -> Plan:
    """Adds, then divides whole arrays by a singular matrix."""
    return Plan((view("a", n, n),), (view("y", n, n),), (Buffer("a", F32, n * n, "input"), Buffer("y", F32, n * n, "output")),
                (Call(cr.linalg.inv, (view("a", n, n),), {}, (view("y", n, n),)),))


def test_an_exception_in_a_call_comes_out_of_the_program() -> None:
    program = Program(failing(3))
    with pytest.raises(cr.errors.ArgumentError, match="singular"):
        program([np.zeros((3, 3), np.float32)])
    np.testing.assert_array_equal(program([np.eye(3, dtype=np.float32)])[0], np.eye(3))


def test_an_array_of_another_type_is_refused() -> None:
    program = Program(chain(10))
    for wrong in (np.zeros(11, np.float32), np.zeros(10)):
        with pytest.raises(ValueError, match="input 1"):
            program([np.zeros(10, np.float32), wrong])


def test_an_array_with_strides_is_read_as_it_is() -> None:
    program, b = Program(chain(10)), numbers(10, 1)
    plain = numbers(10, 2)
    for a in (plain, numbers(20)[::-2], plain, numbers(20, 3)[::2]):
        np.testing.assert_allclose(program([a, b])[0], (a + b) * b, rtol=1e-6)


def test_programs_run_from_several_python_threads_at_once() -> None:
    n = 200_000
    plan, a, b = chain(n), numbers(n), numbers(n, 1)
    programs = [Program(plan, 2) for _ in range(2)]
    expected = programs[0]([a, b])
    wrong = []

    def work(program: Program) -> None:
        for _ in range(20):
            found = program([a, b])
            wrong.extend(1 for x, y in zip(found, expected) if not (x == y).all())
    threads = [threading.Thread(target=work, args=(programs[k % 2],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_number_of_threads_is_asked_for_or_what_the_process_may_use(monkeypatch, tmp_path) -> None:
    limit = tmp_path / "cpu.max"
    for text, expected in (("150000 100000", 2), ("max 100000", sys.maxsize), ("", sys.maxsize)):
        limit.write_text(text)
        assert pool.quota(limit) == expected
    assert pool.quota(tmp_path / "missing") == sys.maxsize
    monkeypatch.setenv("CHAINRULE_THREADS", "3")
    assert Program(chain(3)).threads == 3
    monkeypatch.setenv("CHAINRULE_THREADS", "none")
    assert 1 <= Program(chain(3)).threads <= (os.cpu_count() or 1)


SCRIPT = """
import os, sys
sys.path.insert(0, {tests!r})
import numpy as np
from chainrule.compiler.native.driver import Program
from chainrule.compiler.native.scheduling import launches
from chainrule.compiler.native.workspace import needed
from test_native_program import chain, numbers
n = 300_000
program, a, b = Program(chain(n), 2), numbers(n), numbers(n, 1)
expected = program([a, b])
{then}
"""


@pytest.mark.parametrize("then", [
    "",  # threads are stopped at exit
    "raise SystemExit(0)",
    "child = os.fork()\n"
    "found = program([a, b])\n"
    "assert (found[0] == expected[0]).all()\n"
    "if child: assert os.waitpid(child, 0)[1] == 0",
], ids=["exit", "raise", "fork"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_threads_do_not_hold_up_the_end_nor_a_fork(then: str, tmp_path) -> None:
    script = SCRIPT.format(tests=os.path.dirname(__file__), then=then)
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, timeout=120, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_no_threads_share_asks_for_the_memory_of_one():
    def held(n, threads):
        compiled = cr.compile(lambda x: x @ x)
        compiled(np.ones((n, n), np.float32))
        return Program(compiled.built.execute.plan, threads).memory()["workspace"]
    assert 0 < held(32, 1) == held(32, 2)
    assert 2 * held(512, 1) == held(512, 2)


def test_workspace_lies_where_no_value_does_at_that_step():
    def train(x, weights):
        def loss(weights):
            h = x
            for w in weights:
                h = cr.tanh(h @ w)
            return (h * h).sum()
        return [w - 0.1 * g for w, g in zip(weights, cr.grad(loss)(weights))]
    compiled = cr.compile(train)
    compiled(np.ones((300, 64), np.float32), [np.ones((64, 64), np.float32) for _ in range(4)])
    plan = compiled.built.execute.plan
    for threads in (1, 3):
        program, life, inside = Program(plan, threads), lifetimes(plan.steps), 0
        spaces = program.schedule.workspaces
        for number, (step, space) in enumerate(zip(plan.steps, spaces.steps)):
            kernels = [program.distinct.numbers[id(launch.kernel)] for launch in launches([step])]
            sizes = needed([program.code.compiled[n] for n in kernels], threads)
            assert len(space.private) == threads
            places = [(start, start + size) for start, size in zip((space.shared, *space.private), sizes)]
            assert all(start % 64 == 0 and end <= spaces.end for start, end in places)
            inside += sizes[1] > 0 and max(end for _, end in places) <= plan.arena
            taken = [(spaces.places[b.name], spaces.places[b.name] + b.size * b.dtype.itemsize) for b in plan.buffers
                     if b.kind == "scratch" and life[b.name][0] <= number <= life[b.name][1]]
            for i, (start, end) in enumerate(places):
                assert all(end <= a or b <= start for a, b in (*taken, *places[:i]))
        assert inside
