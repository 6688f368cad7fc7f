"""The interface to Python's interpreter: native functions that Python calls as its own, and where objects keep what they hold."""
from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from ..execution import Left
from .going import LEFT
from .looking import CALLED, END, OBJECTS, REAL, WHOLE
from .pool import address, loaded_runtime

STEP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
METH_NOARGS, METH_O = 4, 8
TYPE, FIRST = 8, 16
"""Where an object says of what type it is, and where what is its own begins, in bytes."""


class Method(ctypes.Structure):
    """A native function as Python's interpreter wants it described."""

    _fields_ = (("name", ctypes.c_char_p), ("run", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


class Interface(NamedTuple):
    """Makes functions of Python: a look at `rows.words`, which keeps the rows; a run of the program with this state, and the
    numbers it leaves."""

    look: Callable[[Any], Callable[[tuple[Any, ...]], Any]]
    go: Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], Callable[[], bool]]


@cache
def interface() -> Interface | None:
    """The native functions; None where Python's objects lie otherwise in memory than they read them."""
    if not objects_lie_as_read():
        return None
    runtime, python = loaded_runtime(), ctypes.pythonapi
    addresses = [*(ctypes.cast(getattr(python, name), ctypes.c_void_p).value or 0 for name in CALLED), *map(id, OBJECTS)]
    (ctypes.c_int64 * len(addresses)).from_address(runtime["chainrule_python"])[:] = addresses
    prototype = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.py_object)
    make = prototype(("PyCFunction_NewEx", python))
    look, go = Method(b"look", runtime["chainrule_look"], METH_O), Method(b"go", runtime["chainrule_go"], METH_NOARGS)
    return Interface(lambda rows: make(ctypes.addressof(look), rows.words, rows),
                     lambda state, left: make(ctypes.addressof(go), state, left))


def run_of(state: np.ndarray[Any, Any], left: Sequence[Left]) -> Callable[[], bool]:
    """What runs the program with this state and puts the numbers it leaves into their dicts; whether it came to its end."""
    python = interface()
    if python is not None:
        rows = [(REAL if x.is_float else WHOLE, x.address, id(x.container), id(x.key)) for x in left]
        words = np.array([*chain(*rows), END], np.int64)
        state[LEFT] = address(words)
        return python.go(state, words)
    step = STEP(loaded_runtime()["chainrule_step"])

    def run() -> bool:
        failed = step(address(state))
        for x in () if failed else left:
            kind = ctypes.c_double if x.is_float else ctypes.c_int64
            x.container[x.key] = kind.from_address(x.address).value
        return not failed
    return run


def word(x: Any, at: int, kind: Any = ctypes.c_int64) -> Any:
    """What stands in an object, so many bytes in."""
    return kind.from_address(id(x) + at).value


def objects_lie_as_read() -> bool:
    """Whether samples of all objects that a look reads have everything where it looks: in CPython with its lock, on 64 bits."""
    if sys.implementation.name != "cpython" or object.__basicsize__ != 16 or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    items = [np.zeros((2, 3), np.float32)]
    array, pair, number, table = items[0], (items, None), 2.5, {"key": items}
    at = id(array)
    cell = (lambda: items).__closure__[0]  # type: ignore[index]
    seen = [ctypes.c_int32.from_address(at).value, word(array, TYPE), word(number, TYPE), word(number, FIRST, ctypes.c_double),
            word(array, FIRST), word(array, 24, ctypes.c_int32), *(ctypes.c_int64 * 2).from_address(word(array, 32)),
            word(array, 56), word(array, 64, ctypes.c_int32), word(pair, FIRST), word(pair, tuple.__basicsize__),
            word(items, FIRST), ctypes.c_int64.from_address(word(items, 24)).value, word(table, FIRST), word(cell, FIRST)]
    return seen == [2, id(np.ndarray), id(float), number, array.ctypes.data, 2, 2, 3, id(array.dtype), array.flags.num,
                    2, id(items), 1, id(array), 1, id(items)]


@cache
def place(kind: type, name: str) -> int:
    """Where in objects of a class one of its slots is, in bytes."""
    mark, x = object(), kind.__new__(kind)
    setattr(x, name, mark)
    return next(at for at in range(FIRST, kind.__basicsize__, 8) if word(x, at) == id(mark))
