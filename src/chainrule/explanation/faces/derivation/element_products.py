"""What one element of a product of matrices, of a reduction or of a softmax is."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from chainrule.ops import add, divide, equal, exp, log, multiply, negative
from chainrule.ops.broadcasting import chain

from ...formulas.formula import Call, Formula, number
from .index_places import Anywhere, Letter, Place, Unsaid, at
from .indexed import Position
from .saying import Places, Saying, aligned, call, label_at, over
from .symbols import Symbol


# ---------------------------------------------------------------------------------------- products of matrices
def matrix_product(say: Saying, f: Call, places: Places) -> Formula:
    a, b = f.args
    assert a is not None and b is not None
    place, letters, inner = say.along([(a, len(a.shape) - 1), (b, max(len(b.shape) - 2, 0))])
    rest = list(places)
    column = (rest.pop(),) if len(b.shape) > 1 else ()
    row = (rest.pop(),) if len(a.shape) > 1 else ()
    lead = tuple(rest)
    left = inner.of(a, (*aligned(lead, f.shape[:len(lead)], a.shape[:-2]), *row, place))
    right = inner.of(b, (*aligned(lead, f.shape[:len(lead)], b.shape[:-2]), place, *column))
    return over(call(chain, left, right), letters)


def layer(say: Saying, f: Call, places: Places) -> Formula:
    x, w, b = f.args
    assert x is not None and w is not None
    place, letters, inner = say.along([(x, len(x.shape) - 1), (w, 1)])
    product = over(call(chain, inner.of(x, (*places[:-1], place)), inner.of(w, (places[-1], place))), letters)
    return product if b is None else call(add, product, say.of(b, places[-1:]))


def scalar_product(say: Saying, f: Call, places: Places) -> Formula:
    a, b = f.args
    assert a is not None and b is not None
    return say.total(a.shape[-1:], lambda inner, k: call(multiply, *(
        inner.of(x, (*aligned(places, f.shape, x.shape[:-1]), k)) for x in (a, b))))


def by_letters(say: Saying, f: Call, places: Places) -> Formula:
    """An einsum is written so already."""
    given, _, out = f.params["subscripts"].partition("->")
    operands = given.split(",")
    sizes = {x: n for sub, a in zip(operands, f.args) if a is not None for x, n in zip(sub, a.shape)}
    if "." in given:
        raise Unsaid("an einsum with axes that have no letters")
    summed = [x for x in sizes if x not in out]
    letters, inner = say.letters([sizes[x] for x in summed])
    where: dict[str, Anywhere] = dict(zip(out, places)) | {x: at(k) for x, k in zip(summed, letters)}
    factors = [inner.of(a, tuple(where[x] for x in sub)) for sub, a in zip(operands, f.args)]
    product = factors[0]
    for factor in factors[1:]:
        product = call(chain, product, factor)
    return over(product, letters)


# ---------------------------------------------------------------------------------------- reductions
def reduced(sign: str) -> Callable[[Saying, Call, Places], Formula]:
    def say_it(say: Saying, f: Call, places: Places) -> Formula:
        (x,) = f.args
        assert x is not None
        axes = f.params["axis"]
        kept = [p for p in range(len(x.shape)) if p not in axes]
        own = dict(zip(kept, [places[p] for p in kept] if f.params["keepdims"] else places))
        letters: list[Letter] = []
        for p in axes:
            own[p], new, say = say.along([(x, p)])
            letters += new
        return over(say.of(x, tuple(own[p] for p in range(len(x.shape)))), letters, sign)
    return say_it


def mean(say: Saying, f: Call, places: Places) -> Formula:
    (x,) = f.args
    assert x is not None
    many = int(np.prod([x.shape[p] for p in f.params["axis"]]))
    return call(multiply, call(divide, number(1), number(many)), reduced("sum")(say, f, places))


def log_of_sum(say: Saying, f: Call, places: Places) -> Formula:
    (x,) = f.args
    return call(log, reduced("sum")(say, replace(f, args=(exponential(x),)), places))


def exponential(x: Formula | None) -> Formula:
    assert x is not None
    return Call(x.shape, exp, (x,), {})


def softmax(say: Saying, f: Call, places: Places) -> Formula:
    (x,) = f.args
    assert x is not None
    return share(say, x, places, f.params["axis"])


def share(say: Saying, z: Formula, places: Places, axis: int, chosen: Anywhere | None = None) -> Formula:
    """The softmax: the exponential of one score, by the sum of those of all along an axis."""
    axis %= len(z.shape)
    before, after = places[:axis], places[axis + 1:]
    all_of_them = say.total(z.shape[axis:axis + 1], lambda inner, k: call(exp, inner.of(z, (*before, k, *after))))
    return call(divide, call(exp, say.of(z, (*before, chosen or places[axis], *after))), all_of_them)


def log_softmax(say: Saying, f: Call, places: Places) -> Formula:
    return call(log, softmax(say, f, places))


def cross_entropy(say: Saying, f: Call, places: Places) -> Formula:
    z, y = f.args
    assert z is not None and y is not None
    if len(y.shape) < len(z.shape):
        ignored = f.params["ignore_index"]
        if isinstance(y, Symbol) and np.any(np.asarray(say.known.get(y.name, ())) == ignored):
            raise Unsaid("labels that are ignored")
        label = label_at(y, places, z.shape[-1])
        return call(negative, call(log, share(say, z, (*places, Place()), -1, label)))
    return call(negative, say.total(z.shape[-1:], lambda inner, k: call(
        multiply, inner.of(y, (*places, k)), call(log, share(inner, z, (*places, k), -1)))))


def one_hot(say: Saying, f: Call, places: Places) -> Formula:
    (y,) = f.args
    assert y is not None
    label = label_at(y, places[:-1], f.shape[-1])
    return call(equal, Position((), label), Position((), places[-1]))
