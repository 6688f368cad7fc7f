"""Long graphs and wide ones sweep in linear time, without recursion, and go away without overflowing the stack."""
from __future__ import annotations

import subprocess
import sys
import textwrap
from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr


def chain_of(nodes, x):
    y = x
    for _ in range(nodes):
        y = y + 0.5
    return y


def ladder_of(diamonds, x):
    y = x
    for _ in range(diamonds):
        y = y * 0.5 + y * 0.5
    return y


def test_a_long_chain_sweeps(nodes=20_000):
    x = cr.tensor(1.0, requires_grad=True)
    y = chain_of(nodes, x)
    y.backward()
    assert x.grad.item() == 1.0
    del y


def test_a_ladder_of_diamonds_sweeps():
    x = cr.tensor(1.0, requires_grad=True)
    y = ladder_of(10_000, x)  # 2 ** 10000 paths
    y.backward()
    assert x.grad.item() == 1.0


@pytest.mark.parametrize(("build", "sizes"), [(chain_of, (1_000, 2_000, 4_000)), (ladder_of, (500, 1_000, 2_000))])
def test_the_work_grows_with_the_graph_and_no_faster(build, sizes):
    work = []
    for n in sizes:
        calls = 0

        def count(frame, event, argument):
            nonlocal calls
            calls += event in ("call", "c_call")

        x = cr.tensor(1.0, requires_grad=True)
        y = build(n, x)
        sys.setprofile(count)
        y.backward()
        sys.setprofile(None)
        work.append(calls)
    for a, b in pairwise(work):
        assert b < 2.1 * a, f"twice the graph, {b / a:.2f} times the work"


def test_transforms_take_long_graphs_too():
    assert cr.grad(lambda x: chain_of(10_000, x))(1.0) == 1.0
    assert cr.jvp(lambda x: chain_of(5_000, x), 1.0, 1.0)[1] == 1.0
    assert cr.grad(lambda x: ladder_of(2_000, x))(1.0) == 1.0


def test_many_values_into_one():
    x = cr.tensor(np.ones(3), requires_grad=True)
    parts = [x * float(i) for i in range(3_000)]
    cr.sum(cr.stack(parts)).backward()
    assert x.grad.tolist() == [3_000 * 2_999 / 2] * 3


MILLION = """
    import gc, threading
    import chainrule as cr

    gc.disable()  # Python's collector would look at the growing million again and again, for seconds

    def work():
        x = cr.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(1_000_000):
            y = y + 0.5
        y.backward()
        assert x.grad.item() == 1.0
        del y  # a million values freed one after the other, on a small stack
        print("swept and gone")

    threading.stack_size(512 * 1024)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
"""


def test_a_chain_of_a_million_values_sweeps_and_is_freed():
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(MILLION)], capture_output=True, text=True, timeout=120,
                          check=False, env={"PYTHONPATH": ":".join(sys.path)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "swept and gone\n", "")
