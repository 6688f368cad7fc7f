"""A program is a plan made executable: its memory, its machine code, and one native call for all its steps."""
from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from ..execution import Left
from ..loops.printing import shown
from ..plan import Buffer, Plan
from .calls import Calls
from .compiling import compile_all, llvm_text
from .fresh import SMALL, Fresh
from .interface import run_of
from .look import Look, look_at, look_at_arrays
from .pool import address, aligned, default_threads, pool
from .scheduling import Distinct, Schedule, in_order
from .store import Store
from .workspace import rounded

if TYPE_CHECKING:
    from ..program import Program as Traced

POOL = 5
"""The word of a program's state that says where its pool is."""
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
        self.run = run_of(self.state, ())
        self.copies: dict[int, Array] = {}
        self.inputs = [self.schedule.slots[view.place.buffer] for view in plan.inputs]
        self.large: list[Fresh] = []
        self.results = self.find_results()
        self.donors = frozenset(plan.donated.values())
        self.seen = look_at_arrays(self)
        self.waiting = self.threads > 1
        PROGRAMS.add(self)

    # ------------------------------------------------------------------------------ memory
    def allocate(self) -> dict[str, int]:
        """Place all buffers that belong to the program, and write down for the runtime where everything is."""
        buffers = self.plan.buffers
        own = {part: sum(rounded(bytes_of(b)) for b in buffers if part_of(b) == part) for part in ("kept", "results")}
        scratch = rounded(self.plan.arena)
        sizes = {"scratch": scratch, "workspace": max(self.schedule.workspaces.end - scratch, 0), **own}
        self.arena = aligned(sum(map(rounded, sizes.values())))
        self.constants = {b.name: constant_memory(b) for b in buffers if b.kind == "constant"}
        at = address(self.arena)
        starts = dict(zip(sizes, np.cumsum([at, *map(rounded, sizes.values())]).tolist()))
        self.table = (ctypes.c_int64 * (len(buffers) + 1))()  # the last word is for addresses that nobody asks for
        self.at = ctypes.addressof(self.table)
        self.unread = self.at + 8 * len(buffers)
        for number, buffer in enumerate(buffers):
            self.table[number] = self.start_of(buffer, starts)
        self.words = (ctypes.c_int64 * len(self.schedule.words))(*self.schedule.words)
        self.variables = (ctypes.c_int64 * max(len(self.schedule.variables), 1))()
        most = max((len(kernel.arrays) for kernel in self.distinct.kernels), default=0)
        self.arguments = (ctypes.c_int64 * max(most, 1))()
        self.calls = Calls(self.schedule.calls, self.table, self.variables, self.schedule.slots, self.schedule.variables)
        self.state = np.array([
            *map(ctypes.addressof, (self.words, self.table, self.variables, self.arguments)), at, 0,
            ctypes.cast(self.calls.native, ctypes.c_void_p).value or 0, 0], np.int64)
        return sizes | {"constants": sum(c.nbytes for c in self.constants.values())}

    def start_of(self, buffer: Buffer, starts: dict[str, int]) -> int:
        """Where a buffer of the program begins; 0 for those of the caller."""
        if buffer.kind == "constant":
            return address(self.constants[buffer.name])
        if buffer.kind == "scratch":
            return starts["scratch"] + self.schedule.workspaces.places[buffer.name]
        part = part_of(buffer)
        if part:
            place = starts[part]
            starts[part] += rounded(bytes_of(buffer))
            return place
        return 0

    def find_results(self) -> list[Callable[[], Array]]:
        """What gives each output after a run, but for those that take an input's place."""
        fresh: dict[str, Fresh] = {}
        results: list[Callable[[], Array]] = []
        for number, view in enumerate(self.plan.outputs):
            name, slot = view.place.buffer, self.schedule.slots[view.place.buffer]
            if number in self.plan.donated:
                continue
            if self.table[slot]:
                results.append(self.calls.array(view).copy)
            elif self.plan.buffers[slot].kind == "output":
                results.append(fresh.setdefault(name, Fresh(view.shape, view.dtype, slot)).take)
            else:  # an input, or what is rarely needed: it is not in the same place each time
                results.append(lambda view=view: self.calls.array(view).copy())
        self.large = list(fresh.values())
        return results

    # ------------------------------------------------------------------------------ calling
    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        with self.lock:
            self.meet(arrays)
            made = iter(self.go())
            for number in self.copies.keys() & self.donors:
                np.copyto(arrays[number], self.copies[number])
            donated = self.plan.donated
            return [arrays[donated[number]] if number in donated else next(made) for number in range(len(self.plan.outputs))]

    def meet(self, arrays: Sequence[Array]) -> None:
        """Take the arrays for a run, which must live until it is over."""
        self.copies = {}
        if self.seen is None or self.seen(tuple(arrays)) is None:
            for number, array in enumerate(arrays):
                self.take(number, array)

    def take(self, number: int, array: Array) -> None:
        """Take the array of one input."""
        view = self.plan.inputs[number]
        if array.shape != view.shape or array.dtype != view.dtype:
            raise ValueError(f"input {number} is {array.dtype}{list(array.shape)}; the program was compiled for "
                             f"{view.dtype}{list(view.shape)}.")
        if type(array) is not np.ndarray or not ((flags := array.flags).c_contiguous and flags.aligned):
            array = self.copies[number] = np.array(array, order="C")
        self.table[self.inputs[number]] = address(array)

    def go(self) -> list[Array]:
        """Run on the arrays taken; the outputs, but for those that take an input's place."""
        for fresh in self.large:
            self.table[fresh.slot] = fresh.make()
        if self.waiting:
            self.join_pool()
        if not self.run():
            self.calls.reraise()
        made = []
        for give in self.results:
            made.append(give())  # noqa: PERF401  a comprehension is a call of its own before Python 3.12
        for fresh in self.large:
            fresh.forget()
        return made

    def leave(self, numbers: Sequence[Left]) -> None:
        """After each run put these numbers, which it leaves in memory, into their dicts."""
        self.run = run_of(self.state, numbers)

    def look(self, program: Traced, numbers: dict[int, int], leaves: Sequence[Any]) -> Look | None:
        """The look at a call of this program made from `program`; None where none is to be had."""
        return look_at(program, self, numbers, leaves)

    def place_of(self, number: int) -> int:
        """Where the address of an input's array is written down."""
        return self.at + 8 * self.inputs[number]

    def join_pool(self) -> None:
        """Large phases of this program are divided among the threads of a pool from now on, if the system gives one."""
        found = pool(self.threads)
        self.waiting, self.state[POOL] = False, 0 if found is None else found.address

    # ------------------------------------------------------------------------------ asking
    def memory(self) -> dict[str, int]:
        """Bytes of memory the program holds: `scratch`, `workspace` that finds no place in it, `kept` and `results` in one arena,
        and `constants`."""
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


def part_of(buffer: Buffer) -> str:
    """In which part of the program's memory a buffer has a place for good, if it has; a small output does, and is copied out."""
    if buffer.kind == "output" and bytes_of(buffer) <= SMALL:
        return "results"
    return "kept" if buffer.kind == "kept" else ""


def bytes_of(buffer: Buffer) -> int:
    return buffer.size * buffer.dtype.itemsize


def constant_memory(buffer: Buffer) -> Array:
    """The constant's values, laid out as the plan has them."""
    assert buffer.initial is not None, f"the constant {buffer.name} has no values"
    memory = aligned(max(bytes_of(buffer), 1))[:bytes_of(buffer)].view(buffer.dtype)
    memory[:] = np.asarray(buffer.initial, buffer.dtype).reshape(-1)
    return memory


PROGRAMS: WeakSet[Program] = WeakSet()


def after_fork() -> None:
    """In a child process: no thread holds a program any more, and the pool's threads are gone."""
    for program in PROGRAMS:
        program.lock = threading.Lock()
        program.waiting, program.state[POOL] = program.threads > 1, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)
