"""The vocabulary is one list: whatever is declared stands in it, and has a name at top level."""
import importlib
import pkgutil

import chainrule as cr
from chainrule.core.primitive import Primitive
from chainrule.ops import ALL

STRUCTURE = {"pick", "joint"}  # how the machine takes several outputs apart and puts them together; no operations
STAGED = {"scan", "later"}  # lines of staged programs alone: a loop over time, and what is computed again late
ALPHABET = {"copy", "maximum", "minimum"}  # of scalar gates, besides add and multiply: tests/test_gates.py


def declared() -> set[Primitive]:
    modules = [importlib.import_module(m.name) for m in pkgutil.walk_packages(cr.__path__, "chainrule.")
               if not m.name.endswith("__main__")]
    return {thing for module in modules for thing in vars(module).values() if isinstance(thing, Primitive)}


def test_every_declared_operation_is_in_the_list():
    assert {p.name for p in declared() - set(ALL)} == STRUCTURE | STAGED | ALPHABET


def test_names_are_unique():
    names = [p.name for p in ALL]
    assert len(names) == len(set(names))
