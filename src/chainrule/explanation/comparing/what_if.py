"""A what-if sets one value of a recorded loss to another number, and tells what moves: as the slopes predict, and in fact."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.core.reverse import Recorded
from chainrule.core.type import is_float
from chainrule.eager import EAGER
from chainrule.errors import ArgumentError, BoundsError, ShapeError

from ..faces.answer import Answer
from ..faces.answers_data import what_if_json
from ..formulas.writing import plain_number
from ..record.values import value_of
from .rerun import Moving, Rerun, Rerunning
from .what_if_html import drawn
from .what_if_text import page

if TYPE_CHECKING:
    from ..record.facts import Facts

STILL = 1e-12  # relative to the largest number of an array: what moves by less is rounding


@dataclass(frozen=True)
class Move:
    """A value or a gradient before the change and after it, in float64.

    `predicted` is how far it would move if its slopes along the way stayed as they are: the first-order prediction, which for
    a gradient takes the second derivatives. It is None where whole numbers were changed, which have no slope.
    """

    name: str
    before: Any
    after: Any
    predicted: Any

    @property
    def move(self) -> Any:
        """How far it moved, element by element."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.subtract(self.after, self.before))

    @property
    def moved(self) -> Any:
        """Which elements moved, or are predicted to."""
        scale = STILL * max(float(np.max(np.abs(x), initial=0.0)) for x in (self.before, self.after))
        unsteady = ~(np.abs(self.move) <= (scale if np.isfinite(scale) else 0.0))
        return unsteady if self.predicted is None else unsteady | (np.abs(self.predicted) > scale)

    @property
    def largest(self) -> tuple[int, ...]:
        """The index of the element that moved furthest; one that is not finite comes first."""
        far = np.abs(self.move)
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(np.where(np.isnan(far), np.inf, far))), far.shape))

    @property
    def ratio(self) -> float | None:
        """The actual move over the predicted one, where it is largest; None without a prediction, or where that is zero."""
        if self.predicted is None or not self.predicted[self.largest]:
            return None
        with np.errstate(invalid="ignore"):
            return float(self.move[self.largest] / self.predicted[self.largest])


