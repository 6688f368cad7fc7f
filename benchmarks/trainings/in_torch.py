"""A task trained in PyTorch: its modules of the same architecture, the same batches, optimizer and schedule."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from chainrule.train.recipe import Recipe

from .task import ACCURACY, LENGTH, Result, Task


def mlp(data: Any, **sizes: Any) -> nn.Module:
    layers: dict[str, nn.Module] = {}
    for k, (size, following) in enumerate(pairwise((data.inputs.shape[1], *Recipe(**sizes).layers, len(data.classes))), 1):
        layers |= {f"fc{k}": nn.Linear(size, following), f"act{k}": nn.ReLU()}
    layers.popitem()
    return named(layers)


def cnn(data: Any) -> nn.Module:
    side = round(data.inputs[0].size ** 0.5)
    return named({
        "image": nn.Unflatten(1, (1, side, side)) if data.inputs.ndim == 2 else nn.Identity(),
        "conv1": nn.Conv2d(1, 16, 3, padding=1), "act1": nn.ReLU(), "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(16, 32, 3, padding=1), "act2": nn.ReLU(), "pool2": nn.MaxPool2d(2), "flat": nn.Flatten(),
        "fc1": nn.Linear(32 * (side // 4) ** 2, 128), "act3": nn.ReLU(), "fc2": nn.Linear(128, 10)})


def named(layers: dict[str, nn.Module]) -> nn.Sequential:
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


class GPT(nn.Module):
    """Characters (batch, time) to scores (batch, time, symbols), as chainrule.train.networks.GPT."""

    def __init__(self, data: Any, *, width: int, layers: int) -> None:
        super().__init__()
        symbols = len(data.classes)
        self.embedding, self.places = nn.Embedding(symbols, width), nn.Embedding(LENGTH, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, symbols, bias=False)
        for table in (self.embedding, self.places):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.head(self.blocks(self.embedding(x) + self.places.weight[:x.shape[1]], mask=mask, is_causal=True))


class LSTM(nn.Module):
    """Characters (batch, time) and a state to scores (batch, time, symbols) and the state then."""

    def __init__(self, data: Any, *, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(data.classes), width)
        self.cell = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, len(data.classes))

    def forward(self, x: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        y, state = self.cell(self.embedding(x), state)
        return self.head(y), state


NETWORKS: dict[str, Callable[..., nn.Module]] = {"mlp": mlp, "cnn": cnn, "gpt": GPT, "lstm": LSTM}


def train(task: Task, seed: int, *, own: bool = False) -> Result:
    """Train and measure once, from chainrule's first weights, or from `own`, which PyTorch draws."""
    ours, (seen, held_out) = task.begun(seed)
    torch.manual_seed(seed)
    model = NETWORKS[task.network.__name__](seen.dataset, **task.sizes)
    if not own:
        model.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    optimizer = torch.optim.AdamW(model.parameters(), task.rate, weight_decay=task.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, task.rate, task.passes * len(seen))
    losses = []
    for _ in range(task.passes):
        for _, loss, _ in through(model, seen, carry=task.carry):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    measure, guesses = measured(model, held_out, task)
    return Result(measure, losses, guesses, sum(p.numel() for p in model.parameters()), torch.__version__)


def through(model: nn.Module, batches: Any, *, carry: bool) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Scores, loss and targets of each batch; with `carry` no gradient goes back into the batch before."""
    state = None
    for x, y in batches:
        x, y = torch.from_numpy(x), torch.from_numpy(y)
        if carry:
            scores, state = model(x, state)
            state = tuple(s.detach() for s in state)
        else:
            scores = model(x)
        yield scores, nn.functional.cross_entropy(scores.flatten(0, -2), y.flatten()), y


def measured(model: nn.Module, held_out: Any, task: Task) -> tuple[float, Any]:
    """The accuracy in percent with the classes guessed, or the loss on average."""
    model.eval()
    with torch.no_grad():
        seen = list(through(model, held_out, carry=task.carry))
    if task.measure == ACCURACY:
        guesses, targets = torch.cat([scores.argmax(-1) for scores, _, _ in seen]), torch.cat([y for _, _, y in seen])
        return 100 * (guesses == targets).double().mean().item(), guesses.numpy()
    return sum(loss.item() * len(y) for _, loss, y in seen) / sum(len(y) for _, _, y in seen), None
