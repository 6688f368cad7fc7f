"""A checkpoint keeps only the inputs of a function; what it computed on the way is computed again when the sweep arrives."""
from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, Box, Interpreter, concrete, entered, escaped, interpreter_of_users, now, under
from chainrule.core.primitive import Primitive, Together
from chainrule.core.reverse import Recorded, Reverse, optimistic
from chainrule.core.stage import stage
from chainrule.core.tree import flatten, unflatten
from chainrule.core.type import Array, Type, typeof
from chainrule.errors import ArgumentError
from chainrule.ops.families import one_by_one, pushforward

from . import eager, random
from .transforms import named

Function = Callable[..., Any]
rerunning: ContextVar[bool] = ContextVar("rerunning", default=False)
"""Whether a checkpointed function runs for a second time: what it remembers for good, it has remembered."""


class Passing(Box):
    """A value inside a checkpointed function: computed, and forgotten when the function returns."""

    __slots__ = ("value",)

    def __init__(self, owner: Interpreter, value: Array) -> None:
        self.owner, self.value = owner, value

    @property
    def type(self) -> Type:
        return typeof(self.value)

    def concrete(self, use: str) -> np.ndarray[Any, Any]:
        return concrete(self.value, use)


class Watch(Interpreter):
    """Compute without recording, and note which recorded values the computation starts from.

    Those are the arguments, and whatever the function captured: the parameters of a layer, a value of an outer function.
    """

    __slots__ = ("met", "stand_ins", "tape")
    name = "checkpoint"

    def __init__(self, tape: Reverse, stand_ins: dict[Recorded, Recorded]) -> None:
        super().__init__(tape.parent)
        self.tape, self.stand_ins = tape, stand_ins
        self.met: dict[Recorded, Recorded] = {}  # as the function wrote it: as the tape knows it

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        values, followed = [], False
        for a, rule in zip(args, prim.backward):
            known = self.stand_ins.get(a, a) if isinstance(a, Recorded) else a
            if self.tape.owns(known):
                self.met[a] = known
            if self.owns(known) and self.closed:
                raise escaped(known, prim.name)
            mine = self.owns(known) or self.tape.owns(known)
            followed = followed or (mine and rule is not None)
            value = known.value if mine else known
            values.append(eager.number(value, prim.name) if self.parent is NUMPY else value)
        out = self.parent.apply(prim, tuple(values), params)
        if not followed:
            return out
        return tuple(Passing(self, o) for o in out) if isinstance(out, tuple) else Passing(self, out)


class StandIns(Interpreter):
    """Run a function again on other values: each box it starts from is replaced by the one that stands in for it."""

    __slots__ = ("boxes",)
    name = "checkpoint"

    def __init__(self, tape: Reverse, boxes: dict[Recorded, Recorded]) -> None:
        super().__init__(tape)
        self.boxes = boxes

    def apply(self, prim: Primitive, args: tuple[Array, ...], params: dict[str, Any]) -> Array:
        return self.parent.apply(prim, tuple(self.boxes.get(a, a) if isinstance(a, Recorded) else a for a in args), params)


def checkpoint(f: Function) -> Function:
    """`f`, keeping only its inputs for the backward sweep, which computes the rest again: memory saved for time spent.

    The function may take and return trees, and use recorded values it captured, such as the parameters of a layer. It must
    compute the same when it is run again; numbers from the common random generator are drawn again the same. Inside `vmap`,
    `jvp` and `stage` it runs as it is; checkpoint the transformed function to save memory there.

    T. Chen et al., "Training deep nets with sublinear memory cost", 2016.

    >>> import chainrule as cr
    >>> cr.grad(cr.checkpoint(lambda x: cr.sin(x) * x))(0.0)
    np.float64(0.0)
    """
    def of(*args: Any, **options: Any) -> Any:
        here = now()
        tape, stand_ins = (here.parent, here.boxes) if isinstance(here, StandIns) else (here, {})
        if not isinstance(tape, Reverse):
            return f(*args, **options)
        dice = random.get_state()
        with entered(Watch(tape, stand_ins)) as watch:
            assert isinstance(watch, Watch)
            leaves, structure = flatten(f(*args, **options))
        places = [i for i, y in enumerate(leaves) if watch.owns(y)]
        if places:
            values = one_or_many([leaves[i].value for i in places])
            again = Again(lambda: flatten(f(*args, **options))[0], places, tuple(watch.met), dice)
            made = recorded(tape, values, again.primitive(), tuple(watch.met.values()))
            for i, y in zip(places, made if isinstance(made, tuple) else (made,)):
                leaves[i] = y
        return unflatten(structure, leaves)
    return named(of, f, "checkpoint")


