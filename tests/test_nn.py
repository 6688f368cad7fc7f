"""Modules: what is found in them, what they save and load, where their numbers start."""
import copy
import math
import pickle
from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ArgumentError, ShapeError


def mlp(seed=0, dtype="float64"):
    g = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(4, 5, dtype=dtype, generator=g), nn.Tanh(), nn.Linear(5, 3, dtype=dtype, generator=g))


class Residual(nn.Module):
    """Plain containers of modules, a tensor of its own, and a buffer."""

    def __init__(self):
        self.blocks = [nn.Linear(3, 3), nn.Linear(3, 3, bias=False)]
        self.heads = {"left": nn.Linear(3, 1), "right": (nn.ReLU(), nn.Linear(3, 2))}
        self.scale = cr.tensor(1.5, requires_grad=True)
        self.seen = cr.tensor([0.0])
        self.note = "not a tensor"

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return self.heads["left"](x) * self.scale


def test_parameters_are_found_in_plain_lists_tuples_and_dicts():
    names = [name for name, _ in Residual().named_parameters()]
    assert names == ["blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "heads.left.weight", "heads.left.bias",
                     "heads.right.1.weight", "heads.right.1.bias", "scale"]


def test_a_tensor_that_needs_no_gradient_is_saved_but_not_trained():
    model = Residual()
    assert "seen" in model.state_dict()
    assert "seen" not in dict(model.named_parameters())


@dataclass
class Pair:
    first: nn.Module
    second: int = 0


@pytest.mark.parametrize("hide", [
    lambda layer: {layer}, lambda layer: deque([layer]), lambda layer: {"a": layer}.values(), lambda layer: (m for m in [layer]),
    lambda layer: map(nn.Sequential, [layer]), lambda layer: Pair(layer), lambda layer: [[{layer}]]], ids=range(7))
def test_modules_where_they_would_not_be_found_are_refused(hide):
    model = Residual()
    model.bag = hide(nn.Linear(1, 1))
    with pytest.raises(ArgumentError, match=r"bag.*neither saved nor trained. Use a list or a dict"):
        list(model.parameters())


def test_a_module_inside_itself_is_refused():
    model = Residual()
    model.blocks.append(model)
    with pytest.raises(ArgumentError, match="contains itself"):
        model.state_dict()


def test_a_shared_layer_is_trained_once_and_saved_under_both_names():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(model.parameters())) == 2
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_parameters_can_be_given_their_dotted_names():
    model = mlp().name_parameters("net")
    assert model[2].weight.name == "net.2.weight"


def test_printing_shows_the_tree():
    assert repr(mlp()) == ("Sequential(\n  (0): Linear(in_features=4, out_features=5, bias=True)\n  (1): Tanh()\n"
                           "  (2): Linear(in_features=5, out_features=3, bias=True)\n)")


def test_a_state_goes_from_one_module_to_another():
    a, b = mlp(0), mlp(1)
    x = np.ones((2, 4))
    assert not np.array_equal(a(x), b(x))
    b.load_state_dict(a.state_dict())
    np.testing.assert_array_equal(a(x), b(x))


def test_what_does_not_fit_is_listed_side_by_side_and_nothing_is_changed():
    model = mlp()
    before = model.state_dict()
    state = {**before, "0.bias": np.zeros(7), "extra": np.zeros((2, 2))}
    del state["2.bias"]
    with pytest.raises(ArgumentError) as caught:
        model.load_state_dict(state)
    rows = [line.split() for line in str(caught.value).splitlines()]
    assert ["misshapen", "0.bias", "(5,)", "(7,)"] in rows
    assert ["missing", "2.bias", "(3,)", "-"] in rows
    assert ["unexpected", "extra", "-", "(2,", "2)"] in rows
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_loose_load_takes_what_fits():
    model = mlp()
    model.load_state_dict({"2.bias": np.arange(3.0), "extra": np.zeros(1)}, strict=False)
    np.testing.assert_array_equal(model[2].bias, np.arange(3.0))


def test_the_state_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        mlp().state_dict()["0.weight"][0, 0] = 1


def test_train_and_eval_reach_every_part():
    model = Residual().eval()
    assert not any(m.training for m in model.modules())
    assert all(m.training for m in model.train().modules())


