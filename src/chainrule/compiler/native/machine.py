"""Machine code: LLVM's text translated for a host into an object, and objects loaded into this process."""
from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import cache
from itertools import count

import llvmlite.binding as llvm

from .host import Host, this_host

LOCK = threading.Lock()
NUMBERS = count()


@cache
def ready() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def target_machine(host: Host, optimization: int = 2) -> llvm.TargetMachine:
    """LLVM's code generator for a host; whoever loads code gives it away, so each gets its own."""
    ready()
    return llvm.Target.from_triple(host.triple).create_target_machine(
        cpu=host.cpu, features=host.features, opt=optimization, reloc="pic", codemodel="small")


def translate(text: str, host: Host) -> bytes:
    """The object file of a module."""
    machine = target_machine(host)
    module = llvm.parse_assembly(text, llvm.create_context())
    module.triple = host.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=1)
    builder = llvm.create_pass_builder(machine, tuning)
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.run(module, builder)
    return bytes(machine.emit_object(module))


@cache
def linker() -> llvm.LLJIT:
    """What puts objects into this process's memory; there is one, for good."""
    return llvm.create_lljit_compiler(target_machine(this_host()), use_jit_link=True)


class Loaded:
    """Objects in this process, and the addresses of the functions asked for; they stay as long as this is alive."""

    def __init__(self, objects: Iterable[bytes], functions: Iterable[str]) -> None:
        library = llvm.JITLibraryBuilder().add_current_process()
        for data in objects:
            library.add_object_img(data)
        for name in functions:
            library.export_symbol(name)
        with LOCK:
            self.tracker = library.link(linker(), f"chainrule{next(NUMBERS)}")

    def __getitem__(self, name: str) -> int:
        """Where the function of this name begins."""
        return int(self.tracker[name])
