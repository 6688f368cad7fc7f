"""`chainrule predict` asks a trained network about data."""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule import random
from chainrule.errors import ChainruleError, DataError
from chainrule.nn.module import Module
from chainrule.train.run_folder import CONFIG, WEIGHTS, RunFolder
from chainrule.train.weights import load_weights

from . import values
from .answer import Answer
from .main import GOOD
from .resume import call_of
from .screen import Screen, warnings_in_one_line
from .train import Call


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = ("Ask a trained network: about an image file, or rows in a .csv or .npz file; of a\n"
                          "text, DATA is what it goes on from. Where a table has the target's column, or an\n"
                          ".npz file targets, the answers are graded.")
    parser.epilog = ("examples:\n  chainrule predict runs/digits picture.png\n"
                     "  chainrule predict runs/table new.csv --out answers.csv\n"
                     "  chainrule predict runs/text \"def \" --length 300")
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of the run")
    parser.add_argument("data", metavar="DATA", help="a file; or the beginning of a text")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write the answers there")
    writing = parser.add_argument_group("of a network that writes").add_argument
    writing("--length", type=values.count, default=300, metavar="N", help="characters to write (default: 300)")
    writing("--temperature", type=values.positive, default=0.8, metavar="T",
            help="below 1 it writes what is likely, above 1 what is not (default: 0.8)")
    writing("--seed", type=values.seed, default=0, metavar="N", help="another seed, another text (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Print the answers, or write them."""
    screen = Screen()
    with warnings_in_one_line():
        answer = answered(call_of(RunFolder(options.run)), options)
    if options.out:
        answer.write(options.out)
        screen.result("\n".join([f"wrote {options.out}", *answer.said]))
    else:
        print(screen.verbatim(answer.text, "") if answer.text is not None else answer.shown(screen.width))
    return GOOD


def answered(call: Call, options: argparse.Namespace) -> Answer:
    """What the network of a run says. Raises DataError, StorageError, InputError."""
    folder, facts = call.folder, call.folder.config["facts"]
    if not (folder.path / WEIGHTS).is_file():
        raise DataError(f"{folder} has no {WEIGHTS}: its training did not come to an end. Go on with it: chainrule "
                        f"resume {folder}")
    try:
        model = restored(call, facts)
        with call.guard():
            return call.module.answered(model, call.options, facts, options)
    except ChainruleError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{folder.path / CONFIG} does not say what {WEIGHTS} needs: {type(error).__name__}: "
                        f"{error!s:.80}") from None


def restored(call: Call, facts: dict[str, Any]) -> Module:
    """The network of a run, with its weights."""
    random.seed(call.plan.seed)
    model: Module = call.module.restored(call.options, facts)
    load_weights(call.folder.path / WEIGHTS, model)
    return model.eval()
