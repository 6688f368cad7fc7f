"""The eager interpreter records every operation on tensors as it is computed."""
from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.interpreter import NUMPY, Box, Interpreter, escaped, now, settle, under
from chainrule.core.primitive import Primitive
from chainrule.core.reverse import Recorded, Reverse, serials
from chainrule.core.source import OWN
from chainrule.core.type import Array, is_float, typeof
from chainrule.errors import DTypeError, PrecisionWarning
from chainrule.ops.broadcasting import stop_gradient

from .cuts import Cut, copies, cut

FLOAT64 = np.dtype("float64")
FLOAT32 = np.dtype("float32")
Tensor: Any = Recorded  # the face of eager values; `tensor.py` puts its class here


class Contribution(NamedTuple):
    """What one sweep gave to a tensor's gradient. Number 0 stands for all sweeps older than the ones kept apart."""

    sweep: int
    root: str
    gradient: Any


@dataclass(slots=True)
class Memo:
    """The notes on a tensor that most tensors do not need."""

    name: str | None = None
    total: Array = None  # the gradient so far
    contributions: tuple[Contribution, ...] = ()
    swept: tuple[tuple[int, Array], ...] = ()  # of a root: number and seed of each sweep
    cleared: int = 0  # the last sweep that no longer counts


class Eager(Reverse):
    """The permanent reverse interpreter behind every tensor."""

    __slots__ = ()
    name = "eager"

    # What follows is Reverse.apply, unrolled for the commonest cases: it runs at every operation anybody does, and
    # benchmarks/eager.py measures it.

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        if prim.flows:
            if len(args) == 2:
                return self.binary(prim, args[0], args[1], params)
            if len(args) == 1:
                return self.unary(prim, args[0], params)
        sources = tuple([a if type(a) is Tensor and a.owner is self else None for a in args])
        if not prim.flows:
            sources = tuple(a if rule else None for a, rule in zip(sources, prim.backward))
        values = tuple([a.value if type(a) is Tensor else number(a, prim.name) for a in args])
        if prim.keeping and any(a is not None for a in sources):
            params = prim.keeping(params)
        try:
            out = prim.forward(*values, **params)
        except Exception:
            out = NUMPY.apply(prim, values, params)  # the same again, which says better what is wrong
        if any(a is not None for a in sources):
            warn_if_mixed(prim, out, args)
            return self.outputs(self.box(out, prim, args, sources, values, params))
        return constants(out, prim.name, args) if any(type(a) is Tensor for a in args) else out

    def unary(self, prim: Primitive, a: Array, params: dict[str, Any]) -> Array:
        """Apply an operation of one array to which gradients can flow."""
        if type(a) is not Tensor:
            return NUMPY.apply(prim, (number(a, prim.name),), params)
        u = a.value
        try:
            out = prim.forward(u, **params) if params else prim.forward(u)
        except Exception:
            out = NUMPY.apply(prim, (u,), params)
        if a.owner is not self:
            return constants(out, prim.name, (a,))
        t = self.box(out, prim, (a,), (a,), (u,), params)
        return self.outputs(t) if type(out) is tuple else t

    def binary(self, prim: Primitive, a: Array, b: Array, params: dict[str, Any]) -> Array:
        """Apply an operation of two arrays to which gradients can flow."""
        p = q = None
        u, v = a, b
        if type(a) is Tensor:
            u = a.value
            if a.owner is self:
                p = a
        elif isinstance(a, LOOKED_AT):
            u = number(a, prim.name, beside=b)
        if type(b) is Tensor:
            v = b.value
            if b.owner is self:
                q = b
        elif isinstance(b, LOOKED_AT):
            v = number(b, prim.name, beside=a)
        try:
            out = prim.forward(u, v, **params) if params else prim.forward(u, v)
        except Exception:
            out = NUMPY.apply(prim, (u, v), params)
        if p is None and q is None:
            return constants(out, prim.name, (a, b)) if type(a) is Tensor or type(b) is Tensor else out
        t = self.box(out, prim, (a, b), (p, q), (u, v), params)
        if type(out) is tuple:
            return self.outputs(t)
        if out.dtype is FLOAT64 and ((p is not None and u.dtype is FLOAT32) or (q is not None and v.dtype is FLOAT32)):
            warn_if_mixed(prim, out, (a, b))
        return t

    def box(self, out: Array, prim: Primitive, args: tuple[Array, ...], sources: Sequence[Recorded | None],
            values: Sequence[Array], params: dict[str, Any]) -> Any:
        t = new(Tensor)
        t.owner = self
        t.value = out
        t.prim = prim
        t.args = args
        t.sources = sources
        t.values = values
        t.params = params
        t.serial = next(serials)
        t.hooks = t.cut = t.memo = None
        frame = sys._getframe(3)  # no nearer one can be the user's, and each frame looked at costs
        while frame.f_code.co_filename in OWN and frame.f_back is not None:
            frame = frame.f_back
        t.code = frame.f_code
        t.instruction = frame.f_lasti
        return t


