"""Lowering takes a graph's lines to kernels, contractions and calls, fused, in an order that works, with memory for all."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

from chainrule.core.stage import Graph, Line, Symbol
from chainrule.core.type import typeof

from ..plan import Call, Plan, Step, View
from .affine import strides_of
from .arena import arranged, shared
from .building import Builder, Opaque
from .contracting import contracted
from .cumulating import CUMULATING
from .einsums import einsum
from .fusion import Fusion
from .gates import TABLE
from .gathering import GATHERING
from .groups import Group
from .joining import JOINS, Join
from .launching import emitted
from .lines import MOVEMENTS, elementwise, supported, where
from .memory import Buffers, in_memory, view_of, whole_view
from .merging import merge
from .nodes import Node, Ref, Store, beneath, original, whole
from .overlaying import overlaid
from .overwriting import may_overwrite, read_by, reused
from .placing import PLACING
from .products import product
from .prospects import Prospects, arguments, fixed, results
from .reductions import REDUCTIONS
from .repeating import Machine, scan
from .sweeping import swept
from .waiting import later
from .windows import WINDOWS

PRODUCTS = ("matmul", "chain_matmul", "linear", "vecdot", "convolution", "transposed_convolution", "kernel_convolution")
HANDLERS: dict[str, Any] = {**dict.fromkeys(TABLE, elementwise), **MOVEMENTS, **JOINS, **REDUCTIONS, **GATHERING, **PLACING,
                            **WINDOWS, **CUMULATING,
                            **dict.fromkeys(PRODUCTS, product), "einsum": einsum, "chain_einsum": einsum, "later": later,
                            "where": where}
"""For each operation, how its lines are built; a handler gives None where NumPy has to do it."""


def knows(line: Line) -> bool:
    """Whether lowering has kernels for a line's operation, so that it need not be opened into smaller ones."""
    return line.prim.name in HANDLERS


# ---------------------------------------------------------------------------------------- lines
def called(builder: Builder, line: Line, *args: Ref | None, **params: Any) -> tuple[Ref, ...]:
    """A line left to NumPy."""
    types, origin = [t.type for t in line.targets], builder.origin
    given = [a if isinstance(a, Ref) and isinstance(s, Symbol) else s for a, s in zip(args, line.args)]

    def make(inputs: list[Any], outputs: list[View]) -> list[Step]:
        return [Call(line.prim, tuple(inputs), params, tuple(outputs), origin)]
    return builder.opaque(given, types, make, contiguous=True)


def handle(builder: Builder, line: Line) -> None:
    """Build a line by what is known of it, or leave it to NumPy."""
    def handler(builder: Builder, line: Line, *args: Ref | None, **params: Any) -> Any:
        if len(line.targets) == 1 and not line.targets[0].type.size:
            return builder.array(np.zeros(*line.targets[0].type[:2]))  # there is nothing to compute
        dtypes = [typeof(a).dtype for a in line.args if a is not None] + [t.type.dtype for t in line.targets]
        known = HANDLERS.get(line.prim.name)
        made = known(builder, line, *args, **params) if known is not None and all(map(supported, dtypes)) else None
        if made is not None:
            return made
        return called(builder, line, *args, **params)
    builder.line(line, handler)


def output(builder: Builder, a: Any) -> Ref:
    """A result of the program, in memory of its own and in C order."""
    ref = builder.ref(a)
    assert ref is not None, "a program's outputs are arrays"
    node = ref.node
    taken = node.stores or node.free or node.frame is not None or node.alias_of or node in builder.outputs
    if taken or node.size != prod(ref.shape) or not builder.in_order(ref):
        ref = builder.copy(ref)
        ref.node.contiguous = True
    builder.outputs[ref.node] = len(builder.outputs)
    return ref


def build(graph: Graph, buffers: Buffers) -> tuple[Builder, list[Ref]]:
    """The nodes of a graph, and those of its outputs."""
    builder = Builder(buffers)
    for i, symbol in enumerate(graph.inputs):
        t = symbol.type
        store = Store(buffers.add(f"x{i}", t.dtype, t.size, "input"), 0, strides_of(t.shape))
        builder.values[symbol] = whole(Node(t.shape, t.dtype, "leaf", stores=[store]))
    for line in graph.lines:
        handle(builder, line)
    outputs = [output(builder, a) for a in (graph.output if isinstance(graph.output, tuple) else (graph.output,))]
    for node, k in builder.outputs.items():
        name = buffers.add(f"y{k}", node.dtype, node.size, "output")
        node.stores.append(Store(name, 0, strides_of(node.shape)))
    return builder, outputs


