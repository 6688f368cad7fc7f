"""`chainrule train` trains a network on real data, shows how it goes, and keeps what came of it."""
from __future__ import annotations

import argparse
import shlex
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chainrule import random
from chainrule.errors import InputError
from chainrule.train.files import versions
from chainrule.train.listeners import Interruption
from chainrule.train.plan import Plan
from chainrule.train.run_folder import REPORT, RunFolder, free, last
from chainrule.train.session import Session, counted, must_be_the_same, shown

from . import options as shared
from .main import GOOD, INTERRUPTED, Parser
from .screen import Screen, warnings_in_one_line
from .tasks import TASKS, module_of, named

RUNS = Path("runs")
OF_THIS_CALL = ("--resume", "--quiet", "--no-progress")  # what has no part in repeating a run


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare what comes before the options of a task."""
    rows = "\n".join(f"  {name:<8} {summary}" for name, summary in TASKS.items())
    parser.usage = "chainrule train TASK [options]"
    parser.description = f"Train a network, and keep what came of it in a folder.\n\ntasks:\n{rows}"
    parser.epilog = ("examples:\n  chainrule train digits --layers 64,32 --activation tanh\n"
                     "  chainrule train digits --model cnn\n"
                     "  chainrule train text --model gpt\n  chainrule train table flowers.csv --target kind\n"
                     "  chainrule train my_script.py:build\n\n"
                     "`chainrule train TASK --help` shows the options of a task.")
    parser.add_argument("task", metavar="TASK", help="what to train on")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="options", help="see chainrule train TASK --help")


def run(options: argparse.Namespace) -> int:
    """Train as the options say; returns 0, or 130 after Ctrl-C."""
    task, words = named(options.task, options.words)
    module = module_of(task)
    parser = parser_of(task, module)
    given = parser.parse_args(words)
    typed = words if task == "script" else [task, *words]
    kept = [word for word in typed if word not in OF_THIS_CALL]
    folder = chosen_folder(given, task)
    command = folder.config["command"] if given.resume else shlex.join(["chainrule", "train", *kept])
    return trained(Call(task, module, parser, given, folder, command, going_on=given.resume))


def parser_of(task: str, module: Any) -> Parser:
    """The options of a task: its own, and those that all share."""
    parser = Parser(prog=f"chainrule train {'FILE.py:FUNCTION' if task == 'script' else task}",
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.usage = f"{parser.prog} [options]"
    parser.description = "\n".join(Screen().wrapped(module.SUMMARY))
    examples = "\n".join(f"  {example}" for example in module.EXAMPLES)
    parser.epilog = (f"examples:\n{examples}\n\nThe folder of the run then holds report.html, curve.svg, logs, weights, and\n"
                     "checkpoints to go on from: `chainrule resume RUN`. The same options give the\nsame weights, bit for bit.")
    module.configure(parser.add_argument_group("what is learned").add_argument)
    shared.configure(parser, module.DEFAULT, task)
    return parser


def chosen_folder(options: argparse.Namespace, task: str) -> RunFolder:
    """The folder of the run: a new one, or with --resume the last one. Raises InputError where it holds a run already."""
    path = options.out or RUNS / task
    if options.resume:
        folder = RunFolder(path) if options.out else last(path)
        if not folder.begun:
            raise InputError(f"there is nothing to resume: {path} holds no run. Leave --resume out to begin one.")
        return folder
    folder = RunFolder(path) if options.out else free(path)
    if folder.worth_keeping:
        raise InputError(f"{folder} holds a run already. Go on with it: chainrule resume {shlex.quote(str(folder))} (or "
                         "--resume); or choose another folder: --out DIR.")
    return folder


@dataclass(frozen=True)
class Call:
    """A training that was asked for: a task, its options, and where it is kept."""

    name: str
    module: Any
    parser: Parser
    options: argparse.Namespace
    folder: RunFolder
    command: str
    going_on: bool

    @property
    def plan(self) -> Plan:
        return shared.plan_of(self.options, self.module.DEFAULT)

    def guard(self) -> Any:
        """A block in which what a user's own file raises is told as its fault."""
        return self.module.guard(self.options) if hasattr(self.module, "guard") else nullcontext()


