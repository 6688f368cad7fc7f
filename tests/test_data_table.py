"""Tables: what is read from CSV and Parquet, and that every bad cell is named by file, line and column, with its value."""
import gzip
import random

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ArgumentError, DataError, DTypeError

FLOWERS = "width, length ,kind\n1,2.5,lily\n-3e0, 4 ,rose\n+5,.5,\"lily\"\n"


def written(tmp_path, text, name="flowers.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


# ---------------------------------------------------------------------------------------- what is read
FORMS = {"LF": FLOWERS, "CRLF": FLOWERS.replace("\n", "\r\n"), "CR": FLOWERS.replace("\n", "\r"), "BOM": "\ufeff" + FLOWERS,
         "no last line end": FLOWERS.rstrip("\n"), "empty lines at the end": FLOWERS + "\n\n\n"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_inputs_classes_and_names(tmp_path, form, packed):
    path = written(tmp_path, FORMS[form])
    if packed:
        path = path.with_suffix(".csv.gz")
        path.write_bytes(gzip.compress(FORMS[form].encode()))
    data = cr.data.table(path, "kind")
    assert data.inputs.tolist() == [[1, 2.5], [-3, 4], [5, 0.5]] and data.inputs.dtype == np.float32
    assert data.targets.tolist() == [0, 1, 0] and data.targets.dtype == np.int64
    assert (data.classes, data.columns, data.name) == (("lily", "rose"), ("width", "length"), path.name)


def test_columns_are_chosen_by_name_or_place(tmp_path):
    path = written(tmp_path, "a\tb\tc\td\n1\t2\tx\t4\n5\t6\ty\t8\n", "t.tsv")
    data = cr.data.table(path, -1, columns=["b", 0])
    assert (data.inputs.tolist(), data.columns, data.targets.tolist()) == ([[2, 1], [6, 5]], ("b", "a"), [[4], [8]])
    unknown = cr.data.table(path, None, columns=["a"])
    assert unknown.targets is None and unknown.classes is None and len(unknown) == 2
    bare = cr.data.table(written(tmp_path, "1;2\n3;4\n"), 1, header=False, delimiter=";", dtype=np.float64)
    assert (bare.columns, bare.inputs.dtype, bare.targets.tolist()) == (("0",), np.float64, [[2], [4]])
    assert cr.data.table(written(tmp_path, "1,2\n3,4\n"), "2", header=True).columns == ("1",)


def test_other_encodings_are_asked_for(tmp_path):
    text = "größe,art\n1,Löwe\n2,Bär\n"
    for encoding in ("utf-8", "latin-1", "utf-16", "utf-32"):
        data = cr.data.table(written(tmp_path, text, encoding=encoding), "art", encoding=encoding)
        assert (data.columns, data.classes) == (("größe",), ("Bär", "Löwe"))
    with pytest.raises(ArgumentError, match="encoding='klingon' is unknown"):
        cr.data.table(written(tmp_path, text), "art", encoding="klingon")


@pytest.mark.parametrize("cells, task, expected, classes", [
    (["2", "10", "2", "10"], "auto", [0, 1, 0, 1], ("2", "10")), (["b", "a", "b"], "auto", [1, 0, 1], ("a", "b")),
    (["1.5", "2", "1.5", "2"], "auto", [[1.5], [2], [1.5], [2]], None), (["1", "2", "3"], "auto", [[1], [2], [3]], None),
    (["1", "2", "3"], "classification", [0, 1, 2], ("1", "2", "3")), (["1.0", "0.5"], "classification", [1, 0], ("0.5", "1")),
    (["7", "7", "8", "8"], "regression", [[7], [7], [8], [8]], None),
    (["a", "1", "b"], "classification", [1, 0, 2], ("1", "a", "b")),
    ([str(k // 2) for k in range(60)], "auto", [[k // 2] for k in range(60)], None)])
def test_the_task_follows_from_the_target(tmp_path, cells, task, expected, classes):
    data = cr.data.table(written(tmp_path, "x,y\n" + "".join(f"1,{c}\n" for c in cells)), "y", task=task)
    assert data.targets.tolist() == expected and data.classes == classes
    assert data.targets.dtype == (np.float32 if classes is None else np.int64)


def test_classes_and_columns_of_one_table_serve_another(tmp_path):
    first = cr.data.table(written(tmp_path, FLOWERS), "kind")
    path = written(tmp_path, "kind,more,length,width\nrose,9,2,1\n", "other.csv")
    other = cr.data.table(path, "kind", columns=first.columns, classes=first.classes)
    assert (other.inputs.tolist(), other.targets.tolist(), other.classes) == ([[1, 2]], [1], ("lily", "rose"))
    path.write_text("kind,length,width\nrose,2,1\ntulip,3,4\n")
    with pytest.raises(DataError, match=r"other.csv, line 3, column 'kind': 'tulip' is none of the 2 classes 'lily', 'rose'"):
        cr.data.table(path, "kind", columns=first.columns, classes=first.classes)


def test_a_target_that_is_optional_may_be_missing(tmp_path):
    known = {"columns": ("u",), "classes": ("a", "b"), "optional": True}
    with_it = cr.data.table(written(tmp_path, "goal,u\nb,1\n"), "goal", **known)
    without = cr.data.table(written(tmp_path, "u,v\n1,2\n"), "goal", **known)
    assert with_it.targets.tolist() == [1] and without.targets is None
    assert with_it.inputs.tolist() == without.inputs.tolist() == [[1.0]]


def test_parquet_gives_what_csv_gives(tmp_path):
    import pyarrow
    from pyarrow import parquet
    path = tmp_path / "t.parquet"
    table = {"a": np.arange(4, dtype=np.int16), "b": np.array([0.5, 1, 2, 3]), "c": [True, False, True, True],
             "kind": ["x", "y", "x", "x"], "number": [3, 3, 5, 5], "real": np.array([1, 2, 3, 4.5], np.float32)}
    short = {"short": pyarrow.array(table["kind"]).dictionary_encode()}
    parquet.write_table(pyarrow.table(table | short), path, row_group_size=3)
    data = cr.data.table(path, "kind", columns=["b", "a", "c"])
    assert data.inputs.tolist() == [[0.5, 0, 1], [1, 1, 0], [2, 2, 1], [3, 3, 1]] and data.inputs.dtype == np.float32
    assert (data.targets.tolist(), data.classes, data.columns) == ([0, 1, 0, 0], ("x", "y"), ("b", "a", "c"))
    assert cr.data.table(path, "short", columns=["a"]).targets.tolist() == [0, 1, 0, 0]
    assert cr.data.table(path, "number", columns=["a"]).classes == ("3", "5")
    assert cr.data.table(path, "real", columns=["a"]).targets.tolist() == [[1], [2], [3], [4.5]]
    assert cr.data.table(path, "c", columns=["a"]).classes == ("False", "True")


# ---------------------------------------------------------------------------------------- bad cells
BAD = {"": "the cell is empty", "   ": "the cell is empty", "n/a": "'n/a' is text, not a number",
       "nan": "'nan' is no finite number", "inf": "'inf' is no finite number",
       "1e39": "'1e39' is no finite number of float32", "1_000": "'1_000' is text",
       "0x10": "is text", "3,14": "'3,14' is text", "١": "is text", "1 2": "'1 2' is text", "--1": "'--1' is text",
       "x" * 99: "'" + "x" * 39 + "... is text"}


def table_with(draw, bad):
    """A table with one bad cell somewhere: its text, and the line, as an editor counts them, and the column of that cell."""
    columns, rows = draw.randint(2, 6), draw.choice([draw.randint(1, 30), 5000])
    names = [f"c{k}" for k in range(columns)]
    bad_row, bad_column = draw.randrange(rows), draw.randrange(1, columns)
    ends = draw.choice(["\n", "\r\n"])
    lines, line, wanted = [",".join(names)], 2, 0
    for row in range(rows):
        label = draw.choice(["a", "b", f'"two{ends}lines"']) if rows < 100 else "a"
        cells = [label, *(repr(draw.gauss(0, 1)) for _ in range(columns - 1))]
        if row == bad_row:
            cells[bad_column] = f'"{bad}"' if "," in bad else bad
            wanted = line
        lines.append(",".join(cells))
        line += 1 + label.count(ends)
    return ends.join([*lines, ""]), wanted, names[bad_column]


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_a_bad_cell_is_named_by_line_and_column_wherever_it_is(tmp_path, bad):
    draw = random.Random(bad)
    for _ in range(6):
        text, line, column = table_with(draw, bad)
        path = written(tmp_path, text)
        with pytest.raises(DataError) as refused:
            cr.data.table(path, "c0")
        said = str(refused.value)
        assert said.startswith(f"{path}, line {line}, column '{column}': ") and BAD[bad] in said, said
        assert "\n" not in said and said.isprintable() and "leave out the row, or the column" in said


def test_the_first_fault_in_the_order_of_reading_is_told(tmp_path):
    path = written(tmp_path, "a,b,c\n1,2,3\n1,x,\n,2,3\n1,2\n")
    for target, message in [("a", "line 3, column 'b': 'x' is text"), ("b", "line 3, column 'c': the cell is empty")]:
        with pytest.raises(DataError, match=message):
            cr.data.table(path, target)


@pytest.mark.parametrize("text, message", [
    ("a,b\n1,2\n3\n", "line 3 has 1 cells, but there are 2 columns"),
    ("a,b\n1,2,3\n", "line 2 has 3 cells, but there are 2 columns"),
    ("a,b\n1,2\n\n3,4\n", "line 3 is empty. Remove it"), ("a,a\n1,2\n", "header: column 2 is called 'a', as is column 1"),
    (",b\n1,2\n", "header: column 1 has no name"), ("a,c\n1,2\n", "has no column 'b'. Its columns are 'a', 'c'"),
    ("a;b\n1;2\n", "there is one column, 'a;b'. Is it delimiter=';'?"),
    ("1,2\n3,4\n", "line 1: there are numbers where the names"),
    ("b\n1\n", "no column of inputs beside the target"), ("a,b\n1,x\n2,\n", "line 3, column 'b': the cell is empty"),
    ("a,b\n1,x\n2,NaN\n", "line 3, column 'b': 'NaN' is no label"),
    ("a,b\n1,2\n1,2\n2,oops\n", "line 4, column 'b': 'oops' is text, but there is '2' at .*flowers.csv, line 2"),
    ("a,b\n1,x\n1,y\n2,7\n", "line 4, column 'b': '7' is a number, but there is 'x' at .*flowers.csv, line 2"),
    ("a,b\n" + "".join(f"1,name {k}\n" for k in range(30)), "column 'b': 'name 0' and 29 others in 30 rows hardly are classes"),
    ('a,b\n1,"x\ny"z\n', "line 2: .* Quotes stand around a whole cell")])
def test_faults_of_a_table_are_told_in_one_line(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=message) as refused:
        cr.data.table(path, "b")
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


@pytest.mark.parametrize("cell", ["oops", "1e39", "inf"])
def test_a_bad_target_of_a_regression_is_named(tmp_path, cell):
    with pytest.raises(DataError, match=r"flowers.csv, line 3, column 'b': .* is no finite number of float32"):
        cr.data.table(written(tmp_path, f"a,b\n1,2\n1,{cell}\n1,2\n"), "b", task="regression")


@pytest.mark.parametrize("options, message", [
    ({"dtype": int}, "inputs are floating numbers"),
    ({"task": "clustering"}, "task='clustering': it is one of auto, "), ({"delimiter": ";;"}, "delimiter"),
    ({"columns": ["a", "a"]}, "each input is named once"), ({"columns": ["a", "b"]}, "each input is named once"),
    ({"classes": ["x", "x"]}, "two have the same name"),
    ({"task": "regression", "classes": ["1", "2"]}, "belongs to classification")])
def test_options_that_mean_nothing_are_refused(tmp_path, options, message):
    with pytest.raises((ArgumentError, DTypeError), match=message):
        cr.data.table(written(tmp_path, "a,b\n1,2\n2,1\n"), "b", **options)


@pytest.mark.parametrize("column, options, message", [
    ("gap", {}, "row 3, column 'gap': the cell is empty"), ("text", {}, "row 1, column 'text': 'p' is string, no number"),
    ("nan", {}, "row 2, column 'nan': nan is no finite number"),
    ("large", {}, "row 4, column 'large': 1e[+]39 is no finite number"),
    ("when", {}, r"row 1, column 'when': 2026-01-01 00:00:00 is timestamp\[ms?\], no number"),
    ("y", {"target": "gap"}, "row 3, column 'gap'"),
    ("y", {"target": "nan"}, "row 2, column 'nan': nan is no label"), ("y", {"target": "none"}, "has no column 'none'"),
    ("y", {"target": "when"}, "neither a number nor text"), ("list", {}, "row 1, column 'list'")])
def test_a_bad_cell_of_a_parquet_file_is_named_by_row_and_column(tmp_path, column, options, message):
    import pyarrow
    from pyarrow import parquet
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({
        "y": [1, 2, 1, 2], "gap": [1, 2, None, None], "text": list("pqrs"), "nan": [1, np.nan, 2, 3],
        "large": [1, 2, 3, 1e39],
        "when": np.array(["2026-01-01"] * 4, "datetime64[s]"), "list": [[1], [2], [3], [4]]}), path, row_group_size=2)
    with pytest.raises(DataError, match=message) as refused:
        cr.data.table(path, **{"target": "y" if column != "y" else None, "columns": [column], **options})
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


def test_without_pyarrow_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ArgumentError, match=r"pip install 'chainrule\[data\]'"):
        cr.data.table(written(tmp_path, "", "t.parquet"), "y")


def test_a_table_trains_compiled_and_eagerly_alike(tmp_path):
    draw = np.random.default_rng(0)
    rows = "".join(f"{a},{b},{'yes' if a + b > 0 else 'no'}\n" for a, b in draw.standard_normal((40, 2)))
    seen, _ = cr.data.table(written(tmp_path, "a,b,c\n" + rows), "c").split(0.25, stratified=True)
    seen = cr.data.Standardization.fit(seen)(seen)

    def loss(w, x, y):
        return cr.cross_entropy(x @ w, y)
    w = np.zeros((2, 2), np.float32)
    eager, compiled = (f(w, seen.inputs, seen.targets) for f in (cr.grad(loss), cr.compile(cr.grad(loss))))
    np.testing.assert_allclose(eager, compiled, rtol=1e-6)
