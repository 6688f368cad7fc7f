"""The steps of the benchmark compute the same losses and gradients in chainrule as in PyTorch and JAX: here, small ones."""
import importlib
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]  # of the peers, when they are imported and profiled
torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
torch.set_num_threads(1)  # small arrays; other tests run beside
libraries, steps, outcome = (importlib.import_module(f"steps{name}") for name in (".libraries", "", ".outcome"))

SMALL = {
    "mlp": partial(steps.mlp, (7, 5, 3), 4),
    "cnn": partial(steps.cnn, (2, 3), 8, 2, 5),
    "residual": partial(steps.residual, 1, 4, 5, 3, 4),
    "lstm": partial(steps.lstm, 5, 4, 3, 7, 6),
    "gpt": partial(steps.gpt, 2, 8, 5, 3, 7),
    "gmm": partial(steps.gmm, 3, 4, 10),
    "diagonal_lstm": partial(steps.diagonal_lstm, 2, 12, 3),
}
PEERS = [peer for peer in libraries.LIBRARIES if peer != "chainrule"]


def programs(library, problem):
    try:
        return libraries.LIBRARIES[library](problem)
    except libraries.Inapplicable:
        return pytest.skip("the step has no images")


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("name", SMALL)
def test_losses_and_gradients_are_those_of_the_peers(name, peer):
    if peer == "jax":
        pytest.importorskip("jax")
    problem = SMALL[name]()
    ours, theirs = programs("chainrule", problem), programs(peer, problem)
    rtol = 1e-10 if problem.double else 1e-4
    mine, peers = ({k: np.asarray(g) for k, g in side.gradient()[1].items()} for side in (ours, theirs))
    for key in problem.weights:
        assert outcome.distance(mine[key], peers[key]) < rtol, key
    curves = [[float(side.step()) for _ in range(10)] for side in (ours, theirs)]
    assert outcome.distance(*curves) < rtol


@pytest.mark.parametrize("name", [name for name, make in SMALL.items() if make().trains])
def test_every_step_learns(name):
    step = programs("chainrule", SMALL[name]()).step
    first = float(step())
    for _ in range(20):
        last = float(step())
    assert last < first


def test_a_step_of_torch_needs_at_least_its_weights_and_gradients():
    problem = SMALL["mlp"]()
    assert programs("torch", problem).peak() > 4 * sum(value.nbytes for value in problem.weights.values())


def test_a_distance_to_what_is_not_a_number_is_infinite():
    assert outcome.distance([1.0, 2.0], [1.0, np.nan]) == np.inf
    assert outcome.distance([1.0, 2.0], [1.0, 2.0]) == 0