def test_zero_grad_forgets_gradients():
    model = mlp()
    model(np.ones((2, 4))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_frozen_parameters_are_not_trained():
    model = mlp()
    model[0].requires_grad_(False)
    assert [name for name, _ in model.named_parameters()] == ["2.weight", "2.bias"]
    assert len(model.state_dict()) == 4
    model.requires_grad_(False).requires_grad_()
    assert len(list(model.parameters())) == 4


def test_thawing_makes_no_parameter_of_a_buffer():
    model = Residual().requires_grad_(False).requires_grad_()
    assert not model.seen.requires_grad and model.scale.requires_grad


def test_a_copy_is_a_module_of_its_own():
    model = mlp()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert all(p is not q and p.requires_grad for p, q in zip(twin.parameters(), model.parameters()))
        np.testing.assert_array_equal(twin(np.ones(4)), model(np.ones(4)))


def test_a_module_is_a_function_of_its_parameters_for_every_transform():
    model, x = mlp(), np.random.default_rng(3).normal(size=(6, 4))
    parameters = model.state_dict()

    def loss(p):
        return (nn.functional_call(model, p, x) ** 2).sum()

    gradients = cr.grad(loss)(parameters)
    (model(x) ** 2).sum().backward()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(gradients[name], p.grad, rtol=1e-12)
    each = cr.vmap(lambda row: cr.grad(lambda p: (nn.functional_call(model, p, row) ** 2).sum())(parameters)["2.bias"])(x)
    np.testing.assert_allclose(each.sum(axis=0), gradients["2.bias"], rtol=1e-12)
    assert all(isinstance(p, cr.Tensor) for p in model.parameters()), "the module itself stays as it is"


def test_a_functional_call_refuses_what_does_not_fit():
    with pytest.raises(ArgumentError, match=r"unexpected  0\.wait"):
        nn.functional_call(mlp(), {"0.wait": np.zeros((5, 4))}, np.zeros(4))


def test_linear_follows_its_formula_and_names_sizes_that_do_not_fit():
    layer, x = nn.Linear(4, 3, dtype="float64"), np.random.default_rng(0).normal(size=(2, 5, 4))
    np.testing.assert_allclose(layer(x), x @ np.asarray(layer.weight).T + np.asarray(layer.bias), rtol=1e-14)
    with pytest.raises(ShapeError, match=r"Linear: the input is float64\[2,5\], and must be .* 4 in_features"):
        layer(np.zeros((2, 5)))
    with pytest.raises(ArgumentError, match="at least 1"):
        nn.Linear(0, 3)


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(ArgumentError, match="with a star"):
        nn.Sequential([nn.ReLU()])
    with pytest.raises(ArgumentError, match="argument 1 is a function"):
        nn.Sequential(nn.ReLU(), lambda x: x)


def test_flatten_joins_axes():
    assert nn.Flatten()(np.zeros((2, 3, 4))).shape == (2, 12)
    assert nn.Flatten(0, 1)(np.zeros((2, 3, 4))).shape == (6, 4)


ACTIVATIONS = [nn.ReLU(), nn.LeakyReLU(), nn.ELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(),
               nn.Softmax(), nn.LogSoftmax()]


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_activations_keep_shape_and_dtype(layer):
    y = layer(np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4))
    assert (y.shape, y.dtype) == ((3, 4), np.float32)


@pytest.mark.parametrize("fill, std", [
    (nn.init.kaiming_normal_, math.sqrt(2 / 300)), (nn.init.kaiming_uniform_, math.sqrt(2 / 300)),
    (nn.init.xavier_normal_, math.sqrt(2 / 500)), (nn.init.xavier_uniform_, math.sqrt(2 / 500)),
    (nn.init.lecun_normal_, math.sqrt(1 / 300)), (nn.init.lecun_uniform_, math.sqrt(1 / 300)),
], ids=lambda x: getattr(x, "__name__", ""))
def test_initialisers_have_the_spread_of_their_papers(fill, std):
    t = nn.init.parameter((200, 300))
    assert fill(t, generator=np.random.default_rng(0)) is t
    assert abs(np.std(t.data.numpy()) / std - 1) < 0.01


def test_kernels_count_towards_the_fan():
    assert nn.init.fans(nn.init.parameter((8, 3, 5, 5))) == (75, 200)


def test_orthogonal_rows_are_at_right_angles():
    for shape in ((3, 5), (5, 3), (4, 2, 3)):
        q = nn.init.orthogonal_(nn.init.parameter(shape, "float64"), generator=np.random.default_rng(0)).data.numpy()
        q = q.reshape(shape[0], -1)
        small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_a_bias_has_no_fan():
    with pytest.raises(ArgumentError, match="zeros_"):
        nn.init.kaiming_normal_(nn.init.parameter((4,)))


def test_dropout_drops_while_training_only():
    layer, x = nn.Dropout(0.25), np.ones(4000)
    y = layer(x)
    assert set(np.unique(y)) == {0.0, 1 / 0.75} and abs(np.mean(y) - 1) < 0.05
    np.testing.assert_array_equal(layer.eval()(x), x)


def test_the_common_seed_decides_the_weights():
    made = []
    for _ in range(2):
        cr.random.seed(5)
        made.append([nn.Linear(3, 2).weight.data.tolist(), nn.Linear(3, 2).weight.data.tolist()])
    assert made[0] == made[1] and made[0][0] != made[0][1]


def test_losses_are_means():
    scores, target = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]), np.array([0, 1])
    assert math.isclose(nn.CrossEntropyLoss()(scores, target), -math.log(0.5 * 0.8) / 2)
    assert nn.MSELoss()(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == 2.5


def test_a_summary_counts_parameters():
    text = nn.summary(mlp(dtype="float32"), (2, 4))
    assert [line.split() for line in text.splitlines()][2] == ["0", "Linear", "(2,", "5)", "25"]
    assert "output" not in nn.summary(mlp())
