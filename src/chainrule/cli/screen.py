"""A screen is where a training tells how it goes: a terminal with a bar, or a pipe that gets plain lines."""
from __future__ import annotations

import sys
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rich.console import Console

from chainrule.errors import ChainruleWarning
from chainrule.train.curves import terminal
from chainrule.train.events import Listener
from chainrule.train.listeners import History
from chainrule.train.progress import EpochLines, ProgressBar

WIDEST = 100


class Screen:
    """Prints lines no wider than the terminal; nothing but results if `quiet`."""

    def __init__(self, *, quiet: bool = False, progress: bool = True) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.quiet, self.progress = quiet, progress

    @property
    def width(self) -> int:
        return min(self.console.width, WIDEST)

    def listeners(self) -> list[Listener]:
        """Those that print while training goes on."""
        if self.quiet:
            return []
        bar = self.console.is_terminal and self.progress
        return [*([ProgressBar(self.console)] if bar else []), EpochLines(self.console)]

    def say(self, text: str) -> None:
        if not self.quiet:
            self.result(text)

    def result(self, text: str) -> None:
        """Print what is wanted even if nothing else is."""
        self.console.out("\n".join(piece for line in text.split("\n") for piece in self.wrapped(line)))

    def wrapped(self, line: str) -> list[str]:
        return textwrap.wrap(line, self.width, subsequent_indent="  ", break_on_hyphens=False) or [""]

    def curve(self, history: History) -> str:
        """The loss of each batch, no wider than the terminal and 80 columns; in ASCII where the output knows no braille."""
        loss = replace(history.panels()[0].only("each batch"), title="training loss")
        return "\n" + terminal(loss, x_label="epoch", width=min(self.width, 80), plain=self.plain) + "\n"

    @property
    def plain(self) -> bool:
        try:
            "⣿│".encode(self.console.encoding)
            return False
        except UnicodeEncodeError:
            return True

    def verbatim(self, text: str, indent: str = "  ") -> str:
        """A text that a network wrote, line by line, with nothing in it that a terminal would obey, or could not show."""
        def safe(c: str) -> str:
            return c if c.isprintable() and c.encode(self.console.encoding, "ignore") else "?"
        lines = ["".join(map(safe, line.expandtabs(4))) for line in text.split("\n")]
        return "\n".join(piece for line in lines for piece in folded(indent + line, self.width))


def folded(line: str, width: int) -> list[str]:
    """A line in pieces that fit."""
    return [line[i:i + width] for i in range(0, len(line), width)]


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Within the block, a warning is a line on stderr."""
    def show(message: Any, *rest: Any) -> None:
        print("chainrule: " + " ".join(str(message).split()), file=sys.stderr)
    with warnings.catch_warnings():
        warnings.simplefilter("always", ChainruleWarning)
        warnings.showwarning = show
        yield
