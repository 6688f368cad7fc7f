"""The passes, in the order in which they run."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from chainrule.core.stage import Graph, Line
from chainrule.ops import ALL
from chainrule.ops.loop_pieces import joined_pieces

from . import algebra, broadcasts, lookups, movements, products
from .bodies import with_bodies
from .constants import folded
from .keeping import asked_of_kept
from .liveness import drop_dead
from .opening import open_gates
from .patterns import Rule
from .rewriting import Rewriting, table
from .settling import settle
from .sharing import share

Knows = Callable[[Line], bool]
TABLES: dict[str, tuple[Any, ...]] = {
    "constants": (Rule(ALL, folded),),
    "broadcasts": broadcasts.ROWS,
    "algebra": algebra.ROWS,
    "products": products.ROWS,
    "movements": movements.ROWS,
    "lookups": lookups.ROWS,
}
"""The tables of simplifications, in the order in which their rows are tried."""


@lru_cache(maxsize=32)
def rows(without: frozenset[str]) -> dict[Any, tuple[Any, ...]]:
    return table([row for name, each in TABLES.items() if name not in without for row in each])


def simplify(graph: Graph, without: frozenset[str] = frozenset()) -> Graph:
    """The graph with the rows of the tables applied until none fits."""
    return Rewriting(graph, rows(frozenset(without))).run(graph)


def improve(graph: Graph, knows: Knows, *, without: frozenset[str] = frozenset()) -> tuple[Graph, list[tuple[str, Graph]]]:
    """A graph with the same results that is cheaper to run, and what it was after each pass, by the pass's name.

    `knows(line)` says whether a gate can be lowered as one; the others are opened. `without` names passes to leave out, and
    tables of simplifications: "constants", "broadcasts", "algebra", "products", "movements".
    """
    passes: tuple[tuple[str, Callable[[Graph], Graph]], ...] = (
        ("open", lambda g: open_gates(g, knows)),
        ("dead", drop_dead),
        ("settle", settle),
        ("loops", lambda g: with_bodies(g, lambda body: improve(body, knows, without=without)[0])),
        ("pieces", lambda g: replace(g, lines=joined_pieces(g.lines))),
        ("share", share),
        ("simplify", lambda g: simplify(g, without)),
        ("settle", settle),
        ("share", share),
        ("dead", drop_dead),
        ("keep", asked_of_kept),
    )
    after = []
    for name, run in passes:
        if name == "open" or name not in without:
            graph = run(graph)
            after.append((name, graph))
    return graph, after
