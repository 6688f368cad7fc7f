"""Layers say what does not fit, with their name, what they were given and what they need; and keep their own promises."""
import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ArgumentError, BoundsError, DTypeError, ShapeError


def zeros(shape, dtype="float32"):
    return np.zeros(shape, dtype)


BAD_INPUTS = [
    (nn.Linear(4, 3), (2, 5), r"Linear: the input is float32\[2,5\], and must be \(\.\.\., in_features\), with 4 in_features"),
    (nn.Conv1d(4, 2, 3), (2, 3, 8), r"Conv1d: the input is float32\[2,3,8\].*\(batch, channels, length\).*4 in_channels"),
    (nn.Conv2d(4, 2, 3), (4, 8), r"Conv2d: .*\(batch, channels, height, width\) or \(channels, height, width\)"),
    (nn.Conv2d(4, 2, 3), (2, 8, 8, 4), "4 in_channels"),
    (nn.Conv2d(4, 2, 9), (2, 4, 8, 8), "larger than the data"),
    (nn.Conv3d(4, 2, 3), (2, 4, 8, 8, 8, 8), "Conv3d: .*depth"),
    (nn.ConvTranspose2d(4, 2, 3), (2, 2, 8, 8), "ConvTranspose2d: .*4 in_channels"),
    (nn.MaxPool2d(2), (8, 8), r"MaxPool2d: the input is float32\[8,8\]"), (nn.AvgPool1d(2), (8,), "AvgPool1d"),
    (nn.MaxPool2d(9), (1, 8, 8), "larger than the data"), (nn.AdaptiveAvgPool3d(2), (1, 8, 8), "AdaptiveAvgPool3d"),
    (nn.BatchNorm1d(4), (2, 4, 8, 8), r"BatchNorm1d: .*\(batch, channels\) or \(batch, channels, length\)"),
    (nn.BatchNorm2d(4), (4, 8, 8), "BatchNorm2d: .*4 num_features"), (nn.BatchNorm2d(4), (2, 3, 8, 8), "4 num_features"),
    (nn.BatchNorm1d(4), (1, 4), "one value per channel.*more examples, or call eval"),
    (nn.InstanceNorm2d(4), (4, 8), "InstanceNorm2d"), (nn.InstanceNorm1d(4), (2, 4, 1), "one value per channel"),
    (nn.LayerNorm((4, 5)), (2, 5, 4), r"LayerNorm: the input is float32\[2,5,4\], .*normalized_shape \(4, 5\)"),
    (nn.LayerNorm((4, 5)), (5,), "LayerNorm"), (nn.RMSNorm(4), (2, 5), "RMSNorm"), (nn.GroupNorm(2, 4), (2, 6), "4 num_channels"),
    (nn.Dropout2d(), (2, 3), "Dropout2d"), (nn.PReLU(3), (2, 4), "3 slopes for the 4 channels"), (nn.GLU(), (2, 3),
    "do not halve"),
    (nn.Unflatten(1, (2, 3)), (2, 5), r"Unflatten: axis 1 of float32\[2,5\] has 5 elements, which do not fill \(2, 3\)"),
    (nn.Unflatten(1, (-1, 3)), (2, 5), "do not fill"), (nn.Residual(nn.Linear(4, 3)), (2, 4), "Give shortcut="),
    (nn.TransformerEncoderLayer(6, 2), (5, 2, 4), "MultiheadAttention: the query is .*6 features"),
    (nn.Embedding.from_pretrained, (3,), "num_embeddings, embedding_dim")]


@pytest.mark.parametrize("layer, shape, words", BAD_INPUTS, ids=range(len(BAD_INPUTS)))
def test_an_input_that_does_not_fit_is_named_with_what_is_needed(layer, shape, words):
    with pytest.raises(ShapeError, match=words):
        layer(zeros(shape))


