"""A look lets pass a call that is like the one before, and no other."""
from __future__ import annotations

import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import chainrule as cr
from chainrule.compiler.native import interface, look

if interface.interface() is None:
    pytest.skip("this Python's objects are not known", allow_module_level=True)

RNG = np.random.default_rng(2)
X = RNG.normal(size=(4, 3)).astype(np.float32)
Y = RNG.integers(0, 2, 4)
SCALE = 3.0


class Configuration:
    power = 2


class World:
    """A training step, and everything outside it that it depends on."""

    def __init__(self):
        self.w = cr.tensor(RNG.normal(size=(3, 2)).astype(np.float32), requires_grad=True)
        self.mask = cr.tensor(np.ones(2, np.float32))
        self.captured = np.full(2, 0.5, np.float32)
        self.settings, self.items = {"on": True, "nested": {"deep": 1.0}}, [1.0, 2.0]
        self.configuration, self.namespace = Configuration(), SimpleNamespace(shift=0.25)
        self.optimizer = cr.optim.Adam([self.w], lr=0.01)
        self.step = cr.compile(self.plain())
        for _ in range(2):
            self.step(X, Y, 2.0)

    def plain(self):
        w, mask, captured, settings, items = self.w, self.mask, self.captured, self.settings, self.items
        configuration, namespace, optimizer = self.configuration, self.namespace, self.optimizer

        def step(x, y, factor):
            out = (x @ w) * mask * factor * SCALE + captured + sum(items) * settings["nested"]["deep"] + namespace.shift
            loss = cr.cross_entropy(out if settings["on"] else -out, y) ** configuration.power
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss
        return step

    @property
    def group(self):
        return self.optimizer.param_groups[0]

    @property
    def state(self):
        return self.optimizer.state[self.w]

    def looks(self, *args):
        return self.step.latest.__self__.look(args) is not None


ARGUMENTS = {
    "another shape": (X[:3], Y, 2.0), "another dtype": (X.astype(float), Y, 2.0), "other strides": (np.asfortranarray(X), Y, 2.0),
    "a view with holes": (np.repeat(X, 2, axis=0)[::2], Y, 2.0), "an int for a float": (X, Y, 2), "one fewer": (X, Y),
    "one more": (X, Y, 2.0, 1.0), "a tensor": (cr.tensor(X), Y, 2.0), "a number of NumPy": (X, Y, np.float64(2.0)),
    "a list": (X.tolist(), Y, 2.0), "a subclass": (X.view(np.recarray), Y, 2.0), "none": (None, Y, 2.0),
    "swapped bytes": (X.astype(">f4"), Y, 2.0), "an axis more": (X[None], Y, 2.0),
}


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_of_another_type_do_not_pass(name, world):
    assert world.looks(X, Y, 2.0)
    assert world.looks(X + 1, 1 - Y, -0.5)
    assert not world.looks(*ARGUMENTS[name])


def hold(world):
    world.held = world.w.numpy()


def read_only(world):
    world.w.value.flags.writeable = False


def put_scale(value):
    def change(world):
        globals()["SCALE"] = value
    return change


