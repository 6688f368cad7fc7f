"""Drawing is applying operations to arrays of wires: each becomes gates on single numbers."""
from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, Box, Interpreter, under
from chainrule.core.primitive import Primitive
from chainrule.core.type import Array, Type
from chainrule.errors import ArgumentError, ChainruleError

from . import alphabet
from .parts import FOLDS, FORWARDS, parts_of
from .rows import ROWS
from .wires import Gathered, Number, Wire, array_of, derivatives, flows, number, slopes_of

FLOAT64 = np.dtype("float64")
SAME = 1e-9  # how closely the parts of an operation must agree with it


class TooMany(Exception):
    """More gates than are worth going on for."""


class Bundle(Box):
    """An array of wires."""

    __slots__ = ("wires",)

    def __init__(self, owner: Interpreter, wires: Any) -> None:
        self.owner, self.wires = owner, wires

    @property
    def type(self) -> Type:
        return Type(self.wires.shape, FLOAT64)

    @property
    def values(self) -> Any:
        return np.array([number(a) for a in self.wires.flat], FLOAT64).reshape(self.wires.shape)

    def concrete(self, use: str) -> np.ndarray[Any, Any]:
        return self.values  # type: ignore[no-any-return]


class Pen(Interpreter):
    """Writes operations on bundles as gates; `made` are the gates so far, at most `most`.

    On the way to one value of the record, its `home`, no gate is drawn twice: what is needed again is `known`.
    """

    __slots__ = ("constants", "home", "known", "made", "most")
    name = "gates"

    def __init__(self, most: int) -> None:
        super().__init__(NUMPY)
        self.most = most
        self.home: Any = None
        self.made: list[Wire] = []
        self.known: dict[Any, Wire] = {}
        self.constants: dict[str, Wire] = {}

    # ---------------------------------------------------------------- single numbers
    def constant(self, value: float, name: str, home: Any) -> Wire:
        if name not in self.constants:
            self.constants[name] = Wire(self, value, name=name, home=home, constant=True)
        return self.constants[name]

    def gate(self, prim: Primitive, *args: Number, **params: Any) -> Number:
        """The output of a gate, drawn where a gradient flows to it; else it is a number."""
        values = [None if a is None else float(number(a)) for a in args]
        key = (prim, *(id(a) if isinstance(a, Wire) else a for a in args), *params.items())
        if key in self.known:
            return self.known[key]
        with np.errstate(all="ignore"):
            value = float(NUMPY.apply(prim, tuple(None if v is None else np.float64(v) for v in values), params))
        if not any(map(flows, args)):
            return value
        if len(self.made) >= self.most:
            raise TooMany
        made = Wire(self, value, prim, tuple(a if isinstance(a, Wire) else v for a, v in zip(args, values)), params,
                    home=self.home, serial=len(self.made))
        self.known[key] = made
        self.made.append(made)
        return made

    def element(self, prim: Primitive, *args: Number, **params: Any) -> Number:
        """One element of an operation's result: by its row, else by its parts, else as a gate of its own."""
        row = ROWS.get(prim.name)
        return row(self, *args, **params) if row else self.opened(prim, *args, **params)

    def opened(self, prim: Primitive, *args: Number, **params: Any) -> Number:
        """By the parts of an operation, where they come to the same value and slopes: not at every kink, nor far out."""
        body = parts_of(prim)
        if body is None or not any(map(flows, args)):
            return self.gate(prim, *args, **params)
        start = len(self.made)
        given = [Bundle(self, array_of([a], ())) if isinstance(a, Wire) else a for a in args]
        with np.errstate(all="ignore"):
            y = body(*given, **params)
        made = y.wires[()] if self.owns(y) else float(y)
        if agrees(prim, made, args, params):
            return made
        undone = set(self.made[start:])
        self.known = {key: wire for key, wire in self.known.items() if wire not in undone}
        del self.made[start:]
        return self.gate(prim, *args, **params)

    # ---------------------------------------------------------------- arrays
    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        rules = [rule for _, rule in zip(args, prim.backward)]
        args = tuple(a.values if self.owns(a) and rule is None else a for a, rule in zip(args, rules))
        if not any(map(self.owns, args)):
            return NUMPY.apply(prim, args, params)
        if prim.slopes:
            return self.elementwise(prim, args, params)
        if prim.name in FOLDS:
            return self.folded(prim, args, params)
        body = parts_of(prim)
        if body:
            return body(*args, **params)
        return self.bundle(self.run(FORWARDS.get(prim.name, prim.forward), prim, args, params))

    def elementwise(self, prim: Primitive, args: Sequence[Array], params: dict[str, Any]) -> Bundle:
        given = [None if a is None else a.wires if self.owns(a) else np.asarray(a) for a in args]
        shape = np.broadcast_shapes(*(a.shape for a in given if a is not None))
        spread = [None if a is None else np.broadcast_to(a, shape) for a in given]
        return Bundle(self, array_of((self.element(prim, *(None if a is None else a[index] for a in spread), **params)
                                      for index in np.ndindex(shape)), shape))

    def run(self, forward: Any, prim: Primitive, args: Sequence[Array], params: dict[str, Any], wrap: Any = None) -> Any:
        """What a forward makes of arrays of objects: those arguments to which gradients can flow."""
        rules = [rule for _, rule in zip(args, prim.backward)]
        objects = []
        for a, rule in zip(args, rules):
            array = a.wires if self.owns(a) else a if a is None or rule is None else np.asarray(a, object)
            objects.append(array_of(map(wrap, array.flat), array.shape) if wrap and rule is not None else array)
        try:
            return forward(*objects, **params)
        except SystemError:  # NumPy's product of objects goes on after an exception, and then trips over it
            if len(self.made) >= self.most:
                raise TooMany from None
            raise
        except (ChainruleError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise refused(prim, self.home) from error

    def folded(self, prim: Primitive, args: Sequence[Array], params: dict[str, Any]) -> Bundle:
        """One number of many, for each place."""
        gather, fold = FOLDS[prim.name]
        many = np.asarray(self.run(gather, prim, args, params, Gathered))
        return self.bundle(array_of((fold(self, getattr(g, "numbers", ())) for g in many.flat), many.shape))

    def bundle(self, result: Any) -> Bundle:
        array = np.asarray(result, object)
        return Bundle(self, array_of((a if isinstance(a, Wire) else float(a) for a in array.flat), array.shape))

    def draw(self, home: Any, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Any:
        """An operation of the record, applied to bundles and constants."""
        self.home = home
        self.known.clear()
        start = len(self.made)
        with under(self), np.errstate(all="ignore"):
            result = self.apply(prim, args, params)
            inner = {a for wire in self.made[start:] for a in wire.args if flows(a)}
            return tuple(self.apart(r, inner) for r in result) if isinstance(result, tuple) else self.apart(result, inner)

    def apart(self, bundle: Any, inner: Container[Wire], *, strangers: bool = False) -> Any:
        """Each element on a wire of its own, used for nothing else on the way here: its gradient is then that of the element.

        Elements that are those of other values stay on their wires, unless `strangers` are to be taken apart, too.
        """
        if not isinstance(bundle, Bundle):
            return bundle
        places, elements = Counter(map(id, bundle.wires.flat)), []
        for a in bundle.wires.flat:
            mine = flows(a) and a.prim is not None and a.home is self.home
            shares = (a in inner or places[id(a)] > 1) if mine else strangers and flows(a)
            self.known.clear()  # no copy for two elements
            elements.append(self.gate(alphabet.copy, a) if shares else a)
        return Bundle(self, array_of(elements, bundle.wires.shape))


def agrees(prim: Primitive, made: Number, args: Sequence[Number], params: dict[str, Any]) -> bool:
    """Whether what was made of these arguments has the value and the slopes of the operation itself."""
    values = [number(a) for a in args]
    with np.errstate(all="ignore"):
        value = float(NUMPY.apply(prim, tuple(values), params))
    expected: dict[Wire, float] = {}
    for a, slope in zip(args, slopes_of(prim, value, values, params)):
        if flows(a):
            expected[a] = expected.get(a, 0.0) + slope
    found = derivatives(made, expected)
    return close(number(made), value) and all(close(found.get(a, 0.0), slope) for a, slope in expected.items())


def close(a: float, b: float) -> bool:
    return bool(np.isclose(a, b, rtol=SAME, atol=0.0, equal_nan=True))


def refused(prim: Primitive, home: Any) -> ChainruleError:
    line = getattr(home, "line", None)
    outer = "" if home.prim is prim else f" in {home.prim}"
    return ArgumentError(f"gates: {prim}{outer}{f' at {line}' if line else ''} is worked out as a whole, and not by add, "
                         "multiply and max. Explain the loss with its operations as they are, or compute it without this one.")