Q = zeros((5, 2, 6))
ATTENTION = nn.MultiheadAttention(6, 2)
BAD_CALLS = [
    (lambda: ATTENTION(Q, Q[:, :1], Q[:, :1]), ShapeError, "the same batch"),
    (lambda: ATTENTION(Q, Q, Q[:3]), ShapeError, "as many keys as values"),
    (lambda: ATTENTION(Q, Q, Q, attn_mask=zeros((4, 5), bool)), ShapeError,
     r"attn_mask is bool\[4,5\], .*\(5, 5\) or \(4, 5, 5\)"),
    (lambda: ATTENTION(Q, Q, Q, zeros((5, 2), bool)), ShapeError, r"key_padding_mask is bool\[5,2\], .*\(2, 5\)"),
    (lambda: nn.Bilinear(3, 4, 5)(zeros((2, 3)), zeros((2, 3))), ShapeError, r"Bilinear: the inputs are float32\[2,3\] and"),
    (lambda: nn.ConvTranspose1d(1, 1, 3, 2)(zeros((1, 1, 4)), 12), ArgumentError, r"from \(9,\) to \(10,\) can"),
    (lambda: nn.Embedding(3, 2)(np.array([3])), BoundsError, "3"),
    (lambda: nn.Embedding(3, 2)(np.array([1.0])), DTypeError, "whole numbers"),
    (lambda: cr.vmap(nn.BatchNorm1d(4))(zeros((3, 2, 4))), ArgumentError, "BatchNorm1d: vmap .*eval"),
    (lambda: nn.CrossEntropyLoss(weight=[1.0, 2.0])(zeros((2, 3)), np.array([0, 1])), ShapeError, r"shape \(3,\)")]


@pytest.mark.parametrize("call, kind, words", BAD_CALLS, ids=range(len(BAD_CALLS)))
def test_a_call_that_does_not_fit_is_named(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


BAD_OPTIONS = [
    (lambda: nn.Conv2d(3, 4, 0), "Conv2d: kernel_size=0: give an integer of at least 1"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "one for each of 2 spatial axes"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups=2 must divide"),
    (lambda: nn.Conv2d(3, 4, 3, padding="full"), "padding='full': .* same or valid"),
    (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), "does not"),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), "'mirror' is none of 'zeros', 'reflect'"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), "is none of 'zeros'"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"), "give a whole number"),
    (lambda: nn.Conv1d(0, 4, 3), "in_channels must be at least 1"),
    (lambda: nn.Bilinear(3, 2, 0), "out_features must be at least 1"),
    (lambda: nn.MaxPool2d(2, padding=2), "more than half"), (lambda: nn.AvgPool1d(-1), "AvgPool1d: kernel_size=-1"),
    (lambda: nn.AdaptiveAvgPool2d((2, 3, 4)), "AdaptiveAvgPool2d: output_size"), (lambda: nn.GroupNorm(3, 4), "must divide"),
    (lambda: nn.BatchNorm1d(4, momentum=2.0), "momentum is the share"),
    (lambda: nn.BatchNorm1d(0), "num_features must be at least 1"),
    (lambda: nn.LayerNorm(()), "none was given"), (lambda: nn.LayerNorm((3, 0)), "at least 1"),
    (lambda: nn.Dropout(1.5), "from 0 to 1"),
    (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx=3 is none of the 3 rows"),
    (lambda: nn.GELU("fast"), "'fast' is none of"),
    (lambda: nn.MultiheadAttention(6, 4), "divisible"),
    (lambda: nn.TransformerEncoderLayer(6, 2, activation="swish"), "'swish' is none of"),
    (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer, 2), "is a type, not a module"),
    (lambda: nn.MSELoss(reduction="average"), "MSELoss: reduction='average' is none of 'none', 'sum', 'mean'"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=2), "label_smoothing is a share"), (lambda: nn.ModuleList([3]), "not a module"),
    (lambda: nn.ModuleDict({"keys": nn.Identity()}), "cannot be the name"), (lambda: nn.Residual(nn.ReLU(), 3), "not a module")]