new = object.__new__
LOOKED_AT = (np.ndarray, Box, list, tuple, complex)  # what `number` has something to say about
EAGER = Eager(NUMPY)
settle(EAGER)


class Unrecorded(Interpreter):
    """What is in charge inside `no_grad`: compute, and cut the result from the graph."""

    __slots__ = ()
    name = "no_grad"

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        if self.parent is EAGER:
            out = NUMPY.apply(prim, tuple(number(a, prim.name) for a in args), params)
            return constants(out, "no_grad", args) if any(type(a) is Tensor for a in args) else out
        out = self.parent.apply(prim, args, params)
        with under(self.parent):
            return tuple(map(stop_gradient, out)) if isinstance(out, tuple) else stop_gradient(out)


def number(a: Array, where: str, beside: Array = None) -> Array:
    """The array in a tensor, or in a list of numbers, in the dtype of the tensor `beside` it.

    Refused are boxes of a transform that is not at work, lists of recorded values, and complex numbers.
    """
    if type(a) is Tensor:
        return a.value
    if isinstance(a, Box):
        raise escaped(a, where)
    if isinstance(a, list | tuple):
        a = listed(a, where, beside)
    if isinstance(a, complex) or (isinstance(a, np.ndarray) and a.dtype.kind not in "fiub"):
        shown = a if isinstance(a, complex) else typeof(a)
        raise DTypeError(f"{where}: an argument is {shown}, and chainrule computes with real numbers: floats, integers and "
                         "booleans.")
    return a


def listed(a: Any, where: str, beside: Array) -> np.ndarray[Any, Any]:
    """A list of Python numbers as an array; like a single Python number, it takes the dtype of what it meets."""
    if any(isinstance(x, Box) for x in a):
        raise DTypeError(f"{where}: an argument is a {type(a).__name__} of values, and reading their numbers would cut the "
                         "graph. Join them to one array with cr.stack.")
    array = np.asarray(a)
    weak = array.dtype == FLOAT64 and type(beside) is Tensor and is_float(beside.value.dtype)
    return array.astype(beside.value.dtype) if weak else array


def plain(a: Array) -> Array:
    """The value of a tensor that requires no gradient."""
    return a.value if type(a) is Tensor and a.owner is NUMPY else a


def constant(value: Array, cut: Cut | None = None) -> Any:
    """A tensor without history."""
    t = new(Tensor)
    t.owner = NUMPY
    t.value = value
    t.prim = t.hooks = t.code = None
    t.args = t.sources = t.values = ()
    t.params = {}
    t.serial = next(serials)
    t.instruction = 0
    t.cut = cut
    t.memo = None
    return t


def constants(out: Array, kind: str, args: tuple[Array, ...]) -> Any:
    """The result of an operation through which no gradient flows, with a note of what cut it, now or before."""
    note = None
    for a in args:
        if type(a) is Tensor and note is None:
            note = cut(kind, a) if a.owner is EAGER else a.cut
    return tuple(constant(o, note) for o in out) if type(out) is tuple else constant(out, note)


def detached(t: Any, kind: str) -> Any:
    """The same values cut from the graph."""
    now().meet(t)
    return constant(t.value, cut(kind, t) if t.owner is EAGER else t.cut)


def warn_if_mixed(prim: Primitive, out: Array, args: tuple[Array, ...]) -> None:
    """float64 data that meets a float32 parameter turns everything after it to float64: say so, naming both."""
    if type(out) is tuple or out.dtype is not FLOAT64:
        return
    parameter = next((a for a in args if type(a) is Tensor and a.owner is EAGER and a.value.dtype is FLOAT32
                      and a.prim is None), None)
    other = next((a for a in args if typeof(a).dtype is FLOAT64 and not typeof(a).weak), None)
    if parameter is not None and other is not None:
        name = other.label if type(other) is Tensor else f"an array of {typeof(other)}"
        frame, level = sys._getframe(1), 2
        while frame.f_back is not None and frame.f_code.co_filename in OWN:
            frame, level = frame.f_back, level + 1
        warnings.warn(f"{prim.name}: float64 data ({name}) meets the float32 parameter {parameter.label}: the result and all "
                      "that follows is float64. Give the data as .astype('float32'), or the parameter dtype=cr.float64.",
                      PrecisionWarning, stacklevel=level)


def note_copy(kind: str, t: Any) -> None:
    """Remember where a recorded value was read out as plain numbers."""
    copies.append(cut(kind, t))


def wear(face: type[Recorded]) -> None:
    """Make `face` the class of all eager values."""
    global Tensor
    Tensor = face
