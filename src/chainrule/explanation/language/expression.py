"""An expression is a formula typed by a person: parsed by Python's parser, read by an allow-list, never evaluated by Python."""
from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from chainrule.core.interpreter import Interpreter, under
from chainrule.core.primitive import Primitive
from chainrule.core.type import Array, Type, typeof
from chainrule.eager import EAGER
from chainrule.errors import ChainruleError, ExpressionError
from chainrule.ops import ALL
from chainrule.tensor import Tensor

from .syntax import DEEPEST, finite, folded, numbers_in, parsed, refused

MOST_OPERATIONS = 500
LARGEST_ARRAY = 10_000  # elements
LARGEST_OPTION = 10_000  # a number that says a size, an axis or a count
PREPARE = re.compile(r"\w*prepare\(\) ")  # an inner function, named in Python's complaint about a call
LONGEST_WORD = 50  # of an option, such as the subscripts of einsum

BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add), ast.Sub: ("-", operator.sub), ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv), ast.Pow: ("**", operator.pow), ast.MatMult: ("@", operator.matmul)}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne}
TRANSPOSES: dict[str, Callable[[Tensor], Any]] = {"T": operator.attrgetter("T"), "mT": operator.attrgetter("mT")}
COMPOSED = (
    "batch_norm", "cross_entropy", "cumulative_prod", "cumulative_sum", "diagonal", "dot", "expand_dims", "flatten", "flip",
    "glu", "group_norm", "huber_loss", "inner", "l1_loss", "layer_norm", "matrix_transpose", "moveaxis", "mse_loss",
    "nll_loss", "norm", "outer", "ravel", "rms_norm", "roll", "softmin", "squeeze", "swapaxes", "tensordot", "trace",
    "tril", "triu")
"""Functions of several operations that a formula may call too, where the library has them."""


@cache
def operations() -> dict[str, Callable[..., Any]]:
    """What a formula may call, by name: the public operations in ALL, and a few functions made of them."""
    import chainrule  # the names are public there; it is loaded before this is called
    public = vars(chainrule)
    return {p.name: p for p in ALL if public.get(p.name) is p} | {n: public[n] for n in COMPOSED if n in public}


class Guarded(Interpreter):
    """Compute, but refuse results too large to be explained, before they are made."""

    __slots__ = ("left",)
    name = "expression"

    def __init__(self) -> None:
        super().__init__(EAGER)
        self.left = MOST_OPERATIONS

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        self.left -= 1
        if self.left < 0:
            raise ExpressionError(f"more than {MOST_OPERATIONS} operations; write a shorter expression.")
        types = prim.result(*(None if a is None else typeof(a) for a in args), **params)
        for t in types if isinstance(types, list) else [types]:
            too_large(prim.name, t)
        return self.parent.apply(prim, args, params)


def too_large(what: str, t: Type) -> None:
    if math.prod(t.shape) > LARGEST_ARRAY:
        raise ExpressionError(f"{what}: {t} has more than {LARGEST_ARRAY} elements, too many to explain.")


def is_word(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str | bool))


def as_array(x: Any) -> Any:
    """A list of numbers as an array; everything else as it is."""
    return np.array(numbers_in(x)) if isinstance(x, list) else x


def whole_or_real(x: list[Any]) -> Any:
    """A list given to an operation: whole numbers may be axes or sizes, so they stay whole."""
    array = as_array(x)
    small(x)
    return array.astype(np.int64) if np.array(x).dtype.kind == "i" else array


def small(x: Any) -> Any:
    """An option, after checking that no number in it asks for something huge; lists become tuples."""
    if isinstance(x, list):
        return tuple(map(small, x))
    if type(x) in (int, float) and abs(x) > LARGEST_OPTION:
        raise ExpressionError(f"{x} is too large for an option; the limit is {LARGEST_OPTION}.")
    return x


def check_arguments(operation: Any, given: list[Any]) -> None:
    """Operations without options are NumPy functions, which would take one more array to write into, and words for numbers."""
    if isinstance(operation, Primitive) and operation.prepare is None and isinstance(operation.backward, tuple):
        takes = len(operation.backward)
        if len(given) != takes or any(isinstance(x, str) for x in given):
            raise ExpressionError(f"{operation.name} takes {takes} value{'s'[:takes > 1]}; {len(given)} arguments were given.")


