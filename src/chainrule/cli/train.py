"""`chainrule train` trains a network on real data, shows how it goes, and keeps what came of it."""
from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from chainrule.data.digits import digits
from chainrule.errors import InputError
from chainrule.train.curves import terminal
from chainrule.train.listeners import Interruption
from chainrule.train.progress import EpochLines, ProgressBar
from chainrule.train.recipe import ACTIVATIONS, INITS, OPTIMIZERS, RATES, Recipe, Run, prepared
from chainrule.train.trainer import Listener

DATA = {"digits": digits}
INTERRUPTED = 130
LARGEST_LAYER, MOST_LAYERS, MOST_EPOCHS = 4096, 100, 1_000_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    default = Recipe()
    parser.description = ("Train a network of fully connected layers on the 1,797 handwritten digits of UCI that come with "
                          "chainrule; a fifth of them is held out to test it.")
    parser.epilog = ("examples:\n  chainrule train digits --layers 64,32 --activation tanh --optimizer sgd --nesterov\n"
                     "  chainrule train digits --layers 32,32,32,32,32 --init small     (and with --init he)\n\n"
                     "The output folder then holds curve.svg, metrics.json and weights.safetensors; the same options give\n"
                     "the same weights, bit for bit.")
    add = parser.add_argument
    add("data", choices=DATA, help="what to train on")
    add("--layers", type=sizes, default=default.layers, metavar="128,64",
        help="sizes of the hidden layers (default: 128,64); none for no hidden layer")
    add("--activation", choices=ACTIVATIONS, default=default.activation, metavar="NAME", help=f"{', '.join(ACTIVATIONS)}")
    add("--init", choices=INITS, metavar="NAME",
        help=f"how the weights start: {', '.join(INITS)} (default: he, or glorot for tanh and sigmoid; small shows why)")
    add("--optimizer", choices=OPTIMIZERS, default=default.optimizer, metavar="NAME", help=f"{', '.join(OPTIMIZERS)}")
    add("--momentum", type=share, metavar="0.9", help="of sgd (default: 0.9)")
    add("--nesterov", action="store_true", help="let sgd look ahead along its momentum")
    add("--rate", type=positive, metavar="R",
        help=f"learning rate (default: {', '.join(f'{r} for {o}' for o, r in RATES.items())})")
    add("--batch", type=count, default=default.batch, metavar="N", help=f"examples per step (default: {default.batch})")
    add("--epochs", type=count, default=default.epochs, metavar="N", help=f"passes over the data (default: {default.epochs})")
    add("--seed", type=seed, default=default.seed, metavar="N", help="decides split, weights and order (default: 0)")
    add("--out", type=Path, metavar="DIR", help="output folder (default: runs/digits)")
    add("--no-progress", action="store_true", help="no progress bar")
    add("--quiet", action="store_true", help="only the last line")


def run(options: argparse.Namespace) -> int:
    """Train as the options say; returns 0, or 130 after Ctrl-C."""
    recipe = Recipe(**{name: getattr(options, name) for name in Recipe.__dataclass_fields__}).complete()
    folder = made_folder(options.out or Path("runs") / options.data)
    console = Console(highlight=False, soft_wrap=True)
    interruption = Interruption()
    training = prepared(recipe, DATA[options.data](), [*watchers(options, console), interruption])
    say: Callable[[str], None] = (lambda text: None) if options.quiet else console.out
    say(opening(training))
    began = time.perf_counter()
    training.fit()
    seconds = time.perf_counter() - began
    say(curve(training, console))
    paths = training.save(folder)
    if interruption.happened:
        print("chainrule: interrupted; what was learned so far is kept", file=sys.stderr)
    held_out = training.held_out
    right = training.trainer.accuracy(held_out)
    say(f"wrote {folder}/: {', '.join(p.name for p in paths)}")
    console.out(f"held-out accuracy {right:.2%} ({round(right * len(held_out))} of {len(held_out)} {held_out.name}), "
                f"trained in {seconds:.1f} s")
    return INTERRUPTED if interruption.happened else 0


def watchers(options: argparse.Namespace, console: Console) -> list[Listener]:
    """The listeners that print."""
    if options.quiet:
        return []
    bar = console.is_terminal and not options.no_progress
    return [*([ProgressBar(console)] if bar else []), EpochLines(console)]


def opening(training: Run) -> str:
    recipe = training.recipe
    momentum = f", momentum {recipe.momentum:g}{' (Nesterov)' if recipe.nesterov else ''}" if recipe.momentum else ""
    parameters = sum(p.size for p in training.model.parameters())
    return (f"{training.seen.name}: {len(training.seen):,} to train on, {len(training.held_out)} held out\n"
            f"network: {training.sizes}, {recipe.activation}, {recipe.init} start, {parameters:,} parameters\n"
            f"optimizer: {recipe.optimizer}, rate {recipe.rate:g}{momentum}, batches of {recipe.batch}, seed {recipe.seed}\n")


def curve(training: Run, console: Console) -> str:
    """The loss curve, no wider than the terminal and 80 columns; in ASCII where the output knows no braille."""
    try:
        "⣿│".encode(console.encoding)
        plain = False
    except UnicodeEncodeError:
        plain = True
    loss = training.history.panels()[0]
    return "\n" + terminal(loss.only("each batch"), x_label="epoch", width=min(console.width, 80), plain=plain) + "\n"


# ---------------------------------------------------------------------------------------- reading options
def made_folder(folder: Path) -> Path:
    """The output folder, made now: better no training than a training that cannot be kept. Raises InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"--out {folder} cannot be written to: {error.strerror}.") from None
    return folder


def refused(text: str, wanted: str) -> argparse.ArgumentTypeError:
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return argparse.ArgumentTypeError(f"{shown!r} is not {wanted}")


def whole(text: str, least: int, most: int, wanted: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise refused(text, wanted)
    return int(text)


def count(text: str) -> int:
    return whole(text, 1, MOST_EPOCHS, f"a whole number from 1 to {MOST_EPOCHS:,}")


def seed(text: str) -> int:
    return whole(text, 0, 2 ** 63 - 1, "a whole number from 0 to 2^63 - 1")


def sizes(text: str) -> tuple[int, ...]:
    """Layer sizes from a text such as 64,32."""
    if text == "none":
        return ()
    parts, wanted = text.split(","), f"sizes from 1 to {LARGEST_LAYER}, such as 64,32, or none"
    if len(parts) > MOST_LAYERS:
        raise argparse.ArgumentTypeError(f"{len(parts)} layers are too many; at most {MOST_LAYERS}")
    return tuple(whole(part.strip(), 1, LARGEST_LAYER, wanted) for part in parts)


def number(text: str, wanted: str, holds: Any) -> float:
    try:
        value = float(text)
    except ValueError:
        raise refused(text, wanted) from None
    if not (math.isfinite(value) and holds(value)):
        raise refused(text, wanted)
    return value


def positive(text: str) -> float:
    return number(text, "a number above 0", lambda v: v > 0)


def share(text: str) -> float:
    return number(text, "a number from 0 to below 1", lambda v: 0 <= v < 1)
