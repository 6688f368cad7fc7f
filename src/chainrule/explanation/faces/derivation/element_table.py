"""The table of elements says, for each operation, what one element of its result is: never how it is differentiated.

Rules of the engine are formulas in these very operations, so that gradients are said with indices by the same table.
"""
from __future__ import annotations

from collections.abc import Callable
from math import prod

from chainrule.ops import add, divide, equal, multiply
from chainrule.ops.broadcasting import chain

from ...formulas.formula import Call, Formula, number
from . import element_movements as movements
from . import element_products as products
from .index_places import Place, Unsaid, at
from .indexed import Position, Total
from .saying import Places, Saying, call
from .symbols import Symbol


def must_be_plain(f: Call, *arrays: Formula | None) -> None:
    """Raise where indices beyond the border would not be 0, or channels are in groups."""
    padded = any(side for pair in f.params["padding"] for side in pair)
    if f.params.get("groups", 1) != 1 or (padded and not all(isinstance(a, Symbol) for a in arrays)):
        raise Unsaid(f.prim.name)


def seen(f: Call, places: Places, offsets: Places) -> Places:
    """Where in the data a place of the result, and one of the kernel, look."""
    found = []
    for p, u, stride, dilation, (low, _) in zip(places, offsets, f.params["stride"], dilations(f), f.params["padding"]):
        assert isinstance(p, Place) and isinstance(u, Place)
        found.append(p * stride + u * dilation + Place((), -low))
    return tuple(found)


def dilations(f: Call) -> tuple[int, ...]:
    return tuple(f.params.get("dilation") or (1,) * len(f.params["stride"]))


def convolution(say: Saying, f: Call, places: Places) -> Formula:
    x, w, b = f.args
    assert x is not None and w is not None
    must_be_plain(f, x)
    n, o, *space = places
    (c, *us), inner = say.letters(w.shape[1:])
    body = call(chain, inner.of(x, (n, at(c), *seen(f, tuple(space), tuple(map(at, us))))), inner.of(w, (o, at(c), *map(at, us))))
    found = Total((), "sum", body, (c, *us))
    return found if b is None else call(add, found, say.of(b, (o,)))


def kernel_convolution(say: Saying, f: Call, places: Places) -> Formula:
    x, g = f.args
    assert x is not None and g is not None
    must_be_plain(f, x)
    o, c, *us = places
    (n, *space), inner = say.letters((g.shape[0], *g.shape[2:]))
    where = tuple(map(at, space))
    body = call(chain, inner.of(g, (at(n), o, *where)), inner.of(x, (at(n), c, *seen(f, where, tuple(us)))))
    return Total((), "sum", body, (n, *space))


def transposed_convolution(say: Saying, f: Call, places: Places) -> Formula:
    """What looked at a place: with steps of 1 that is one place for each place of the kernel."""
    g, w, b = f.args
    assert g is not None and w is not None
    n, c, *space = places
    (o, *us), inner = say.letters((w.shape[0], *w.shape[2:]))
    kernel = inner.of(w, (at(o), c, *map(at, us)))
    if f.params["groups"] != 1:
        raise Unsaid(f.prim.name)
    if set(f.params["stride"]) == {1} and isinstance(g, Symbol):
        where = [p + at(u) * -d + Place((), low) for p, u, d, (low, _) in zip(space, us, dilations(f), f.params["padding"])
                 if isinstance(p, Place)]
        found: Formula = Total((), "sum", call(chain, inner.of(g, (n, at(o), *where)), kernel), (o, *us))
    else:
        ks, inner = inner.letters(g.shape[2:])
        body = call(chain, inner.of(g, (n, at(o), *map(at, ks))), kernel)
        for p, there in zip(space, seen(f, tuple(map(at, ks)), tuple(map(at, us)))):
            body = call(chain, body, call(equal, Position((), p), Position((), there)))
        found = Total((), "sum", body, (o, *ks, *us))
    return found if b is None else call(add, found, say.of(b, (c,)))


def windows(sign: str) -> Callable[[Saying, Call, Places], Formula]:
    def say_it(say: Saying, f: Call, places: Places) -> Formula:
        (x,) = f.args
        if any(side for pair in f.params["padding"] for side in pair):
            raise Unsaid("windows with a border")
        us, inner = say.letters(f.params["kernel"])
        body = inner.of(x, (*places[:2], *seen(f, places[2:], tuple(map(at, us)))))
        found = Total((), sign, body, tuple(us))
        return found if sign != "sum" else call(multiply, call(divide, number(1), number(prod(f.params["kernel"]))), found)
    return say_it


TABLE: dict[str, Callable[[Saying, Call, Places], Formula]] = {
    "matmul": products.matrix_product, "chain_matmul": products.matrix_product, "linear": products.layer,
    "vecdot": products.scalar_product, "einsum": products.by_letters, "chain_einsum": products.by_letters,
    "sum": products.reduced("sum"), "prod": products.reduced("prod"), "max": products.reduced("max"),
    "min": products.reduced("min"), "mean": products.mean, "logsumexp": products.log_of_sum,
    "softmax": products.softmax, "log_softmax": products.log_softmax,
    "softmax_cross_entropy": products.cross_entropy, "one_hot": products.one_hot,
    "permute_dims": movements.permuted, "broadcast_to": movements.broadcast, "reshape": movements.reshaped,
    "part": movements.parted, "get_at": movements.looked_up, "add_at": movements.added_up, "embed": movements.embedded,
    "concat": movements.put_together,
    "convolution": convolution, "kernel_convolution": kernel_convolution, "transposed_convolution": transposed_convolution,
    "max_windows": windows("max"), "average_windows": windows("sum"),
}
"""By operation: what an element of its result is at some places."""
