"""A guard is a Python value a program was traced with: where it has changed since, the function must be traced again."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter, getitem, is_
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from chainrule.core.interpreter import Box
from chainrule.core.source import OWN
from chainrule.errors import StagingError

SCALARS = (bool, int, float, str, bytes, type(None))
WHOLE = (np.ndarray, np.generic, np.random.Generator, Box, type, ModuleType, CodeType)  # never looked into
contents = attrgetter("cell_contents")
MANY = 1000  # a container with more entries holds data, not settings


class Guards:
    """What was found behind a function, entries of containers, closures and settings of classes, and the values they had."""

    def __init__(self, function: Any, leaves: list[Any]) -> None:
        self.entries: list[tuple[Any, Any, Any, str]] = []  # container, key, value, what messages call it
        self.cells: list[tuple[CellType, Any, str]] = []
        self.settings: list[tuple[Any, str, Any]] = []  # settings of a class that an object does not override yet
        self.sizes: list[tuple[Any, int]] = []
        self.seen: set[int] = set()
        self.moving: set[tuple[int, Any]] = set()
        self.tensors: dict[int, Any] = {}  # by id, those that the function can reach without being given them
        for x in [function, *(leaf for leaf in leaves if not isinstance(leaf, Box))]:
            self.visit(x)
        self.containers, self.keys = [e[0] for e in self.entries], [e[1] for e in self.entries]
        self.boxes = [c[0] for c in self.cells]
        self.objects, self.attributes = [s[0] for s in self.settings], [s[1] for s in self.settings]
        self.values = [*(e[2] for e in self.entries), *(c[1] for c in self.cells), *(s[2] for s in self.settings)]
        self.sized, self.lengths = [s[0] for s in self.sizes], [s[1] for s in self.sizes]

    def visit(self, x: Any) -> None:
        """Note what can change in a value, and look into it."""
        if isinstance(x, Box):
            self.tensors[id(x)] = x
        if isinstance(x, (*SCALARS, *WHOLE)) or id(x) in self.seen:
            return
        self.seen.add(id(x))
        if isinstance(x, MethodType):
            self.visit(x.__self__)
            self.visit(x.__func__)
        elif isinstance(x, FunctionType):
            if x.__code__.co_filename not in OWN or x.__closure__:
                self.function(x)
        elif isinstance(x, list | tuple | dict):
            if len(x) <= MANY:
                self.container(x, "")
        elif type(x).__module__.startswith("chainrule.compiler"):
            self.visit(getattr(x, "function", None))  # of another compiled function its function counts, not its programs
        elif hasattr(x, "__dict__") and type(x).__module__ != "builtins":
            if callable(getattr(type(x), "cells", None)):
                self.holder(x)
                return
            known = {name: value for kind in reversed(type(x).__mro__) for name, value in vars(kind).items()}
            self.settings += [(x, name, value) for name, value in known.items()
                              if isinstance(value, SCALARS) and name not in vars(x) and not name.startswith("__")]
            self.container(vars(x), type(x).__name__ + ".")

    def holder(self, x: Any) -> None:
        """An optimizer: its cells are read anew at each call, as long as they are the same; its settings are what is left."""
        self.moving |= {(id(container), key) for container, key in x.cells()}
        dicts = [value for value in vars(x).values() if isinstance(value, dict)]
        dicts += [inner for value in dicts for inner in value.values() if isinstance(inner, dict)]
        self.sizes += [(each, len(each)) for each in dicts]
        self.entries += [(vars(x), key, value, f"{type(x).__name__}.{key}") for key, value in vars(x).items()]
        self.visit(x.settings())

    def function(self, f: FunctionType) -> None:
        """A function: what its closure holds, and the globals it names."""
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            try:
                value = cell.cell_contents
            except ValueError:  # not yet filled
                continue
            self.cells.append((cell, value, name))
            self.visit(value)
        if f.__code__.co_filename not in OWN:
            for name in names_in(f.__code__):
                if name in f.__globals__:
                    value = f.__globals__[name]
                    self.entries.append((f.__globals__, name, value, name))
                    self.visit(value)

    def container(self, x: Any, prefix: str) -> None:
        """A list, a tuple, a dict, or the attributes of an object."""
        if not isinstance(x, tuple) and not prefix:
            self.sizes.append((x, len(x)))
        for key, value in (x.items() if isinstance(x, dict) else enumerate(x)):
            if isinstance(key, SCALARS) and (id(x), key) in self.moving:
                continue
            if not isinstance(x, tuple):
                self.entries.append((x, key, value, f"{prefix}{key}"))
            self.visit(value)

    def now(self) -> list[Any]:
        """The values as they are now. Raises KeyError or IndexError where an entry is gone."""
        return [*map(getitem, self.containers, self.keys), *map(contents, self.boxes),
                *map(getattr, self.objects, self.attributes)]

    def hold(self) -> bool:
        """Whether everything is as it was: mostly the very same objects, which is quickly seen."""
        try:
            now = self.now()
        except (KeyError, IndexError):
            return False
        as_before = all(map(is_, now, self.values)) or all(map(same, now, self.values))
        return as_before and list(map(len, self.sized)) == self.lengths

    def reached(self, leaves: Iterable[Any]) -> list[tuple[int, int]]:
        """Which arguments the function can reach anyhow, and so sees as one with what it reaches: their numbers and ids."""
        return [(number, id(x)) for number, x in enumerate(leaves) if id(x) in self.tensors]

    def difference(self) -> str:
        """What has changed first, in words."""
        names = [*(e[3] for e in self.entries), *(c[2] for c in self.cells), *self.attributes]
        found = (f"{name} changed from {before!r:.40} to {now!r:.40}" for name, now, before in zip(names, self.now(), self.values)
                 if not same(now, before))
        return next(found, "the size of a container changed")

    def must_hold(self, line: str) -> None:
        """Raise StagingError where tracing itself changed a Python value: it would change once, not at each call."""
        names = [*(e[3] for e in self.entries), *(c[2] for c in self.cells), *self.attributes]
        for name, now, value in zip(names, self.now(), self.values):
            if isinstance(value, SCALARS) and not same(now, value):
                raise changed(name, value, now, line)
        for container, n in self.sizes:
            if isinstance(container, list) and len(container) != n:
                raise changed("the length of a list", n, len(container), line)


def same(now: Any, before: Any) -> bool:
    """Whether two settings are equal; other values must be the very same."""
    return now is before or (type(now) is type(before) and isinstance(before, SCALARS) and now == before)


def names_in(code: CodeType) -> Iterator[str]:
    """The global names in a function, and in the functions defined inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def changed(what: str, before: Any, now: Any, line: str) -> StagingError:
    return StagingError(f"{line}: the compiled function changes {what} from {before!r} to {now!r}. Its Python code runs only "
                        "once, when it is traced, so this would happen once and not at each call. Do it outside, or keep the "
                        "number in a cr.tensor and assign to its .data.")
