"""A tree is arrays inside dicts, lists, tuples and dataclasses; transforms work on the leaves and keep the containers."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

from chainrule.errors import ArgumentError


class Structure(NamedTuple):
    """A tree without its leaves: the kind of container, its keys, and the structures inside (None kind: one leaf)."""

    kind: Any
    keys: tuple[Any, ...]
    children: tuple[Structure, ...]

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return 1 if self.kind is LEAF else sum(child.size for child in self.children)

    def __str__(self) -> str:
        if self.kind is LEAF:
            return "*"
        if self.kind is type(None):
            return "None"
        kind = self.kind if isinstance(self.kind, type) else type(self.kind)
        name = "" if kind in (list, tuple, dict) else kind.__name__
        return f"{name}{{{', '.join(f'{k}: {c}' for k, c in zip(self.keys, self.children))}}}"


LEAF = "leaf"
leaf = Structure(LEAF, (), ())


def entries(tree: Any) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """One level of a tree: kind, keys, values. A kind of LEAF means: not a container.

    A field of a dataclass made with `field(metadata={"static": True})` is part of the container, not of the tree.
    """
    if tree is None:
        return type(None), (), ()
    if isinstance(tree, dict):
        return type(tree), tuple(tree), tuple(tree.values())
    if isinstance(tree, tuple | list):
        return type(tree), tuple(range(len(tree))), tuple(tree)
    if is_dataclass(tree) and not isinstance(tree, type):
        names = tuple(f.name for f in fields(tree) if f.init and not f.metadata.get("static"))
        return tree, names, tuple(getattr(tree, n) for n in names)
    return LEAF, (), ()


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a tree, in order, and the tree without them.

    >>> flatten({"w": 1.0, "layers": [2.0, 3.0]})[0]
    [1.0, 2.0, 3.0]
    """
    kind, keys, values = entries(tree)
    if kind is LEAF:
        return [tree], leaf
    leaves: list[Any] = []
    children = []
    for value in values:
        below, child = flatten(value)
        leaves += below
        children.append(child)
    return leaves, Structure(kind, keys, tuple(children))


def unflatten(structure: Structure, leaves: Iterator[Any] | list[Any]) -> Any:
    """The tree with these leaves put back."""
    leaves = iter(leaves)
    if structure.kind is LEAF:
        return next(leaves)
    values = [unflatten(child, leaves) for child in structure.children]
    kind = structure.kind
    if kind is type(None):
        return None
    if is_dataclass(kind) and not isinstance(kind, type):
        return replace(kind, **dict(zip(structure.keys, values)))
    if issubclass(kind, dict):
        return kind(zip(structure.keys, values))
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


def leaves_like(structure: Structure, tree: Any, name: str) -> list[Any]:
    """The leaves of `tree` in the order of `structure`, or an error where its containers or keys differ.

    Dictionaries may hold their keys in any order; of a dataclass its class counts, not its other fields.
    """
    kind, keys, values = entries(tree)
    kinds = [k if isinstance(k, type | str) else type(k) for k in (structure.kind, kind)]
    if kinds[0] is not kinds[1] or set(keys) != set(structure.keys):
        raise ArgumentError(f"{name}: the trees differ: {structure} and {flatten(tree)[1]}. Give trees with the same containers "
                            "and keys.")
    if kind is LEAF:
        return [tree]
    found = dict(zip(keys, values))
    return [x for key, child in zip(structure.keys, structure.children) for x in leaves_like(child, found[key], name)]


def tree_map(f: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """`f` applied to the leaves of one tree, or of several of the same shape.

    >>> tree_map(lambda x: 2 * x, {"w": 1.0, "b": [2.0]})
    {'w': 2.0, 'b': [4.0]}
    """
    leaves, structure = flatten(tree)
    columns = [leaves, *(leaves_like(structure, other, "tree_map") for other in others)]
    return unflatten(structure, [f(*row) for row in zip(*columns)])


def paths(tree: Any, prefix: str = "") -> list[str]:
    """A dotted name for each leaf.

    >>> paths({"w": 1.0, "layers": [2.0, 3.0]})
    ['w', 'layers.0', 'layers.1']
    """
    kind, keys, values = entries(tree)
    if kind is LEAF:
        return [prefix]
    return [p for k, v in zip(keys, values) for p in paths(v, f"{prefix}.{k}" if prefix else str(k))]