@pytest.mark.parametrize("make, words", BAD_OPTIONS, ids=range(len(BAD_OPTIONS)))
def test_an_option_outside_what_a_layer_accepts_is_named_when_it_is_made(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


def test_arguments_that_are_missing_or_unknown_are_those_of_the_class():
    with pytest.raises(TypeError, match=r"MaxPool2d\(kernel_size, stride=None.*missing a required argument: 'kernel_size'"):
        nn.MaxPool2d()
    with pytest.raises(TypeError, match=r"ReLU.*unexpected keyword argument 'slope'"):
        nn.ReLU(slope=2)


# ---------------------------------------------------------------------------------------- containers
def test_modules_in_lists_and_dicts_have_pytorchs_names():
    class Heads(nn.Module):
        def __init__(self):
            self.layers = nn.ModuleList([nn.Linear(2, 2), nn.ReLU()]).append(nn.Linear(2, 3))
            self.heads = nn.ModuleDict({"a": nn.Linear(3, 1)})
            self.heads["b"] = nn.Linear(3, 2, bias=False)
    names = [name for name, _ in Heads().named_parameters()]
    assert names == ["layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias", "heads.a.weight", "heads.a.bias",
                     "heads.b.weight"]


def test_a_list_of_modules_is_a_list():
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    layers = nn.ModuleList([a, c])
    layers.insert(1, b)
    assert list(layers) == [a, b, c] and layers[-1] is c and list(layers[:2]) == [a, b] and len(layers) == 3
    layers[0] = c
    assert layers[0] is c
    assert list(nn.Sequential(a).append(b)) == [a, b]


def test_a_dict_of_modules_is_a_dict():
    a, b = nn.ReLU(), nn.Tanh()
    layers = nn.ModuleDict([("a", a), ("b", b)])
    assert layers.keys() == ["a", "b"] and layers.values() == [a, b] and layers.items() == [("a", a), ("b", b)]
    assert "a" in layers and list(layers) == ["a", "b"] and layers.pop("a") is a and len(layers) == 1


# ---------------------------------------------------------------------------------------- promises
def test_layers_can_be_copied_and_pickled():
    for layer in (nn.ELU(0.3), nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.CrossEntropyLoss(weight=[1.0, 2.0]), nn.Conv1d(1, 2, 3),
                  nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 5), 2)):
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert repr(twin) == repr(layer)
            for name, value in twin.state_dict().items():
                np.testing.assert_array_equal(value, layer.state_dict()[name])


def test_a_normalization_in_a_transform_remembers_and_leaves_its_gradient_alone():
    layer, x = nn.BatchNorm1d(2, dtype="float64"), np.array([[0.0, 2.0], [4.0, 3.0]])
    slope = cr.grad(lambda w: (nn.functional_call(layer, w, x) ** 3).sum())(dict(layer.named_parameters()))
    assert slope["weight"].shape == (2,) and layer.num_batches_tracked.item() == 1
    np.testing.assert_allclose(layer.running_mean, [0.2, 0.25])
    given = {name: np.array(value) for name, value in layer.state_dict().items()}
    nn.functional_call(layer, given, x)
    assert layer.num_batches_tracked.item() == 1, "buffers that are arguments stay as they were given"
    layer.eval()
    each = cr.vmap(layer)(np.stack([x, x + 1]))
    np.testing.assert_allclose(each[1], np.asarray(layer(x + 1).detach()))


def test_a_batch_counts_once_where_a_checkpoint_computes_it_again():
    plain = nn.BatchNorm1d(2, dtype="float64")
    kept, x = copy.deepcopy(plain), np.array([[0.0, 2.0], [4.0, 3.0]])
    for layer, f in ((plain, plain), (kept, cr.checkpoint(lambda x: kept(x)))):
        (f(cr.tensor(x, requires_grad=True)) ** 3).sum().backward()
        assert layer.num_batches_tracked.item() == 1
    np.testing.assert_array_equal(plain.running_var, kept.running_var)
    np.testing.assert_allclose(plain.weight.grad, kept.weight.grad, rtol=1e-12)


def test_a_batch_normalization_standardizes():
    y = np.asarray(nn.BatchNorm2d(3, dtype="float64")(np.random.default_rng(0).normal(5.0, 3.0, (4, 3, 5, 5))).detach())
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), 1, rtol=1e-5)


def test_channels_are_dropped_whole():
    for layer, shape in ((nn.Dropout1d(0.5), (8, 16, 5)), (nn.Dropout2d(0.5), (8, 16, 3, 2)), (nn.Dropout3d(0.5), (16, 2, 2, 2))):
        y = np.asarray(layer(np.ones(shape)))
        axes = tuple(range(-layer.rank, 0))
        assert set(np.unique(y)) == {0.0, 2.0} and (y.max(axis=axes) == y.min(axis=axes)).all()
        np.testing.assert_array_equal(layer.eval()(np.ones(shape)), np.ones(shape))


def test_padding_has_no_row_to_learn():
    table = nn.Embedding(4, 2, padding_idx=-1, dtype="float64")
    assert not table.weight.data.numpy()[3].any() and table.padding_idx == 3
    table(np.array([1, 3, 3])).sum().backward()
    assert table.weight.grad.numpy().sum(axis=1).tolist() == [0, 2, 0, 0]
    fixed = nn.Embedding.from_pretrained(np.eye(3))
    assert not list(fixed.parameters()) and len(list(fixed.requires_grad_().parameters())) == 1


