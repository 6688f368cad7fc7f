"""A compiled function does what the plain one does: the same results, the same weights, or an error that says why not."""
from __future__ import annotations

import random
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler import building, execution
from chainrule.errors import ArgumentError, CompileWarning, NoPathError, StagingError

F = cr.nn.functional
RNG = np.random.default_rng(5)
X = RNG.normal(size=(8, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 8)


@pytest.fixture(params=["native", "numpy"], autouse=True)
def where(request, monkeypatch):
    """Each test runs on native code and on NumPy."""
    if request.param == "numpy":
        monkeypatch.setattr(building, "native_is_here", lambda: False)
    else:
        pytest.importorskip("llvmlite")
    return request.param


def network(seed=3):
    cr.random.seed(seed)
    return cr.nn.Sequential(cr.nn.Linear(6, 5), cr.nn.Tanh(), cr.nn.Linear(5, 3))


OPTIMIZERS = {
    "SGD": lambda p: cr.optim.SGD(p, lr=0.1),
    "momentum": lambda p: cr.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "dampening": lambda p: cr.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "Adam": lambda p: cr.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: cr.optim.AdamW(p, lr=0.01),
}


def training(optimizer, model=None):
    model = model or network()
    opt = OPTIMIZERS[optimizer](model.parameters())

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        opt.zero_grad()
        return loss
    return model, opt, step


def weights(model):
    return [p.numpy().copy() for p in model.parameters()]


def close(ours, theirs, rtol=1e-5):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(np.abs(b).max(initial=0), 1e-30))


# ---------------------------------------------------------------------------------------- a training step
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_twenty_compiled_steps_give_the_weights_of_twenty_eager_ones(optimizer):
    plain_model, plain_opt, plain = training(optimizer)
    model, opt, step = training(optimizer)
    step = cr.compile(step)
    for _ in range(20):
        expected, found = plain(X, Y), step(X, Y)
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5)
    close(weights(model), weights(plain_model))
    assert all(p.grad is None for p in model.parameters())
    for p, q in zip(model.parameters(), plain_model.parameters()):
        assert opt.state.get(p, {}).keys() == plain_opt.state.get(q, {}).keys()
        for name, value in plain_opt.state.get(q, {}).items():
            assert type(opt.state[p][name]) is type(value)
            np.testing.assert_allclose(opt.state[p][name], value, rtol=1e-4, atol=1e-8)


def test_a_schedule_changes_the_rate_without_a_new_program():
    model, opt, step = training("Adam")
    other, other_opt, plain = training("Adam")
    step = cr.compile(step)
    for i in range(5):
        opt.param_groups[0]["lr"] = other_opt.param_groups[0]["lr"] = 0.1 / (i + 1)
        step(X, Y), plain(X, Y)
    close(weights(model), weights(other))
    assert sum(map(len, step.programs.values())) == 1


def test_gradients_that_are_not_cleared_add_up_as_they_do_eagerly():
    model, other = network(), network()
    found = cr.compile(lambda x, y: F.cross_entropy(model(x), y).backward())
    for _ in range(3):
        found(X, Y)
        F.cross_entropy(other(X), Y).backward()
    close([p.grad.numpy() for p in model.parameters()], [p.grad.numpy() for p in other.parameters()])


def test_gradients_from_before_the_call_are_cleared_by_it():
    model, _, step = training("SGD")
    step = cr.compile(step)
    F.cross_entropy(model(X), Y).backward()
    step(X, Y)
    assert all(p.grad is None for p in model.parameters())


def test_eager_and_compiled_steps_can_be_mixed():
    model, _, step = training("Adam")
    other, _, plain = training("Adam")
    fast = cr.compile(step)
    for f in (fast, step, fast, step):
        f(X, Y)
        plain(X, Y)
    close(weights(model), weights(other))


def test_a_state_loaded_between_steps_is_gone_on_from():
    model, opt, step = training("Adam")
    step = cr.compile(step)
    step(X, Y)
    kept, state = weights(model), opt.state_dict()
    step(X, Y)
    after = weights(model)
    for p, value in zip(model.parameters(), kept):
        p.data = value
    opt.load_state_dict(state)
    step(X, Y)
    close(weights(model), after)


