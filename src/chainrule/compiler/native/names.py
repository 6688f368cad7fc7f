"""Names in kernels: which a statement uses, each made to mean one thing, and one name for values that are the same."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..loops.language import Apply, Constant, Gather, Index, Let, Loop, Position, Read, Start, Statement, Value, Write


def walk(body: Iterable[Statement]) -> Iterator[Statement]:
    """All statements, those of inner loops too."""
    for statement in body:
        yield statement
        if isinstance(statement, Loop):
            yield from walk(statement.body)


def written(body: Iterable[Statement]) -> set[str]:
    return {s.array for s in walk(body) if isinstance(s, Write)}


def uses(value: Value) -> set[str]:
    """The names of values and variables that a value is made from."""
    if isinstance(value, Apply):
        return set(value.args)
    if isinstance(value, Read):
        return {name for name, _ in value.index.terms} | ({value.guard} if value.guard is not None else set())
    return {value.variable} if isinstance(value, Position) else set()


def used(statement: Statement) -> set[str]:
    if isinstance(statement, Let):
        return uses(statement.value)
    if isinstance(statement, Write):
        return uses(Read(statement.array, statement.index, statement.guard)) | {statement.value}
    if isinstance(statement, Gather):
        return {statement.value, statement.accumulator}
    return set().union(*map(used, statement.body)) if isinstance(statement, Loop) else set()


# ------------------------------------------------------------------------------------ unique names
def unique(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The same statements, in which no two loops use one name for different things."""
    made = [s.variable if isinstance(s, Loop) else s.name for s in walk(body) if isinstance(s, Loop | Let | Start)]
    return body if len(set(made)) == len(made) else renamed(body, {}, set())


def renamed(body: tuple[Statement, ...], names: dict[str, str], taken: set[str]) -> tuple[Statement, ...]:
    names = dict(names)
    result: list[Statement] = []
    for s in body:
        if isinstance(s, Loop):
            variable = fresh(s.variable, taken)
            result.append(replace(s, variable=variable, body=renamed(s.body, names | {s.variable: variable}, taken)))
        elif isinstance(s, Let):
            value = renamed_value(s.value, names)
            names[s.name] = fresh(s.name, taken)
            result.append(replace(s, name=names[s.name], value=value))
        elif isinstance(s, Start):
            names[s.name] = fresh(s.name, taken)
            result.append(replace(s, name=names[s.name]))
        else:
            result.append(renamed_use(s, names))
    return tuple(result)


def renamed_use(s: Statement, names: dict[str, str]) -> Statement:
    """A statement that gives no name, with other names for what it uses."""
    if isinstance(s, Gather):
        return replace(s, accumulator=names.get(s.accumulator, s.accumulator), value=names.get(s.value, s.value))
    if isinstance(s, Write):
        guard = None if s.guard is None else names.get(s.guard, s.guard)
        return replace(s, index=renamed_index(s.index, names), value=names.get(s.value, s.value), guard=guard)
    return s


def renamed_value(value: Value, names: dict[str, str]) -> Value:
    if isinstance(value, Apply):
        return replace(value, args=tuple(names.get(a, a) for a in value.args))
    if isinstance(value, Read):
        guard = None if value.guard is None else names.get(value.guard, value.guard)
        return replace(value, index=renamed_index(value.index, names), guard=guard)
    return replace(value, variable=names.get(value.variable, value.variable)) if isinstance(value, Position) else value


def renamed_index(index: Index, names: dict[str, str]) -> Index:
    return Index(index.offset, tuple((names.get(name, name), step) for name, step in index.terms))


def fresh(name: str, taken: set[str]) -> str:
    candidate, k = name, 1
    while candidate in taken:
        k += 1
        candidate = f"{name}.{k}"
    taken.add(candidate)
    return candidate


# ------------------------------------------------------------------------------------ equal values
def merged(body: Iterable[Statement], changed: set[str], names: dict[str, str], known: dict[Any, str]) -> tuple[Statement, ...]:
    """The statements with each value computed once where it is needed again; names are unique.

    `changed` are the arrays that are written somewhere, whose elements may differ from one read to the next; `names` says which
    name stands for one that is gone, `known` which values have a name.
    """
    names, known = dict(names), dict(known)
    result: list[Statement] = []
    for s in body:
        if isinstance(s, Loop):
            result.append(replace(s, body=merged(s.body, changed, names, known)))
        elif isinstance(s, Let):
            value = renamed_value(s.value, names)
            key = (repr(value.value), value.dtype) if isinstance(value, Constant) else value  # 0.0 equals -0.0, and is another
            if isinstance(value, Read) and value.array in changed:
                result.append(replace(s, value=value))
            elif key in known:
                names[s.name] = known[key]
            else:
                known[key] = s.name
                result.append(replace(s, value=value))
        else:
            result.append(renamed_use(s, names))
    return tuple(result)
