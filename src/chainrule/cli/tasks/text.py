"""The task of a text: which character comes next? A network that has learned it writes."""
from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.loader import DataLoader
from chainrule.data.text import Text, text
from chainrule.errors import DataError
from chainrule.nn.module import Module
from chainrule.random import Generator
from chainrule.train.networks import CELLS, GPT, NextCharacter, Recurrent, Writer
from chainrule.train.plan import Plan
from chainrule.train.task import Task, fingerprint

from .. import values
from ..answer import Answer
from . import network

SUMMARY = ("Train a network to foretell the next character of a text, and let it write. Without a FILE, it learns from the "
           "source code of Python's standard library. The end of the text is held out.")
EXAMPLES = ("chainrule train text --model gpt", "chainrule train text poems.txt --model lstm --epochs 20")
DEFAULT = Plan(optimizer="adamw", epochs=4, rate=0.003, schedule="cosine", warmup=100, clip=1.0)
WRITTEN = 240  # characters of a sample


def configure(add: Any) -> None:
    add("file", type=Path, nargs="?", metavar="FILE", help="the text, in UTF-8")
    add("--model", choices=(*CELLS, "gpt"), default="lstm", metavar="NAME", help=f"{', '.join((*CELLS, 'gpt'))} (default: lstm)")
    add("--width", type=values.width, default=128, metavar="N", help="numbers for each character (default: 128)")
    add("--depth", type=values.depth, metavar="N", help="layers (default: 1, or 2 for gpt)")
    add("--length", type=values.width, default=64, metavar="N", help="characters in a row (default: 64)")
    add("--characters", type=values.count, metavar="N",
        help="learn from so many only (default: all, or 1,000,000 of the library)")
    add("--held-out", type=values.above_zero_below_one, default=0.1, metavar="SHARE",
        help="share of the text held out (default: 0.1)")
    network.configure_dropout(add)


def prepared(options: argparse.Namespace) -> Task:
    whole = text(options.file, characters=options.characters)
    parts = whole.split(options.held_out)
    facts = {"vocabulary": whole.vocabulary}
    model, length, batch = restored(options, facts), options.length, options.batch
    if options.model == "gpt":
        seen, held_out = (part.windows(length) for part in parts)
    else:  # a network that keeps a state from batch to batch: each row goes on where it was
        seen, held_out = (DataLoader(part.streams(rows, length), rows) for part, rows in (
            (parts[0], batch), (parts[1], min(batch, max((len(parts[1]) - 1) // length, 1)))))
    name = whole.name.removeprefix("characters of ")
    return Task(model, NextCharacter(), seen, held_out, metrics=("loss", "perplexity"), carry=options.model != "gpt",
                write=writer(model, whole, parts[1], options),
                name=f"pieces of {name}", facts=facts, fingerprint=fingerprint(whole.codes),
                kind=options.model,
                summary=f"{options.model}, width {options.width}, pieces of {length} characters, "
                        f"{len(whole.vocabulary)} different ones")


def writer(model: Module, whole: Text, held_out: Text, options: argparse.Namespace) -> Any:
    """What lets the network write on from the beginning of what was held out."""
    begin = held_out.codes[:min(options.length, 32, len(held_out))]
    write = Writer(model, compiled=not options.eager)
    return lambda seed: whole.decode([*begin, *write(begin, WRITTEN, Generator(seed))])


def restored(options: argparse.Namespace, facts: Mapping[str, Any]) -> Module:
    symbols, width, dropout = len(facts["vocabulary"]), options.width, options.dropout
    if options.model == "gpt":
        return GPT(symbols, width=width, layers=options.depth or 2, heads=heads_of(width), context=options.length,
                   dropout=dropout)
    return Recurrent(symbols, options.model, width=width, layers=options.depth or 1, dropout=dropout)


def heads_of(width: int) -> int:
    """How many heads look, of about 32 numbers each; they must share the width evenly."""
    return next(heads for heads in range(max(width // 32, 1), 0, -1) if width % heads == 0)


def answered(model: Module, options: argparse.Namespace, facts: Mapping[str, Any], asked: argparse.Namespace) -> Answer:
    if not asked.data:
        raise DataError("the prompt is empty. Give at least one character to go on from, such as \"def \".")
    known = Text(np.zeros(0, np.int64), facts["vocabulary"], "the prompt")
    begin = Text.of(asked.data.replace("\\n", "\n"), known.vocabulary, "the prompt").codes
    writing = Writer(model, compiled=not options.eager)(begin, asked.length, Generator(asked.seed), temperature=asked.temperature)
    return Answer(text=known.decode([*begin, *writing]))
