"""Staging: a computation written down as a program, a line per operation, before any number is known."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import StagingError

from .interpreter import Box, Interpreter, entered, escaped
from .primitive import Primitive
from .source import user_line
from .type import Array, Type, typeof


class Symbol(Box):
    """A value that is not known yet: a name and a type."""

    __slots__ = ("_type", "name")

    def __init__(self, owner: Interpreter, type: Type, name: str) -> None:
        self.owner, self._type, self.name = owner, type, name

    @property
    def type(self) -> Type:
        return self._type

    def __str__(self) -> str:
        return self.name

    def concrete(self, use: str) -> np.ndarray[Any, Any]:
        raise StagingError(f"{user_line()}: {use} asks for the numbers of the staged value {self.name} of type {self.type}, "
                           "which has none yet. Choose with cr.where(condition, a, b), or branch on shapes and options, which "
                           "are known.")


class Line(NamedTuple):
    """`targets = prim(args, params)`; `source` is the user's line that asked for it."""

    targets: tuple[Symbol, ...]
    prim: Primitive
    args: tuple[Array, ...]
    params: dict[str, Any]
    source: str


@dataclass
class Graph:
    """A staged program: inputs, lines, and a tree of outputs."""

    inputs: list[Symbol] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    output: Any = None

    def __str__(self) -> str:
        body = [f"  {', '.join(f'{t}: {t.type}' for t in line.targets)} = {call(line)}" for line in self.lines]
        head = f"graph({', '.join(f'{s}: {s.type}' for s in self.inputs)}):"
        return "\n".join([head, *body, f"  return {shown(self.output)}"])

    def __call__(self, *args: Array) -> Any:
        """Replay the program on values, under the current interpreter."""
        known: dict[Symbol, Array] = dict(zip(self.inputs, args))
        for line in self.lines:
            out = line.prim(*(look(a, known) for a in line.args), **line.params)
            for target, value in zip(line.targets, out if isinstance(out, tuple) else (out,)):
                known[target] = value.item() if target.type.weak and isinstance(value, np.ndarray | np.generic) else value
        return look(self.output, known)

    def check(self) -> None:
        """Each symbol is made once, before it is used, and has the type its primitive says."""
        made = set(self.inputs)
        for line in self.lines:
            missing = [a for a in line.args if isinstance(a, Symbol) and a not in made]
            assert not missing, f"{call(line)} uses {missing[0]} before it is made"
            types = line.prim.result(*(None if a is None else typeof(a) for a in line.args), **line.params)
            for target, expected in zip(line.targets, types if isinstance(types, list) else [types]):
                assert target not in made, f"{target} is made twice"
                assert target.type[:2] == expected[:2], f"{target}: {target.type}, but {line.prim.name} gives {expected}"
                made.add(target)


def look(a: Any, known: dict[Symbol, Array]) -> Any:
    """The value of an argument, or of a tuple of outputs."""
    if isinstance(a, tuple):
        return tuple(look(part, known) for part in a)
    return known[a] if isinstance(a, Symbol) else a


def shown(a: Any) -> str:
    """An argument as the printed program has it: constants by value when small, by type otherwise."""
    if isinstance(a, tuple):
        return f"({', '.join(map(shown, a))})"
    if a is None or isinstance(a, Symbol):
        return str(a)
    return np.array2string(np.asarray(a), separator=", ") if np.size(a) <= 4 else f"<{typeof(a)}>"


def call(line: Line) -> str:
    options = [f"{k}={v!r}" for k, v in line.params.items()]
    return f"{line.prim.name}({', '.join([*map(shown, line.args), *options])})"


class Stage(Interpreter):
    """Write each operation down, also those on constants: a seed must not be baked in."""

    __slots__ = ("graph", "numbers")
    name = "stage"

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()
        self.numbers = count()

    def input(self, type: Type, name: str | None = None) -> Symbol:
        symbol = Symbol(self, type, name or f"x{len(self.graph.inputs)}")
        self.graph.inputs.append(symbol)
        return symbol

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        for a in args:
            if self.owns(a) and self.closed:
                raise escaped(a, prim.name)
        types = prim.result(*(None if a is None else typeof(a) for a in args), **params)
        made = types if isinstance(types, list) else [types]
        targets = tuple(Symbol(self, t, f"t{next(self.numbers)}") for t in made)
        self.graph.lines.append(Line(targets, prim, args, params, user_line()))
        return targets if isinstance(types, list) else targets[0]


def stage(f: Callable[..., Any], *types: Type, names: Sequence[str | None] | None = None) -> Graph:
    """The program `f` writes when called on symbols of these types; `f` returns a symbol or a tuple of them."""
    with entered(Stage()) as staging:
        assert isinstance(staging, Stage)
        inputs = [staging.input(t, n) for t, n in zip(types, names or [None] * len(types))]
        staging.graph.output = f(*inputs)
    return staging.graph
