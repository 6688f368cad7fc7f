"""`chainrule runs` lists the trainings in a folder."""
from __future__ import annotations

import argparse
from pathlib import Path

from chainrule.train.run_folder import runs_in

from .main import GOOD
from .screen import Screen
from .train import RUNS

NAMES = ("name", "task", "model", "passes", "best", "state", "when")
MOST = {"name": 14, "model": 10, "best": 16}  # columns, so that a line fits


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "List the trainings in a folder: how far they came, and the best measured."
    parser.epilog = "example:\n  chainrule runs"
    parser.add_argument("folder", type=Path, nargs="?", default=RUNS, metavar="DIR", help="where they are (default: runs)")


def run(options: argparse.Namespace) -> int:
    """Print a line for each."""
    rows = [run.summary() for run in runs_in(options.folder)]
    if not rows:
        print(f"{options.folder} holds no run. `chainrule train digits` makes one.")
        return GOOD
    print("\n".join(lines(rows, Screen().width)))
    return GOOD


def lines(rows: list[dict[str, str]], width: int) -> list[str]:
    """A table that fits the terminal."""
    whole = [row for row in rows if "task" in row]
    wide = {name: min(max([len(name), *(len(row[name]) for row in whole)]), MOST.get(name, 24)) for name in NAMES}
    out = []
    for row in [dict(zip(NAMES, NAMES)), *rows]:
        if "task" in row:
            out.append("  ".join(f"{row[name][:wide[name]]:<{wide[name]}}" for name in NAMES).rstrip()[:width])
        else:
            out.append(f"{row['name']}  {row['state']}"[:width])
    return out
