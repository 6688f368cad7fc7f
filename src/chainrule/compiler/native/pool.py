"""A pool is threads that wait inside native code for rounds to do; they are started when first needed.

Handing work over and joining takes about a microsecond. A pool serves one caller at a time: whoever finds it busy works alone.
"""
from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
from functools import cache
from pathlib import Path

import numpy as np

from . import runtime
from .host import this_host
from .machine import Loaded, translate
from .store import Store

NAMES = ("chainrule_step", "chainrule_worker", "chainrule_wake", "chainrule_look", "chainrule_go", "chainrule_python")
WORKER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
WAKE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
POOLS: dict[int, Pool] = {}
STARTING = threading.Lock()
QUOTA = Path("/sys/fs/cgroup/cpu.max")


@cache
def loaded_runtime() -> Loaded:
    """The runtime in this process."""
    host, store = this_host(), Store()
    text = runtime.text(host)
    key = store.key("runtime", text)
    found = store.load(key)
    if found is None:
        found = "", [translate(text, host)]
        store.save(key, *found)
    return Loaded(found[1], NAMES)


def aligned(size: int) -> np.ndarray:
    """So many bytes, zero, beginning at a multiple of 64."""
    raw = np.zeros(size + 64, np.uint8)
    start = -address(raw) % 64
    return raw[start:start + size]


def told_address(array: np.ndarray) -> int:
    """Where an array's elements begin, as NumPy tells it."""
    return int(array.__array_interface__["data"][0])


def seen_address(array: np.ndarray) -> int:
    """The same, read from NumPy's object, in which it comes first: a microsecond faster."""
    return POINTER.from_address(id(array) + object.__basicsize__).value or 0


POINTER = ctypes.c_void_p
SAMPLE = np.empty(1)
address = seen_address if seen_address(SAMPLE) == told_address(SAMPLE) else told_address


class Pool:
    """`threads` threads together with the caller's."""

    def __init__(self, threads: int) -> None:
        self.memory = aligned(runtime.pool_bytes(threads))
        self.address = address(self.memory)
        self.memory[runtime.THREADS:runtime.THREADS + 8].view(np.int64)[0] = threads
        worker = WORKER(loaded_runtime()["chainrule_worker"])
        self.workers = [threading.Thread(target=worker, args=(self.address, k), daemon=True, name=f"chainrule {k}")
                        for k in range(1, threads)]
        for thread in self.workers:
            thread.start()

    def stop(self) -> None:
        """Let the threads come out of the native code, and wait for them."""
        self.memory[runtime.STOP:runtime.STOP + 4].view(np.int32)[0] = 1
        WAKE(loaded_runtime()["chainrule_wake"])(self.address)
        for thread in self.workers:
            thread.join()


def default_threads() -> int:
    """$CHAINRULE_THREADS, or the number of processors this process may use."""
    asked = os.environ.get("CHAINRULE_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, quota(QUOTA)))


def quota(path: Path) -> int:
    """How many processors a container may use at a time, as Linux tells it (microseconds of work, of so many)."""
    try:
        work, time = map(int, path.read_text().split())
    except (OSError, ValueError):  # no container, or one without a limit
        return sys.maxsize
    return -(-work // time)


def pool(threads: int) -> Pool | None:
    """The pool of so many threads; None where one thread does all."""
    if threads <= 1 or not runtime.threaded(this_host()):
        return None
    with STARTING:
        if threads not in POOLS:
            try:
                POOLS[threads] = Pool(threads)
            except RuntimeError:  # the system gives no more threads
                return None
        return POOLS[threads]


def stop_all() -> None:
    """At exit: no thread may be in native code when it is unloaded."""
    while POOLS:
        POOLS.popitem()[1].stop()


def forget_all() -> None:
    """In a child process after a fork, which has none of the threads; their memory is left alone."""
    global STARTING
    STARTING = threading.Lock()
    LOST.extend(POOLS.values())
    POOLS.clear()


LOST: list[Pool] = []
atexit.register(stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_all)