def test_a_state_that_was_cleared_begins_anew():
    (model, opt, step), (other, other_opt, plain) = training("Adam"), training("Adam")
    step = cr.compile(step)
    for i in range(4):
        if i == 2:
            opt.state.clear(), other_opt.state.clear()
        step(X, Y), plain(X, Y)
    close(weights(model), weights(other))
    assert all(state["step"] == 2 for state in opt.state.values())


def test_values_read_before_a_step_stay_as_they_were():
    model, _, step = training("Adam")
    step = cr.compile(step)
    step(X, Y)
    view, data, state = [p.numpy() for p in model.parameters()], [p.data for p in model.parameters()], model.state_dict()
    copies = weights(model)
    step(X, Y)
    for v, d, c, s in zip(view, data, copies, state.values()):
        assert (v == c).all() and (d.numpy() == c).all() and (s == c).all()
    assert all((p.numpy() != c).any() for p, c in zip(model.parameters(), copies))


def test_recorded_values_keep_the_weights_they_were_made_of():
    model, _, step = training("SGD")
    step = cr.compile(step)
    step(X, Y)
    loss = F.cross_entropy(model(X), Y)
    expected = [p.grad for p in model.parameters()]
    loss.backward()
    expected = [p.grad.numpy().copy() for p in model.parameters()]
    for p in model.parameters():
        p.grad = None
    step(X, Y)
    loss.backward()
    close([p.grad.numpy() for p in model.parameters()], expected)


def test_clipping_and_schedules_inside_the_step_are_part_of_it():
    def clipped(seed):
        model = network(seed)
        opt = cr.optim.SGD(model.parameters(), lr=0.5)

        def step(x, y):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            norm = sum((p.grad * p.grad).sum() for p in model.parameters()) ** 0.5
            for p in model.parameters():
                p.grad = p.grad * cr.minimum(1.0, 0.1 / norm)
            opt.step()
            opt.zero_grad()
            return loss, norm
        return model, step
    (model, step), (other, plain) = clipped(1), clipped(1)
    step = cr.compile(step)
    for _ in range(3):
        a, b = step(X, Y), plain(X, Y)
        close([t.numpy() for t in a], [t.numpy() for t in b])
    close(weights(model), weights(other))


# ---------------------------------------------------------------------------------------- functions and transforms
def f(x):
    return (cr.sin(x) * cr.exp(-x * x)).sum()


def many(x):
    return cr.sin(x) * cr.cumsum(x, axis=-1)


TRANSFORMED = {
    "plain": f, "grad": cr.grad(f), "value_and_grad": cr.value_and_grad(f),
    "second": cr.grad(lambda x: (cr.grad(f)(x) ** 2).sum()),
    "vmap": cr.vmap(f), "vmap of grad": cr.vmap(cr.grad(f)), "jacobian": cr.jacobian(lambda x: many(x)[0]),
    "hessian": cr.hessian(lambda x: f(x[0])), "jvp": lambda x: cr.jvp(f, x, x), "vjp": lambda x: cr.vjp(many, x)[1](x),
    "checkpoint": cr.grad(cr.checkpoint(f)), "forward over reverse": lambda x: cr.jvp(cr.grad(f), x, x)[1],
    "stop_gradient": cr.grad(lambda x: (x * cr.stop_gradient(cr.tanh(x))).sum()),
}


@pytest.mark.parametrize("name", TRANSFORMED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_transform_can_be_compiled(name, dtype):
    g, x = TRANSFORMED[name], RNG.normal(size=(3, 5)).astype(dtype)
    expected, found = g(x), cr.compile(g)(x)
    for a, b in zip(*(cr.core.tree.flatten(t)[0] for t in (found, expected)), strict=True):
        assert type(a) is type(b) and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-6 if dtype is np.float32 else 1e-13)


def test_a_custom_rule_is_compiled():
    @cr.custom_rule(backward=lambda g, y, x: (g * 100,))
    def twice(x):
        return x * 2
    x = np.arange(3.0)
    np.testing.assert_array_equal(cr.compile(cr.grad(lambda x: twice(x).sum()))(x), [100.0] * 3)


