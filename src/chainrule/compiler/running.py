"""A runner gathers the arrays of one call from their places, runs the program on them, and brings the results to theirs."""
from __future__ import annotations

import struct
import weakref
from operator import attrgetter, call, getitem, is_
from sys import getrefcount
from threading import Lock
from typing import Any

import numpy as np

from chainrule.core.type import Type, typeof

from .execution import Execute
from .program import Program
from .slots import Cell, Leaves, Values

value_of = attrgetter("value")


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

    def fill(self, numbers: Any) -> None:
        self.format.pack_into(self.memory, 0, *numbers)

    def read(self) -> tuple[Any, ...]:
        """The numbers as the program left them."""
        return self.format.unpack_from(self.memory)


class Runner:
    """Runs a program.

    An input whose place an output takes over is changed in place, if nobody else holds its array; else a copy is, because values
    that somebody read before a step stay as they were.
    """

    def __init__(self, program: Program, execute: Execute, donated: dict[int, int]) -> None:
        self.program, self.execute, self.lock = program, execute, Lock()
        slots, types = program.inputs, [symbol.type for symbol in program.graph.inputs]
        order = program.first_other()
        self.gets = [slot.get for slot in slots[:order]]
        self.tensors = [slot.tensor for slot in slots[order:] if isinstance(slot, Values)]
        cells = [slot for slot in slots[order:] if isinstance(slot, Cell)]
        self.containers, self.keys = [c.container for c in cells], [c.key for c in cells]
        weak = [i for i, t in enumerate(types) if t.weak]
        self.block = Block([types[i] for i in weak])
        self.weak_from = weak[0] if weak and weak == list(range(weak[0], len(types))) else None  # they stand last
        self.weak = weak
        self.places_of(donated, types)

    def places_of(self, in_place: dict[int, int], types: list[Type]) -> None:
        """What goes where afterwards: numbers left in the block, arrays changed in place, and all others."""
        program = self.program
        taken = sorted(i for i in set(in_place.values()) if not types[i].weak)
        self.taken, self.types = taken, types
        self.slice = slice(taken[0], taken[-1] + 1) if taken and taken == list(range(taken[0], taken[-1] + 1)) else None
        self.expected = [UNSHARED] * len(taken)
        self.execute.trust(taken)
        self.mine: list[Any] = [lambda: None] * len(taken)  # weak references to arrays known to be fit
        first = len(program.graph.output) - len(program.places)
        outputs = [(first + i, in_place.get(first + i), slot) for i, slot in enumerate(program.places)]
        left = {source for _, source, slot in outputs if source in self.weak and isinstance(slot, Cell)}
        self.left = [(self.weak.index(source), slot.container, slot.key) for _, source, slot in outputs if source in left]
        self.kept = {source: (number, slot.put) for number, source, slot in outputs if source in taken}
        self.puts = [(number, slot.put, typeof(program.graph.output[number]).weak) for number, source, slot in outputs
                     if source not in left and source not in self.kept]
        self.numbers_out = [i for i in range(first) if typeof(program.graph.output[i]).weak]

    def __call__(self, leaves: Leaves) -> Any:
        """One call; calls from several threads wait for each other."""
        with self.lock:
            return self.run(leaves)

    def run(self, leaves: Leaves) -> Any:
        """One call, while no other is at work."""
        arrays = [get(leaves) for get in self.gets]
        arrays += map(value_of, self.tensors)
        arrays += map(getitem, self.containers, self.keys)
        if self.weak:
            if self.weak_from is not None:
                self.block.fill(arrays[self.weak_from:])
                arrays[self.weak_from:] = self.block.arrays
            else:
                self.block.fill([arrays[i] for i in self.weak])
                for i, box in zip(self.weak, self.block.arrays):
                    arrays[i] = box
        copied = self.make_fit(arrays) if self.taken else ()
        outputs = self.execute(arrays)
        for i in copied:
            number, put = self.kept[i]
            put(leaves, outputs[number])
        if self.left:
            numbers = self.block.read()
            for i, container, key in self.left:
                container[key] = numbers[i]
        for number, put, weak in self.puts:
            put(leaves, python_number(outputs[number]) if weak else outputs[number])
        for slot in self.program.cleared:
            slot.put(leaves, None)
        for i in self.numbers_out:
            outputs[i] = python_number(outputs[i])
        return self.program.returned(outputs)

    def make_fit(self, arrays: list[Any]) -> list[int]:
        """See that what is changed in place may be; the numbers of those that had to be copied, or are new here."""
        taken = arrays[self.slice] if self.slice else [arrays[i] for i in self.taken]
        counts = references(taken)
        if counts == self.expected and all(map(is_, map(call, self.mine), taken)):
            return []
        copied = []
        for k, (i, a, n) in enumerate(zip(self.taken, taken, counts)):
            t = self.types[i]
            if self.mine[k]() is a and n == UNSHARED:
                continue
            whole = type(a) is np.ndarray and a.flags.owndata and a.flags.c_contiguous and a.flags.writeable
            if n != UNSHARED or not whole or a.dtype != t.dtype:
                arrays[i] = np.array(a, t.dtype, order="C", copy=True)
            self.execute.meet(i, arrays[i])
            self.mine[k] = weakref.ref(arrays[i])
            copied.append(i)
        return copied


def python_number(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray | np.generic) else value

