"""A given value is a name and its numbers, typed as `x=2` or `W=[[2,-3]]`; `labels:int=[0,2]` gives whole numbers."""
from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.errors import ExpressionError, InputError
from chainrule.tensor import Tensor, tensor

from .expression import LARGEST_ARRAY, operations
from .syntax import finite, numbers_in, parsed, refused

LONGEST_NAME = 30


def given(assignments: Iterable[str]) -> dict[str, Tensor]:
    """The variables of an expression; real ones, in float64, want gradients."""
    variables: dict[str, Tensor] = {}
    known = operations()
    for text in assignments:
        name, sign, value = text.partition("=")
        name, colon, kind = name.partition(":")
        name = name.strip()
        if not sign or not value.strip():
            raise InputError(f"{text!r:.40} is not a value; write name=value, as in x=2.")
        if not (name.isidentifier() and name.isascii()) or len(name) > LONGEST_NAME:
            raise InputError(f"{name!r:.40} is not a name; a name is up to {LONGEST_NAME} letters, digits and _.")
        if name in variables:
            raise InputError(f"{name} is given twice.")
        if name in known:
            raise InputError(f"{name} is an operation; give the value another name.")
        if colon and kind.strip() not in ("int", "float"):
            raise InputError(f"{kind!r:.20} is no kind of number; {name}:int=... gives whole numbers.")
        variables[name] = variable(name, value, whole=kind.strip() == "int")
    return variables


def variable(name: str, text: str, *, whole: bool) -> Tensor:
    """The tensor of one typed value."""
    try:
        numbers = read(text)
        if isinstance(numbers, list) and not math.prod(np.shape(numbers)):
            raise ExpressionError("an empty list.")
        array = np.array(numbers, np.float64)
    except ExpressionError as error:
        raise InputError(f"the value of {name} is not made of numbers: {error}") from None
    if array.size > LARGEST_ARRAY:
        raise InputError(f"{name} has {array.size} numbers; the limit is {LARGEST_ARRAY}.")
    if whole and (array != np.round(array)).any():
        raise InputError(f"{name}:int is given numbers that are not whole.")
    return tensor(array.astype(np.int64)) if whole else tensor(array, requires_grad=True, name=name)


def read(text: str) -> Any:
    """A number or a nested list of numbers."""
    body = parsed(text).body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise ExpressionError("write a number, or a list of numbers.")
    return numbers_in(literal(body[0].value, text))


def literal(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.List | ast.Tuple):
        return [literal(x, text) for x in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        x = literal(node.operand, text)
        if not isinstance(x, list):
            return -x if isinstance(node.op, ast.USub) else x
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return finite(node.value)
    if isinstance(node, ast.Name):
        raise ExpressionError(f"{node.id} is a word.")
    raise refused(node, text)