def test_inside_a_transform_it_is_the_plain_function():
    x = RNG.normal(size=4)
    np.testing.assert_allclose(cr.grad(cr.compile(f))(x), cr.grad(f)(x))
    np.testing.assert_allclose(cr.compile(lambda x: cr.compile(f)(x) * 2)(x), 2 * f(x))


def test_trees_go_in_and_come_out():
    g = cr.compile(lambda tree, *, scale: {"sum": tree["a"] + tree["b"][0], "rest": (tree["b"][1] * scale, "as it is", None, 3)})
    out = g({"a": X, "b": [X, cr.tensor(X)]}, scale=2.0)
    assert out["rest"][1:] == ("as it is", None, 3)
    np.testing.assert_array_equal(out["sum"], X + X)
    assert type(out["sum"]) is np.ndarray
    assert type(out["rest"][0]) is cr.Tensor
    np.testing.assert_array_equal(out["rest"][0].numpy(), 2 * X)


def test_floats_vary_and_other_settings_are_compiled_in():
    g = cr.compile(lambda x, scale, axis: (x * scale).sum(axis=axis))
    for scale in (1.0, 2.5):
        for axis in (0, 1):
            found = g(X, scale, axis)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, (X * np.float32(scale)).sum(axis=axis), rtol=1e-5)
    assert sum(map(len, g.programs.values())) == 2


def test_each_shape_and_dtype_has_a_program():
    g = cr.compile(lambda x: x * x)
    for x in (X, X[:3], X.astype(np.float64), X[:0], X[:3]):
        np.testing.assert_array_equal(g(x), x * x)
        assert g(x).dtype == x.dtype
    assert len(g.programs) == 4


def test_many_programs_are_noticed_once():
    g = cr.compile(lambda x: x + 1)
    with pytest.warns(CompileWarning, match="program number 9"):
        for n in range(9):
            g(np.zeros(n))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        g(np.zeros(20))


def test_views_and_other_layouts_are_read_right():
    g = cr.compile(lambda x: x * 2 + x.sum(axis=0))
    for x in (X.T, X[::2, ::-1], np.broadcast_to(X[0], (4, 6)), np.asfortranarray(X)):
        np.testing.assert_allclose(g(x), x * 2 + x.sum(axis=0), rtol=1e-6)


def test_methods_can_be_compiled():
    class Scaled:
        def __init__(self, factor):
            self.factor = cr.tensor(factor)

        @cr.compile
        def apply(self, x):
            return x * self.factor

    for factor in (2.0, 3.0, 4.0):  # none of them takes the place of one that is gone
        np.testing.assert_array_equal(Scaled(factor).apply(X).numpy(), factor * X)


def test_modules_and_optimizers_may_be_arguments():
    model, opt, _ = training("SGD")
    other, _, plain = training("SGD")

    @cr.compile
    def step(model, opt, x, y):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        opt.zero_grad()
        return loss
    step(model, opt, X, Y)
    plain(X, Y)
    close(weights(model), weights(other))


# ---------------------------------------------------------------------------------------- what lies outside
def test_a_module_switched_to_use_is_traced_again():
    cr.random.seed(1)
    drop = cr.nn.Dropout(0.5)
    g = cr.compile(lambda x: drop(cr.tensor(x)))
    assert (g(X).numpy() == 0).any()
    drop.eval()
    np.testing.assert_array_equal(g(X).numpy(), X)
    drop.train()
    assert (g(X).numpy() == 0).any()
    assert sum(map(len, g.programs.values())) == 2


def test_random_numbers_are_those_of_the_eager_function():
    def noisy(x):
        return cr.dropout(x, 0.3) + cr.random.randn(*x.shape) * cr.random.uniform(1.0, 2.0) + cr.random.bernoulli(0.5, x.shape)
    cr.random.seed(11)
    expected = [noisy(X) for _ in range(3)]
    cr.random.seed(11)
    g = cr.compile(noisy)
    for e in expected:
        np.testing.assert_allclose(g(X).numpy(), e.numpy(), rtol=1e-6)


