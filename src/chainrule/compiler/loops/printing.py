"""The printed form of a kernel: its loops as readable lines, each beside the operation and the user's line it comes from."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from .language import (
    AnyKernel,
    Apply,
    Array,
    Combine,
    Constant,
    Contraction,
    Gather,
    Index,
    Kernel,
    Let,
    Loop,
    Origin,
    Position,
    Read,
    Start,
    Statement,
    Sweep,
    Value,
    Write,
)

INFIX = {
    "add": ("+", 5), "subtract": ("-", 5), "multiply": ("*", 6), "divide": ("/", 6), "floor_divide": ("//", 6),
    "remainder": ("%", 6),
    "equal": ("==", 3), "not_equal": ("!=", 3), "less": ("<", 3), "less_equal": ("<=", 3), "greater": (">", 3),
    "greater_equal": (">=", 3), "logical_and": ("and", 2), "logical_or": ("or", 1), "bitwise_and": ("&", 4),
    "bitwise_or": ("|", 4),
    "bitwise_xor": ("^", 4), "bitwise_left_shift": ("<<", 4), "bitwise_right_shift": (">>", 4), "pow": ("**", 8),
}
PREFIX = {"negative": ("-", 7), "logical_not": ("not ", 2), "bitwise_invert": ("~", 7)}
ATOM = 9
GATHERED = {"sum": "{0} += {1}", "prod": "{0} *= {1}", "any": "{0} |= {1}", "all": "{0} &= {1}",
            "max": "{0} = max({0}, {1})", "min": "{0} = min({0}, {1})"}
NEUTRAL = {"sum": "0", "prod": "1", "max": "-inf", "min": "inf", "any": "False", "all": "True"}
MARGIN = 72
"""Where what is said beside a line begins, unless the line is longer."""


@dataclass(frozen=True)
class Text:
    """An expression, how tightly its outermost operation binds, and where its parts come from."""

    text: str
    binding: int = ATOM
    origins: tuple[Origin, ...] = ()

    def within(self, binding: int) -> str:
        return self.text if self.binding >= binding else f"({self.text})"


@dataclass
class Page:
    """Lines as they are written; `known` says how each name is shown, `once` which values are written where they are used."""

    once: set[str]
    lines: list[str] = field(default_factory=list)
    known: dict[str, Text] = field(default_factory=dict)
    combines: dict[str, Combine] = field(default_factory=dict)

    def put(self, depth: int, text: str, origins: Iterable[Origin] = ()) -> None:
        beside = said(origins)
        line = "  " * depth + text
        self.lines.append(f"{line:<{MARGIN}}  # {beside}" if beside else line)


def shown(kernel: AnyKernel) -> str:
    """The kernel as text. Values that are used once, at the same place, are written there."""
    if isinstance(kernel, Sweep):
        return sweep_text(kernel)
    return contraction_text(kernel) if isinstance(kernel, Contraction) else kernel_text(kernel)


def sweep_text(sweep: Sweep) -> str:
    arrays = ", ".join([*map(array_text, sweep.arrays), *(f"own {array_text(a)}" for a in sweep.own)])
    lines = [f"{sweep.title}({arrays})", f"  parallel for round in {sweep.rounds}:"]
    for turn in sweep.turns:
        given = [f"{a.name} = {name}{place(Index(offset, (('round', step),) if step else ()))}"
                 for a, (name, offset, step) in zip(turn.kernel.arrays, turn.places)]
        lines += [f"    with {', '.join(given)}:", *("      " + line for line in shown(turn.kernel).splitlines())]
    return "\n".join(lines)


def kernel_text(kernel: Kernel) -> str:
    page = Page(set(used_once(kernel.body)))
    page.put(0, f"{kernel.title}({', '.join(map(array_text, kernel.arrays))})")
    statements(page, kernel.body, 1)
    return "\n".join(page.lines)


def contraction_text(contraction: Contraction) -> str:
    page = Page(set(used_once(contraction.epilogue)) | {"sum"})
    page.put(0, f"{contraction.title}({', '.join(map(array_text, contraction.arrays))})")
    free = [a for a in contraction.axes if not a.summed]
    if free:
        page.put(1, "each " + ", ".join(f"{a.name} in {a.size}" for a in free))
    summed = ", ".join(f"{a.name} in {a.size}" for a in contraction.axes if a.summed)
    left, right = (f"{name}{place(Index(offset, steps))}" for (name, offset), steps in (
        (contraction.left, tuple((a.name, a.left) for a in contraction.axes if a.left)),
        (contraction.right, tuple((a.name, a.right) for a in contraction.axes if a.right))))
    page.put(2, f"sum = {left} * {right}" + (f", summed over {summed}" if summed else ""))
    statements(page, contraction.epilogue, 2)
    return "\n".join(page.lines)


def array_text(array: Array) -> str:
    return f"{array.name}: {array.dtype}[{array.size}]{' written' if array.written else ''}"


# ------------------------------------------------------------------------------------ statements
def statements(page: Page, body: Iterable[Statement], depth: int) -> None:
    for s in body:
        if isinstance(s, Loop):
            page.put(depth, f"{'' if s.kind == 'serial' else s.kind + ' '}for {s.variable} in {s.extent}:")
            statements(page, s.body, depth + 1)
        elif isinstance(s, Let):
            let(page, s, depth)
        elif isinstance(s, Start):
            page.combines[s.name] = s.combine
            page.put(depth, f"{s.name} = {NEUTRAL[s.combine]}: {s.dtype}")
        elif isinstance(s, Gather):
            value = named(page, s.value)
            form = GATHERED[page.combines.get(s.accumulator, "sum")]
            page.put(depth, form.format(s.accumulator, value.text), (*value.origins, s.origin))
        else:
            value = named(page, s.value)
            guard = named(page, s.guard) if s.guard is not None else Text("")
            condition = f"if {guard.text}: " if guard.text else ""
            origins = (*guard.origins, *value.origins, s.origin)
            page.put(depth, f"{condition}{s.array}{place(s.index, page)} = {value.text}", origins)


def let(page: Page, s: Let, depth: int) -> None:
    """A value used once, or a constant or a loop's variable, is kept for where it is used; others get a line."""
    value = expression(page, s.value)
    value = Text(value.text, value.binding, (*value.origins, s.origin))
    if s.name in page.once or isinstance(s.value, Constant | Position):
        page.known[s.name] = value
    else:
        page.put(depth, f"{s.name} = {value.text}", value.origins)
        page.known.pop(s.name, None)