CHANGES = {
    "an entry of a dict": lambda world: world.settings.update(on=False),
    "an entry of a dict in a dict": lambda world: world.settings["nested"].update(deep=2.0),
    "an entry that is gone": lambda world: (world.settings.pop("on"), world.settings.update(off=True)),
    "a new entry": lambda world: world.settings.update(more=1),
    "an item": lambda world: world.items.__setitem__(1, 5.0),
    "a longer list": lambda world: world.items.append(1.0),
    "an empty list": lambda world: world.items.clear(),
    "an attribute": lambda world: setattr(world.namespace, "shift", 1.0),
    "a setting of a class, overridden": lambda world: setattr(world.configuration, "power", 3),
    "a setting of an optimizer": lambda world: world.group.update(eps=1e-3),
    "a forgotten state": lambda world: world.optimizer.state.clear(),
    "a gradient": lambda world: setattr(world.w, "grad", np.ones((3, 2), np.float32)),
    "a view of a parameter": hold,
    "a parameter that may not be changed": read_only,
    "a parameter in another layout": lambda world: setattr(world.w, "value", np.asfortranarray(world.w.value)),
    "a mean that is a view": lambda world: world.state.update(mean=np.zeros((2, 3, 2), np.float32)[0]),
    "a mean of another dtype": lambda world: world.state.update(mean=np.zeros((3, 2))),
    "a rate that is an int": lambda world: world.group.update(lr=1),
    "a constant in another place": lambda world: setattr(world.mask, "value", np.ones(4, np.float32)[::2]),
    "a global": put_scale(4.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed_is_seen(name, request):
    request.addfinalizer(lambda: put_scale(3.0)(None))
    world = World()
    assert world.looks(X, Y, 2.0)
    CHANGES[name](world)
    assert not world.looks(X, Y, 2.0)


KEPT = {
    "a rate": lambda world: world.group.update(lr=0.5),
    "the number of a step": lambda world: world.state.update(step=70),
    "values": lambda world: setattr(world.w, "data", np.ones((3, 2), np.float32)),
    "values of a constant": lambda world: setattr(world.mask, "data", np.zeros(2, np.float32)),
    "a captured array": lambda world: world.captured.fill(7.0),
    "means": lambda world: world.state.update(mean=np.ones((3, 2), np.float32), square=np.ones((3, 2), np.float32)),
}


@pytest.mark.parametrize("name", KEPT)
def test_numbers_may_change_and_are_read_anew(name):
    world, other = World(), World()
    for name_of in ("mean", "square"):
        other.state[name_of] = world.state[name_of].copy()
    other.w.data = world.w.value.copy()
    KEPT[name](world), KEPT[name](other)
    assert world.looks(X, Y, 2.0)
    found, expected = world.step(X, Y, 0.5), other.plain()(X, Y, 0.5)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5)
    np.testing.assert_allclose(world.w.numpy(), other.w.numpy(), rtol=1e-5)
    assert world.state["step"] == other.state["step"]


def test_looking_keeps_nothing():
    world, given = World(), X.copy()
    before = world.w.value.ctypes.data

    def counts():
        return [sys.getrefcount(x) for x in (given, world.w.value, world.state["mean"], world.captured, world.settings, None)]
    first = counts()
    for _ in range(50):
        world.looks(given, Y, 2.0), world.looks(given, Y, 2), world.looks(given, Y), world.step(given, Y, 2.0)
    assert counts()[:-1] == first[:-1]
    assert abs(counts()[-1] - first[-1]) < 20
    assert world.w.value.ctypes.data == before


def test_a_call_that_was_looked_at_gives_the_bits_of_one_that_was_gathered(monkeypatch):
    first, second = World(), World()
    second.w.data = first.w.value.copy()
    for name in ("mean", "square"):
        second.state[name] = first.state[name].copy()
    second.step.latest.__self__.look = lambda leaves: None
    for _ in range(5):
        a, b = first.step(X, Y, 2.0), second.step(X, Y, 2.0)
        assert a.numpy() == b.numpy()
    assert (first.w.numpy() == second.w.numpy()).all()
    assert first.state["step"] == second.state["step"] == 7


def test_where_objects_lie_otherwise_calls_are_gathered(monkeypatch):
    for module in (interface, look):
        monkeypatch.setattr(module, "interface", lambda: None)
    world, other = World(), World()
    other.w.data = world.w.value.copy()
    for name in ("mean", "square"):
        other.state[name] = world.state[name].copy()
    assert not world.looks(X, Y, 2.0)
    np.testing.assert_allclose(world.step(X, Y, 2.0).numpy(), other.plain()(X, Y, 2.0).numpy(), rtol=1e-5)
    np.testing.assert_allclose(world.w.numpy(), other.w.numpy(), rtol=1e-5)
    assert world.state["step"] == 3


def test_tensors_may_be_arguments():
    g = cr.compile(lambda a, b: a * 2 + b)
    for dtype in (np.float32, np.float64):
        a, b = cr.tensor(np.ones(3, dtype)), cr.tensor(np.full(3, 2.0, dtype))
        g(a, b)
        look = g.latest.__self__.look
        assert look((a, cr.tensor(np.zeros(3, dtype)))) is not None
        assert look((a, cr.tensor(np.zeros(3, dtype), requires_grad=True))) is None
        assert look((a, np.zeros(3, dtype))) is None
        assert look((a, None)) is None
        b.grad = np.ones(3, dtype)
        assert look((a, b)) is None
        np.testing.assert_array_equal(g(a, b).numpy(), 4.0)


def test_random_numbers_are_drawn_after_the_look():
    def noisy(x):
        return x + cr.random.randn(*x.shape)
    g = cr.compile(noisy)
    cr.random.seed(4)
    found = [g(X) for _ in range(3)]
    assert g.latest.__self__.look((X,)) is not None
    cr.random.seed(4)
    for each in found:
        np.testing.assert_allclose(each, noisy(X), rtol=1e-6)


def test_a_container_that_answers_for_itself_is_asked_each_time():
    class Table(dict):
        def __getitem__(self, key):
            return dict.__getitem__(self, key)

    table = Table(power=1)
    g = cr.compile(lambda x: x ** table["power"])
    for power in (1, 2):
        table["power"] = power
        for _ in range(2):
            np.testing.assert_allclose(g(X), X ** power, rtol=1e-6)
        assert g.latest.__self__.look((X,)) is None


def test_each_of_many_threads_makes_its_step():
    world = World()
    threads = [threading.Thread(target=lambda: [world.step(X, Y, 2.0) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.state["step"] == 802


def test_after_an_error_in_a_step_its_numbers_stand_as_before(monkeypatch):
    w = cr.tensor(np.ones((3, 3)) + np.eye(3), requires_grad=True)
    optimizer = cr.optim.Adam([w])

    @cr.compile
    def step():
        cr.linalg.inv(w).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    for _ in range(3):
        step()
    calls = step.built.execute.calls
    assert calls.calls, "the inverse is a call of NumPy"
    assert step.latest.__self__.look(()) is not None
    monkeypatch.setattr(calls, "array", lambda view: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        step()
    monkeypatch.undo()
    assert optimizer.state[w]["step"] == 3
    step()
    assert optimizer.state[w]["step"] == 4
