"""A writer writes the statements of one kernel, each in the outermost loop in which its value can be known."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..loops.language import (
    Apply,
    Constant,
    Gather,
    Index,
    Let,
    Loop,
    Origin,
    Position,
    Read,
    Start,
    Statement,
    Value,
    Write,
)
from .affine import Affine, Sizes
from .nodes import Node, Store
from .scalars import BOOL, Scalar

INT = np.dtype(np.int64)


@dataclass
class Scope:
    """The body of an open loop: its statements so far, and the values that have names in it."""

    dim: int | None
    statements: list[Statement] = field(default_factory=list)
    known: dict[Any, Scalar] = field(default_factory=dict)


class Writer:
    """Opens and closes loops, and names values. What was computed in an open loop is not computed again."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = dict(sizes)
        self.scopes = [Scope(None)]
        self.levels: dict[str, int] = {}
        self.variables: dict[int, str] = {}
        self.indicators: dict[str, Scalar] = {}
        self.negated: dict[str, Scalar] = {}  # of a value with the sign changed, the one before
        self.arrays: dict[Store, str] = {}
        self.owners: dict[Store, Node] = {}
        self.written: set[Store] = set()
        self.origin = Origin()
        self.loops = 0

    # ------------------------------------------------------------------------------------ loops
    def open(self, dim: int) -> None:
        self.variables[dim] = f"i{self.loops}"
        self.loops += 1
        self.scopes.append(Scope(dim))

    def close(self, kind: Any = "serial") -> None:
        scope = self.scopes.pop()
        assert scope.dim is not None
        name = self.variables.pop(scope.dim)
        if scope.statements:
            self.scopes[-1].statements.append(Loop(name, self.sizes[scope.dim], tuple(scope.statements), kind))

    def level_of(self, dims: Iterable[int]) -> int:
        """The innermost of the open loops over these dimensions."""
        places = {scope.dim: level for level, scope in enumerate(self.scopes)}
        return max((places.get(d, 0) for d in dims), default=0)

    # ------------------------------------------------------------------------------------ values
    def recall(self, key: Any) -> Scalar | None:
        for scope in reversed(self.scopes):
            if key in scope.known:
                return scope.known[key]
        return None

    def remember(self, key: Any, value: Scalar) -> Scalar:
        """Make a value known in the loop in which it was computed."""
        self.scopes[self.levels[value.name]].known[key] = value
        return value

    def let(self, value: Value, level: int, dtype: np.dtype[Any]) -> Scalar:
        known = self.recall(value)
        if known is not None:
            return known
        scalar = Scalar(self, f"v{len(self.levels)}", dtype)
        self.levels[scalar.name] = level
        self.scopes[level].statements.append(Let(scalar.name, value, self.origin))
        return self.remember(value, scalar)

    def constant(self, value: Any, dtype: np.dtype[Any]) -> Scalar:
        made = dtype.type(value).item() if dtype.kind != "f" else float(dtype.type(value))
        key = ("constant", repr(made), dtype)
        known = self.recall(key)
        if known is None:
            known = self.let(Constant(made, dtype), 0, dtype) if repr(made) not in ("-0.0", "nan") else self.odd(made, dtype)
            known.constant = made
            self.remember(key, known)
        return known

    def odd(self, made: float, dtype: np.dtype[Any]) -> Scalar:
        """A constant that is equal to another one, or not even to itself."""
        scalar = Scalar(self, f"v{len(self.levels)}", dtype)
        self.levels[scalar.name] = 0
        self.scopes[0].statements.append(Let(scalar.name, Constant(made, dtype), self.origin))
        return scalar

    def apply(self, operation: str, args: tuple[Scalar, ...], dtype: np.dtype[Any]) -> Scalar:
        if operation == "cast" and args[0].constant is not None:
            return self.constant(args[0].constant, dtype)
        if operation == "abs":
            args = (self.negated.get(args[0].name, args[0]),)
        level = max((self.levels[a.name] for a in args), default=0)
        made = self.let(Apply(operation, tuple(a.name for a in args), dtype), level, dtype)
        if operation == "cast" and args[0].dtype == BOOL and dtype.kind == "f":
            self.indicators[made.name] = args[0]
        if operation == "negative":
            self.negated[made.name] = args[0]
        return made

    def position(self, index: Affine) -> Scalar:
        """An affine index as a number."""
        total = None
        for dim, factor in index.terms:
            term = self.let(Position(self.variables[dim]), self.level_of([dim]), INT)
            term = term if factor == 1 else term * factor
            total = term if total is None else total + term
        if total is None:
            return self.constant(index.offset, INT)
        return total + index.offset if index.offset else total

    # ------------------------------------------------------------------------------------ memory
    def array(self, node: Node, store: Store) -> str:
        self.owners[store] = node
        return self.arrays.setdefault(store, f"a{len(self.arrays)}")

    def index(self, place: Affine, found: Iterable[tuple[Scalar, int]] = ()) -> Index:
        """A flat index: loops' variables, and computed numbers with their strides."""
        terms = [(self.variables[d], c) for d, c in place.terms]
        return Index(place.offset, (*sorted(terms), *((s.name, c) for s, c in found if c)))

    def read(self, node: Node, store: Store, place: Affine, found: Iterable[tuple[Scalar, int]] = (),
             guard: Scalar | None = None) -> Scalar:
        found = tuple(found)
        level = max([self.level_of(d for d, _ in place.terms), *(self.levels[s.name] for s, _ in found),
                     0 if guard is None else self.levels[guard.name]])
        value = Read(self.array(node, store), self.index(place, found), None if guard is None else guard.name)
        if store in self.written:
            level = len(self.scopes) - 1
        return self.let(value, level, node.dtype)

    def write(self, node: Node, store: Store, place: Affine, value: Scalar, found: Iterable[tuple[Scalar, int]] = (),
              guard: Scalar | None = None) -> None:
        self.written.add(store)
        self.scopes[-1].statements.append(Write(self.array(node, store), self.index(place, found), value.name,
                                                None if guard is None else guard.name, self.origin))

    # ------------------------------------------------------------------------------------ sums
    def start(self, combine: Any, dtype: np.dtype[Any], level: int) -> Scalar:
        scalar = Scalar(self, f"v{len(self.levels)}", dtype)
        self.levels[scalar.name] = level
        self.scopes[level].statements.append(Start(scalar.name, combine, dtype))
        return scalar

    def gather(self, accumulator: Scalar, value: Scalar) -> None:
        self.scopes[-1].statements.append(Gather(accumulator.name, value.name, self.origin))
