"""Contracting writes the contraction of a product and its epilogue, and what is done where zero has to win over infinity."""
from __future__ import annotations

from copy import copy

from ..loops.language import Array, Contraction
from ..plan import Call, Launch, Step, When
from ..plan import Place as Memory
from .affine import ZERO
from .emission import Emission
from .groups import Group
from .launching import arrays_of, emitted, extent, title_of
from .memory import Buffers, view_of
from .nodes import Node, Ref, Store, strided
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
    form = group.product.form
    group.settle()
    if not form.careful or form.dtype.kind != "f":
        return [contraction(group)]
    flag = buffers.flag()
    return [contraction(group, flag), again(group, flag, buffers)]


def contraction(group: Group, flag: Store | None = None, careful: Node | None = None) -> Launch:
    """The launch of a contraction with its epilogue.

    A flag is raised if a sum is not finite, and what such a sum leads to is not put in place of old values. With `careful`, where
    the right sums are, only these elements are computed, and nothing is written for others, whose old values are gone.
    """
    product = group.product
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
    if flag:
        finite = isfinite(total)
        writer.write(Node((), BOOL, "leaf", stores=[flag]), flag, ZERO, writer.constant(True, BOOL), guard=~finite)
        emission.guard = lambda: finite
    if careful:
        lost = ~isfinite(total)
        value = emission.element(careful, group.places[product.output])
        emission.guard, emission.guards_all = lambda: lost, True
    writer.remember(product.output, value)
    emission.store(n for n in group.members)
    for store in [s for s in writer.arrays if s not in writer.owners]:
        del writer.arrays[store]
    summed = [a for a in form.axes if a.summed or a.size == 1]
    kernel = Contraction((*(product.axes[d] for d in sorted(product.axes)), *summed),
                         (*(a for a, _, _ in operands), *arrays_of(writer)), ("a0", form.left + operands[0][2]),
                         ("a1", form.right + operands[1][2]), form.dtype, tuple(writer.scopes[0].statements), title_of(group),
                         rare=careful is not None)
    return Launch(kernel, (*(m for _, m, _ in operands), *(s.place() for s in writer.arrays)))


def again(group: Group, flag: Store, buffers: Buffers) -> Step:
    """Compute all that the contraction and its epilogue compute by the careful operation, if a sum was not finite.

    Where old values were overwritten already, the sums are made once more: they tell for which elements that is still to be done.
    """
    product = group.product
    sums = Node(product.output.shape, product.output.dtype, "leaf")
    sums.stores.append(buffers.rare(sums))
    args, target = tuple(map(view_of, product.operands)), view_of(Ref(sums, (), sums.shape))
    call = Call(product.line.prim, args, product.line.params, (target,), product.origin)
    if group.overwrites:
        return When(flag.place(), (call, contraction(group, careful=sums)))
    loops = copy(group)
    loops.product, loops.sources = None, {}
    return When(flag.place(), (call, emitted(loops, {product.output: sums.stores[0]})))
