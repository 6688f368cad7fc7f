"""A runner gathers the arrays of one call from their places, runs the program on them, and brings the results to theirs."""
from __future__ import annotations

import struct
from sys import getrefcount
from threading import Lock
from typing import Any

import numpy as np

from chainrule.core.type import Type, typeof

from .execution import Execute, Left, Look
from .guards import Guards
from .program import Program
from .slots import Cell, Draw


def references(arrays: list[Any]) -> list[int]:
    """How many hold each array, this look at it included."""
    return list(map(getrefcount, arrays))


def unshared() -> int:
    """What `references` says of an array in a list taken from the inputs, if only its place and the inputs hold it besides."""
    place = [np.zeros(1)]
    inputs = [*place]
    return references(inputs[:])[0]


UNSHARED = unshared()


class Block:
    """The Python numbers that go into a program, in one piece of memory: 8 bytes each, and an array without axes on each."""

    def __init__(self, types: list[Type]) -> None:
        self.memory = np.zeros(len(types))
        self.format = struct.Struct("".join("d" if t.dtype.kind == "f" else "q" for t in types))
        self.arrays = [self.memory[i:i + 1].view(t.dtype).reshape(()) for i, t in enumerate(types)]

    def fill(self, numbers: list[Any]) -> None:
        self.format.pack_into(self.memory, 0, *numbers)


class Missed:
    """What a call gives that was not made, because something is not as it was."""


MISSED = Missed()


class Runner:
    """Runs a program.

    An input whose place an output takes over is changed in place, if nobody else holds its array; else a copy is, because values
    that somebody read before a step stay as they were. Most calls are like the one before: one look sees that, and takes their
    arrays. `run` gathers those of any other.
    """

    def __init__(self, program: Program, execute: Execute, donated: dict[int, int]) -> None:
        self.program, self.execute, self.lock = program, execute, Lock()
        self.types = [symbol.type for symbol in program.graph.inputs]
        self.gets = [slot.get for slot in program.inputs]
        self.draws = [(i, slot.get) for i, slot in enumerate(program.inputs) if isinstance(slot, Draw)]
        self.weak = [i for i, t in enumerate(self.types) if t.weak]
        self.block = Block([self.types[i] for i in self.weak])
        self.numbers = {i: box.ctypes.data for i, box in zip(self.weak, self.block.arrays)}
        self.go, self.returned = execute.go, program.returns()
        self.look: Look = never
        self.looked_for: Guards | None = None
        self.places_of(donated)

    def places_of(self, in_place: dict[int, int]) -> None:
        """What goes where afterwards: arrays changed in place, numbers that the program leaves in the block, and all others."""
        graph, places = self.program.graph, self.program.places
        first = len(graph.output) - len(places)
        numbered = dict(enumerate(places, first))
        self.taken = sorted(i for i in set(in_place.values()) if i not in self.numbers)
        self.kept = {i: numbered[n].put for n, i in in_place.items() if i in self.taken}
        self.execute.leave([Left(self.types[i].dtype.kind == "f", self.numbers[i], slot.container, slot.key)
                            for n, i in in_place.items() if i in self.numbers and isinstance(slot := numbered[n], Cell)])
        out = [n for n in range(len(graph.output)) if n not in in_place]
        self.puts = [(k, numbered[n].put) for k, n in enumerate(out) if n >= first]
        self.numbers_out = [k for k, n in enumerate(out) if typeof(graph.output[n]).weak]
        self.more_to_do = bool(self.puts or self.numbers_out or self.program.cleared)

    def again(self, leaves: tuple[Any, ...]) -> Any:
        """One call that is like the one before; MISSED where it is not. Calls from several threads wait for each other."""
        with self.lock:
            held = self.look(leaves)
            if held is None:
                return MISSED
            drawn = [(i, draw(leaves)) for i, draw in self.draws] if self.draws else ()
            for i, array in drawn:
                self.execute.take(i, array)
            made = self.go()
            if self.more_to_do:
                self.bring(leaves, made)
            return self.returned(made)

    def run(self, leaves: tuple[Any, ...]) -> Any:
        """One call, whatever changed."""
        with self.lock:
            arrays = [get(leaves) for get in self.gets]
            self.block.fill([arrays[i] for i in self.weak])
            for i, box in zip(self.weak, self.block.arrays):
                arrays[i] = box
            copied = self.make_fit(arrays)
            self.execute.meet(arrays)
            made = self.go()
            for i in copied:
                self.kept[i](leaves, arrays[i])
            self.bring(leaves, made)
            self.get_ready(leaves)
            return self.returned(made)

    def make_fit(self, arrays: list[Any]) -> list[int]:
        """See that what is changed in place may be; the numbers of those that had to be copied."""
        copied = []
        for i, n in zip(self.taken, references([arrays[i] for i in self.taken])):
            a, dtype = arrays[i], self.types[i].dtype
            if n == UNSHARED and type(a) is np.ndarray and a.dtype == dtype and (flags := a.flags).owndata and flags.carray:
                continue
            arrays[i] = np.array(a, dtype, order="C", copy=True)
            copied.append(i)
        return copied

    def bring(self, leaves: tuple[Any, ...], made: list[Any]) -> None:
        """Bring what comes out to its places."""
        for k in self.numbers_out:
            made[k] = python_number(made[k])
        for k, put in self.puts:
            put(leaves, made[k])
        for slot in self.program.cleared:
            slot.put(leaves, None)

    def get_ready(self, leaves: tuple[Any, ...]) -> None:
        """See to it that the next call, if it is like this one, takes one look."""
        guards, _ = self.program.known[0]
        if self.looked_for is not guards:
            self.looked_for = guards
            self.look = self.execute.look(self.program, self.numbers, leaves) or never


def never(leaves: tuple[Any, ...]) -> None:
    """No look is to be had: each call is gathered."""


def python_number(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray | np.generic) else value