def test_a_weight_of_classes_is_saved():
    loss = nn.CrossEntropyLoss(weight=np.array([1.0, 3.0]))
    assert loss.state_dict()["weight"].tolist() == [1.0, 3.0] and not list(loss.parameters())
    assert nn.HingeLoss(reduction="sum")(np.array([0.5, 2.0]), np.array([1.0, 1.0])) == 0.5


def test_a_causal_encoder_does_not_look_ahead():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, dtype="float64").eval()
    x = np.random.default_rng(0).normal(size=(1, 5, 4))
    reach = np.asarray(cr.jacobian(lambda x: (layer(x, is_causal=True)[0] ** 3).sum(axis=-1))(x))[:, 0].any(axis=-1)
    np.testing.assert_array_equal(reach, np.tri(5, dtype=bool))


# ---------------------------------------------------------------------------------------- functions and their modules
SPELLED = {"nll_loss": "NLLLoss", "mse_loss": "MSELoss", "kl_div": "KLDivLoss", "binary_cross_entropy": "BCELoss",
           "binary_cross_entropy_with_logits": "BCEWithLogitsLoss", "cross_entropy": "CrossEntropyLoss",
           "batch_norm": "BatchNorm1d", "instance_norm": "InstanceNorm1d", "scaled_dot_product_attention": "MultiheadAttention"}
PLAIN = {"one_hot", "normalize"}  # functions that PyTorch has no module for either


@pytest.mark.parametrize("name", [n for n in vars(nn.functional) if not n.startswith("_")])
def test_every_function_has_a_module_by_pytorchs_name(name):
    spelled = SPELLED.get(name, name.replace("_", "")).lower()
    assert name in PLAIN or spelled in {known.lower() for known in vars(nn)}


def test_bilinear_products_are_sums_over_both_inputs():
    a, b, w, bias = (np.random.default_rng(i).normal(size=s) for i, s in enumerate(((2, 6, 4), (2, 6, 3), (5, 4, 3), (5,))))
    np.testing.assert_allclose(cr.bilinear(a, b, w, bias), np.einsum("...i,oij,...j->...o", a, w, b) + bias, rtol=1e-12)
    cr.check_gradients(cr.bilinear, a, b, w, bias)


@pytest.mark.parametrize("out", [(1, 1), (3, 4), (7, 6), (5, 5), (None, 2)], ids=str)
def test_adaptive_maxima_are_those_of_stretches(out):
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 6))
    y = cr.adaptive_max_pool2d(x, out)
    rows, columns = out[0] or 7, out[1]
    for i in range(rows):
        for j in range(columns):
            part = x[:, :, i * 7 // rows:-(-(i + 1) * 7 // rows), j * 6 // columns:-(-(j + 1) * 6 // columns)]
            np.testing.assert_array_equal(y[:, :, i, j], part.max(axis=(2, 3)))
    cr.check_gradients(lambda x: cr.adaptive_max_pool2d(x, out), x)


# ---------------------------------------------------------------------------------------- summaries
def test_a_summary_shows_buffers_and_totals():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    model[3].requires_grad_(False)
    text = nn.summary(model, (5, 3, 8, 8))
    assert "1     BatchNorm2d  (5, 4, 6, 6)           8        9" in text
    assert text.splitlines()[-1] == "410 parameters, 120 of them trained, and 9 numbers in buffers: 1.68 kB"
    assert [name for name, _ in model.named_buffers()] == ["1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert model.training and model[1].num_batches_tracked.item() == 0, "nothing is changed"


def test_a_summary_takes_several_inputs_whole_numbers_and_states():
    class Tagger(nn.Module):
        def __init__(self):
            self.table, self.memory, self.mix = nn.Embedding(9, 4), nn.LSTM(4, 5), nn.Bilinear(5, 3, 2)

        def forward(self, tokens, features):
            return self.mix(self.memory(self.table(tokens))[0], features)
    text = nn.summary(Tagger(), np.zeros((7, 2), int), (7, 2, 3))
    assert "memory  LSTM       ((7, 2, 5), ((1, 2, 5), (1, 2, 5)))" in text and "mix     Bilinear   (7, 2, 2)" in text
    assert "(2, 3, 4)" in nn.summary(nn.Embedding(9, 4), (2, 3), dtype="int64")
    with pytest.raises(ArgumentError, match="summary: an input is 7"):
        nn.summary(Tagger(), 7)