def trained(call: Call) -> int:
    """Train, or go on where the run in the folder stands; returns 0, or 130 after Ctrl-C."""
    screen = Screen(quiet=call.options.quiet, progress=not call.options.no_progress)
    plan, folder, interruption = call.plan, call.folder, Interruption()
    with warnings_in_one_line():
        random.seed(plan.seed)
        task = call.module.prepared(call.options)
        with call.guard():
            listeners = [*screen.listeners(), interruption]
            session = Session(task, plan, folder, call.command, listeners=listeners, shown=screen.verbatim)
            begin(call, session)
            if folder.metrics().get("finished") is True:
                screen.result(f"{folder} is finished already; to train longer, begin another run.")
                return GOOD
            screen.say(opening(session))
            began = time.perf_counter()
            session.fit()
            seconds = time.perf_counter() - began
            screen.say(screen.curve(session.history))
            session.save(configuration(call, plan), finished=not interruption.happened)
        screen.say(f"report: {folder.path / REPORT}")
        screen.result(f"{result(session)}trained in {seconds:.1f} s")
    if interruption.happened:
        print(f"chainrule: interrupted after step {session.trainer.place.step:,}; what was learned so far is kept. Go on with: "
              f"chainrule resume {shlex.quote(str(folder))}", file=sys.stderr)
    return INTERRUPTED if interruption.happened else GOOD


def begin(call: Call, session: Session) -> None:
    """Write down what the run is; or see that it is what was begun. Raises InputError, ArgumentError, StorageError."""
    task, folder, options = session.task, call.folder, shared.kept(call.parser, call.options)
    if call.going_on:
        same = folder.config["task"] == call.name
        other = shared.difference(options, folder.config["options"]) if same else f"the task was {folder.config['task']}"
        if other:
            raise InputError(f"{folder} cannot be resumed with other options: {other}. Leave them as they were, or begin another "
                             "run with --out DIR.")
        must_be_the_same(folder.config["data"], task, folder)
        return
    folder.make()
    folder.write_config({
        "task": call.name, "options": options, "command": call.command, "model": task.kind, "parameters": task.parameters,
        "data": task.counts, "epochs": session.epochs, "best": task.best if task.held_out is not None else "loss",
        "versions": versions(), "began": datetime.now().astimezone().isoformat(timespec="seconds"), "facts": task.facts})


def configuration(call: Call, plan: Plan) -> dict[str, str]:
    """The options as the report shows them."""
    chosen = {**shared.kept(call.parser, call.options), "rate": f"{plan.rate:g}", "momentum": plan.momentum}
    return {name.replace("_", " "): shared.said(value) for name, value in chosen.items() if value is not None} | versions()


# ---------------------------------------------------------------------------------------- what is said
def opening(session: Session) -> str:
    task, going_on = session.task, session.folder.can_go_on
    return "\n".join([
        ": ".join(filter(None, [task.name, counted(task)])),
        f"network: {', '.join(filter(None, [task.summary, f'{task.parameters:,} parameters']))}",
        f"optimizer: {session.plan.told}",
        f"folder: {session.folder}{' (going on from its last checkpoint)' if going_on else ''}"
        f"{', eagerly' if session.plan.eager else ''}\n"])


def result(session: Session) -> str:
    """What was measured in the end."""
    measures, task = session.measures, session.task
    if "accuracy" in measures and session.task.counts["held_out"]:
        rows = task.counts["held_out"]
        return f"held-out accuracy {measures['accuracy']:.2%} ({round(measures['accuracy'] * rows)} of {rows} {task.name}), "
    return "".join(f"held-out {name} {shown(name, value)}, " for name, value in measures.items())
