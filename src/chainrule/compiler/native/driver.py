"""A program is a plan made executable: its memory, its machine code, and one native call for all its steps."""
from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from weakref import WeakSet, ref

import numpy as np

from ..loops.printing import shown
from ..plan import Buffer, Plan, View
from .calls import Calls
from .compiling import compile_all, llvm_text
from .fresh import Fresh
from .pool import address, aligned, default_threads, native_step, pool
from .scheduling import Distinct, Schedule, in_order
from .store import Store

ALIGNMENT = 64
Array = np.ndarray[Any, Any]
Words = ctypes.Array[ctypes.c_int64]


class Program:
    """A compiled plan. Call it with a list of contiguous arrays, one for each input of the plan and of its dtype and shape; it
    gives a list of the outputs, new arrays but for donated ones, which are the inputs themselves, changed.

    `threads` is how many threads share large loops (default: $CHAINRULE_THREADS, or the processors this process may use);
    results are the same for any number. Several threads may call a program; they take turns.
    """

    def __init__(self, plan: Plan, threads: int | None = None) -> None:
        self.plan, self.threads = plan, threads or default_threads()
        self.distinct = Distinct(plan)
        self.code = compile_all(self.distinct.kernels, self.distinct.texts, Store())
        self.schedule = Schedule(plan, self.distinct, self.code, self.threads)
        self.lock = threading.Lock()
        self.memory_parts = self.allocate()
        self.run = native_step()
        self.known: list[Callable[[], Any]] = [none] * len(plan.inputs)
        self.copies: dict[int, Array] = {}
        self.inputs = [self.schedule.slots[view.place.buffer] for view in plan.inputs]
        self.watched = list(range(len(plan.inputs)))
        self.new: list[Fresh] = []
        self.copied: list[View] = []
        self.order = self.find_results()
        self.donors = frozenset(plan.donated.values())
        self.waiting = self.threads > 1
        PROGRAMS.add(self)

    # ------------------------------------------------------------------------------ memory
    def allocate(self) -> dict[str, int]:
        """Place all buffers that belong to the program, and write down for the runtime where everything is."""
        buffers, compiled = self.plan.buffers, self.code.compiled
        kept = sum(rounded(b.size * b.dtype.itemsize) for b in buffers if b.kind == "kept")
        shared = max((c.shared for c in compiled), default=0)
        private = rounded(max((c.private for c in compiled), default=0))
        sizes = {"scratch": self.plan.arena, "kept": kept, "shared": shared, "private": private * self.threads}
        self.arena = aligned(sum(map(rounded, sizes.values())))
        self.constants = {b.name: constant_memory(b) for b in buffers if b.kind == "constant"}
        at = address(self.arena)
        starts = dict(zip(sizes, np.cumsum([at, *map(rounded, sizes.values())]).tolist()))
        self.table = (ctypes.c_int64 * max(len(buffers), 1))()
        for number, buffer in enumerate(buffers):
            self.table[number] = self.start_of(buffer, starts)
        self.words = (ctypes.c_int64 * len(self.schedule.words))(*self.schedule.words)
        self.variables = (ctypes.c_int64 * max(len(self.schedule.variables), 1))()
        most = max((len(kernel.arrays) for kernel in self.distinct.kernels), default=0)
        self.arguments = (ctypes.c_int64 * max(most, 1))()
        self.calls = Calls(self.schedule.calls, self.table, self.variables, self.schedule.slots, self.schedule.variables)
        self.state = (ctypes.c_int64 * 9)(
            *map(ctypes.addressof, (self.words, self.table, self.variables, self.arguments)), starts["shared"], starts["private"],
            private, 0, ctypes.cast(self.calls.native, ctypes.c_void_p).value or 0)
        self.state_address = ctypes.addressof(self.state)
        return sizes | {"constants": sum(c.nbytes for c in self.constants.values())}

    def start_of(self, buffer: Buffer, starts: dict[str, int]) -> int:
        """Where a buffer of the program begins; 0 for those of the caller."""
        if buffer.kind == "constant":
            return address(self.constants[buffer.name])
        if buffer.kind == "scratch":
            return starts["scratch"] + buffer.offset
        if buffer.kind == "kept":
            place = starts["kept"]
            starts["kept"] += rounded(buffer.size * buffer.dtype.itemsize)
            return place
        return 0

    def find_results(self) -> tuple[int, ...]:
        """Where each output is among the inputs, the new arrays and the copies, in this order; the latter two are noted here."""
        order, places = [], {}
        for number, view in enumerate(self.plan.outputs):
            slot = self.schedule.slots[view.place.buffer]
            if number in self.plan.donated:
                order.append(("input", self.plan.donated[number]))
            elif self.plan.buffers[slot].kind == "output":
                if slot not in places:
                    places[slot] = len(self.new)
                    self.new.append(Fresh(view.shape, view.dtype, slot))
                order.append(("new", places[slot]))
            else:  # what the program keeps, such as a constant, is copied
                order.append(("copy", len(self.copied)))
                self.copied.append(view)
        starts = {"input": 0, "new": len(self.inputs), "copy": len(self.inputs) + len(self.new)}
        return tuple(starts[kind] + number for kind, number in order)

    # ------------------------------------------------------------------------------ calling
    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        with self.lock:
            for number in self.watched:
                if self.known[number]() is not arrays[number]:
                    self.meet(number, arrays[number])
            new = []
            for fresh in self.new:
                array, self.table[fresh.slot] = fresh.take()
                new.append(array)
            if self.waiting:
                self.join_pool()
            if self.run(self.state_address):
                self.calls.reraise()
            if self.copies:
                for number in self.copies.keys() & self.donors:
                    np.copyto(arrays[number], self.copies[number])
            every = [*arrays, *new, *[self.calls.array(view).copy() for view in self.copied]]
            return list(map(every.__getitem__, self.order))

    def trust(self, numbers: Iterable[int]) -> None:
        """From now on the caller says by `meet` when one of these inputs is another array than in the last call."""
        self.watched = sorted({*self.watched} - {*numbers})

    def meet(self, number: int, array: Array) -> None:
        """Take an array that was not given in the last call."""
        self.copies.pop(number, None)
        view = self.plan.inputs[number]
        if array.shape != view.shape or array.dtype != view.dtype:
            raise ValueError(f"input {number} is {array.dtype}{list(array.shape)}; the program was compiled for "
                             f"{view.dtype}{list(view.shape)}.")
        if type(array) is np.ndarray and array.flags.c_contiguous and array.flags.aligned:
            self.known[number] = ref(array)
        else:  # a copy, which lives until the next call
            self.known[number] = none
            array = self.copies[number] = np.array(array, order="C")
        self.table[self.inputs[number]] = address(array)

    def join_pool(self) -> None:
        """Large phases of this program are divided among the threads of a pool from now on, if the system gives one."""
        found = pool(self.threads)
        self.waiting, self.state[7] = False, 0 if found is None else found.address

    # ------------------------------------------------------------------------------ asking
    def memory(self) -> dict[str, int]:
        """Bytes of memory the program holds: `scratch`, `kept`, `shared` and `private` in one arena, and `constants`."""
        return dict(self.memory_parts)

    @property
    def held(self) -> int:
        """All bytes of memory the program holds."""
        return sum(self.memory_parts.values())

    def llvm(self) -> str:
        """The program's kernels in LLVM's language."""
        return llvm_text(self.distinct.kernels, self.distinct.texts)

    def loops(self) -> str:
        """The program's kernels, each once, as readable loops, below the order in which they run."""
        kernels = [f"[{number}] {shown(kernel)}" for number, kernel in enumerate(self.distinct.kernels)]
        return "\n\n".join([f"runs {in_order(self.plan.steps, self.distinct)}", *kernels])


def none() -> None:
    """No array was met yet."""


def rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def constant_memory(buffer: Buffer) -> Array:
    """The constant's values, laid out as the plan has them."""
    assert buffer.initial is not None, f"the constant {buffer.name} has no values"
    memory = aligned(max(buffer.size * buffer.dtype.itemsize, 1))[:buffer.size * buffer.dtype.itemsize].view(buffer.dtype)
    memory[:] = np.asarray(buffer.initial, buffer.dtype).reshape(-1)
    return memory


PROGRAMS: WeakSet[Program] = WeakSet()


def after_fork() -> None:
    """In a child process: no thread holds a program any more, and the pool's threads are gone."""
    for program in PROGRAMS:
        program.lock = threading.Lock()
        program.waiting, program.state[7] = program.threads > 1, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)
