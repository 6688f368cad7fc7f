"""A naming gives values the letters that lecturers give them: W and b, Z before an activation and A after it, and delta."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from ...formulas.formula import Name
from ...formulas.writing import tex_name
from ...record.facts import Facts, Node
from .folding import ACTIVATIONS, AUTOMATIC, LAYERS, Folding, is_swap, operands
from .symbols import Spelled, Symbol, gradient_in, labelled, named, symbol

Letter = tuple[str, Spelled]  # a letter, and the label that a value has by its layer
PICKED = {"get_at", "add_at"}
COMPARED = {"subtract", "squared_error", "half_square", "huber", "sigmoid_cross_entropy", "bernoulli_cross_entropy"}
POOLS = {"max_windows", "average_windows"}
FOLLOWERS = {*ACTIVATIONS, *POOLS}
NOTHING: Spelled = ("", "")
PARTIAL = r"\frac{\partial"


class Naming:
    """Symbols by the id of the value, and those of gradients; no two values have the same."""

    def __init__(self, e: Facts, folding: Folding) -> None:
        self.e, self.folding, self.repetition = e, folding, folding.repetition
        self.loss = (e.loss, tex_name(e.loss))
        self.taken: set[str] = set()
        self.roles: dict[str, Symbol] = {}
        firsts = [n for n in e.nodes if self.repetition.role(n.id) == n.id]
        for n in firsts:
            if not AUTOMATIC.fullmatch(n.name):
                short = named(self.within_steps(n), n.shape)
                self.claim(n, short if short.name not in self.taken else named(n.name, n.shape))
        for rank in (0, 1, 2):  # an activation has the label of what is before it, and what pools it has its label
            group = [n for n in firsts if self.rank(n) == rank]
            letters = {n.id: found for n in group if n.id not in self.roles and (found := self.letter(n))}
            counts, numbers = Counter(letters.values()), Counter[str]()
            states = Counter(found for n in group if (found := letters.get(n.id)) and self.is_carried(n))
            for n in sorted((n for n in group if n.id in letters), key=lambda n: not self.is_carried(n)):
                letter, label = letters[n.id]
                many = (states if self.is_carried(n) else counts)[letters[n.id]] > 1  # the state of a loop has its letter alone
                self.claim(n, symbol(n.shape, (letter, letter), self.numbered(letter, label, numbers) if many else label))
        for n in firsts:
            if n.id not in self.roles:
                self.claim(n, named(n.name, n.shape))

    def rank(self, n: Node) -> int:
        return 0 if self.is_carried(n) else (n.operation in ACTIVATIONS) + 2 * (n.operation in POOLS)

    def within_steps(self, n: Node) -> str:
        """The name of a value without the number of its step: up.weight for blocks.0.up.weight, blocks.1.up.weight, and so on."""
        path = n.name.split(".")
        numbers = [k for k, part in enumerate(path) if part.isdigit()] if n.id in self.repetition.places else []
        return ".".join(path[numbers[0] + 1:]) if numbers and len(path) > numbers[0] + 2 else n.name

    def numbered(self, letter: str, label: Spelled, numbers: Counter[str]) -> Spelled:
        """The label with a number, which no other value with this letter has."""
        while True:
            numbers[letter + label[0]] += 1
            k = str(numbers[letter + label[0]])
            made = (k, k) if label == NOTHING else (f"{label[0]},{k}", f"{label[1]},{k}")
            if symbol((), (letter, letter), made).name not in self.taken:
                return made

    def claim(self, n: Node, wanted: Symbol) -> None:
        """Give a value its symbol, or, where that is taken, its own name."""
        if wanted.name in self.taken:
            wanted = symbol(n.shape, (n.name, rf"\mathrm{{{n.name}}}" if n.name.isalnum() else tex_name(n.name)))
        self.taken.add(wanted.name)
        self.roles[n.id] = wanted

    # ---------------------------------------------------------------- what a value is called
    def of(self, n: Node) -> Symbol:
        place = self.repetition.places.get(n.id)
        return self.in_step(place.role, place.step) if place else self.roles[n.id]

    def in_step(self, role: str, step: int) -> Symbol:
        x = self.roles[role]
        return symbol(x.shape, x.head, x.label, str(step))

    def gradient(self, n: Node) -> Symbol:
        """Its own letter, where it was given one; delta before an activation; else dL/d(name)."""
        x = self.of(n)
        own = n.gradient_name
        if isinstance(own, Name) and own.bar and not own.bar.startswith(PARTIAL):
            return Symbol(n.shape, own.name, own.bar, *self.parts_of(own))
        if self.is_delta(n):
            delta = symbol(n.shape, ("delta", r"\delta"), x.label, x.step)
            if delta.name not in self.taken:
                return delta
        return gradient_in(x, self.loss)

    def parts_of(self, own: Name) -> tuple[Spelled, Spelled]:
        made = named(own.name, own.shape)
        return made.head, made.label

    def is_delta(self, n: Node) -> bool:
        """Whether it is what a layer computes, or what an activation takes, or is called so."""
        head = self.of(n).head[0]
        return n.kind == "operation" and head in ("z", "Z") and self.folding.kept(n)

    # ---------------------------------------------------------------- letters
    def letter(self, n: Node) -> Letter | None:
        """The letter of a value without a name, and the label of its layer; None where it is called by its number."""
        if n.kind != "operation":
            found = self.given(n)
            return found and (cased(found, n), NOTHING)
        if not self.folding.kept(n) or n.id == self.e[self.e.loss].id:
            return None
        found = next((letter for fits, letter in COMPUTED if fits(self, n)), None)
        return found and (cased(found, n), self.label_of_layer(n))

    def given(self, n: Node) -> str | None:
        """The letter of an array that was given without a name, by how it is used: data, targets, masks."""
        uses = [(u, list(operands(self.e, u)).index(n)) for u in self.folding.users.get(n.id, ())]
        if any(name == n.name for _, name in self.repetition.initial):
            return None
        if n.dtype == "bool":
            return "m"
        if any(u.operation in PICKED for u, _ in uses):
            return None
        if n.dtype.startswith(("int", "uint")) or any(u.operation in COMPARED and k for u, k in uses):
            return "y"
        if self.repetition.role(n.id) in self.repetition.places or any(u.operation in LAYERS and k == 0 for u, k in uses):
            return "x"
        return None

    def label_of_layer(self, n: Node) -> Spelled:
        """The label of the weights, or of the value before the activation."""
        if self.is_carried(n):
            return NOTHING
        if n.operation not in FOLLOWERS:
            labels = set(self.weight_labels(n))
            return labels.pop() if len(labels) == 1 else NOTHING
        before = next(operands(self.e, n))
        known = self.roles.get(self.repetition.role(before.id))
        return known.label if known and self.folding.kept(before) else NOTHING

    def is_carried(self, n: Node) -> bool:
        """Whether a step of a loop hands it to the next one."""
        return self.repetition.role(n.id) in self.repetition.carried

    def feeds_layer(self, n: Node) -> bool:
        return any(u.operation in LAYERS for u in self.folding.users.get(n.id, ()))

    def weight_labels(self, n: Node) -> Iterator[Spelled]:
        for a in operands(self.e, n):
            if a.kind != "operation":
                yield from self.weight_labels_of(a) if n.operation in LAYERS else ()
            elif is_swap(a) and n.operation in LAYERS:
                yield from self.weight_labels_of(next(operands(self.e, a)))
            elif a.kind == "operation" and not self.folding.kept(a):
                yield from self.weight_labels(a)

    def weight_labels_of(self, a: Node) -> Iterator[Spelled]:
        if a.kind == "input" and len(a.shape) > 1:
            own = self.roles.get(a.id) or named(a.name, a.shape)
            yield own.label if len(own.head[0]) == 1 else labelled(own.head[0])


def cased(letter: str, n: Node) -> str:
    """Capital for matrices."""
    return letter.upper() if len(n.shape) > 1 else letter


def is_layer(names: Naming, n: Node) -> bool:
    return names.folding.is_preactivation(n) or names.folding.feeds_activation(n)


COMPUTED: tuple[tuple[Callable[[Naming, Node], bool], str], ...] = (
    (lambda names, n: names.is_carried(n) and (names.feeds_layer(n) or len(names.repetition.carried) == 1), "h"),
    (lambda names, n: names.is_carried(n), "c"),
    (lambda names, n: n.operation in ACTIVATIONS, "a"),
    (is_layer, "z"),
    (lambda names, n: n.operation in POOLS, "p"),
    (lambda names, n: n.operation == "softmax", "s"),
    (lambda names, n: n.shape != (), "h"),
)
"""What values without a name are called: the first letter that fits."""
