"""The gradient of a loop is a loop back: it reads what the steps kept, last step first, and carries gradients instead of values.

One sweep back through the staged body writes the body of the way back. What that reads of a step's values (its residuals) the
forward loop keeps as further rows, and what a captured value receives is added up over the steps, where possible by one
operation after the loop instead of one in each step.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.interpreter import Box, under
from chainrule.core.reverse import Recorded, Reverse, optimistic
from chainrule.core.stage import Line, Stage, Symbol
from chainrule.core.type import Array, Type, is_float, typeof

from .loop_body import Body, Loop, needed, symbols
from .loop_keeping import kept_values, recomputed
from .loop_pieces import joined_pieces
from .loop_sums import Sums, Total


# ---------------------------------------------------------------------------------------- one step back
class Step(NamedTuple):
    """One step back: the gradients that arrive, by the number of the output; the lines; and the gradient of each input."""

    arriving: dict[int, Symbol]
    lines: list[Line]
    gradients: dict[Symbol, Array]


def values_read(step: Step) -> set[Symbol]:
    """Everything that the way back reads, or hands on."""
    return needed(step.lines, step.gradients.values())[1]


def recorded(tape: Reverse, body: Body) -> dict[Symbol, Recorded]:
    """The lines of a body as a tape would have recorded them: the box of each value that gradients flow to."""
    boxes = {s: Recorded(tape, s) for s in body.inputs if is_float(s.dtype)}
    for line in body.lines:
        args = tuple(boxes.get(a, a) if isinstance(a, Symbol) else a for a in line.args)
        sources: tuple[Any, ...] = tuple(a if tape.owns(a) and rule else None for a, rule in zip(args, line.prim.backward))
        if any(a is not None for a in sources):
            many = isinstance(line.prim.result(*(None if a is None else typeof(a) for a in line.args), **line.params), list)
            value = line.targets if many else line.targets[0]
            made = tape.outputs(tape.box(value, line.prim, args, sources, line.args, line.params))
            boxes.update(zip(line.targets, made if many else (made,)))
    return boxes


def step_back(body: Body, live: Sequence[int]) -> Step:
    """The sweep back through one step, where gradients arrive at the outputs `live`."""
    staging = Stage()
    staging.numbers = count(sum(len(line.targets) for line in body.lines))  # names that the body does not use
    tape = Reverse(staging)
    boxes = recorded(tape, body)
    outputs = {i: boxes[y] for i in live if isinstance(y := body.output[i], Symbol) and y in boxes}
    token = optimistic.set(False)
    try:
        with under(staging):
            arriving = {i: staging.input(Type(*box.type[:2]), f"g{i}") for i, box in outputs.items()}
            root, wanted = tape.join(tuple(outputs.values())), {boxes[s] for s in body.inputs if s in boxes}
            found = tape.sweep(root, tuple(arriving.values()), wanted=wanted) if outputs else {}
    finally:
        optimistic.reset(token)
    gradients = {s: found[boxes[s]] for s in body.inputs if s in boxes and boxes[s] in found}
    return Step(arriving, joined_pieces(staging.graph.lines), gradients)


# ---------------------------------------------------------------------------------------- what the forward loop keeps
def keeping(params: dict[str, Any]) -> dict[str, Any]:
    """The options of a loop that keeps, as further rows, what the way back will read of each step."""
    body, n, m = inner_kept(params["body"]), params["carries"], params["carries"] + params["scanned"]
    floats = [i for i, y in enumerate(body.output) if is_float(typeof(y).dtype)]
    read = values_read(step_back(body, floats))
    rows = {s for s in body.inputs[n:m] if s in read}
    extra = kept_values(body, n, read, known={*rows, *body.inputs[m:], *symbols(body.output[n:])}, length=params["length"])
    return {**params, "body": Body(body.inputs, body.lines, (*body.output, *extra))}


def inner_kept(body: Body) -> Body:
    """The body, where loops inside it keep what their way back will read."""
    return Body(body.inputs, [kept_line(line) for line in body.lines], body.output)


def kept_line(line: Line) -> Line:
    if line.prim.keeping is None:
        return line
    params = line.prim.keeping(line.params)
    types = line.prim.result(*map(typeof, line.args), **params)
    first = line.targets[0]
    more = (Symbol(first.owner, t, f"{first.name}k{i}") for i, t in enumerate(types[len(line.targets):]))
    return line._replace(params=params, targets=(*line.targets, *more))


# ---------------------------------------------------------------------------------------- the way back
class Back(NamedTuple):
    """A loop back, and what makes the gradients of the forward loop's arguments of its results."""

    loop: Loop
    finish: Callable[[tuple[Array, ...]], list[Array]]


