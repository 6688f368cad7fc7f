"""Launching makes a kernel of a group, and says where its arrays lie."""
from __future__ import annotations

from copy import copy

from ..loops.language import Array, Kernel, Origin
from ..plan import Launch
from .affine import ZERO, Affine
from .emission import Emission
from .groups import Group
from .nodes import Node, Store
from .tidying import collapsed
from .writer import Writer


# ---------------------------------------------------------------------------------------- stretches
def restricted(group: Group, dim: int, by: Affine) -> Group:
    """The group with its loop over `dim` going over a part only."""
    part = copy(group)
    part.sources = {}
    part.places = {n: tuple(i.replaced(dim, by) for i in place) for n, place in group.places.items()}
    part.inner = {n: tuple(i.replaced(dim, by) for i in place) for n, place in group.inner.items()}
    new = max(d for d, _ in by.terms)
    part.order = [new if d == dim else d for d in group.order]
    part.rows = {new if d == dim else d for d in group.rows}
    return part


def in_stretches(group: Group, writer: Writer) -> None:
    """The loops of a group whose outermost loop is cut into stretches, with sums of their own for each."""
    dim, chunks = group.loops[0], group.chunks
    rounds = -(-group.sizes[dim] // chunks)
    full, rest = divmod(group.sizes[dim], rounds)
    number, inner, last = group.new_dim(full), group.new_dim(rounds), group.new_dim(max(rest, 1))
    writer.sizes.update(group.sizes)
    writer.open(number)
    by = Affine(0, tuple(sorted(((number, rounds), (inner, 1)))))
    stretch(restricted(group, dim, by), writer, Affine(0, ((number, 1),)))
    writer.close("parallel")
    if rest:
        stretch(restricted(group, dim, Affine(full * rounds, ((last, 1),))), writer, ZERO.shifted(full))
    for k in range(full + (rest > 0), chunks):
        emission = Emission(group, writer, stretch=ZERO.shifted(k))
        emission.begin()
        emission.end()


def stretch(group: Group, writer: Writer, number: Affine) -> None:
    emission = Emission(group, writer, stretch=number)
    emission.begin()
    emission.nest()
    emission.end()


# ---------------------------------------------------------------------------------------- kernels
def extent(node: Node, store: Store) -> int:
    """How many elements a node takes up in memory, with the gaps between them."""
    return 1 + sum((n - 1) * abs(s) for n, s in zip(node.shape, store.strides)) if node.size else 0


def arrays_of(writer: Writer) -> tuple[Array, ...]:
    return tuple(Array(name, writer.owners[store].dtype, extent(writer.owners[store], store), store in writer.written)
                 for store, name in writer.arrays.items())


def title_of(group: Group) -> str:
    return ", ".join(dict.fromkeys(n.origin.operation for n in group.members if n.origin != Origin()))


def emitted(group: Group, given: dict[Node, Store] | None = None) -> Launch:
    """The launch of a group's kernel."""
    group.settle()
    writer = Writer(group.sizes)
    if group.terminals and group.chunks > 1:
        in_stretches(group, writer)
    elif group.terminals and not group.apart:
        stretch(group, writer, ZERO)
    else:
        emission = Emission(group, writer, given)
        emission.nest()
    kernel = Kernel(arrays_of(writer), collapsed(tuple(writer.scopes[0].statements)), title_of(group))
    return Launch(kernel, tuple(store.place() for store in writer.arrays))


