"""`chainrule resume` goes on with a training where its last checkpoint was taken, and ends with the same bits."""
from __future__ import annotations

import argparse
from pathlib import Path

from chainrule.train.run_folder import CONFIG, RunFolder

from . import options as shared
from .tasks import module_of
from .train import Call, parser_of, trained


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = ("Go on with a training that was interrupted, with all its options. It ends with\n"
                          "the same weights, bit for bit, as if it had never stopped.")
    parser.epilog = "example:\n  chainrule resume runs/digits"
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of the run")
    shared.shown(parser.add_argument)


def run(options: argparse.Namespace) -> int:
    """Train to the end; returns 0, or 130 after Ctrl-C."""
    call = call_of(RunFolder(options.run))
    call.options.quiet, call.options.no_progress = options.quiet, options.no_progress
    return trained(call)


def call_of(folder: RunFolder) -> Call:
    """What was asked for when the run in a folder was begun. Raises DataError, StorageError."""
    config = folder.config
    module = module_of(config["task"])
    parser = parser_of(config["task"], module)
    options = shared.read_again(parser, config["options"], folder.path / CONFIG)
    return Call(config["task"], module, parser, options, folder, config["command"], going_on=True)
