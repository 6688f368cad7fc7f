"""Compiling makes the kernels of a program into machine code, or finds it in the store."""
from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import llvmlite.ir as ir

from ..contractions import generator
from ..loops.language import AnyKernel, Contraction, Sweep
from . import kernels, sweeps
from .abi import Compiled, Phase
from .host import Host, this_host
from .machine import Loaded, translate
from .store import Store

TOGETHER = 12_000
"""Characters of canonical text that make a module: while LLVM translates one, the next is written."""


@dataclass(frozen=True)
class Code:
    """The machine code of some kernels: what each consists of, and where each function of it begins."""

    compiled: tuple[Compiled, ...]
    addresses: tuple[tuple[int, ...], ...]
    loaded: tuple[Loaded, ...]


def build(kernel: AnyKernel, module: ir.Module, host: Host) -> Compiled:
    """Write a kernel's functions into a module."""
    if isinstance(kernel, Sweep):
        return sweeps.build(kernel, [build(turn.kernel, module, host) for turn in kernel.turns], module)
    return generator.build(kernel, module, host) if isinstance(kernel, Contraction) else kernels.build(kernel, module, host)


def grouped(texts: Sequence[str]) -> list[list[int]]:
    """The numbers of the kernels that go into each module."""
    groups: list[list[int]] = []
    size = TOGETHER
    for number, text in enumerate(texts):
        if size >= TOGETHER:
            groups.append([])
            size = 0
        groups[-1].append(number)
        size += len(text)
    return groups


def modules(items: Sequence[AnyKernel], groups: Iterable[Sequence[int]], host: Host,
            ) -> Iterable[tuple[ir.Module, list[Compiled]]]:
    """The modules, one after the other, and what their kernels consist of."""
    for group in groups:
        module = ir.Module("chainrule")
        yield module, [build(items[number], module, host) for number in group]


def compile_all(items: Sequence[AnyKernel], texts: Sequence[str], store: Store) -> Code:
    """The code of the kernels, in their order; `texts` are their canonical texts."""
    host = this_host()
    groups = grouped(texts)
    key = store.key("program", *texts)
    entry = store.load(key)
    if entry is not None:
        with suppress(RuntimeError, ValueError, KeyError, TypeError):  # whole, and yet of no use: it is replaced
            return linked(groups, *entry)
    entry = translated(items, groups, host)
    store.save(key, *entry)
    return linked(groups, *entry)


def linked(groups: Sequence[Sequence[int]], records: str, objects: Sequence[bytes]) -> Code:
    """The code in this process: from what the kernels consist of, as JSON, and the object of each group."""
    compiled = [restored(record) for record in json.loads(records)]
    if len(compiled) != sum(map(len, groups)) or len(objects) != len(groups):
        raise ValueError("code of other kernels")
    loaded = [Loaded([data], [p.function for number in group for p in compiled[number].phases])
              for group, data in zip(groups, objects)]
    places = {number: item for group, item in zip(groups, loaded) for number in group}
    addresses = tuple(tuple(places[n][p.function] for p in c.phases) for n, c in enumerate(compiled))
    return Code(tuple(compiled), addresses, tuple(loaded))


def translated(items: Sequence[AnyKernel], groups: list[list[int]], host: Host) -> tuple[str, list[bytes]]:
    """What the kernels consist of, as JSON, and the object of each group."""
    compiled: list[Compiled] = []
    with ThreadPoolExecutor(2) as pool:
        waiting = []
        for module, parts in modules(items, groups, host):
            compiled += parts
            waiting.append(pool.submit(translate, str(module), host))
        objects = [future.result() for future in waiting]
    return json.dumps([asdict(c) for c in compiled]), objects


def restored(record: dict[str, Any]) -> Compiled:
    return Compiled(tuple(Phase(**phase) for phase in record["phases"]), record["shared"], record["private"])


def llvm_text(items: Sequence[AnyKernel], texts: Sequence[str]) -> str:
    """The kernels in LLVM's language."""
    groups = grouped(texts)
    return "\n".join(str(module) for module, _ in modules(items, groups, this_host()))