def test_captured_tensors_and_arrays_are_read_anew():
    t, a = cr.tensor([1.0, 2.0]), np.array([10.0, 20.0], np.float32)
    g = cr.compile(lambda x: x * t + a + a[:1])
    x = np.ones(2, np.float32)
    np.testing.assert_array_equal(g(x).numpy(), [21.0, 32.0])
    t.data = [3.0, 4.0]
    a[:] = 0
    np.testing.assert_array_equal(g(x).numpy(), [3.0, 4.0])


def test_a_changed_setting_is_noticed():
    settings = {"power": 2}
    scale = 3
    def g(x):
        return scale * x ** settings["power"]
    compiled = cr.compile(g)
    np.testing.assert_array_equal(compiled(X), 3 * X ** 2)
    settings["power"], scale = 3, 5
    np.testing.assert_allclose(compiled(X), 5 * X ** 3, rtol=1e-6)


def test_a_tensor_that_is_given_twice_is_one_and_two_tensors_are_two():
    g, h = cr.compile(lambda a, b: a * 10 + b), cr.compile(lambda a: a * 10 + w)
    t, u, w = (cr.tensor([value]) for value in (1.0, 2.0, 5.0))
    for _ in range(2):
        assert [g(*pair).item() for pair in ((t, t), (t, u), (u, t), (u, u))] == [11.0, 12.0, 21.0, 22.0]
        assert [h(each).item() for each in (w, t, w, u)] == [55.0, 15.0, 55.0, 25.0]


def test_a_tensor_that_is_changed_may_be_one_that_is_given():
    def follow(a):
        mean.data = mean * 0.5 + a
        return a + 1

    found = []
    for f in (follow, cr.compile(follow)):
        mean, other = cr.tensor([2.0]), cr.tensor([4.0])
        found.append([float(x) for given in (other, other, mean, other) for x in (f(given).item(), mean.item())])
    assert found[0] == found[1]


def test_a_parameter_that_is_given_and_captured_gets_one_gradient():
    w, v = (cr.tensor([value], requires_grad=True) for value in (2.0, 3.0))

    def product(a):
        (a * a * w).sum().backward()
    for f in (product, cr.compile(product)):
        for given, expected in ((v, [9.0, 12.0]), (w, [12.0, 0.0]), (v, [9.0, 12.0])):
            w.grad, v.grad = np.zeros(1, np.float32), np.zeros(1, np.float32)
            f(given)
            assert [w.grad.item(), v.grad.item()] == expected


def test_a_setting_that_a_class_overrides_is_no_change():
    class Scaled(cr.nn.Module):
        factor = 2.0

        def forward(self, x):
            return self.factor * x

    class Doubled(Scaled):
        factor = 4.0
    module = Doubled()
    compiled = cr.compile(lambda x: module(x))
    np.testing.assert_array_equal(compiled(X), 4 * X)
    Doubled.factor = 8.0
    np.testing.assert_array_equal(compiled(X), 8 * X)


def test_values_may_be_assigned_to_tensors():
    total = cr.tensor(np.zeros(6, np.float32))

    @cr.compile
    def add(x):
        total.data = total * 0.5 + x.sum(axis=0)
    expected = np.zeros(6, np.float32)
    for _ in range(3):
        add(X)
        expected = expected * np.float32(0.5) + X.sum(axis=0)
    np.testing.assert_allclose(total.numpy(), expected, rtol=1e-6)


def line(g):
    return f"test_compile.py:{g.__code__.co_firstlineno + 1}"


def branches(x):
    return x if x.sum() > 0 else -x


def branches_on_a_tensor(x):
    return x if STATE > 0 else -x


def prints(x):
    print("the loss is", x.sum())
    return x


def reads_numbers(x):
    return x * STATE.item()


def converts(x):
    return x * float(x.sum())


def draws(x):
    return x * np.random.rand()


def throws(x):
    return x * random.random()


STATE = cr.tensor(2.0)


