"""The representation of a value: which LLVM type a dtype has, in memory and in registers, alone or in several lanes."""
from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from functools import cache
from typing import Any

import llvmlite.ir as ir
import numpy as np

BIT, BYTE, WORD, PLACE = ir.IntType(1), ir.IntType(8), ir.IntType(64), ir.PointerType()
FLOATS: dict[str, ir.Type] = {"float16": ir.HalfType(), "float32": ir.FloatType(), "float64": ir.DoubleType()}


@cache
def element(dtype: np.dtype[Any]) -> ir.Type:
    """The type of one value in a register: a bool is one bit."""
    if dtype.kind == "b":
        return BIT
    return FLOATS[dtype.name] if dtype.kind == "f" else ir.IntType(8 * dtype.itemsize)


@cache
def stored(dtype: np.dtype[Any], lanes: int = 1) -> ir.Type:
    """The type of values in memory: a bool is a byte."""
    return several(BYTE if dtype.kind == "b" else element(dtype), lanes)


@cache
def held(dtype: np.dtype[Any], lanes: int = 1) -> ir.Type:
    """The type of a value in registers, one for each lane."""
    return several(element(dtype), lanes)


def several(kind: ir.Type, lanes: int) -> ir.Type:
    return ir.VectorType(kind, lanes) if lanes > 1 else kind


def lanes_of(value: ir.Value) -> int:
    return value.type.count if isinstance(value.type, ir.VectorType) else 1


def shown_type(kind: ir.Type) -> str:
    """A type as the names of LLVM's intrinsics have it: `v16f32`."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{shown_type(kind.element)}"
    return kind.intrinsic_name if not isinstance(kind, ir.PointerType) else "p0"


def number_text(kind: ir.Type, value: Any) -> str:
    """A number of one lane, as LLVM writes it: floats as the bits of the double that equals them."""
    if isinstance(kind, ir.IntType):
        width = kind.width
        return str(int(value) & ((1 << width) - 1)) if width > 1 else ("true" if value else "false")
    if isinstance(kind, ir.HalfType):
        return "0xH" + np.float16(value).tobytes()[::-1].hex().upper()
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value)) if isinstance(kind, ir.FloatType) else float(value)
    return "0x" + struct.pack(">d", rounded).hex().upper()


NAN = re.compile("0x[7F]FF(?!0{13})")
"""NaN as `number_text` writes it."""


class Written(ir.FormattedConstant):
    """A constant in the words of LLVM's language (llvmlite would take a vector's apart); `numbers` has one for each lane, where
    lanes differ."""

    def __init__(self, kind: ir.Type, text: str, numbers: tuple[Any, ...] = ()) -> None:
        super().__init__(kind, "")
        self.constant, self.numbers = text, numbers

    @property
    def nan(self) -> bool:
        """Whether a number of it is NaN, of either sign."""
        return NAN.search(self.constant) is not None


def constant(kind: ir.Type, value: Any) -> ir.Constant:
    """The number in every lane of a type."""
    if isinstance(kind, ir.VectorType):
        return Written(kind, f"splat ({kind.element} {number_text(kind.element, value)})")
    return Written(kind, number_text(kind, value))


def constants(kind: ir.VectorType, values: Iterable[Any]) -> ir.Constant:
    """A number for each lane."""
    numbers = tuple(values)
    return Written(kind, "<" + ", ".join(f"{kind.element} {number_text(kind.element, v)}" for v in numbers) + ">", numbers)


def splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    """The value in every lane; a value that has lanes already is left as it is."""
    if lanes == 1 or lanes_of(value) == lanes:
        return value
    kind = ir.VectorType(value.type, lanes)
    if isinstance(value, Written):
        return Written(kind, f"splat ({value.type} {value.constant})")
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), chosen((0,) * lanes))


@cache
def chosen(lanes: Iterable[int]) -> ir.Constant:
    """Which lanes a shuffle takes."""
    numbers = [ir.IntType(32)(k) for k in lanes]
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), numbers)


def intrinsic(builder: ir.IRBuilder, name: str, kind: ir.Type, values: tuple[ir.Value, ...],
              overloads: tuple[ir.Type, ...] | None = None) -> ir.Value:
    """Call LLVM's function of this name, which gives a `kind`; its full name says the types it is overloaded by."""
    shown = ".".join(["llvm", name, *map(shown_type, (kind,) if overloads is None else overloads)])
    return builder.call(declared(builder.module, shown, kind, tuple(v.type for v in values)), values)


def declared(module: ir.Module, name: str, result: ir.Type, arguments: tuple[ir.Type, ...]) -> ir.Function:
    """A function of this name in the module, declared when it is first asked for."""
    known = module.globals.get(name)
    return known if known is not None else ir.Function(module, ir.FunctionType(result, arguments), name)