@dataclass(frozen=True)
class Switch:
    """A kink that was crossed: elements of a relu, a maximum or the like that are on another straight piece now."""

    name: str
    operation: str
    source: str | None
    indices: tuple[tuple[int, ...], ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    size: int


@dataclass(frozen=True, repr=False)
class WhatIf(Answer):
    """What moves when a value is changed.

    `changes` are the values that were set; `values` all that moved after them, in the order of the computation; `gradients` the
    explained gradients that moved, in the order of the sweep; `switches` the kinks crossed on the way; `loss` how the loss moves.
    `held` says what would have moved, too, but was cut from the graph and stays as it was recorded: a condition, say.
    """

    changes: tuple[Move, ...]
    loss: Move
    values: tuple[Move, ...]
    gradients: tuple[Move, ...]
    switches: tuple[Switch, ...]
    held: tuple[str, ...]
    asked: tuple[str, ...]

    def text(self, width: int = 80) -> str:
        """The changes, what moved, and the kinks crossed, for a terminal `width` columns wide."""
        return page(self, width)

    def json(self) -> str:
        """All facts as JSON, arrays in full; docs/json.md says what each entry means."""
        return what_if_json(self)

    def html(self) -> str:
        """The same as the text, for a notebook or a page; in the titles of the numbers are all their digits."""
        return drawn(self)

    def __repr__(self) -> str:
        return (f"<what if {', '.join(c.name for c in self.changes)}: {self.loss.name} moves by {plain_number(self.loss.move)}, "
                f"{len(self.values)} values and {len(self.gradients)} gradients move; print it>")


# ---------------------------------------------------------------------------------------- what is asked
def what_if(e: Facts, asked: tuple[Any, ...]) -> WhatIf:
    """The answer to `e.what_if(*asked)`; in a mapping, a pair (value, index) stands for one element."""
    match asked:
        case (Mapping() as several,):
            targets = list(several.items())
        case (key, value):
            targets = [(key, value)]
        case (key, index, value):
            targets = [((key, index), value)]
        case _:
            raise ArgumentError(f"what_if: {len(asked)} arguments; write what_if(w, value), what_if(w, index, value) or "
                                "what_if({w: value, ...}).")
    if not targets:
        raise ArgumentError("what_if: nothing is changed; give at least one value.")
    changes: dict[int, Any] = {}
    for target, value in targets:
        if isinstance(target, tuple) and len(target) != 2:
            raise ArgumentError(f"what_if: {target!r:.60} is no pair (value, index), as in (w, (2, 3)).")
        name, x = found(e, target[0] if isinstance(target, tuple) else target, "what_if")
        old = changes.get(id(x), np.asarray(e[name].value))
        changes[id(x)] = with_element(name, old, target[1], value) if isinstance(target, tuple) else changed(name, old, value)
    return answer(e, changes)


def found(e: Facts, key: Any, where: str) -> tuple[str, Any]:
    """The name and the record of a value, given by its name or as the tensor or array itself."""
    values = e.replay.values
    name = key if isinstance(key, str) else e.name_of(key)
    if name is None or name not in values:
        shown = repr(key) if isinstance(key, str) else getattr(key, "label", None) or f"a {type(key).__name__}"
        listed = ", ".join([*values][:12]) + (", ..." if len(values) > 12 else "")
        raise ArgumentError(f"{where}: {shown:.60} takes no part in {e.loss}. There are {listed}; give a value by one of these "
                            "names, or as the tensor.")
    if isinstance(e[name].value, tuple):
        outputs = [n.name for n in e.nodes if n.operation == "pick" and n.arguments == (e[name].id,)]
        raise ArgumentError(f"{where}: {name} is several outputs together. Take one of them: {', '.join(outputs)}.")
    return name, values[name]


def changed(name: str, old: Any, value: Any) -> Any:
    """The new numbers of a value, checked."""
    try:
        new = np.asarray(value_of(value))
    except ValueError:
        raise ArgumentError(f"what_if: {value!r:.60} is no array; its rows are not of one length.") from None
    if new.dtype.kind not in "fiub":
        raise ArgumentError(f"what_if: {value!r:.40} is no number; {name} is made of {old.dtype}.")
    if new.shape != old.shape:
        raise ShapeError(f"what_if: {name} has shape {old.shape}, and the new value has {new.shape}. Give one number for each "
                         "element, or change one element with what_if(w, index, value).")
    return new.astype(np.float64 if is_float(old.dtype) else old.dtype)


def with_element(name: str, old: Any, index: Any, value: Any) -> Any:
    """The old numbers with one of them replaced, checked."""
    place = tuple(index) if isinstance(index, tuple | list) else (index,)
    if len(place) != old.ndim or not all(isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(place, old.shape)):
        raise BoundsError(f"what_if: {name} has shape {old.shape}, and no element {place}. Give one index for each axis.")
    new = np.array(old, np.float64 if is_float(old.dtype) else old.dtype)
    new[place] = changed(f"one element of {name}", new[place], value)
    return new


# ---------------------------------------------------------------------------------------- what moves
def answer(e: Facts, changes: Mapping[int, Any]) -> WhatIf:
    """The record computed twice: as it was, with tangents in the direction of the change, and as it would be."""
    names = {id(x): name for name, x in e.replay.values.items()}
    old = {id(x): np.asarray(e[name].value) for name, x in e.replay.values.items() if id(x) in changes}
    smooth = all(is_float(x.dtype) for x in old.values())
    directions = {key: changes[key] - x for key, x in old.items() if is_float(x.dtype)}
    before, after = Rerunning(e.replay, {}, directions).run(), Rerunning(e.replay, changes, {}).run()

    def move(key: int, first: Moving, second: Moving) -> Move:
        value = np.asarray(first.value, np.float64)
        predicted = np.zeros_like(value) if first.speed is None else np.asarray(first.speed)
        return Move(names[key], value, np.asarray(second.value, np.float64), predicted if smooth else None)

    values = [move(key, x, after.values[key]) for key, x in before.values.items()]
    gradients = [move(key, before.gradients[key], after.gradients[key]) for key in reversed(before.values)
                 if key in before.gradients and e[names[key]].gradient is not None]
    set = tuple(Move(names[key], np.asarray(x, np.float64), np.asarray(changes[key], np.float64), None) for key, x in old.items())
    loss = next(m for m in values if m.name == e.loss)
    return WhatIf(set, loss, tuple(m for m in values if m.moved.any() and m.name not in [c.name for c in set]),
                  tuple(m for m in gradients if m.moved.any() and m.name != e.loss), tuple(switches(e, before, after)),
                  tuple(dict.fromkeys(held(e, changes))), tuple(e.gradients))


def held(e: Facts, changes: Mapping[int, Any]) -> Iterator[str]:
    """The cuts behind which is what was changed, or may be, where the value that was cut is gone."""
    for x in e.replay.order:
        for a in x.args:
            cut = getattr(a, "cut", None) if isinstance(a, Recorded) else None
            source = cut.source() if cut else None
            if cut and source is None:
                yield f"perhaps {cut}"
            elif source is not None and any(id(behind) in changes for behind in EAGER.history(source)):
                yield str(cut)


def switches(e: Facts, before: Rerun, after: Rerun) -> list[Switch]:
    """The elements whose slope is that of another piece."""
    records = {id(x): (name, x) for name, x in e.replay.values.items()}
    crossed = []
    for key, first in before.switches.items():
        (name, x), second = records[key], after.switches[key]
        places = [tuple(int(i) for i in place) for place in np.argwhere(first != second)]
        if places:
            crossed.append(Switch(name, x.prim.name, e[name].source, tuple(places), tuple(float(first[p]) for p in places),
                                  tuple(float(second[p]) for p in places), first.size))
    return crossed