@pytest.mark.parametrize("g, hint", [
    (branches, "cr.where"), (branches_on_a_tensor, "cr.where"), (prints, "Return the value"), (reads_numbers, "cr.where"),
    (converts, "cr.where"), (draws, "cr.random"), (throws, "cr.random")], ids=lambda g: getattr(g, "__name__", ""))
def test_what_cannot_be_staged_is_refused_with_its_line_and_the_way_out(g, hint, capsys):
    with pytest.raises(StagingError) as error:
        cr.compile(g)(X)
    assert line(g) in str(error.value)
    assert hint in str(error.value)
    assert capsys.readouterr().out == ""
    assert isinstance(STATE.value, np.ndarray)


def test_python_state_that_would_change_only_once_is_refused():
    losses, counter = [], {"steps": 0}

    def keeps(x):
        losses.append(x.sum())
        return x

    def counts(x):
        counter["steps"] += 1
        return x
    with pytest.raises(StagingError, match="length of a list"):
        cr.compile(keeps)(X)
    with pytest.raises(StagingError, match="steps from 0 to 1"):
        cr.compile(counts)(X)


def test_after_an_error_everything_is_as_before():
    model, opt, _ = training("Adam")
    before = weights(model)

    @cr.compile
    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss.item()
    with pytest.raises(StagingError):
        step(X, Y)
    close(weights(model), before, rtol=0)
    assert all(p.grad is None and isinstance(p.value, np.ndarray) for p in model.parameters())
    assert all(s["step"] == 0 for s in opt.state.values())
    F.cross_entropy(model(X), Y).backward()
    opt.step()


def test_what_was_computed_outside_with_gradients_is_refused():
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2
    with pytest.raises(StagingError, match="detach"):
        cr.compile(lambda x: x * h)(np.ones(2, np.float32))
    with pytest.raises(StagingError, match="detach"):
        cr.compile(lambda x: x * 2)(h)


def test_a_result_says_that_it_was_cut_from_the_graph():
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    y = cr.compile(lambda: (w * w).sum())()
    with pytest.raises(NoPathError, match="compile"):
        y.backward()


def test_a_traced_value_kept_outside_is_refused_by_name():
    kept = {}

    def keeps(x):
        kept["y"] = x * 2
        return x
    cr.compile(keeps)(X)
    with pytest.raises(cr.errors.EscapedError, match="compile"):
        kept["y"] + 1


def test_errors_of_operations_come_through():
    with pytest.raises(cr.errors.ShapeError, match="inner sizes"):
        cr.compile(lambda a, b: a @ b)(np.ones((2, 3)), np.ones((4, 5)))


@pytest.mark.parametrize("memory", ["64 apples", "MB", -1, 0, True, "1.2.3MB", 2.5])
def test_a_budget_that_is_none_is_refused(memory):
    with pytest.raises(ArgumentError, match="64MB"):
        cr.compile(f, memory=memory)


def test_only_functions_are_compiled():
    with pytest.raises(ArgumentError, match="not a str"):
        cr.compile("64MB")


