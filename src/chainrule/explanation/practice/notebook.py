"""A notebook is a file of cells, as Jupyter writes it (nbformat 4); its code cells are run in order, in one namespace.

The format: Jupyter's nbformat documentation, "The notebook file format".
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from chainrule.errors import InputError

OLDEST = 4
MAGIC = re.compile(r"\s*[%!?]|.*\?\s*$|[\w\s.,]+=\s*[%!]")  # %matplotlib inline, !ls, ?x, x?, files = !ls
PYTHON_CELLS = ("%%time", "%%capture", "%%prun")  # magics of a whole cell that run the rest of it as Python, as it is
CELL = "{}, code cell {}"  # the name under which a cell is compiled, for messages


def code_cells(path: Path) -> Iterator[CodeType]:
    """The code cells of a notebook, compiled; raises InputError for what is no notebook, and for a cell that is not Python.

    What only IPython understands is left out: lines that Python cannot read and that begin with %, ! or ? (or end in ?, or assign
    what such a line gives), and cells that begin with %%, but for those in PYTHON_CELLS.
    """
    notebook = contents(path)
    sources = [cell.get("source") for cell in notebook["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    if not sources:
        raise InputError(f"{path} has no code cells, and so no function derivation().")
    for number, source in enumerate(sources, 1):
        name, text = CELL.format(path, number), "".join(source) if is_lines(source) else source
        if not isinstance(text, str):
            raise InputError(f"{name}: its source is {type(source).__name__}, and not text.")
        first = text.split(maxsplit=1)[0] if text.strip() else ""
        if not first.startswith("%%") or first in PYTHON_CELLS:
            yield compiled(name, text.splitlines())


def is_lines(source: Any) -> bool:
    return isinstance(source, list) and all(isinstance(line, str) for line in source)


def contents(path: Path) -> dict[str, Any]:
    """The notebook as it is stored, after checking that it is one that can be run here."""
    try:
        notebook = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: a notebook is JSON, and this is not: {error}.") from None
    version = notebook.get("nbformat") if isinstance(notebook, dict) else None
    if not isinstance(version, int):
        raise InputError(f"{path}: this is JSON, and no notebook: it has no nbformat.")
    if version < OLDEST:
        raise InputError(f"{path}: a notebook of format {version}, which is too old. Open it in Jupyter and save it again; that "
                         f"writes format {OLDEST}.")
    if not isinstance(notebook.get("cells"), list):
        raise InputError(f"{path}: this notebook has no list of cells.")
    language = spoken(notebook.get("metadata"))
    if language != "python":
        raise InputError(f"{path}: its cells are in {language:.40}, and only Python can be checked.")
    return notebook


def spoken(metadata: Any) -> str:
    """The language of the cells; Python where nothing is said."""
    for key, entry in (("language_info", "name"), ("kernelspec", "language")):
        told = metadata.get(key) if isinstance(metadata, dict) else None
        if isinstance(told, dict) and isinstance(told.get(entry), str):
            return str(told[entry]).lower()
    return "python"


def compiled(name: str, lines: list[str]) -> CodeType:
    """A cell as code. Magics are left out one by one, where Python stumbles over them: elsewhere % is a remainder."""
    while True:
        try:
            return compile("\n".join(lines), name, "exec")
        except (SyntaxError, ValueError) as error:
            number = getattr(error, "lineno", None) or 1
            if not (number <= len(lines) and MAGIC.match(lines[number - 1])):
                raise InputError(f"{name}, line {number}: this is not Python: {getattr(error, 'msg', error)}.") from None
            line = lines[number - 1]
            lines[number - 1] = line[:len(line) - len(line.lstrip())] + "pass"