class Reading:
    """One expression, being read: its variables, and the values given names on the way."""

    def __init__(self, source: str, variables: Mapping[str, Tensor]) -> None:
        self.source, self.variables = source, dict(variables)
        self.operations = operations()
        self.used: set[str] = set()
        self.columns: dict[int, str] = {}
        self.alive: list[Any] = []  # keeps ids unique while reading

    def last(self) -> Any:
        """The value of the last line."""
        *lines, last = parsed(self.source).body
        with under(Guarded()), np.errstate(all="ignore"):
            for line in lines:
                self.assign(line)
            if isinstance(last, ast.Assign):
                return self.assign(last)
            if isinstance(last, ast.Expr):
                return self.value(last.value, 0)
        raise refused(last, self.source)

    def run(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The value of the last line, which has to depend on the variables, and all named values."""
        loss = self.last()
        unused = [name for name in self.variables if name not in self.used and loss is not self.variables[name]]
        if unused:
            raise ExpressionError(f"{unused[0]} is given or named, and not used in the expression.")
        if not isinstance(loss, Tensor) or loss.owner is not EAGER or loss.prim is None:
            raise ExpressionError("the expression computes nothing from its variables, so there is nothing to explain.")
        return loss, self.variables

    def assign(self, line: ast.stmt) -> Any:
        if not (isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name)):
            raise refused(line, self.source)
        name = line.targets[0].id
        if name in self.variables:
            raise ExpressionError(f"{name} has a value already; give the new one another name.")
        if name in self.operations:
            raise ExpressionError(f"{name} is an operation; give the value another name.")
        value = self.value(line.value, 0)
        if not isinstance(value, Tensor):
            raise ExpressionError(f"{name} is a plain number; write the number where it is used.")
        if any(value is v for v in self.variables.values()):
            raise ExpressionError(f"{name} is only another name for a value; use one name.")
        self.variables[name] = value
        return value

    def value(self, node: ast.AST, depth: int) -> Any:
        """The value of one node of the syntax tree: a tensor, a number, or a nested list of numbers."""
        if depth > DEEPEST:
            raise ExpressionError(f"operations are nested more than {DEEPEST} deep; name the parts: u = ...; v = ...")
        reader = READERS.get(type(node))
        if reader is None:
            raise refused(node, self.source)
        value = reader(self, node, depth + 1)
        if isinstance(value, Tensor) and value.prim is not None and id(value) not in self.columns:
            self.columns[id(value)] = f"column {getattr(node, 'col_offset', 0) + 1}"
            self.alive.append(value)
        return value

    # ---------------------------------------------------------------- what may stand in an expression
    def constant(self, node: ast.Constant, depth: int) -> Any:
        if type(node.value) not in (int, float):
            raise ExpressionError(f"{node.value!r:.20} is not a number.")
        return finite(node.value)

    def name(self, node: ast.Name, depth: int) -> Any:
        if node.id in self.variables:
            self.used.add(node.id)
            return self.variables[node.id]
        if node.id in self.operations:
            raise ExpressionError(f"{node.id} is an operation: write {node.id}(...).")
        raise ExpressionError(f"{node.id} has no value; give it one: {node.id}=2.")

    def binary(self, node: ast.BinOp, depth: int) -> Any:
        if type(node.op) not in BINARY:
            raise refused(node, self.source)
        sign, compute = BINARY[type(node.op)]
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        if all(type(x) in (int, float) for x in (left, right)):
            return folded(sign, compute, left, right)
        return compute(as_array(left), as_array(right))

    def unary(self, node: ast.UnaryOp, depth: int) -> Any:
        x = self.value(node.operand, depth)
        if isinstance(node.op, ast.UAdd):
            return x
        if not isinstance(node.op, ast.USub):
            raise refused(node, self.source)
        return -as_array(x)

    def compare(self, node: ast.Compare, depth: int) -> Any:
        if len(node.ops) != 1 or type(node.ops[0]) not in COMPARISONS:
            raise refused(node, self.source)
        left, right = self.value(node.left, depth), self.value(node.comparators[0], depth)
        return COMPARISONS[type(node.ops[0])](as_array(left), as_array(right))

    def sequence(self, node: ast.List | ast.Tuple, depth: int) -> Any:
        return [self.value(x, depth) for x in node.elts]

    def call(self, node: ast.Call, depth: int) -> Any:
        if not isinstance(node.func, ast.Name):
            raise refused(node.func, self.source)
        name = node.func.id
        if name not in self.operations:
            known = "is a value, not an operation" if name in self.variables else "is no operation"
            raise ExpressionError(f"{name} {known}; chainrule explain --operations lists them.")
        if not node.args:
            raise ExpressionError(f"{name}() is given nothing to work on.")
        args = [self.argument(a, depth) for a in node.args]
        options = {k.arg: self.option(k.value, depth) for k in node.keywords if k.arg}
        if len(options) < len(node.keywords):
            raise ExpressionError(f"{name}: ** cannot be used in a call.")
        check_arguments(self.operations[name], args)
        try:
            return self.operations[name](*args, **options)
        except ChainruleError:
            raise
        except (TypeError, ValueError, IndexError, AttributeError, KeyError, OverflowError, MemoryError,
                RecursionError) as error:
            raise ExpressionError(f"{name}: {re.sub(PREPARE, '', str(error))}") from None

    def argument(self, node: ast.expr, depth: int) -> Any:
        """An argument: a value, or an option given by position."""
        if is_word(node):
            return self.option(node, depth)
        x = self.value(node, depth)
        if type(x) is int and abs(x) > LARGEST_OPTION:
            return float(x)  # a value, then: as an option it would be too large
        if isinstance(x, list) and isinstance(node, ast.List) and not any(isinstance(v, Tensor) for v in x):
            return whole_or_real(x)
        return small(x)

    def option(self, node: ast.expr, depth: int) -> Any:
        if is_word(node):
            word = node.value  # type: ignore[attr-defined]
            if isinstance(word, str) and len(word) > LONGEST_WORD:
                raise ExpressionError(f"an option is a word of at most {LONGEST_WORD} letters.")
            return word
        return small(self.value(node, depth))

    def subscript(self, node: ast.Subscript, depth: int) -> Any:
        x: Any = self.value(node.value, depth)
        if not isinstance(x, Tensor):
            raise ExpressionError("only a value can be indexed, not a number or a list.")
        keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        key = tuple(self.key(k, depth) for k in keys)
        return x[key if len(key) != 1 else key[0]]  # type: ignore[index]  # the face of operators is put on later

    def transposed(self, node: ast.Attribute, depth: int) -> Any:
        """x.T and x.mT: no other attribute is looked at."""
        if node.attr not in TRANSPOSES:
            raise refused(node, self.source)
        x = self.value(node.value, depth)
        if not isinstance(x, Tensor):
            raise ExpressionError(f".{node.attr} belongs to a value, not to a number or a list.")
        return TRANSPOSES[node.attr](x)

    def key(self, node: ast.expr, depth: int) -> Any:
        if isinstance(node, ast.Slice):
            return slice(*(None if part is None else self.index(part, depth) for part in (node.lower, node.upper, node.step)))
        if isinstance(node, ast.Constant) and (node.value is None or node.value is Ellipsis):
            return node.value
        return self.index(node, depth)

    def index(self, node: ast.expr, depth: int) -> Any:
        x = self.value(node, depth)
        if isinstance(x, Tensor) and x.dtype.kind in "iub":
            return x
        if type(x) is not int or abs(x) > LARGEST_OPTION:
            raise ExpressionError("an index is a whole number, a slice, or a variable of whole numbers (i:int=[0,2]).")
        return x


READERS: dict[type[ast.AST], Callable[[Reading, Any, int], Any]] = {
    ast.Constant: Reading.constant, ast.Name: Reading.name, ast.BinOp: Reading.binary, ast.UnaryOp: Reading.unary,
    ast.Compare: Reading.compare, ast.List: Reading.sequence, ast.Tuple: Reading.sequence, ast.Call: Reading.call,
    ast.Subscript: Reading.subscript, ast.Attribute: Reading.transposed}
"""The language: whatever is not in this table is refused."""
