"""The arithmetic of one element is the operation with that element's numbers put in: `log(0) = -inf`."""
from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.type import Type, typeof

from ..formulas.formula import Call, Formula, Name, filled, number, rebuilt, staged
from ..formulas.writing import plain_number, plain_shape, text
from ..record.trace import Trace, parts

Index = tuple[int, ...]
POLES = ("log", "log2", "log10", "log1p", "atanh", "xlogy", "xlog1py")  # infinite at a point, where nothing overflows
POLES_AT_ZERO = ("divide", "reciprocal", "pow")


def nonfinite(x: Any) -> Any:
    """Which elements are NaN or infinite; integers never are."""
    array = np.asarray(x)
    return ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


def is_pointwise(x: Any) -> bool:
    """Whether element k of the result comes from element k of each argument alone, counted after broadcasting."""
    return x.prim.slopes is not None and not isinstance(x.value, tuple)


def at(v: Any, shape: tuple[int, ...], index: Index) -> Any:
    """The element of an argument that meets element `index` of the result."""
    return None if v is None else np.broadcast_to(np.asarray(v), shape)[index]


def elements(x: Any, index: Index) -> tuple[Any, ...]:
    return tuple(at(v, np.shape(x.value), index) for v in x.values)


def computed(x: Any, index: Index) -> str:
    """How element `index` of the result of `x` was computed, and what came out."""
    y = parts(x.value)[0]
    result, dtype = y[index], y.dtype
    if not is_pointwise(x):
        return ranged(x, result, dtype)
    numbers = elements(x, index)
    call = text(Call((), x.prim, tuple(None if n is None else number(n) for n in numbers), x.params))
    pole = x.prim.name in POLES or (x.prim.name in POLES_AT_ZERO and any(n is not None and n == 0 for n in numbers))
    over = np.isinf(result) and not pole and all(n is None or np.isfinite(n) for n in numbers)
    return f"{call} overflows {dtype}" if over else f"{call} = {plain_number(result)}"


def ranged(x: Any, result: Any, dtype: Any) -> str:
    """The same of an operation on many numbers: between which they lie."""
    floats = [np.asarray(v) for v in x.values if v is not None and typeof(v).dtype.kind == "f" and typeof(v).size]
    odd = " and ".join(dict.fromkeys(plain_number(n) for v in floats for n in np.unique(v[nonfinite(v)])))
    largest = max((float(np.max(np.abs(v))) for v in floats), default=0.0)
    of = " and ".join(plain_shape(v.shape) for v in floats if v.shape) or "numbers"
    sizes = f"the largest number in it is {plain_number(largest)}" if not odd else f"there is {odd} in it"
    verb = f"overflows {dtype}" if np.isinf(result) and not odd else f"gives {plain_number(result)}"
    return f"{x.prim.name} of {of} {verb}; {sizes}"


def slope_written(x: Any, i: int, numbers: tuple[Any, ...]) -> str:
    """The local derivative in argument `i` with numbers put in, as far as it can be written."""
    slope = x.prim.slopes[i]
    given = {f"a{k}": n for k, n in enumerate(numbers) if n is not None}
    dtype = np.asarray(x.value).dtype
    formula = staged(lambda y, *args: slope(y, *merged(numbers, args), **x.params),
                     {"y": Type((), dtype), **{name: Type((), np.asarray(n).dtype) for name, n in given.items()}})
    if formula is None:
        return f"slope of {x.prim.name}"
    own: Formula = Call((), x.prim, tuple(None if n is None else Name((), f"a{k}") for k, n in enumerate(numbers)), x.params)
    put = filled(rebuilt(formula.put({"y": own})), {name: number(n) for name, n in given.items()})
    return text(put) if put is not None else ""


def merged(numbers: tuple[Any, ...], symbols: tuple[Any, ...]) -> list[Any]:
    """The arguments as symbols, None where there is none."""
    supply = iter(symbols)
    return [None if n is None else next(supply) for n in numbers]


def carried(trace: Trace, x: Any, i: int, bad: Any) -> str:
    """What arrives times the local derivative, at the element of edge (x, i) where the product is not finite."""
    g = trace.gradient(x)
    assert g is not None
    callable_slope = is_pointwise(x) and callable(x.prim.slopes[i])
    if not callable_slope:
        out, most = trace.contribution(x, i)[0][bad].flat[0], np.max(np.abs(g[0]))
        return f"the rule of {x.prim.name} gives {plain_number(out)} for what arrives, {plain_number(most)} at most"
    shape = np.shape(x.value)
    with under(NUMPY), np.errstate(all="ignore"):
        s = np.broadcast_to(np.asarray(x.prim.slopes[i](x.value, *x.values, **x.params)), shape)
        product = np.where((g[0] == 0) | (s == 0), 0.0, g[0] * s)
    wrong = nonfinite(product) & np.isfinite(g[0])
    index = tuple(int(k) for k in np.unravel_index(int(np.argmax(wrong)), shape))
    written = slope_written(x, i, elements(x, index))
    value = plain_number(s[index])
    shown = f"{value} ({written})" if written not in ("", value) else value
    end = f" overflows {g[0].dtype}" if np.isfinite(s[index]) and wrong.any() else ""
    return f"{plain_number(g[0][index])} × {shown}{end}"
