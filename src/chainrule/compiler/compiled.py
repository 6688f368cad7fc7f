"""A compiled function keeps one program for each signature it was called with, and runs it."""
from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any

from chainrule.core import interpreter
from chainrule.core.interpreter import now
from chainrule.errors import ArgumentError, CompileWarning, StagingError

from .building import Built, build
from .program import Program, trace
from .sameness import same_program
from .signature import signature

MANY_PROGRAMS = 8
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class Compiled:
    """What `cr.compile` makes of a function: called in the same way, and open to be looked into."""

    def __init__(self, function: Callable[..., Any], memory: str | int | None = None) -> None:
        if not callable(function):
            raise ArgumentError(f"compile: a function is compiled, not a {type(function).__name__}. Write @cr.compile above a "
                                'function, or cr.compile(memory="64MB") with options by name.')
        self.function = function
        self.budget = None if memory is None else size_of(memory)
        self.programs: dict[Any, list[Built]] = {}
        self.last: Built | None = None
        self.told = False
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **options: Any) -> Any:
        if now() is not interpreter.ground:  # inside a transform, or another compiled function
            return self.function(*args, **options)
        key, leaves = signature(args, options)
        for built in self.programs.get(key, ()):
            if built.program.fits():
                self.last = built
                return built.run(leaves)
        return self.added(key, args, options).run(leaves)

    def added(self, key: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Built:
        """A new program for this signature."""
        program, known = trace(self.function, args, options), self.programs.setdefault(key, [])
        for built in known:
            if same_program(built.program, program):
                self.again(built, program)
                return built
        built = build(program, self.budget)
        known.insert(0, built)
        self.last = built
        made = sum(map(len, self.programs.values()))
        if made > MANY_PROGRAMS and not self.told:
            self.told = True
            warnings.warn(f"{self.__name__}: this is its program number {made}: each new shape or dtype of the arguments, and "
                          "each changed setting, is compiled anew. Give numbers that vary as floats or arrays, and pad batches "
                          "to a few sizes.", CompileWarning, stacklevel=3)
        return built

    def again(self, built: Built, program: Program) -> None:
        """A setting changed, and the function does the same all the same: the code it has serves on."""
        guards = built.program.guards
        if len(guards) >= MANY_PROGRAMS:
            if not self.told:
                self.told = True
                warnings.warn(f"{self.__name__}: it is traced again and again, and comes out the same: {guards[0].difference()}. "
                              "Keep what changes at each call out of what the function can see.", CompileWarning, stacklevel=4)
            guards.pop()
        guards.insert(0, program.guards[0])
        self.last = built

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    # ---------------------------------------------------------------- what is inside
    @property
    def built(self) -> Built:
        if self.last is None:
            raise StagingError(f"{self.__name__}: nothing is compiled yet. Call it once with the arguments it is meant for.")
        return self.last

    def graph(self) -> str:
        """The program of the last call as it was traced, and after each pass."""
        return self.built.graph()

    def loops(self) -> str:
        """The generated loops as pseudo-code, each line beside the source line and the operation it came from."""
        return self.built.loops()

    def llvm(self) -> str:
        """The generated code as LLVM's intermediate representation."""
        return self.built.llvm()

    def memory(self) -> Any:
        """What is kept between forward and backward, what is computed again, the peak, and who holds it."""
        return self.built.memory()

    def __repr__(self) -> str:
        return f"<compiled {self.__name__}, {sum(map(len, self.programs.values()))} programs>"


def size_of(memory: str | int) -> int:
    """A number of bytes, given as such or as text with a unit: "64MB"."""
    if isinstance(memory, int) and not isinstance(memory, bool) and memory > 0:
        return memory
    found = re.fullmatch(r"\s*([\d.]+)\s*([A-Za-z]*)\s*", memory) if isinstance(memory, str) else None
    if not found or found[2].upper() not in UNITS or not found[1].replace(".", "", 1).isdigit():
        raise ArgumentError(f'compile: memory is a number of bytes, or text such as "64MB" or "1GiB", not {memory!r}.')
    return int(float(found[1]) * UNITS[found[2].upper()])
