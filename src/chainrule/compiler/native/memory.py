"""Reads and writes of arrays: single elements, vectors of neighbours, and elements lane by lane, where guards and masks allow."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import llvmlite.ir as ir

from ..loops.language import Array
from .representation import (
    BIT,
    BYTE,
    PLACE,
    WORD,
    Written,
    chosen,
    constant,
    constants,
    element,
    intrinsic,
    lanes_of,
    several,
    shown_type,
    splat,
    stored,
)

if TYPE_CHECKING:
    from .emission import Lanes


class Spot(NamedTuple):
    """Elements of an array, in elements from its first: lane number k is at start + offset + k * stride + scattered[k]."""

    start: ir.Value | None
    offset: int
    stride: int
    scattered: ir.Value | None


def read(builder: ir.IRBuilder, array: Array, pointer: ir.Value, spot: Spot, guard: ir.Value | None, lanes: Lanes) -> ir.Value:
    """The elements at the spot, and 0 where the guard is false; one number where all lanes read the same."""
    if array.size == 0:
        return constant(element(array.dtype), 0)
    single = spot.scattered is None and (spot.stride == 0 or lanes.count == 1)
    if single and (guard is None or lanes_of(guard) == 1):
        return read_one(builder, array, pointer, spot, guard)
    mask = both(builder, guard, lanes)
    if spot.scattered is None and spot.stride == 1:
        return read_neighbours(builder, array, pointer_to(builder, array, pointer, spot), mask, lanes.count)
    if spot.scattered is None and spot.stride == -1 and mask is None:
        last = pointer_to(builder, array, pointer, spot._replace(offset=spot.offset - lanes.count + 1))
        value = read_neighbours(builder, array, last, None, lanes.count)
        backwards = chosen(range(lanes.count - 1, -1, -1))
        return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), backwards)
    if spot.scattered is None and (active := known_lanes(mask, lanes.count)) is not None:
        return read_strided(builder, array, pointer_to(builder, array, pointer, spot), spot.stride, lanes.count, active)
    places = pointers_to(builder, array, pointer, spot, lanes.count)
    return masked_load(builder, "masked.gather", array, places, all_set(lanes.count) if mask is None else mask, lanes.count)


def read_one(builder: ir.IRBuilder, array: Array, pointer: ir.Value, spot: Spot, guard: ir.Value | None) -> ir.Value:
    place = pointer_to(builder, array, pointer, spot)
    if guard is not None:  # where the guard is false the first element is read instead, and dropped
        place = builder.select(guard, place, pointer)
    value = as_held(builder, array, builder.load(place, align=array.dtype.itemsize, typ=stored(array.dtype)))
    return value if guard is None else builder.select(guard, value, constant(value.type, 0))


def read_neighbours(builder: ir.IRBuilder, array: Array, place: ir.Value, mask: ir.Value | None, count: int) -> ir.Value:
    if mask is None:
        return as_held(builder, array, builder.load(place, align=array.dtype.itemsize, typ=stored(array.dtype, count)))
    return masked_load(builder, "masked.load", array, place, mask, count)


def write(builder: ir.IRBuilder, array: Array, pointer: ir.Value, spot: Spot, value: ir.Value, guard: ir.Value | None,
          lanes: Lanes) -> None:
    """Put the value's lanes at the spot where the guard is true and the mask is set; one number goes to every lane."""
    if array.size == 0:
        return
    value = as_stored(builder, array, value)
    spread = spot.stride != 0 or spot.scattered is not None
    if lanes.count == 1 or (not spread and lanes_of(value) == 1):
        place = pointer_to(builder, array, pointer, spot)
        with where(builder, guard if guard is None or lanes_of(guard) == 1 else some(builder, both(builder, guard, lanes))):
            builder.store(value, place, align=array.dtype.itemsize)
        return
    value = splat(builder, value, lanes.count)
    mask = both(builder, guard, lanes)
    if spot.scattered is None and spot.stride == 1:
        place = pointer_to(builder, array, pointer, spot)
        if mask is None:
            builder.store(value, place, align=array.dtype.itemsize)
            return
        if guard is None:
            masked_store(builder, "masked.store", array, value, place, mask)
            return
        # a masked store costs many a processor ten plain ones; of no lane at all, to a page that was never written, hundreds
        with builder.if_else(every(builder, mask)) as (whole, part):
            with whole:
                builder.store(value, place, align=array.dtype.itemsize)
            with part, where(builder, some(builder, mask)):
                masked_store(builder, "masked.store", array, value, place, mask)
        return
    if spot.scattered is None and (active := known_lanes(mask, lanes.count)) is not None:
        write_strided(builder, array, pointer_to(builder, array, pointer, spot), spot.stride, value, active)
        return
    places = pointers_to(builder, array, pointer, spot, lanes.count)
    with where(builder, None if guard is None or mask is None else some(builder, mask)):
        masked_store(builder, "masked.scatter", array, value, places, all_set(lanes.count) if mask is None else mask)


# ------------------------------------------------------------------------------------ lane by lane
def known_lanes(mask: ir.Value | None, count: int) -> list[int] | None:
    """The lanes that count, if they are the first ones, and known when the code is made."""
    if mask is None:
        return list(range(count))
    numbers = mask.numbers if isinstance(mask, Written) else ()
    active = [k for k, bit in enumerate(numbers) if bit]
    return active if active and active == list(range(len(active))) else None


