"""Contracting writes the contraction of a product and its epilogue, and what is done where zero has to win over infinity."""
from __future__ import annotations

from copy import copy

from ..loops.language import Array, Contraction
from ..plan import Call, Launch, Step, View, When
from ..plan import Place as Memory
from .affine import ZERO, flat
from .emission import Emission
from .groups import Group
from .launching import arrays_of, emitted, extent, title_of
from .memory import Buffers, view_of
from .nodes import Node, Store, strided
from .products import Product
from .scalars import BOOL, Scalar, isfinite
from .writer import Writer


def operand_array(product: Product, i: int) -> tuple[Array, Memory, int]:
    """An operand as the contraction names it, where it begins, and how far in its first element is: others may lie before it."""
    ref = product.operands[i]
    store = ref.node.stores[0]
    if product.bordered[i]:
        return Array(f"a{i}", ref.dtype, ref.node.frame.size), store.place(-ref.node.frame.offset), 0
    view = strided(ref, store.strides)
    assert view is not None, "operands are plain views"
    back = sum(min(s, 0) * (n - 1) for n, s in zip(ref.shape, view[1]))
    begin = view[0] + back
    return Array(f"a{i}", ref.dtype, extent(ref.node, store) - begin), store.place(begin), -back


def contracted(group: Group, buffers: Buffers) -> list[Step]:
    """The steps of a group that continues with the sums of a contraction."""
    product = group.product
    group.settle()
    form = product.form
    operands = [operand_array(product, i) for i in range(2)]
    writer = Writer(group.sizes)
    writer.variables = {d: axis.name for d, axis in product.axes.items()}
    for i in range(2):
        placeholder = Store("", 0, ())
        writer.arrays[placeholder] = f"a{i}"
    writer.levels["sum"] = 0
    emission = Emission(group, writer)
    writer.origin = product.origin
    total = Scalar(writer, "sum", form.dtype)
    value = total.cast(product.output.dtype)
    for ref in product.bias:
        place = ref.back((group.places[product.output][form.bias],), group.sizes)
        value = value + emission.element(ref.node, place).cast(value.dtype)
    writer.remember(product.output, value)
    flag, mask = None, None
    if form.careful and form.dtype.kind == "f":
        flag, finite = buffers.flag(), isfinite(total)
        writer.write(Node((), BOOL, "leaf", stores=[flag]), flag, ZERO, writer.constant(True, BOOL), guard=~finite)
        if group.overwrites:  # an element is updated once: now, or after its sum is computed again
            mask = buffers.mask(product.output)
            place = flat(group.places[product.output], mask.stores[0].strides)
            writer.write(mask, mask.stores[0], place, ~finite)
            emission.guard = lambda: finite
    emission.store(n for n in group.members)
    for store in [s for s in writer.arrays if s not in writer.owners]:
        del writer.arrays[store]
    summed = [a for a in form.axes if a.summed or a.size == 1]
    kernel = Contraction((*(product.axes[d] for d in sorted(product.axes)), *summed),
                         (*(a for a, _, _ in operands), *arrays_of(writer)), ("a0", form.left + operands[0][2]),
                         ("a1", form.right + operands[1][2]), form.dtype, tuple(writer.scopes[0].statements), title_of(group))
    launch = Launch(kernel, (*(m for _, m, _ in operands), *(s.place() for s in writer.arrays)))
    return [launch] if flag is None else [launch, again(group, flag, mask, buffers)]


def again(group: Group, flag: Store, mask: Node | None, buffers: Buffers) -> Step:
    """Compute all that the contraction and its epilogue compute by the careful operation, if a sum was not finite; `mask` says
    which ones were not, if that matters."""
    product = group.product
    sums = buffers.rare(Node(product.output.shape, product.output.dtype, "leaf"))
    loops = copy(group)
    loops.product, loops.sources = None, {}
    args: list[View] = [view_of(ref) for ref in product.operands]
    target = View(sums.place(), product.output.shape, sums.strides, product.output.dtype)
    call = Call(product.line.prim, tuple(args), product.line.params, (target,), product.origin)
    return When(flag.place(), (call, emitted(loops, {product.output: sums}, mask)))