def recorded(tape: Reverse, values: Array, prim: Primitive, inputs: tuple[Recorded, ...]) -> Array:
    """The results on the tape, made of these inputs."""
    # a function of its own, because the tape looks for the user's line three callers up, where an operation's caller stands
    return tape.outputs(tape.box(values, prim, inputs, inputs, tuple(x.value for x in inputs), {}))


def bare(x: Array) -> Array:
    """A result for a sweep over arrays: tensors are a matter of the user's code."""
    return eager.number(x, "checkpoint") if now() is NUMPY else eager.plain(x)


def one_or_many(values: list[Array]) -> Array:
    """The outputs of an operation: a tuple only where there are several."""
    return values[0] if len(values) == 1 else tuple(values)


class Again:
    """A checkpointed call that can be run again: its results at `places`, as a function of the recorded values it met."""

    def __init__(self, run: Callable[[], list[Any]], places: list[int], met: tuple[Recorded, ...], dice: random.State) -> None:
        self.run, self.places, self.met, self.dice = run, places, met, dice

    def on(self, tape: Reverse, values: tuple[Array, ...]) -> tuple[list[Recorded], tuple[Array, ...]]:
        """Run on these values; the boxes that stood in for what was met, and the results, on the tape."""
        boxes = [Recorded(tape, v) for v in values]
        token, again, dice = optimistic.set(False), rerunning.set(True), random.get_state()
        random.set_state(self.dice)
        try:
            with under(StandIns(tape, dict(zip(self.met, boxes)))):
                leaves = self.run()
        finally:
            optimistic.reset(token)
            rerunning.reset(again)
            random.set_state(dice)
        if len(leaves) <= max(self.places):
            raise ArgumentError(f"checkpoint: run again, the function returned {len(leaves)} values instead of at least "
                                f"{max(self.places) + 1}. It must do the same each time; keep state that changes out of it.")
        return boxes, tuple(leaves[i] for i in self.places)

    def forward(self, *values: Array) -> Array:
        with entered(Reverse(interpreter_of_users())) as tape:
            assert isinstance(tape, Reverse)
            outputs = self.on(tape, values)[1]
        return one_or_many([bare(y.value if tape.owns(y) else y) for y in outputs])

    def find(self, g: Array, y: Array, args: tuple[Array, ...], params: dict[str, Any]) -> list[Array]:
        """The gradients of all inputs: compute again, recording this time, and sweep."""
        with entered(Reverse(interpreter_of_users())) as tape:
            assert isinstance(tape, Reverse)
            boxes, outputs = self.on(tape, args)
        found = tape.gradients(tape.join(outputs), g if isinstance(g, tuple) else (g,))
        gradients = [found.get(box) for box in boxes]
        return [d if d is None else bare(d) for d in gradients]

    def result(self, *types: Type) -> Any:
        made = stage(self.forward, *types).output
        return [typeof(y) for y in made] if isinstance(made, tuple) else typeof(made)

    def primitive(self) -> Primitive:
        rules = Together(self.find, len(self.met))
        prim = Primitive(
            "checkpoint", forward=self.forward, backward=rules, tangent=pushforward(rules), result=self.result,
            batch=lambda flags, *values: one_by_one(prim, flags, *values), samples=lambda rng: [],
            doc="A function whose intermediate values are computed again when the sweep arrives.")
        return prim
