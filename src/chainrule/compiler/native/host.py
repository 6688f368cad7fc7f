"""The host is the processor that code is made for: the width of its vectors, its registers and caches."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@dataclass(frozen=True)
class Host:
    """A processor: what LLVM calls it, the bits and number of its vector registers, whether it multiplies and adds in one,
    and the bytes of cache of a core."""

    triple: str
    cpu: str
    features: str
    lane_bits: int
    registers: int
    fma: bool
    l1: int = 32 << 10
    l2: int = 512 << 10

    def lanes(self, dtype: Any) -> int:
        """How many elements of this dtype one register holds."""
        return self.lane_bits // (8 * int(np.dtype(dtype).itemsize))

    @property
    def architecture(self) -> str:
        """`x86_64`, `aarch64` or another, in LLVM's words; `arm64` counts as `aarch64`."""
        first = self.triple.split("-", maxsplit=1)[0]
        return "aarch64" if first.startswith("arm64") else first

    @property
    def linux(self) -> bool:
        return "linux" in self.triple


def cache_bytes(level: int, default: int) -> int:
    """The size of a core's data cache, as Linux tells it."""
    for index in sorted(CACHES.glob("index*")):
        try:
            if int((index / "level").read_text()) == level and (index / "type").read_text().strip() != "Instruction":
                return int((index / "size").read_text().strip().rstrip("K")) << 10
        except (OSError, ValueError):
            continue
    return default


def vector_shape(architecture: str, features: dict[str, bool]) -> tuple[int, int, bool]:
    """Bits and number of vector registers, and whether there is a fused multiply-add."""
    if architecture == "aarch64":
        return 128, 32, True
    has = features.get
    if has("avx512f") and has("avx512vl") and has("avx512dq") and has("avx512bw"):
        return 512, 32, True
    if has("avx2") and has("fma"):
        return 256, 16, True
    return 128, 16, bool(has("fma"))


@cache
def this_host() -> Host:
    """The processor that this process runs on."""
    triple = llvm.get_process_triple()
    features = llvm.get_host_cpu_features()
    architecture = Host(triple, "", "", 0, 0, fma=False).architecture
    bits, registers, fma = vector_shape(architecture, dict(features))
    return Host(triple, llvm.get_host_cpu_name(), features.flatten(), bits, registers, fma,
                cache_bytes(1, 32 << 10), cache_bytes(2, 512 << 10))
