"""Every slope is the true derivative to the last places, over the whole range of its argument."""
from pathlib import Path

import pytest

from accuracy import DTYPES, EXCEPTIONS, allowed, measurable, rows
from references import REFERENCES

TABLE = Path(__file__).parent.parent / "docs" / "accuracy.md"
NAMES = [prim.name for prim in measurable()]


@pytest.mark.parametrize("prim", measurable(), ids=str)
def test_every_slope_keeps_the_bar_or_is_a_named_exception(prim):
    assert prim.name in REFERENCES, f"write a line reference({prim.name!r}, value, slope, ...) in tests/references.py"
    for dtype in DTYPES:
        for row in rows(prim, dtype, 120):
            measured = {"value": row.value, **dict(enumerate(row.slopes))}
            for part, worst in measured.items():
                assert worst is None or worst.points > 0, f"{prim.name}, {part}: no point lies in the domain"
                assert worst is None or worst.error <= allowed(prim, part), (
                    f"{prim.name}, {part}, {dtype.__name__}: {worst.error:.3g} ulp at {worst.at}, options {row.reference.params}")


@pytest.mark.parametrize("prim", measurable(), ids=str)
def test_a_reference_has_a_slope_where_the_operation_has_one(prim):
    for reference in REFERENCES[prim.name]:
        assert [s is None for s in prim.slopes] == [s is None for s in reference.slopes]


def test_references_and_exceptions_name_operations_that_exist():
    assert set(REFERENCES) == set(NAMES)
    assert {name for name, _ in EXCEPTIONS} <= set(NAMES)


def test_the_table_in_the_docs_lists_exactly_the_operations_there_are():
    lines = TABLE.read_text().splitlines()
    listed = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert listed == set(NAMES), "run benchmarks/accuracy_table.py to write it anew"