def used_once(body: Iterable[Statement]) -> Iterator[str]:
    """The values that are used once, by a statement beside them: written there, they are computed as often as they were."""
    body = tuple(body)
    beside = Counter(name for s in body if not isinstance(s, Loop) for name in uses(s))
    inside = {name for s in body if isinstance(s, Loop) for name in every_use(s.body)}
    for s in body:
        if isinstance(s, Loop):
            yield from used_once(s.body)
        elif isinstance(s, Let) and beside[s.name] == 1 and s.name not in inside:
            yield s.name


def every_use(body: Iterable[Statement]) -> Iterator[str]:
    for s in body:
        yield from every_use(s.body) if isinstance(s, Loop) else uses(s)


def uses(s: Statement) -> Iterator[str]:
    """The names of values in a statement."""
    if isinstance(s, Gather):
        yield s.value
    elif isinstance(s, Let) and isinstance(s.value, Apply):
        yield from s.value.args
    where = s if isinstance(s, Write) else s.value if isinstance(s, Let) else None
    if isinstance(where, Write | Read):
        yield from (name for name, _ in where.index.terms)
        if where.guard is not None:
            yield where.guard
    if isinstance(s, Write):
        yield s.value


# ------------------------------------------------------------------------------------ expressions
def named(page: Page, name: str) -> Text:
    return page.known.get(name, Text(name))


def expression(page: Page, value: Value) -> Text:
    if isinstance(value, Constant):
        return constant_text(value)
    if isinstance(value, Position):
        return Text(value.variable)
    if isinstance(value, Read):
        text = f"{value.array}{place(value.index, page)}"
        if value.guard is None:
            return Text(text)
        guard = named(page, value.guard)
        return Text(f"{text} if {guard.within(1)} else 0", 0, guard.origins)
    args = [named(page, name) for name in value.args]
    origins = tuple(o for a in args for o in a.origins)
    if value.operation in INFIX:
        sign, binding = INFIX[value.operation]
        return Text(f"{args[0].within(binding)} {sign} {args[1].within(binding + 1)}", binding, origins)
    if value.operation in PREFIX:
        sign, binding = PREFIX[value.operation]
        return Text(sign + args[0].within(binding), binding, origins)
    if value.operation == "select":
        return Text(f"{args[1].within(1)} if {args[0].within(1)} else {args[2].within(1)}", 0, origins)
    name = str(value.dtype) if value.operation == "cast" else value.operation
    return Text(f"{name}({', '.join(a.text for a in args)})", ATOM, origins)


def constant_text(value: Constant) -> Text:
    number = np.asarray(value.value, value.dtype)[()]
    text = f"{number:.9g}" if value.dtype.itemsize < 8 and value.dtype.kind == "f" else str(number)
    return Text(text, 7 if text.startswith("-") else ATOM)


def place(index: Index, page: Page | None = None) -> str:
    """An index as a sum of steps, in brackets."""
    parts = []
    for name, step in index.terms:
        value = named(page, name) if page is not None else Text(name)
        parts.append(f" {'-' if step < 0 else '+'} {value.within(6)}" + (f"*{abs(step)}" if abs(step) != 1 else ""))
    if index.offset or not parts:
        parts.append(f" {'-' if index.offset < 0 else '+'} {abs(index.offset)}")
    text = "".join(parts)
    return f"[{text[3:] if text.startswith(' + ') else '-' + text[3:]}]"


def said(origins: Iterable[Origin]) -> str:
    """The operations and the lines of the user's code, each once, in order; an operation's line after it."""
    by_source: dict[str, list[str]] = {}
    for origin in origins:
        operations = by_source.setdefault(origin.source, [])
        if origin.operation and origin.operation not in operations:
            operations.append(origin.operation)
    pieces = [" ".join(filter(None, (", ".join(operations), f"({source})" if source else "")))
              for source, operations in by_source.items()]
    return "; ".join(filter(None, pieces))
