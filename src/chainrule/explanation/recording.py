"""A recording keeps what the sweeps of a training found: all of it, to be explained afterwards, or only norms."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from chainrule.errors import ArgumentError
from chainrule.sweeps import sweeper
from chainrule.tensor import Tensor

from .record.recorded import must_be_recorded, names_by_id

if TYPE_CHECKING:
    from .story import Explanation
    from .summaries.summary import Summary

KEPT = {"full": 1, "summary": None}  # sweeps; arrays take as much memory as the sweep itself
EVERY = {"full": 1, "summary": 10}  # benchmarks/explain.py measures what the norms of each sweep would cost


class Everything:
    """What is wanted of a sweep of which nothing is to be forgotten."""

    def __contains__(self, x: object) -> bool:
        return True


@dataclass(frozen=True, repr=False)
class Swept:
    """A sweep that was run, with the gradient it found in every value; `number` counts the sweeps of the recording, from 1."""

    number: int
    loss: Tensor
    seed: Any
    gradients: dict[Any, Any]
    given: Mapping[int, str]

    def explain(self, wrt: Any = None, *, names: Mapping[str, Any] | None = None, open: bool = False) -> Explanation:
        """What `cr.explain(loss)` says, with the gradients that this sweep found.

        Raises ArgumentError where the sweep did not start from 1, NonScalarError, NoPathError.
        """
        must_be_recorded(self.loss, "explain")
        if not np.all(np.asarray(self.seed) == 1):
            raise ArgumentError(f"explain: sweep {self.number} was started with gradient={self.seed!r:.40}, so what it found are "
                                "not the gradients of the loss. Sweep with loss.backward(), or call cr.explain(loss).")
        wanted = None if wrt is None else list(wrt) if isinstance(wrt, list | tuple) else [wrt]
        from .record.record import Record
        from .story import explained  # explanations are asked for seldom: see `entry.explain`
        given = self.given if names is None else names_by_id(names)
        e = explained(Record(self.loss, wanted, given, swept=self.gradients))
        return e.open() if open else e

    def summary(self) -> Summary:
        """The same sweep in numbers."""
        from .summaries.measuring import measured
        return measured(self.number, self.loss, self.gradients, self.given)

    def __repr__(self) -> str:
        return f"<sweep {self.number} of {self.loss.label}: {len(self.gradients)} gradients; .explain() or .summary() it>"


@dataclass(repr=False)
class Recording:
    """What was kept of the sweeps in a block, oldest first: see `recording`."""

    mode: str
    every: int
    sweeps: deque[Any]
    names: Mapping[str, Any]  # by id they are known only as long as they are alive
    counted: int = 0

    @cached_property
    def given(self) -> dict[int, str]:
        return names_by_id(self.names)

    def through(self, sweep: Callable[..., dict[Any, Any]]) -> Callable[..., dict[Any, Any]]:
        """The function that runs a sweep, so that it is kept here, too."""
        def kept(root: Any, seed: Any, wanted: Any, *, create_graph: bool) -> dict[Any, Any]:
            self.counted += 1
            if (self.counted - 1) % self.every:
                return sweep(root, seed, wanted, create_graph=create_graph)
            if len(self.sweeps) == self.sweeps.maxlen:
                self.sweeps.popleft()  # before the sweep, which can then use its memory
            found = sweep(root, seed, Everything(), create_graph=create_graph)
            swept = Swept(self.counted, root, seed, found, self.given)
            self.sweeps.append(swept if self.mode == "full" else swept.summary())
            return found
        return kept

    def explain(self, wrt: Any = None, *, names: Mapping[str, Any] | None = None, open: bool = False) -> Explanation:
        """The explanation of the last sweep that was kept; of another, `r.sweeps[-2].explain()`. No sweep is run for it.

        Raises ArgumentError where there is none or only its norms were kept; NonScalarError, NoPathError.
        """
        if self.mode != "full":
            raise ArgumentError("explain: this recording kept norms only. Open it as cr.recording(), which keeps the arrays.")
        return self.last("explain").explain(wrt, names=names, open=open)  # type: ignore[no-any-return]

    def summary(self) -> Summary:
        """The last sweep that was kept, in numbers; of another, `r.sweeps[-2]`. Raises ArgumentError where there is none."""
        last = self.last("summary")
        return last.summary() if self.mode == "full" else last  # type: ignore[no-any-return]

    def json(self) -> str:
        """The summaries of all sweeps that were kept as JSON; docs/json.md says what each entry means."""
        from .summaries.summary import as_json
        return as_json([s.summary() if self.mode == "full" else s for s in self.sweeps])

    def last(self, where: str) -> Any:
        if not self.sweeps:
            raise ArgumentError(f"{where}: no sweep was recorded. Call loss.backward() inside `with cr.recording() as r:`, in "
                                "the same thread.")
        return self.sweeps[-1]

    def __repr__(self) -> str:
        return f"<recording ({self.mode}) of {len(self.sweeps)} of {self.counted} sweeps>"


@contextmanager
def recording(mode: Literal["full", "summary"] = "full", *, keep: int | None = None, every: int | None = None,
              names: Mapping[str, Any] | None = None) -> Iterator[Recording]:
    """Within the block, keep what each `loss.backward()` finds: all of it (`"full"`), or only norms (`"summary"`).

    Afterwards `r.explain()` explains the last sweep as it was, with its numbers from before the update and with what hooks did;
    `r.summary()` is a table of the norms of all values and gradients. `r.sweeps` holds the last `keep` sweeps: by default 1 in
    full, since each takes the memory of its values and gradients, and all summaries. Of each `every` sweeps the first is kept:
    by default each in full, and one in 10 as a summary. `names` says what to call tensors and modules, as for `cr.explain`.
    Sweeps of other threads, and those inside `cr.grad` and the like, are not heard.

    Raises ArgumentError.

    >>> import chainrule as cr
    >>> w = cr.tensor(3.0, requires_grad=True, name="w")
    >>> with cr.recording() as r:
    ...     (w * w).backward()
    >>> r.explain().gradients
    {'w': array(6., dtype=float32)}
    """
    if mode not in KEPT:
        raise ArgumentError(f"recording: the mode is {' or '.join(map(repr, KEPT))}, not {mode!r:.40}.")
    for name, count in (("keep", keep), ("every", every)):
        if count is not None and not (isinstance(count, int) and count >= 1):
            raise ArgumentError(f"recording: {name} is a whole number from 1, not {count!r:.40}.")
    made = Recording(mode, every or EVERY[mode], deque(maxlen=keep or KEPT[mode]), names or {})
    token = sweeper.set(made.through(sweeper.get()))
    try:
        yield made
    finally:
        sweeper.reset(token)
