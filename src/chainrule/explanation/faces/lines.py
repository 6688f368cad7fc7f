"""A line is where in the user's code something happened, said so that it can be found: train.py:12, or In[3]:2 in a notebook."""
from __future__ import annotations

import sys
from pathlib import Path


def short_line(line: str | None) -> str:
    """A line with the file's own name only, so that it fits a page; what is no line of a file, such as a column, as it is."""
    if not line:
        return "an unknown line"
    file, colon, number = line.rpartition(":")
    return f"{cell(file) or Path(file).name}:{number}" if colon else line


def cell(file: str) -> str | None:
    """What IPython calls the cell that it compiled under the name of a temporary file."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    named = getattr(getattr(shell, "compile", None), "format_code_name", None)
    told = named(file) if named else None
    return told[1] if told else None
