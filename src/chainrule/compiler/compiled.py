"""A compiled function keeps one program for each signature it was called with, and runs it."""
from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import update_wrapper
from operator import is_
from types import MethodType
from typing import Any

from chainrule.core.interpreter import current
from chainrule.eager import EAGER
from chainrule.errors import ArgumentError, CompileWarning, StagingError

from .building import Built, build
from .program import Program, trace
from .running import MISSED
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
        self.latest: Callable[[tuple[Any, ...]], Any] = missed  # a call of the program that ran last
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **options: Any) -> Any:
        if current.get(EAGER) is not EAGER:  # inside a transform, or another compiled function
            return self.function(*args, **options)
        found = MISSED if options else self.latest(args)
        return self.call(args, options) if found is MISSED else found

    def call(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A call that is not like the one before."""
        key, leaves = signature(args, options)
        found, self.latest = MISSED, missed
        for built in self.programs.get(key, ()):
            found = built.runner.again(leaves)
            if found is not MISSED or built.program.fits(leaves):
                break
        else:
            built = self.added(key, args, options)
        self.last = built
        if not options and len(leaves) == len(args) and all(map(is_, leaves, args)):
            self.latest = built.runner.again
        return built.runner.run(leaves) if found is MISSED else found

    def added(self, key: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Built:
        """A new program for this signature."""
        program, known = trace(self.function, args, options), self.programs.setdefault(key, [])
        for built in known:
            if same_program(built.program, program):
                self.again(built, program)
                return built
        built = build(program, self.budget)
        known.insert(0, built)
        made = sum(map(len, self.programs.values()))
        if made > MANY_PROGRAMS and not self.told:
            self.told = True
            warnings.warn(f"{self.__name__}: this is its program number {made}: each new shape or dtype of the arguments, and "
                          "each changed setting, is compiled anew. Give numbers that vary as floats or arrays, and pad batches "
                          "to a few sizes.", CompileWarning, stacklevel=4)
        return built

    def again(self, built: Built, program: Program) -> None:
        """A setting changed, and the function does the same all the same: the code it has serves on."""
        known = built.program.known
        if len(known) >= MANY_PROGRAMS:
            if not self.told:
                self.told = True
                warnings.warn(f"{self.__name__}: it is traced again and again, and comes out the same: "
                              f"{known[0][0].difference()}. "
                              "Keep what changes at each call out of what the function can see.", CompileWarning, stacklevel=5)
            known.pop()
        known[:0] = program.known

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


def missed(args: tuple[Any, ...]) -> Any:
    """No program has run yet, or its arguments have containers around them."""
    return MISSED


def size_of(memory: str | int) -> int:
    """A number of bytes, given as such or as text with a unit: "64MB"."""
    if isinstance(memory, int) and not isinstance(memory, bool) and memory > 0:
        return memory
    found = re.fullmatch(r"\s*([\d.]+)\s*([A-Za-z]*)\s*", memory) if isinstance(memory, str) else None
    if not found or found[2].upper() not in UNITS or not found[1].replace(".", "", 1).isdigit():
        raise ArgumentError(f'compile: memory is a number of bytes, or text such as "64MB" or "1GiB", not {memory!r}.')
    return int(float(found[1]) * UNITS[found[2].upper()])
