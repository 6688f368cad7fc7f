"""A report is a list of cases, ours beside our peers': printed as a table, kept as JSON, put into a document."""
from __future__ import annotations

import argparse
import json
import os
import platform
import re
from pathlib import Path
from typing import Any

Row = dict[str, Any]  # {"case", "ours", "peers": {name: number}, "unit", "better": "lower" or "higher"}


def ratio(row: Row, peer: str) -> str:
    """How many times better ours is than the peer's (below 1: worse)."""
    theirs, ours = row["peers"][peer], row["ours"]
    return f"{theirs / ours if row['better'] == 'lower' else ours / theirs:.2f}x"


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table; behind each peer's number, how many times better ours is."""
    peers = list(dict.fromkeys(name for row in rows for name in row["peers"]))
    head = ["case", "chainrule", *peers]
    lines = [[f"{row['case']} ({row['unit']})", f"{row['ours']:.3g}",
              *(f"{row['peers'][p]:.3g} ({ratio(row, p)})" if p in row["peers"] else "" for p in peers)] for row in rows]
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    body = [head, ["-" * w for w in widths], *lines]
    return "\n".join("| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths)) + " |" for line in body)


def generation() -> str:
    """What LLVM calls the processor, and how wide its vectors are: models of one name differ by a factor of three."""
    try:
        from chainrule.compiler.native.host import this_host
    except ImportError:
        return ""
    host = this_host()
    return f" ({host.cpu}, vectors of {host.lane_bits} bits)"


def machine() -> str:
    """The processor, the number of cores, the version of Python."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"model name\s*:\s*(.*)", info.read_text())):
        model = found.group(1)
    return f"{model}{generation()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def arguments(description: str) -> argparse.Namespace:
    """The options every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    parser.add_argument("--document", type=Path, metavar="FILE",
                        help="put the table into this Markdown file, between the benchmark's own marks")
    return parser.parse_args()


def publish(name: str, rows: list[Row], notes: str, options: argparse.Namespace) -> None:
    """Print the table; write JSON and document where asked."""
    text = f"{table(rows)}\n\n{notes}"
    print(text)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if options.document:
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        page = options.document.read_text()
        if start not in page or end not in page:
            raise SystemExit(f"{options.document} has no marks {start} and {end}")
        head, rest = page.split(start)
        options.document.write_text(f"{head}{start}\n{text}\n{end}{rest.split(end)[1]}")