def renamed(symbol: Symbol, name: str) -> Symbol:
    """A new symbol of the same type."""
    return Symbol(symbol.owner, Type(*symbol.type[:2]), name)


def arrives(g: Array) -> bool:
    """Whether a gradient can be anything but zero: arrays of zeros stand for outputs that received none."""
    return isinstance(g, Box) or bool(np.any(g if any(g.strides) else g[(slice(1),) * g.ndim]))


def backward(loop: Loop, g: Sequence[Array], y: Sequence[Array]) -> Back | None:
    """The loop back, given the gradients `g` of the results `y`; None where a value that it reads is not among the rows."""
    body, n, m = loop.body, loop.carries, loop.carries + loop.scanned
    floats = [i for i, out in enumerate(body.output) if is_float(typeof(out).dtype)]
    step = step_back(body, [i for i in floats if i < n or (i < len(g) and arrives(g[i]))])
    places = {s: i for i, s in reversed(list(enumerate(body.output))) if i >= n and isinstance(s, Symbol)}
    given = dict(zip(body.inputs[n:m], loop.args[n:m])) | {s: y[i] for s, i in places.items()}
    again = recomputed(body, values_read(step), {*given, *body.inputs[m:]})
    if again is None:
        return None
    step = step._replace(lines=[*again, *step.lines])
    rows = {step.arriving[i]: g[i] for i in step.arriving if i >= n} | given
    carried = [i for i in floats if i < n]
    seeds = {i: step.arriving[i] if i in step.arriving else renamed(body.inputs[i], f"g{i}") for i in carried}
    sums = Sums(step.lines, {*rows, *seeds.values()}, loop.constants)
    captured = {s: sums.plan(d) or d for s in body.inputs[m:] if (d := step.gradients.get(s)) is not None}
    return assembled(loop, step, g, Parts(seeds, rows, captured, list(sums.stacks)))


class Parts(NamedTuple):
    """What a loop back is made of: the gradients it carries, the rows it reads with their arrays, for each captured value the
    way its gradient is added up (or the gradient of one step), and the values that sums after the loop need as rows."""

    seeds: dict[int, Symbol]
    rows: dict[Symbol, Array]
    captured: dict[Symbol, Total | Array]
    stacks: list[Symbol]


def assembled(loop: Loop, step: Step, g: Sequence[Array], parts: Parts) -> Back:
    """The loop back, put together: carries are gradients of carries and sums; rows out are gradients of rows and `stacks`."""
    body, n, m = loop.body, loop.carries, loop.carries + loop.scanned
    added = {s: d for s, d in parts.captured.items() if not isinstance(d, Total)}
    totals = {s: renamed(s, f"sum_{s.name}") for s in added}
    adding = Stage()
    adding.numbers = count(sum(len(line.targets) for line in (*body.lines, *step.lines)))
    with under(adding):
        next_totals = [totals[s] + d for s, d in added.items()]
    flowing = {s: step.gradients[s] for s in body.inputs[n:m] if s in step.gradients}
    stacks = [s for s in parts.stacks if s not in parts.rows]
    rows = list({id(d): d for d in (*flowing.values(), *stacks)}.values())
    carried = [step.gradients.get(body.inputs[i], np.zeros(*body.inputs[i].type[:2])) for i in parts.seeds]
    back = Body(
        [*parts.seeds.values(), *totals.values(), *parts.rows, *body.inputs[m:]], [*step.lines, *adding.graph.lines],
        (*carried, *next_totals, *rows))
    args = (*(g[i] for i in parts.seeds), *(np.zeros(*s.type[:2]) for s in added), *parts.rows.values(), *loop.args[m:])

    def finish(out: tuple[Array, ...]) -> list[Array]:
        results: Iterator[Array] = iter(out)
        found: dict[Symbol, Array] = {body.inputs[i]: next(results) for i in parts.seeds}
        found.update({s: next(results) for s in added})
        whole = {id(d): y for d, y in zip(rows, results)}
        found.update({s: whole[id(d)] for s, d in flowing.items()})
        stacked = {**parts.rows, **{s: whole[id(s)] for s in stacks}}
        found.update({s: d.after(stacked) for s, d in parts.captured.items() if isinstance(d, Total)})
        return [found.get(s) for s in body.inputs]
    return Back(Loop(back, args, loop.length, len(parts.seeds) + len(totals), len(parts.rows), not loop.reverse), finish)
