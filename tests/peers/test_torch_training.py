"""A whole training comes out as PyTorch's does, from the same first weights, on the same batches in the same order."""
import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import DataLoader

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
tasks, in_chainrule, in_torch = (importlib.import_module(f"trainings{name}") for name in ("", ".in_chainrule", ".in_torch"))
torch.set_num_threads(1)  # small arrays; other tests run beside


def few(task):
    """The same task on six batches."""
    def loaders(seed, batch):
        return tuple(DataLoader(loader.dataset.rows(np.arange(count * batch)), batch)
                     for loader, count in zip(task.loaders(seed, batch), (6, 1)))
    return replace(task, loaders=loaders, passes=1)


@pytest.mark.parametrize("name", [name for name, task in tasks.TASKS.items() if task.needs is None])
def test_every_task_begins_as_in_torch(name):
    task = few(tasks.TASKS[name])
    ours, theirs = in_chainrule.train(task, 0), in_torch.train(task, 0)
    assert len(ours.losses) == 6 and ours.parameters == theirs.parameters
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-4)
    np.testing.assert_allclose(ours.measure, theirs.measure, rtol=1e-3)


@pytest.mark.slow
def test_a_network_that_reads_digits_is_trained_as_in_torch():
    task = replace(tasks.TASKS["digits-mlp"], passes=2)
    ours, theirs = in_chainrule.train(task, 0), in_torch.train(task, 0)
    assert len(ours.losses) == 90
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-4)
    assert (ours.guesses == theirs.guesses).mean() > 0.99
    assert ours.measure > 90


def test_own_first_weights_are_others():
    task = few(tasks.TASKS["digits-mlp"])
    assert in_torch.train(task, 0, own=True).losses[0] != in_torch.train(task, 0).losses[0]
