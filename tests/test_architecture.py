"""The shape of the tree: who imports whom, how long things are, what is public."""
from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule

SOURCE = Path(chainrule.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
LADDER = (  # a file imports only from rungs below its own, and from its own folder
    ("errors",),
    ("core",),
    ("ops",),
    ("cuts", "scopes", "conversion", "eager", "sweeps", "tensor", "creation", "dtypes", "linalg", "random", "transforms",
     "jacobians", "recompute", "rules", "scan", "differences"),
    ("check", "compiler", "data", "nn", "optim", "explanation"),
    ("interop", "train"),
    ("cli", "sklearn"),
)
RUNG = {name: i for i, names in enumerate(LADDER) for name in names}
TOGETHER = {3}  # the tensor and what is built around it are one rung of single files, without cycles
MACHINE = ("core", "ops/families.py", "ops/broadcasting.py", "ops/elementwise.py")  # and everything on rung 3
MACHINE_LINES = 4000  # the vocabulary comes on top: docs/decisions/005-size.md


def place(path: Path) -> str:
    """The folder or file directly under the package."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The places a file imports from, at run time."""
    found = set()
    package = ["chainrule", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("chainrule.")} & set(RUNG)


def test_every_place_has_a_rung():
    places = {place(p) for p in FILES} - {"__init__", "__main__"}
    assert places <= set(RUNG), f"not on the ladder: {sorted(places - set(RUNG))}"


@pytest.mark.parametrize("path", [p for p in FILES if place(p) in RUNG], ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down_the_ladder(path):
    here = place(path)
    for other in imports(path) - {here}:
        below = RUNG[other] < RUNG[here] or (RUNG[other] == RUNG[here] and RUNG[here] in TOGETHER)
        assert below, f"{path.relative_to(SOURCE)} on rung {RUNG[here]} imports {other} on rung {RUNG[other]}"


def local_imports(path: Path) -> set[Path]:
    """The files a file imports, wherever in it (for type checkers alone does not count)."""
    tree = ast.parse(path.read_text())
    for_types = {inner for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
                 for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in for_types:
            base = path.parents[node.level - 1] if node.level else SOURCE.parent
            target = base.joinpath(*(node.module or "").split(".")) if node.module else base
            for candidate in [target, *(target / a.name for a in node.names)]:
                if candidate.with_suffix(".py") in FILES:
                    found.add(candidate.with_suffix(".py"))
    return found


def test_no_cycles():
    graph = {p: local_imports(p) for p in FILES if p.name != "__init__.py"}
    done: set[Path] = set()

    def visit(path: Path, trail: tuple[Path, ...]) -> None:
        assert path not in trail, "a cycle of imports: " + " -> ".join(p.name for p in (*trail, path))
        if path not in done:
            for other in graph.get(path, ()):
                visit(other, (*trail, path))
            done.add(path)

    for path in graph:
        visit(path, ())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert text.count("\n") < 300, f"{path.name} has {text.count(chr(10))} lines: an idea inside it wants its own name"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            code = node.end_lineno - node.body[0].lineno + 1 - docstring_lines(node)
            assert code <= 40, f"{path.name}: {node.name} has {code} lines"


def docstring_lines(node: ast.FunctionDef) -> int:
    first = node.body[0]
    is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return first.end_lineno - first.lineno + 1 if is_doc else 0


def test_the_machine_is_small():
    parts = [p for p in FILES if RUNG.get(place(p)) == 3 or str(p.relative_to(SOURCE)).startswith(MACHINE)]
    lines = sum(p.read_text().count("\n") for p in parts)
    assert lines < MACHINE_LINES, f"the machine has {lines} lines"


@pytest.mark.parametrize("path", [p for p in FILES if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_module_opens_with_a_sentence(path):
    doc = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert doc.split("\n")[0].rstrip().endswith((".", "?", ":", ",")) or "." in doc, f"{path.name} does not say what its noun is"


def test_the_machine_knows_no_operation():
    operations = {prim.name for prim in chainrule.ops.ALL}
    for path in (SOURCE / "core").glob("*.py"):
        used = {n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)
                and isinstance(n.value, ast.Name) and n.value.id == "ops"}
        assert not used & operations and "ops" not in imports(path)


LAZY = {"latex2mathml": "explanation/faces/mathml.py", "resvg_py": "explanation/faces/raster.py",
        "PIL": ("explanation/faces/raster.py", "data/images.py"), "imageio_ffmpeg": "explanation/faces/raster.py",
        "pymupdf_fonts": "explanation/faces/fonts.py", "pyarrow": "data/parquet.py", "scipy": "interop/scipy.py",
        "sklearn": "sklearn.py"}
"""Libraries that one face or format needs, and where they may be imported: inside a function, when it is asked for."""
NATIVE = ("compiler/native/", "compiler/contractions/")
"""The folders that write machine code with llvmlite: they are imported inside a function, when something is compiled."""


def test_importing_and_using_chainrule_loads_no_optional_library():
    program = ("import sys, chainrule as cr; w = cr.tensor(2.0, requires_grad=True); (w * w).backward(); cr.compile(lambda x: x);"
               f"assert not {{*{[*LAZY, 'llvmlite']!r}}} & {{*sys.modules}}")
    subprocess.run([sys.executable, "-c", program], check=True)


def test_namespaces_that_few_need_are_loaded_when_they_are_asked_for():
    program = ("import sys, chainrule as cr; later = {f'chainrule.{name}' for name in cr.LATER};"
               "assert later.isdisjoint(sys.modules) and {*cr.LATER} <= {*dir(cr)};"
               "assert cr.data.digits and cr.train.Trainer and cr.interop.scipy; from chainrule import train")
    subprocess.run([sys.executable, "-c", program], check=True)


def test_import_needs_numpy_alone():
    for path in FILES:
        if RUNG.get(place(path), 9) <= 4:
            tree = ast.parse(path.read_text())
            inner = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
            for node in ast.walk(tree):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else (
                    [node.module] if isinstance(node, ast.ImportFrom) and not node.level else [])
                for name in names:
                    top = name.split(".")[0]
                    lazy = node in inner and path.as_posix().endswith(LAZY.get(top, "nowhere"))
                    lazy = lazy or (top == "llvmlite" and any(folder in path.as_posix() for folder in NATIVE))
                    known = top in ("chainrule", "numpy") or top in sys.stdlib_module_names
                    assert known or lazy, f"{path.name} imports {name}"
