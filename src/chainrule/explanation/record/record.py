"""The record of a loss is what the engine remembers of it, swept once and written down as facts."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.core.interpreter import NUMPY, under
from chainrule.core.primitive import Primitive
from chainrule.core.reverse import Recorded
from chainrule.core.type import typeof
from chainrule.eager import EAGER
from chainrule.sweeps import no_path
from chainrule.tensor import Tensor

from ..formulas.formula import Call, Formula, Name, filled, number, rebuilt, staged
from ..formulas.writing import tex_name
from .derivations import Derivations
from .facts import Edge, Facts, Local, Merge, Node
from .grouping import Grouping, grouping
from .merging import merged
from .replay import Replay
from .values import plain, shape_of, used_values, value_of

MOST_ARGUMENTS = 20  # of an operation whose rules are written as formulas


class Record:
    """A recorded loss with its sweep, on the way to becoming facts.

    `given` are names by id of the tensor or module, `kept` names that nobody gave, `sources` source lines, `inside` the composite
    a value is a part of, and `symbols` what the gradients of named values are called, where that is not dL/d(name). `originals`
    are tensors that values of this record stand for, each with the value. `swept` are the gradients of all values, where they are
    known already.
    """

    def __init__(self, loss: Tensor, wanted: Sequence[Tensor] | None, given: Mapping[int, str], *,
                 sources: Mapping[int, str | None] | None = None, inside: Mapping[int, str] | None = None,
                 symbols: Mapping[str, str] | None = None, kept: Mapping[int, str] | None = None,
                 groups: Grouping | None = None, originals: Sequence[tuple[Recorded, Any]] = (),
                 swept: Mapping[Recorded, Any] | None = None) -> None:
        self.loss, self.wanted, self.given, self.originals = loss, wanted, given, originals
        self.sources, self.inside, self.symbols, self.kept = sources or {}, inside or {}, symbols or {}, kept or {}
        self.order = EAGER.history(loss)[::-1]
        self.used = used_values(self.order)
        self.swept = swept or EAGER.sweep(loss, np.ones(loss.shape, loss.dtype))
        for t in wanted or ():
            if t not in self.swept:  # a rule on the way says that nothing flows
                raise no_path(loss, t)
        self.leaves: list[Any] = [x for x in self.order if x.prim is None and x in self.swept] if wanted is None else list(wanted)
        self.active = self.reached()
        self.rules: dict[Any, Formula | None] = {}
        self.gradient_names: dict[int, Name] = {}
        self.formulas: dict[int, Call] = {}
        self.constants = self.found_constants()
        self.grouping = grouping(self.order, self.constants, given) if groups is None else groups
        self.name_everything()

    def value(self, x: Any) -> Any:
        """What a value was when the loss was computed."""
        return self.used.get(id(x), value_of(x))

    def reached(self) -> set[Recorded]:
        """The values through which a leaf reaches the loss."""
        active = set(self.leaves)
        for x in self.order:
            if any(isinstance(a, Recorded) and a in active for a in x.args):
                active.add(x)
        return active

    def flows(self) -> Iterable[tuple[Any, int, Any]]:
        """Each contribution of the sweep, in its order: the value it comes from, the number of the argument it flows to, and it.

        A gradient that has arrived in full goes through one rule per argument, as in the sweep itself.
        """
        with under(NUMPY), np.errstate(all="ignore"):
            for x in reversed(self.order):
                if x.prim is None or x not in self.swept:
                    continue
                g = plain(self.swept[x], x)
                for i, (a, rule) in enumerate(zip(x.sources, x.prim.backward)):
                    if a in self.active and rule is not None:
                        d = rule(g, x.value, *x.values, **x.params)
                        if d is not None:
                            yield x, i, d

    # ---------------------------------------------------------------- names
    def found_constants(self) -> list[Any]:
        """The constant arguments that are values of their own."""
        constants: dict[int, Any] = {}
        for x in self.order:
            for a, v in zip(x.args, x.values):
                if not (isinstance(a, Recorded) and a.owner is EAGER) and shown_as_node(a, v, self.given):
                    constants.setdefault(id(a), a)
        return list(constants.values())

    def name_everything(self) -> None:
        """A name for each value: the given one, its dotted one, its own, or the next number."""
        self.named: dict[int, str] = {}
        taken: set[str] = set()
        for x in [*self.order, *self.constants]:
            name = self.given.get(id(x)) or self.grouping.names.get(id(x)) or getattr(x, "name", None)
            if name:
                self.named[id(x)] = unique(name, taken)
        self.chosen = set(self.named)
        for key, name in self.kept.items():
            self.named[key] = unique(name, taken)
        if id(self.loss) not in self.named:
            self.named[id(self.loss)] = unique("L", taken)
        for stem, values in (("v", self.order), ("c", self.constants)):
            numbers = iter(range(1, len(values) + len(taken) + 2))
            for x in values:
                if id(x) not in self.named:
                    self.named[id(x)] = next(name for n in numbers if (name := f"{stem}{n}") not in taken)
        values = [*(x for x in self.order if x.prim is None), *self.constants, *(x for x in self.order if x.prim)]
        self.ids = {id(x): f"n{i}" for i, x in enumerate(values)}
        self.values = values

    def called(self, x: Any) -> Name:
        return Name(shape_of(value_of(x)), self.named[id(x)])

    def gradient_name(self, x: Any) -> Name:
        """What the gradient of the loss in a value is called."""
        if id(x) not in self.gradient_names:
            name, loss = self.named[id(x)], self.named[id(self.loss)]
            symbol = self.symbols.get(name)
            bar = tex_name(symbol) if symbol else rf"\frac{{\partial {tex_name(loss)}}}{{\partial {tex_name(name)}}}"
            self.gradient_names[id(x)] = Name(shape_of(value_of(x)), symbol or f"d{loss}/d{name}", bar)
        return self.gradient_names[id(x)]

    def formula(self, x: Any) -> Call | None:
        """How a value was made, in the names of its arguments; None for one that was given."""
        if not (isinstance(x, Recorded) and x.owner is EAGER and x.prim):
            return None
        if id(x) not in self.formulas:
            args = tuple(self.argument(a, v) for a, v in zip(x.args, x.values))
            self.formulas[id(x)] = Call(shape_of(self.value(x)), x.prim, args, x.params)
        return self.formulas[id(x)]

    def argument(self, a: Any, v: Any) -> Formula | None:
        """An argument as a formula: its name, or the number it is."""
        return None if a is None else self.called(a) if id(a) in self.named else number(v)

    # ---------------------------------------------------------------- rules as formulas
    def written(self, x: Any, kind: str, i: int, f: Callable[..., Any]) -> Formula | None:
        """What `f(g, y, *args)` says of an operation's result, in the names of this record; run once for each kind of call."""
        symbolic = [id(a) in self.named for a in x.args]
        if any(isinstance(v, tuple) for v in (x.value, *x.values)) or len(x.args) > MOST_ARGUMENTS:
            return None
        types = {"g": typeof(x.value), "y": typeof(x.value)}
        types |= {f"a{k}": typeof(v) for k, (v, s) in enumerate(zip(x.values, symbolic)) if s}
        fixed = tuple(None if s else repr(v) for v, s in zip(x.values, symbolic))
        key = (x.prim, kind, i, tuple(types.items()), fixed, repr(x.params))
        if key not in self.rules:
            def run(*symbols: Any) -> Any:
                g, y, *rest = symbols
                supply = iter(rest)
                return f(g, y, *(next(supply) if s else v for v, s in zip(x.values, symbolic)))
            self.rules[key] = staged(run, types)
        formula = self.rules[key]
        names = {"g": self.gradient_name(x), "y": self.called(x)}
        names |= {f"a{k}": self.called(a) for k, (a, s) in enumerate(zip(x.args, symbolic)) if s}
        return formula and rebuilt(formula.put(names))

    def local(self, x: Any, i: int, rule: Callable[..., Any]) -> Local | None:
        """The derivative of a result in argument `i`, where it is one number for each element."""
        slope = x.prim.slopes[i] if x.prim.slopes and i < len(x.prim.slopes) else None
        if slope is not None and not callable(slope):
            return Local(number(slope), number(slope), slope)
        if slope is not None:
            def f(g: Any, y: Any, *args: Any) -> Any:
                return slope(y, *args, **x.params)
        elif not any(isinstance(v, tuple) for v in (x.value, *x.values)) and shape_of(x.value) == ():
            def f(g: Any, y: Any, *args: Any) -> Any:
                return rule(np.ones((), x.value.dtype), y, *args, **x.params)
        else:
            return None
        with under(NUMPY), np.errstate(all="ignore"):
            value = plain(f(None, x.value, *x.values), x.args[i])
        if typeof(value).dtype.kind == "b":  # a slope of yes or no counts as 1 or 0
            value = np.asarray(value, x.value.dtype)
        formula = self.written(x, "local", i, f)
        return Local(formula, filled(formula, self.numbers), value)

    # ---------------------------------------------------------------- facts
    def facts(self) -> Facts:
        """Everything that is true of the gradients, written down."""
        self.numbers: dict[str, Formula] = {self.named[id(x)]: number(self.value(x)) for x in self.values}
        nodes = [self.node(x) for x in self.values]
        for x in self.values:
            gradient = self.swept.get(x) if isinstance(x, Recorded) else None
            if gradient is not None:
                self.numbers[self.gradient_name(x).name] = number(plain(gradient, x))
        edges = tuple(self.edge(k, *flow) for k, flow in enumerate(self.flows()))
        leaves = {self.named[id(x)]: x for x in self.leaves}
        return Facts(
            loss=self.named[id(self.loss)], nodes=tuple(nodes), edges=edges,
            merges=tuple(self.merges(edges, {n.id: n for n in nodes})),
            gradients={name: plain(self.swept[x], x) for name, x in leaves.items()},
            derivations=Derivations(self, edges).of(leaves), replay=self.replay(),
            leaves={name: x for name, x in leaves.items() if x.prim is None}, groups=self.grouping.filled(self.ids),
            originals=tuple((self.named[id(x)], t) for t, x in self.originals))

    def replay(self) -> Replay:
        return Replay(self.loss, self.order, {self.named[id(x)]: x for x in self.values})

    def node(self, x: Any) -> Node:
        value = self.value(x)
        recorded = isinstance(x, Recorded) and x.owner is EAGER
        prim: Primitive | None = x.prim if recorded else None
        formula = self.formula(x)
        gradient = self.swept.get(x) if recorded and x in self.active else None
        return Node(
            id=self.ids[id(x)], name=self.named[id(x)], kind="operation" if prim else "input" if recorded else "constant",
            operation=prim.name if prim else None, options=dict(x.params) if prim else {},
            arguments=tuple(self.ids[id(a)] for a in x.args if id(a) in self.ids) if prim else (),
            formula=formula, numbers=filled(formula, self.numbers), value=value, shape=shape_of(value),
            dtype=str(value[0].dtype if isinstance(value, tuple) else np.asarray(value).dtype),
            gradient=None if gradient is None else plain(gradient, x), gradient_name=self.gradient_name(x),
            source=self.sources.get(id(x), getattr(x, "line", None)), opens=bool(prim and prim.body),
            inside=self.inside.get(id(x)), group=self.grouping.of.get(id(x)))

    def edge(self, k: int, x: Any, i: int, d: Any) -> Edge:
        a = x.args[i]
        rule = next(r for n, r in enumerate(x.prim.backward) if n == i)
        formula = self.written(x, "rule", i, lambda g, y, *args: rule(g, y, *args, **x.params))
        return Edge(
            id=f"e{k}", result=self.ids[id(x)], argument=self.ids[id(a)], position=i, upstream=plain(self.swept[x], x),
            local=self.local(x, i, rule), rule=formula, numbers=filled(formula, self.numbers), contribution=plain(d, a))

    def merges(self, edges: Iterable[Edge], nodes: Mapping[str, Node]) -> Iterable[Merge]:
        arriving: dict[str, list[Edge]] = {}
        for e in edges:
            arriving.setdefault(e.argument, []).append(e)
        for x in reversed(self.values):
            into = arriving.get(self.ids[id(x)], [])
            if len(into) > 1 and not isinstance(value_of(x), tuple):
                yield merged(self.ids[id(x)], into, plain(self.swept[x], x), nodes)


def shown_as_node(a: Any, v: Any, given: Mapping[int, str]) -> bool:
    """Whether a constant argument is a value of its own, not a number inside a formula."""
    if id(a) in given or getattr(a, "name", None):
        return True
    return isinstance(v, np.ndarray) and v.ndim > 0


def unique(name: str, taken: set[str]) -> str:
    """The name, numbered if another value has it already."""
    n, candidate = 2, name
    while candidate in taken:
        candidate, n = f"{name}_{n}", n + 1
    taken.add(candidate)
    return candidate
