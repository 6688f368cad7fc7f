"""The syntax of what a person types is Python's, within limits that keep reading it fast."""
from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable
from typing import Any

from chainrule.errors import ExpressionError

LONGEST = 2000  # characters
DEEPEST = 100  # operations inside operations
BRACKETS = 30  # brackets inside brackets
LARGEST = 2**53  # whole numbers beyond are not exact in float64

REFUSED: dict[type[ast.AST], str] = {
    ast.Attribute: "attributes (x.y), but for .T and .mT", ast.Lambda: "lambda", ast.ListComp: "comprehensions",
    ast.SetComp: "comprehensions", ast.DictComp: "comprehensions", ast.GeneratorExp: "comprehensions",
    ast.IfExp: "if ... else; write where(condition, a, b)",
    ast.BoolOp: "and, or; write logical_and(a, b)", ast.NamedExpr: ":=; write u = ...; on a line before",
    ast.JoinedStr: "text", ast.Dict: "dictionaries", ast.Set: "sets", ast.Await: "await", ast.Yield: "yield",
    ast.YieldFrom: "yield", ast.Starred: "*", ast.Import: "import", ast.ImportFrom: "import", ast.FunctionDef: "def",
    ast.ClassDef: "class", ast.Slice: "a slice outside of brackets", ast.AugAssign: "+= and its kin; give the new value a name",
    ast.AnnAssign: "annotations", ast.Delete: "del", ast.Expr: "a value without a name before the last line"}


def refused(node: ast.AST, source: str) -> ExpressionError:
    """The error for syntax outside the language."""
    what = REFUSED.get(type(node)) or operator_of(node) or f"{type(node).__name__.lower()}"
    column = getattr(node, "col_offset", 0) + 1
    return ExpressionError(f"not part of the language of formulas (column {column}): {what}.")


def operator_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        return f"the operator {type(node.op).__name__}"
    return "chained or unusual comparisons" if isinstance(node, ast.Compare) else None


def parsed(source: str) -> ast.Module:
    """The syntax tree of a formula, after checks that keep Python's parser within its limits."""
    text = source.strip()
    if not text:
        raise ExpressionError("the expression is empty.")
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression has {len(text)} characters; the limit is {LONGEST}.")
    if not text.isprintable():
        odd = next(c for c in text if not c.isprintable())
        raise ExpressionError(f"the expression holds the character U+{ord(odd):04X}; use ; between lines, and spaces.")
    deepest = depth = 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        deepest = max(deepest, depth)
    if deepest > BRACKETS:
        raise ExpressionError(f"brackets are nested {deepest} deep; the limit is {BRACKETS}. Name the parts: u = ...; v = ...")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on odd literals; what is odd is refused below anyway
            tree = ast.parse(text)
    except SyntaxError as error:
        where = f" (column {error.offset})" if error.offset else ""
        raise ExpressionError(f"this is not a formula{where}: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError("this is not a formula, or it is nested too deep.") from None
    if not tree.body:
        raise ExpressionError("the expression is only a comment.")
    return tree


def finite(x: Any) -> Any:
    """A number that float64 holds."""
    if isinstance(x, int) and abs(x) > LARGEST:
        raise ExpressionError(f"a whole number of {len(str(abs(x)))} digits is too large; the limit is 2**53.")
    if not math.isfinite(x):
        raise ExpressionError("a number is too large for float64.")
    return x


def numbers_in(x: Any) -> Any:
    """A nested list of numbers, all as floats, after checking that its rows are of one length."""
    if not isinstance(x, list):
        if type(x) not in (int, float):
            raise ExpressionError("a list holds plain numbers only; join values with stack(u, v).")
        return float(finite(x))
    rows = [numbers_in(row) for row in x]
    if len({(len(r) if isinstance(r, list) else None) for r in rows}) > 1:
        raise ExpressionError("the rows of a matrix must be of one length.")
    return rows


def folded(sign: str, compute: Callable[[Any, Any], Any], left: float, right: float) -> float:
    """Arithmetic between two plain numbers; what would blow up is an error before it does."""
    said = f"{left} {sign} {right}"
    try:
        if sign == "**" and not abs(float(left) ** float(right)) <= 2.0**53:
            raise OverflowError
        made = compute(left, right)
    except OverflowError:
        raise ExpressionError(f"{said} is too large a number.") from None
    except ZeroDivisionError:
        raise ExpressionError(f"{said} divides by zero.") from None
    except TypeError:
        raise ExpressionError(f"{said} has no meaning between numbers.") from None
    if isinstance(made, complex):
        raise ExpressionError(f"{said} is no real number.")
    return float(finite(made)) if isinstance(made, float) else int(finite(made))