def test_without_llvmlite_one_notice_is_given(monkeypatch):
    monkeypatch.setattr(execution, "find_spec", lambda name: None)
    monkeypatch.setattr(execution, "told", False)
    monkeypatch.setattr(building, "native_is_here", execution.native_is_here)
    with pytest.warns(CompileWarning, match="llvmlite is not installed"):
        np.testing.assert_allclose(cr.compile(f)(X), f(X), rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cr.compile(f)(X)


def test_a_setting_without_influence_costs_no_new_program():
    state = {"epoch": 0, "power": 2}
    drop = cr.nn.Dropout(0.25)

    def g(x):
        return drop(cr.tensor(x)) ** state["power"] if state["epoch"] < 3 else x
    compiled = cr.compile(g)
    compiled(X)
    state["epoch"] = 1
    compiled(X)
    assert sum(map(len, compiled.programs.values())) == 1
    state["epoch"] = 3
    np.testing.assert_array_equal(compiled(X), X)
    state["epoch"] = 0
    assert (compiled(X).numpy() == 0).any()
    assert sum(map(len, compiled.programs.values())) == 2


def test_being_traced_again_and_again_is_noticed():
    state = {"calls": 0, "power": 2}
    g = cr.compile(lambda x: x ** state["power"])
    with pytest.warns(CompileWarning, match=r"calls changed from \d+ to \d+"):
        for _ in range(10):
            state["calls"] += 1
            g(X)


def deep(x):
    for _ in range(12):
        x = cr.tanh(x @ W) * x
    return (x * x).sum()


W = RNG.normal(size=(20, 20)) / 4
SMALL, LARGE = 100_000, 10**9


@pytest.mark.parametrize("memory", ["1GB", "100kB", SMALL])
def test_a_budget_changes_memory_and_not_results(memory, where):
    x = RNG.normal(size=(20, 20))
    g = cr.compile(cr.grad(deep), memory=memory)
    np.testing.assert_allclose(g(x), cr.grad(deep)(x), rtol=1e-10, atol=1e-12)
    needed = g.built.execute.memory()["scratch"] if where == "native" else g.memory().peak
    assert needed <= (LARGE if memory == "1GB" else SMALL)
    assert bool(g.memory().recomputed) is (memory != "1GB")
    assert str(g.memory()).startswith("peak:")


def test_what_is_computed_again_without_a_budget_is_told(where):
    rng = np.random.default_rng(0)
    x, *weights = (rng.normal(size=shape) / 10 for shape in ((64, 200), (200,), *[(200, 200)] * 3))

    def loss(scale, *weights):
        y = x
        for w in weights:
            y = cr.tanh((cr.tanh(y) * scale + 1.0) @ w)
        return (y * y).sum()
    gradient = cr.grad(loss, argnums=(0, 1, 2, 3))
    compiled = cr.compile(gradient)
    for a, b in zip(compiled(*weights), gradient(*weights)):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    again = {each.operation for each in compiled.memory().recomputed}
    assert again == ({"multiply", "add"} if where == "native" else set())
    assert ("computed again" in str(compiled.memory())) is (where == "native")


def test_a_budget_that_cannot_be_met_names_the_least():
    with pytest.raises(ArgumentError, match="at least"):
        cr.compile(cr.grad(deep), memory=800)(X[:, :4] @ np.ones((4, 20), np.float32))


def test_what_was_made_can_be_looked_at(where):
    def g(x):
        return (cr.tanh(x * 2.0) + 1.0).sum()
    compiled = cr.compile(g)
    with pytest.raises(StagingError, match="Call it once"):
        compiled.graph()
    compiled(X)
    assert "traced:" in compiled.graph()
    assert "tanh" in compiled.graph()
    if where == "native":
        assert "tanh" in compiled.loops()
        assert f"test_compile.py:{g.__code__.co_firstlineno + 1}" in compiled.loops()
        assert "define" in compiled.llvm()
    else:
        assert "llvmlite" in compiled.loops()
        assert "llvmlite" in compiled.llvm()


def test_threads_may_share_a_compiled_function():
    from concurrent.futures import ThreadPoolExecutor
    g = cr.compile(lambda x: (cr.exp(x) * x).sum(axis=1))
    xs = [RNG.normal(size=(50, 40)) for _ in range(20)]
    with ThreadPoolExecutor(4) as executor:
        for x, found in zip(xs, executor.map(g, xs)):
            np.testing.assert_allclose(found, (np.exp(x) * x).sum(axis=1), rtol=1e-10)


@pytest.mark.parametrize("operation", [cr.minimum, cr.maximum, cr.ops.fmin, cr.ops.fmax])
@pytest.mark.parametrize("constant", [np.nan, -np.nan, np.inf, -np.inf, -0.0])
def test_a_constant_of_any_kind_is_chosen_as_in_numpy(operation, constant, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", "off")  # there NaN is NaN, of whatever sign
    x = np.array([1.0, np.nan, -np.nan, np.inf, -np.inf, 0.0] * 3)
    for dtype in ("float32", "float64"):
        given, c = x.astype(dtype), np.dtype(dtype).type(constant)
        for f in (lambda x: operation(x, c), lambda x: operation(c, x)):  # noqa: B023
            np.testing.assert_array_equal(cr.compile(f)(given), f(given))
