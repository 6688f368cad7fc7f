"""A summary is a sweep in numbers: norms and zeros of each value and of its gradient, and how gradients grow or shrink."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import hypot
from typing import Any, NamedTuple

from chainrule.core.source import line_of
from chainrule.scopes import Scope

from ..faces.answer import Answer
from ..faces.data import dumped, numbers
from ..record.grouping import alive, innermost, names_of, outermost_first, parents_of
from .summary_html import drawn
from .summary_text import page

SCHEMA = "chainrule.summary/1"


class Row(NamedTuple):
    """One value of the computation in numbers.

    `kind` is "operation" or "input" (a leaf that wants a gradient); `name` is what it is called, where it has a name. Zeros are
    shares of the elements that are exactly 0. `ratio` is the norm of the gradient over that of the gradients of all results the
    value was used for, taken together; None for the loss, and where nothing arrives from above.
    """

    kind: str
    name: str | None
    operation: str | None
    module: str | None
    line: str | None
    shape: tuple[int, ...]
    norm: float
    zeros: float
    gradient_norm: float
    gradient_zeros: float
    ratio: float | None


class Layer(NamedTuple):
    """The parameters of a module taken together; `ratio` is to the gradient norm of the layer above, the next nearer to the loss.
    """

    module: str
    parameters: int
    norm: float
    gradient_norm: float
    ratio: float | None


@dataclass(frozen=True, repr=False)
class Summary(Answer):
    """A sweep in numbers; `number` counts the sweeps of the recording from 1, `value` is that of the loss.

    `measures` are the numbers as they were taken, newest value first; `scopes` the calls of modules around them; `given` names of
    tensors and modules by id.
    """

    number: int
    loss: str
    value: Any
    measures: tuple[Any, ...]
    scopes: tuple[Scope, ...]
    given: Mapping[int, str]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The operations in the order of the sweep, each leaf behind the first of them that used it."""
        serials = sorted(m.serial for m in self.measures if m.operation)
        nested = outermost_first(s for s in self.scopes if bisect_right(serials, s.begin) < bisect_right(serials, s.end))
        parents = parents_of(nested)
        modules = list(distinct(zip(nested, names_of(nested, parents, self.given))))
        tensors = {t.serial: (top, dotted) for s, parent, top in zip(nested, parents, modules)
                   if parent is None and (module := alive(s)) is not None for dotted, t in module.named_tensors().items()}
        made = []
        for m in sorted(self.measures, key=lambda m: (-m.serial, 0) if m.operation else (-m.user, 1)):
            inner = innermost(nested, parents, m.serial)
            name, module = (m.name, None if inner is None else modules[inner]) if m.operation else called(m, tensors)
            ratio = m.gradient_norm / m.above if m.above else None
            made.append(Row("operation" if m.operation else "input", name, m.operation, module,
                            line_of(m.code, m.instruction) if m.code else None, m.shape, m.norm, m.zeros, m.gradient_norm,
                            m.gradient_zeros, ratio))
        return tuple(made)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The modules with parameters of their own, from the loss down."""
        owned: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.kind == "input" and row.module:
                owned.setdefault(row.module, []).append(row)
        made: list[Layer] = []
        for module, rows in owned.items():
            size = hypot(*(row.gradient_norm for row in rows))
            above = made[-1].gradient_norm if made else 0.0
            made.append(Layer(module, len(rows), hypot(*(row.norm for row in rows)), size, size / above if above else None))
        return tuple(made)

    def text(self, width: int = 80) -> str:
        """The layers and all values from the loss down, for a terminal `width` columns wide."""
        return page(self, width)

    def json(self) -> str:
        """All facts as JSON; docs/json.md says what each entry means."""
        return as_json([self])

    def html(self) -> str:
        """The same as the text, for a notebook or a page; in the titles of the numbers are all their digits."""
        return drawn(self)

    def __repr__(self) -> str:
        return f"<summary of sweep {self.number}: {self.loss} = {self.value}, {len(self.measures)} values; print it>"


def distinct(calls: Iterable[tuple[Scope, str]]) -> Iterator[str]:
    """The names of scopes, numbered where different modules have the same."""
    known: dict[str, list[int | None]] = {}
    for scope, name in calls:
        which = None if scope.module is None else id(alive(scope))
        sharing = known.setdefault(name, [])
        if which not in sharing:
            sharing.append(which)
        place = sharing.index(which)
        yield f"{name}_{place + 1}" if place else name


def called(m: Any, tensors: Mapping[int, tuple[str, str]]) -> tuple[str | None, str | None]:
    """The name of a leaf, and the module it belongs to: as the modules around say, else as its own dotted name says."""
    top, dotted = tensors.get(m.serial, (None, None))
    name = dotted if dotted and m.name in (None, dotted.rpartition(".")[2]) else m.name
    return name, (dotted or name or "").rpartition(".")[0] or top


def as_json(summaries: Iterable[Summary]) -> str:
    """Several summaries as one document."""
    return dumped({"schema": SCHEMA, "sweeps": [as_data(s) for s in summaries]})


def as_data(s: Summary) -> dict[str, Any]:
    return {"sweep": s.number, "loss": s.loss, "value": numbers(s.value), "layers": list(map(entries, s.layers)),
            "rows": list(map(entries, s.rows))}


def entries(row: Any) -> dict[str, Any]:
    """The fields of a row; numbers that JSON does not know as strings."""
    return {key: numbers(x) if isinstance(x, float) else x for key, x in row._asdict().items()}
