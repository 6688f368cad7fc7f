"""The training steps and objectives that are timed, one file for each kind, with the bars set for them."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .cnn import cnn
from .diagonal_lstm import diagonal_lstm
from .gmm import gmm
from .gpt import gpt
from .lstm import lstm
from .mlp import mlp
from .problem import Problem
from .residual import residual


@dataclass(frozen=True)
class Case:
    """A problem at the size it is timed; `least` and `aim` are bars for the best peer's time over ours."""

    title: str
    problem: Callable[[], Problem]
    least: float | None = None
    aim: float | None = None


CASES = {
    "mlp_small": Case("MLP 64-32-32-10, batch 32", partial(mlp, (64, 32, 32, 10), 32), 4, 8),
    "mlp": Case("MLP 784-512-256-10, batch 128", partial(mlp, (784, 512, 256, 10), 128), 1.25, 1.5),
    "cnn": Case("CNN 1x28x28: conv16-pool-conv32-pool-fc, batch 64", cnn, 2.5, 4),
    "residual": Case("residual CNN, 3 blocks of 32 channels at 32x32, batch norm, batch 32", residual, 1.4, 1.9),
    "lstm": Case("LSTM 128, 64 steps, 65 symbols, batch 32", lstm, 1.5, 2.5),
    "gpt": Case("GPT 4 layers, width 128, 64 tokens, batch 16", gpt, 1.5, 2.2),
    "gmm64": Case("GMM d=64 K=25 n=1000, gradient", partial(gmm, 64), 2, 4),
    "gmm10": Case("GMM d=10 K=25 n=1000, gradient", partial(gmm, 10)),
    "diagonal_lstm": Case("diagonal LSTM l=2 c=1024, gradient", diagonal_lstm, 3, 8),
    "overhead": Case("a step of 20 arrays of 2 to 4 numbers", partial(mlp, (2, 2, 2, 2), 2)),
}