def read_strided(builder: ir.IRBuilder, array: Array, place: ir.Value, stride: int, count: int, active: list[int]) -> ir.Value:
    """Elements `stride` apart, one load each, which costs less than the processor's gather; lanes that do not count get 0."""
    kind, one = stored(array.dtype, count), stored(array.dtype)

    def body(inside: ir.IRBuilder, place: ir.Value) -> ir.Value:
        value = constant(kind, 0)
        for k in active:
            element_place = inside.gep(place, [WORD(k * stride)], source_etype=one)
            found = inside.load(element_place, align=array.dtype.itemsize, typ=one)
            value = inside.insert_element(value, found, ir.IntType(32)(k))
        return value
    name = f"chainrule.read.{shown_type(kind)}.{stride}.{len(active)}"
    return as_held(builder, array, routine(builder, name, kind, (place,), body))


def write_strided(builder: ir.IRBuilder, array: Array, place: ir.Value, stride: int, value: ir.Value, active: list[int]) -> None:
    """Put the lanes that count to places `stride` apart."""
    one = stored(array.dtype)

    def body(inside: ir.IRBuilder, place: ir.Value, value: ir.Value) -> None:
        for k in active:
            element_place = inside.gep(place, [WORD(k * stride)], source_etype=one)
            inside.store(inside.extract_element(value, ir.IntType(32)(k)), element_place, align=array.dtype.itemsize)
    routine(builder, f"chainrule.write.{shown_type(value.type)}.{stride}.{len(active)}", ir.VoidType(), (place, value), body)


def routine(builder: ir.IRBuilder, name: str, result: ir.Type, values: tuple[ir.Value, ...],
            body: Callable[..., Any]) -> ir.Value:
    """Call the module's function of this name, which is compiled into its callers, and is written here if it is not there yet."""
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(result, [v.type for v in values]), name)
        function.linkage = "internal"
        function.attributes.add("alwaysinline")
        inside = ir.IRBuilder(function.append_basic_block("entry"))
        value = body(inside, *function.args)
        inside.ret_void() if value is None else inside.ret(value)
    return builder.call(function, values)


@contextmanager
def where(builder: ir.IRBuilder, guard: ir.Value | None) -> Iterator[None]:
    if guard is None:
        yield
    else:
        with builder.if_then(guard):
            yield


def some(builder: ir.IRBuilder, mask: ir.Value) -> ir.Value:
    """Whether the mask is set in one lane at least."""
    bits = ir.IntType(lanes_of(mask))
    return builder.icmp_unsigned("!=", builder.bitcast(mask, bits), bits(0))


def every(builder: ir.IRBuilder, mask: ir.Value) -> ir.Value:
    """Whether the mask is set in all lanes."""
    bits = ir.IntType(lanes_of(mask))
    return builder.icmp_unsigned("==", builder.bitcast(mask, bits), bits(-1))


def both(builder: ir.IRBuilder, guard: ir.Value | None, lanes: Lanes) -> ir.Value | None:
    """The lanes that count and whose guard is true."""
    if guard is None:
        return lanes.mask
    guard = splat(builder, guard, lanes.count)
    return guard if lanes.mask is None else builder.and_(guard, lanes.mask)


def all_set(count: int) -> ir.Value:
    return constant(several(BIT, count), 1)


def pointer_to(builder: ir.IRBuilder, array: Array, pointer: ir.Value, spot: Spot) -> ir.Value:
    """The place of lane 0."""
    kind = stored(array.dtype)
    place = pointer if spot.start is None else builder.gep(pointer, [spot.start], source_etype=kind)
    return place if spot.offset == 0 else builder.gep(place, [WORD(spot.offset)], source_etype=kind)


def pointers_to(builder: ir.IRBuilder, array: Array, pointer: ir.Value, spot: Spot, count: int) -> ir.Value:
    """The place of every lane."""
    along = constants(several(WORD, count), [k * spot.stride for k in range(count)]) if spot.stride else None
    if spot.scattered is None:
        steps = along if along is not None else constant(several(WORD, count), 0)
    else:
        steps = spot.scattered if along is None else builder.add(spot.scattered, along)
    places = builder.gep(pointer_to(builder, array, pointer, spot), [steps], source_etype=stored(array.dtype))
    places.type = ir.VectorType(PLACE, count)  # llvmlite does not know that steps in lanes give places in lanes
    return places


def masked_load(builder: ir.IRBuilder, name: str, array: Array, place: ir.Value, mask: ir.Value, count: int) -> ir.Value:
    """`masked.load` of neighbours or `masked.gather` of places lane by lane; lanes whose bit is 0 get 0."""
    kind = stored(array.dtype, count)
    values = (place, ir.IntType(32)(array.dtype.itemsize), mask, constant(kind, 0))
    return as_held(builder, array, intrinsic(builder, name, kind, values, (kind, place.type)))


def masked_store(builder: ir.IRBuilder, name: str, array: Array, value: ir.Value, place: ir.Value, mask: ir.Value) -> None:
    values = (value, place, ir.IntType(32)(array.dtype.itemsize), mask)
    intrinsic(builder, name, ir.VoidType(), values, (value.type, place.type))


def as_held(builder: ir.IRBuilder, array: Array, value: ir.Value) -> ir.Value:
    """A value from memory as registers have it: a bool is true unless its byte is 0."""
    return builder.icmp_unsigned("!=", value, constant(value.type, 0)) if array.dtype.kind == "b" else value


def as_stored(builder: ir.IRBuilder, array: Array, value: ir.Value) -> ir.Value:
    return builder.zext(value, several(BYTE, lanes_of(value))) if array.dtype.kind == "b" else value
