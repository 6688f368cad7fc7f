"""The runtime is the native code that every program shares: it walks through a program's launches, and hands rounds to threads.

A program is a list of whole numbers (`schedule`), read from front to back; arrays are found through a table of pointers. It is
written in LLVM's own language, because nothing in it depends on what is computed.
"""
from __future__ import annotations

from . import going, handover, looking, walk
from .host import Host

END, LAUNCH, REPEAT, AGAIN, CALL, WHEN = range(6)
"""What comes next in a schedule:

    LAUNCH, arrays, phases, workspace that threads share, threads, each thread's own workspace (bytes from the arena's start);
                            then for each array: buffer, bytes, steps, then for each step: variable, bytes;
                            then for each phase: address of the function, rounds, pieces per thread (0: one thread does all)
    REPEAT, variable        the variable of a loop begins at 0
    AGAIN, variable, count, place to go back to
    CALL, number            call into Python
    WHEN, buffer, bytes, place to go to     where the boolean there is false; a true one becomes false
    END
"""

# The pool's memory, in bytes: what is written often by different threads lies in different cache lines.
EPOCH, STOP, DONE, SLEEPERS, BUSY, FUNCTION, ARGUMENTS, ROUNDS, SHARED, PRIVATE, ARENA, THREADS, TICKETS = (
    0, 4, 64, 128, 192, 256, 264, 272, 280, 288, 296, 304, 320)

SPINS = 10_000
"""How often a waiting thread looks before it sleeps: some tenths of a millisecond."""
PATIENCE = 300
"""How often the caller looks whether the others are done before it offers its core to another thread."""

PAUSES = {"x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
          "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)")}
FUTEX = {"x86_64": 202, "aarch64": 98}
SYSTEM = """declare i64 @syscall(i64, ...)
declare i32 @sched_yield()"""
ELSEWHERE = """define internal i64 @syscall(i64 %call, ...) {
  ret i64 0
}
define internal i32 @sched_yield() {
  ret i32 0
}"""
"""Where there is one thread, nobody sleeps."""


def pool_bytes(threads: int) -> int:
    """The memory of a pool: a ticket for each thread after what all share."""
    return TICKETS + 64 * threads


def threaded(host: Host) -> bool:
    """Whether threads can wait for work in the kernel: Linux on an architecture whose number of the call is known."""
    return host.linux and host.architecture in FUTEX


def text(host: Host) -> str:
    """The runtime in LLVM's language, for a host."""
    declared, pause = PAUSES.get(host.architecture, ("", ""))
    places = {name: globals()[name] for name in ("EPOCH", "STOP", "DONE", "SLEEPERS", "BUSY", "FUNCTION", "ARGUMENTS", "ROUNDS",
                                                 "SHARED", "PRIVATE", "ARENA", "THREADS", "TICKETS", "SPINS", "PATIENCE")}
    return (handover.TEXT + walk.TEXT + looking.TEXT + going.TEXT).format(
        **looking.names(), LEFT=going.LEFT, pause_declared=declared, pause=pause, system=SYSTEM if threaded(host) else ELSEWHERE,
        futex=FUTEX.get(host.architecture, 0), **places)
