"""A loader cuts a data set into batches, in an order of its own for each pass, and knows to the batch where it stands."""
from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, DataError
from chainrule.random import Generator, Source, common

from .dataset import Batch

Order = np.ndarray[Any, Any]


def generator_of(generator: Generator | Source | None) -> Generator:
    """One of our generators, around a source of NumPy's where that is given; its source may change, as seeds do."""
    if isinstance(generator, Generator):
        return generator
    if generator is None:
        return common
    around = Generator()
    around.source = generator
    return around


class DataLoader:
    """Batches of `batch_size` rows; with `shuffle`, in an order that `generator` (or cr.random's common one) draws for each pass.

    The last batch may be smaller; with `drop_last` it is left out. Iterating goes on from where the loader stands, which is the
    beginning of a pass, unless an iteration was broken off or a position was loaded. `prefetch` is how many batches a thread cuts
    ahead: neither the batches nor the position depend on it.

    A data set is anything with `len()` and `rows(indices)`, which gives a `Dataset` or a pair of inputs and targets. Raises
    ArgumentError, DataError.

    >>> import chainrule as cr
    >>> loader = cr.data.DataLoader(cr.data.digits(), batch_size=500, shuffle=True, generator=cr.random.Generator(0))
    >>> [len(targets) for inputs, targets in loader]
    [500, 500, 500, 297]
    >>> _ = next(iter(loader))
    >>> position = loader.state_dict()
    >>> position["pass"], position["batch"]
    (1, 1)
    >>> rest = [targets for inputs, targets in loader]
    >>> loader.load_state_dict(position)
    >>> all((a == targets).all() for a, (inputs, targets) in zip(rest, loader))
    True
    """

    def __init__(self, dataset: Any, batch_size: int = 1, shuffle: bool = False, *, drop_last: bool = False,
                 generator: Generator | Source | None = None, prefetch: int = 0) -> None:
        for name, number, least in (("batch_size", batch_size, 1), ("prefetch", prefetch, 0)):
            if not isinstance(number, int | np.integer) or number < least:
                raise ArgumentError(f"DataLoader: {name} is a whole number from {least} up, not {number!r}.")
        if not len(dataset):
            raise DataError("there are no rows to cut into batches.")
        if drop_last and len(dataset) < batch_size:
            raise DataError(f"there are {len(dataset)} rows, fewer than a batch of {batch_size}, and drop_last leaves that one "
                            "out. Choose a smaller batch_size, or drop_last=False.")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, int(batch_size), shuffle, drop_last
        self.generator, self.prefetch = generator_of(generator), int(prefetch)
        self.passes = self.batch = 0
        self.order: Order | None = None  # of the pass under way
        self.begin = self.generator.get_state()

    def __len__(self) -> int:
        """How many batches a pass has."""
        return len(self.dataset) // self.batch_size if self.drop_last else -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        if self.order is None:
            self.order = self.drawn_order()
        for batch in self.cut(self.order):
            self.batch += 1  # before it is handed out: who asks for the position has that batch
            yield batch
        self.passes, self.batch, self.order = self.passes + 1, 0, None

    def drawn_order(self) -> Order:
        """The order of the rows in the pass that begins."""
        self.begin = self.generator.get_state()
        return self.generator.source.permutation(len(self.dataset)) if self.shuffle else np.arange(len(self.dataset))

    def cut(self, order: Order) -> Iterator[Batch]:
        """The batches of a pass from the position on."""
        size = self.batch_size
        chosen = (order[start:start + size] for start in range(self.batch * size, len(self) * size, size))
        if not self.prefetch:
            yield from map(self.fetch, chosen)
            return
        with ThreadPoolExecutor(1, "chainrule-loader") as pool:
            ahead: deque[Future[Batch]] = deque(pool.submit(self.fetch, rows) for rows in islice(chosen, self.prefetch))
            try:
                while ahead:
                    batch = ahead.popleft().result()
                    ahead.extend(pool.submit(self.fetch, rows) for rows in islice(chosen, 1))
                    yield batch
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def fetch(self, indices: Order) -> Batch:
        rows = self.dataset.rows(indices)
        return Batch(rows.inputs, rows.targets) if hasattr(rows, "inputs") else Batch(*rows)

    # ---------------------------------------------------------------- where it stands
    def state_dict(self) -> dict[str, Any]:
        """The position, fit for JSON: the passes that are complete, the batches handed out in this one, what they are cut from,
        and where the generator stood when the pass began."""
        begin = self.generator.get_state() if self.order is None else self.begin
        return {"pass": self.passes, "batch": self.batch, "rows": len(self.dataset), "batch_size": self.batch_size,
                "shuffle": self.shuffle, "generator": begin if self.shuffle else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position that `state_dict()` gave. Raises ArgumentError for one of other batches than these."""
        if not isinstance(state, dict):
            raise ArgumentError(f"DataLoader.load_state_dict: a position is a dict, not {state!r:.40}. Give what "
                                "state_dict() returned.")
        own = {"rows": len(self.dataset), "batch_size": self.batch_size, "shuffle": self.shuffle}
        wrong = [name for name in own if state.get(name) != own[name]]
        if wrong:
            raise ArgumentError(f"DataLoader.load_state_dict: {wrong[0]} was {state.get(wrong[0])!r:.40}, and is "
                                f"{own[wrong[0]]!r} here. Go on with the data and the batch_size that it was begun with.")
        if not all(type(state.get(name)) is int and state[name] >= 0 for name in ("pass", "batch")) or state["batch"] > len(self):
            raise ArgumentError(f"DataLoader.load_state_dict: there is no batch {state.get('batch')!r:.40} in pass "
                                f"{state.get('pass')!r:.40} of {len(self)} batches. Give what state_dict() returned.")
        if self.shuffle:
            self.generator.set_state(state.get("generator") or {})
        self.passes, self.batch = state["pass"], state["batch"]
        self.order = self.drawn_order() if self.batch else None
