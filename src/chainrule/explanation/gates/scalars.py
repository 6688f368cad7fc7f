"""Scalars are the elements of all values of a record, each on a wire, and the gates between them."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.primitive import Primitive
from chainrule.core.reverse import Recorded
from chainrule.core.type import is_float, typeof
from chainrule.eager import EAGER
from chainrule.errors import ArgumentError, RuleError
from chainrule.tensor import tensor

from ..record.record import Record
from ..record.replay import widened, widened_option
from . import alphabet
from .drawing import SAME, Bundle, Pen, TooMany
from .wires import Wire, array_of, flows, number

LARGEST = 1_000_000  # elements of one value


@dataclass(frozen=True)
class Scalars:
    """`elements` has an array of wires and plain numbers for each value of the record, `wide` the same value in float64."""

    record: Record
    elements: dict[Recorded, Any]
    wide: dict[Recorded, Any]
    root: Wire
    pen: Pen


def label(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{','.join(map(str, index))}]" if index else name


def owner(x: Recorded) -> Recorded:
    """The operation that made a value: of one of several outputs, that of all."""
    return x.args[0] if x.prim is not None and x.prim.name == "pick" else x


def drawn(record: Record, most: int) -> Scalars:
    """All operations of the record as gates. Raises ArgumentError beyond `most` of them."""
    pen = Pen(most)
    elements: dict[Recorded, Any] = {}
    wide: dict[Recorded, Any] = {}
    wanted = set(map(id, record.wanted or ()))
    for x in record.order:
        if x.prim is None:
            wide[x] = tensor(widened(np.asarray(record.value(x))), requires_grad=True)
            check_size(record, x, wide[x])
            elements[x] = given(pen, wide[x].value, record.named[id(x)], home=x)
            continue
        args = tuple(wide[a] if isinstance(a, Recorded) and a in wide else widened(v) for a, v in zip(x.args, x.values))
        params = {k: widened_option(v) for k, v in x.params.items()}
        wide[x] = recorded(x.prim, args, params)
        check_size(record, x, wide[x])
        bundles = tuple(elements[a] if isinstance(a, Recorded) and a in elements else fixed(record, pen, a, v)
                        for a, v in zip(x.args, args))
        try:
            elements[x] = pen.draw(owner(x), x.prim, bundles, params)
        except TooMany:
            raise too_many(record, x, most) from None
        if id(x) in wanted:
            elements[x] = pen.apart(elements[x], (), strangers=True)
        check_value(record, x, elements[x], wide[x])
    return Scalars(record, elements, wide, root_of(record, pen, elements[record.loss]), pen)


def recorded(prim: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """The operation once more, on tensors in float64; several outputs as the tuple they are picked from."""
    with np.errstate(all="ignore"):
        return args[0][params["index"]] if prim.name == "pick" else EAGER.apply(prim, args, params)


def check_size(record: Record, x: Recorded, value: Any) -> None:
    size = max(int(np.size(getattr(y, "value", y))) for y in each(value))
    if size > LARGEST:
        raise ArgumentError(f"gates: {record.named[id(x)]}{at(x)} has {size:,} elements, and the limit is {LARGEST:,}. "
                            "Take fewer examples or smaller layers.")


def too_many(record: Record, x: Recorded, most: int) -> ArgumentError:
    operations = [y for y in record.order if y.prim is not None]
    done = next(k for k, y in enumerate(operations) if y is x)
    return ArgumentError(f"gates: {most:,} gates are drawn, and of {len(operations)} operations only {done}; "
                         f"{record.named[id(x)]} ({x.prim}{at(x)}) needs more. Take fewer examples or smaller layers.")


def at(x: Any) -> str:
    line = getattr(x, "line", None)
    return f" at {line}" if line else ""


def given(pen: Pen, value: Any, name: str, home: Recorded) -> Bundle:
    """The elements of a leaf."""
    wires = (Wire(pen, float(v), home=home, name=label(name, index)) for index, v in np.ndenumerate(value))
    return Bundle(pen, array_of(wires, np.shape(value)))


def fixed(record: Record, pen: Pen, a: Any, value: Any) -> Any:
    """A constant argument: with a name for each element where it is a value of its own, else as it is."""
    if a is None or id(a) not in record.named or not is_float(typeof(value).dtype):
        return value
    name = record.named[id(a)]
    wires = (pen.constant(float(v), label(name, index), a) for index, v in np.ndenumerate(value))
    return Bundle(pen, array_of(wires, np.shape(value)))


def check_value(record: Record, x: Recorded, found: Any, wide: Any) -> None:
    """Raise the error for an operation whose gates come to another value than itself."""
    for bundle, y in zip(*map(each, (found, wide))):
        values, expected = np.asarray(getattr(bundle, "values", bundle)), np.asarray(getattr(y, "value", y))
        scale = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
        if values.shape != expected.shape or not np.allclose(values, expected, rtol=SAME, atol=SAME * scale, equal_nan=True):
            raise RuleError(f"gates: the gates of {record.named[id(x)]} ({x.prim}{at(x)}) come to {values.ravel()[:4]}, and the "
                            f"operation itself to {expected.ravel()[:4]}.")


def each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else (value,)


def root_of(record: Record, pen: Pen, bundle: Bundle) -> Wire:
    """The wire of the loss, which a gate must have made."""
    root: Any = bundle.wires.reshape(-1)[0] if isinstance(bundle, Bundle) else bundle
    if not flows(root):
        raise ArgumentError(f"gates: {record.named[id(record.loss)]} is {float(number(root)):.6g} whatever its leaves are: "
                            "all of them are multiplied by 0.")
    if root.prim is None:
        pen.home = record.loss
        root = pen.gate(alphabet.copy, root)
    return root  # type: ignore[no-any-return]
