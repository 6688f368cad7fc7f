"""A command is a word after `chainrule`: a row of the table below, and a module that says its options and runs it."""
from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from chainrule.errors import ChainruleError, InputError


class Command(NamedTuple):
    """A module with `configure(parser)` and `run(options)`, imported only when its command is called."""

    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "explain": Command("chainrule.cli.explain", "show how every number in a gradient came to be"),
    "check": Command("chainrule.cli.check", "check a derivation made by hand: its first wrong step, and the slip"),
    "quiz": Command("chainrule.cli.quiz", "make exercises in backpropagation from a seed, and grade the answers"),
    "train": Command("chainrule.cli.train", "train a network on digits, images, text, a table, or data of yours"),
    "resume": Command("chainrule.cli.resume", "go on with a training that was interrupted"),
    "predict": Command("chainrule.cli.predict", "ask a trained network about data"),
    "runs": Command("chainrule.cli.runs", "list the trainings in a folder"),
}

GOOD, BUG, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
LONGEST = 600  # characters of a complaint
FORMULA = re.compile(r"-[^-].*[-+*/@()\[\] ]", re.DOTALL)  # an argument such as -x*y, which is no option


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. See {self.prog} --help.")


def overview() -> Parser:
    rows = "\n".join(f"  {name:<10} {command.summary}" for name, command in COMMANDS.items())
    parser = Parser(
        prog="chainrule", formatter_class=argparse.RawDescriptionHelpFormatter, usage="chainrule COMMAND ...",
        description=f"Backpropagation, opened.\n\ncommands:\n{rows}",
        epilog='example:\n  chainrule explain "(relu(w*x + b) - y)**2" x=2 w=3 b=1 y=5\n\n'
               "`chainrule COMMAND --help` shows the options of a command.")
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, or 2 with one line on stderr for input that cannot be used."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        code = dispatch(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; nothing more may be written at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD
    except (ChainruleError, OSError) as error:
        complain(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except SystemExit as stop:  # argparse ends --help so
        return stop.code if isinstance(stop.code, int) else GOOD
    except Exception as error:
        if os.environ.get("CHAINRULE_TRACEBACK"):
            raise
        complain(f"a bug in chainrule, please report it: {type(error).__name__}: {error} (CHAINRULE_TRACEBACK=1 shows where)")
        return BUG


def dispatch(given: list[str]) -> int:
    if not given or given[0] not in COMMANDS:
        return without_command(given)
    name, *rest = given
    module: Any = importlib.import_module(COMMANDS[name].module)
    parser = Parser(prog=f"chainrule {name}", formatter_class=argparse.RawDescriptionHelpFormatter)
    module.configure(parser)
    return int(module.run(parser.parse_args([f" {a}" if FORMULA.match(a) else a for a in rest])) or GOOD)


def without_command(given: list[str]) -> int:
    if given and not given[0].startswith("-"):
        raise InputError(f"{given[0]!r} is not a command. Commands: {', '.join(COMMANDS)}. See chainrule --help.")
    options = overview().parse_args(given)
    if options.version:
        from importlib.metadata import version  # takes longer to import than everything else here
        print(f"chainrule {version('chainrule')}")
    else:
        overview().print_help()
    return GOOD


def complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    line = " ".join(message.split())
    line = line if len(line) <= LONGEST else line[:LONGEST] + "..."
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    encoding = sys.stderr.encoding or "utf-8"
    print("chainrule: " + shown.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)