def alive(builder: Builder) -> list[Any]:
    """The items on which outputs depend."""
    needed = {original(node) for node in builder.outputs}
    made = []
    for item in reversed(builder.items):
        if needed.isdisjoint(results(item)):
            continue
        made.append(item)
        needed.update(map(original, beneath((*arguments(item), *fixed(item)))))
    return made[::-1]


# ---------------------------------------------------------------------------------------- memory for nodes
def stored(fusion: Fusion, buffers: Buffers) -> None:
    """Give memory to the nodes that are needed outside the group that computes them."""
    products = [unit.product for unit in fusion.units if isinstance(unit, Group) and unit.product is not None]
    seen = {original(ref.node) for product in products for ref in product.operands}  # the contraction counts on how they lie
    for unit in reversed(fusion.units):
        if isinstance(unit, Join):
            for node in seen.intersection(unit.parts):
                in_memory(node, buffers)
            unit.share(buffers)
    for unit in fusion.units:
        if isinstance(unit, Opaque):
            for node in unit.outputs:
                in_memory(node, buffers)
        for node in read_by(unit):
            if node.group is not unit:
                in_memory(node, buffers)
        if isinstance(unit, Group):
            for leaf in unit.terminals.values():
                in_memory(leaf, buffers)


def in_order(fusion: Fusion) -> list[Any]:
    """The units in the order of the program, but that what one needs comes right before it, though it be further on: so a
    weight moves on as soon as its gradient is there, and no two gradients need be kept."""
    done, made = 0, []
    for i in range(len(fusion.units)):
        waiting = [k for k in range(len(fusion.units)) if (fusion.before[i] | 1 << i) & ~done & 1 << k]
        while waiting:
            k = next(k for k in waiting if fusion.before[k] & ~done == 0)
            waiting.remove(k)
            done |= 1 << k
            made.append(fusion.units[k])
    return made


def steps_of(unit: Any, buffers: Buffers) -> list[Step]:
    if isinstance(unit, Opaque):
        inputs = [view_of(x) if isinstance(x, Ref) else x for x in unit.inputs]
        return list(unit.make(inputs, [view_of(whole(node)) for node in unit.outputs]))
    if unit.product is not None:
        return contracted(unit, buffers)
    return [emitted(unit)]


def planned(builder: Builder, arrange: Callable[[Fusion], None] = lambda fusion: None) -> list[Step]:
    """The steps that compute the outputs of a builder; `arrange` may see to it where they lie."""
    items = alive(builder)
    fusion = Fusion(Prospects(items, builder.outputs))
    for item in items:
        fusion.place(item)
    merge(fusion)
    arrange(fusion)
    stored(fusion, builder.buffers)
    order = in_order(fusion)
    reused(fusion, order, builder.outputs)
    return [step for unit in order if not empty(unit) for step in steps_of(unit, builder.buffers)]


def lower(graph: Graph, donated: dict[int, int]) -> Plan:
    """The plan of a graph. `donated` maps outputs to the inputs whose memory they take over, where nothing reads it later."""
    buffers = Buffers()
    builder, outputs = build(graph, buffers)
    taken: dict[int, int] = {}

    def arrange(fusion: Fusion) -> None:
        for k, i in donated.items():
            node, leaf = outputs[k].node, builder.values[graph.inputs[i]].node
            same = node.shape == leaf.shape and node.dtype == leaf.dtype and node.group is not None
            if same and i not in taken.values() and may_overwrite(fusion, node, leaf):
                node.stores[0], taken[k] = leaf.stores[0], i
    steps = overlaid(buffers.all, swept(buffers, shared(buffers.frames, planned(builder, arrange))))
    inputs = tuple(whole_view(f"x{i}", s.type.shape, s.type.dtype) for i, s in enumerate(graph.inputs))
    results = tuple(whole_view(ref.node.stores[0].buffer, ref.shape, ref.dtype) for ref in outputs)
    needed = {view.place.buffer for view in results}
    used = [b for b in buffers.all.values() if b.kind != "output" or b.name in needed]
    return Plan(inputs, results, tuple(arranged(used, steps)), tuple(steps), taken)


def empty(unit: Any) -> bool:
    """Whether a unit computes nothing at all."""
    return isinstance(unit, Group) and all(n.size == 0 for n in unit.members)


HANDLERS["scan"] = partial(scan, Machine(handle, output, planned))
