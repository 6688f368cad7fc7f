"""Every layer takes PyTorch's state as safetensors, and gives the same outputs, gradients and buffers, to 1e-10 in float64."""
import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")
to_numpy = pytest.importorskip("safetensors.numpy").load
from_torch = pytest.importorskip("safetensors.torch").save

IMAGE, VOLUME, ROW = (3, 4, 7, 6), (2, 4, 5, 4, 6), (3, 4, 9)


# ---------------------------------------------------------------------------------------- what is compared
def same(mine, peer, what=""):
    np.testing.assert_allclose(np.asarray(mine.detach() if hasattr(mine, "detach") else mine), peer.detach().numpy(), rtol=1e-10,
                               atol=1e-13, err_msg=what)


def pair(name, args, options, **ours):
    """The same layer twice, with PyTorch's weights in both, none of them at its neutral start."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args, **options).double()
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(0.1 * torch.randn_like(p))
    made = getattr(nn, name)(*args, **options, **ours)
    made.load_state_dict(to_numpy(from_torch(theirs.state_dict())))
    return made, theirs


def leaves(out):
    if out is None:
        return []
    return [leaf for part in out for leaf in leaves(part)] if isinstance(out, tuple) else [out]


def agree(ours, theirs, inputs, options=None, peers=None):
    """Outputs, and the gradients of inputs and parameters of a loss that weighs every output differently."""
    options = options or {}
    mine = [cr.tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in inputs]
    their = [torch.tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in inputs]
    a = leaves(ours(*mine, **options))
    b = leaves(theirs(*their, **(peers or {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()})))
    rng = np.random.default_rng(1)
    losses = []
    for y, z in zip(a, b, strict=True):
        same(y, z, "output")
        weigh = rng.normal(size=y.shape)
        losses.append(((y * weigh).sum() + (y * y).sum(), (z * torch.tensor(weigh)).sum() + (z * z).sum()))
    if not losses[0][1].requires_grad:
        return
    for i in (0, 1):
        sum(pair[i] for pair in losses).backward()
    for x, z in zip(mine, their):
        if getattr(x, "requires_grad", False) and z.grad is not None:
            same(x.grad, z.grad, "gradient of an input")
    for (name, p), (other, q) in zip(sorted(ours.named_parameters()), sorted(theirs.named_parameters()), strict=True):
        assert name == other
        same(p.grad, q.grad, name)


def draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=s) for s in shapes]


# ---------------------------------------------------------------------------------------- layers with weights
WEIGHED = [
    ("Linear", (4, 3), {}, (2, 5, 4)), ("Linear", (4, 3), {"bias": False}, (4,)),
    ("Bilinear", (4, 3, 5), {}, (2, 6, 4), (2, 6, 3)), ("Bilinear", (4, 3, 5), {"bias": False}, (4,), (3,)),
    ("Conv1d", (4, 6, 3), {}, ROW), ("Conv1d", (4, 6, 4), {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}, ROW),
    ("Conv1d", (4, 6, 4), {"padding": "same", "bias": False}, ROW[1:]),
    *[("Conv1d", (4, 6, 4), {"padding": p, "padding_mode": m}, ROW) for m in ("reflect", "replicate", "circular")
      for p in (2, "same")],
    ("Conv2d", (4, 6, 3), {}, IMAGE), ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 0)}, IMAGE),
    ("Conv2d", (4, 4, 3), {"groups": 4, "padding": "same", "dilation": 2}, IMAGE),
    ("Conv2d", (4, 6, 3), {"padding": "valid"}, IMAGE),
    ("Conv2d", (4, 6, 3), {"bias": False, "padding": (2, 1), "padding_mode": "reflect", "stride": 2}, IMAGE),
    ("Conv2d", (4, 6, 3), {"padding": 1, "padding_mode": "circular"}, IMAGE[1:]),
    ("Conv2d", (4, 6, 3), {"padding": 1, "padding_mode": "replicate"}, IMAGE),
    ("Conv3d", (4, 6, 2), {"padding": 1}, VOLUME), ("Conv3d", (4, 2, (1, 2, 3)), {"stride": (1, 2, 1), "groups": 2}, VOLUME),
    ("Conv3d", (4, 2, 3), {"padding": 1, "padding_mode": "circular"}, VOLUME),
    ("ConvTranspose1d", (4, 6, 3), {}, ROW),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2, "bias": False}, ROW),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1}, IMAGE),
    ("ConvTranspose2d", (4, 6, (3, 2)), {"dilation": 2, "groups": 2}, IMAGE), ("ConvTranspose2d", (4, 6, 3), {}, IMAGE[1:]),
    ("ConvTranspose3d", (4, 2, 2), {"stride": 2}, VOLUME), ("ConvTranspose3d", (4, 2, 3), {"padding": 1, "bias": False}, VOLUME),
    ("PReLU", (), {}, (3, 4)), ("PReLU", (4,), {"init": 0.1}, IMAGE),
    ("LayerNorm", (6,), {}, IMAGE), ("LayerNorm", ((7, 6),), {"eps": 0.1, "bias": False}, IMAGE),
    ("LayerNorm", (6,), {"elementwise_affine": False}, IMAGE),
    ("RMSNorm", (6,), {}, IMAGE), ("RMSNorm", ((7, 6),), {"eps": 0.1}, IMAGE),
    ("RMSNorm", (6,), {"elementwise_affine": False}, IMAGE),
    ("GroupNorm", (2, 4), {}, IMAGE), ("GroupNorm", (4, 4), {"eps": 0.1}, (3, 4)),
    ("GroupNorm", (1, 4), {"affine": False}, VOLUME),
    ("GroupNorm", (2, 4), {"bias": False}, VOLUME)]


def named(case):
    return f"{case[0]}-{case[1]}-{case[2]}".replace(" ", "")


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("case", WEIGHED, ids=named)
def test_layers_agree_with_torch(case):
    name, args, options, *shapes = case
    ours, theirs = pair(name, args, options, dtype="float64")
    agree(ours, theirs, draw(*shapes))
    if name != "PReLU":
        assert repr(ours) == repr(theirs)


NORMS = [("BatchNorm1d", (5, 4)), ("BatchNorm1d", ROW), ("BatchNorm2d", IMAGE), ("BatchNorm3d", VOLUME),
         ("InstanceNorm1d", ROW), ("InstanceNorm1d", ROW[1:]), ("InstanceNorm2d", IMAGE), ("InstanceNorm3d", VOLUME)]
KINDS = [{}, {"affine": False}, {"affine": True, "track_running_stats": True, "momentum": 0.3, "eps": 0.1},
         {"momentum": None}, {"affine": True, "track_running_stats": False, "bias": False}]


REMEMBERING = [(name, shape, options) for name, shape in NORMS for options in KINDS
               if name.startswith("Batch") or options.get("momentum", 0) is not None]


@pytest.mark.parametrize("name, shape, options", REMEMBERING, ids=str)
def test_normalizations_with_memory_agree_with_torch_in_training_and_in_use(name, shape, options):
    ours, theirs = pair(name, (4,), options, dtype="float64")
    for seed in range(3):
        x = np.random.default_rng(seed).normal(1.0, 2.0, size=shape)
        agree(ours, theirs, [x])
        for module in (ours, theirs):
            module.zero_grad()
    state = theirs.state_dict()
    assert sorted(ours.state_dict()) == sorted(state)
    for key, value in ours.state_dict().items():
        same(value, state[key], key)
    agree(ours.eval(), theirs.eval(), draw(shape))
    assert repr(ours) == repr(theirs)


# ---------------------------------------------------------------------------------------- layers without
PLAIN = [
    ("Identity", (), {}, (3, 4)), ("Flatten", (), {}, IMAGE), ("Flatten", (0, -2), {}, IMAGE),
    ("Unflatten", (1, (2, 2)), {}, IMAGE), ("Unflatten", (-1, (3, -1)), {}, IMAGE), ("Dropout", (0.0,), {}, IMAGE),
    ("MaxPool1d", (2,), {}, ROW), ("MaxPool1d", (3, 2, 1), {"dilation": 2, "ceil_mode": True}, ROW),
    ("MaxPool2d", (2,), {}, IMAGE), ("MaxPool2d", ((3, 2), (2, 1)), {"padding": (1, 0)}, IMAGE),
    ("MaxPool2d", (3,), {"ceil_mode": True}, IMAGE[1:]), ("MaxPool3d", (2,), {}, VOLUME), ("MaxPool3d", (2, 1, 1), {}, VOLUME),
    ("AvgPool1d", (2,), {}, ROW), ("AvgPool1d", (3, 2, 1), {"count_include_pad": False, "ceil_mode": True}, ROW),
    ("AvgPool2d", (2,), {}, IMAGE), ("AvgPool2d", ((3, 2), (2, 1), (1, 0)), {"count_include_pad": False}, IMAGE),
    ("AvgPool3d", (2,), {}, VOLUME), ("AvgPool3d", (2, 1, 1), {}, VOLUME[1:]),
    ("AdaptiveAvgPool1d", (4,), {}, ROW), ("AdaptiveAvgPool2d", (1,), {}, IMAGE), ("AdaptiveAvgPool2d", ((3, None),), {}, IMAGE),
    ("AdaptiveAvgPool3d", ((2, 3, 4),), {}, VOLUME), ("AdaptiveMaxPool1d", (4,), {}, ROW), ("AdaptiveMaxPool1d", (3,), {}, ROW),
    ("AdaptiveMaxPool2d", (1,), {}, IMAGE), ("AdaptiveMaxPool2d", ((3, 4),), {}, IMAGE),
    ("AdaptiveMaxPool2d", ((None, 4),), {}, IMAGE),
    ("AdaptiveMaxPool3d", ((2, 3, 4),), {}, VOLUME),
    ("ReLU", (), {}, (3, 4)), ("ReLU", (), {"inplace": False}, (3, 4)), ("ReLU6", (), {}, (3, 4)),
    ("LeakyReLU", (0.2,), {}, (3, 4)),
    ("Threshold", (0.1, 20), {}, (3, 4)), ("Hardtanh", (-0.5, 0.7), {}, (3, 4)), ("Hardswish", (), {}, (3, 4)),
    ("ELU", (0.7,), {}, (3, 4)), ("CELU", (0.5,), {}, (3, 4)), ("SELU", (), {}, (3, 4)),
    ("GELU", (), {}, (3, 4)), ("GELU", ("tanh",), {}, (3, 4)), ("SiLU", (), {}, (3, 4)), ("Mish", (), {}, (3, 4)),
    ("Sigmoid", (), {}, (3, 4)), ("LogSigmoid", (), {}, (3, 4)), ("Tanh", (), {}, (3, 4)), ("Softsign", (), {}, (3, 4)),
    ("Softplus", (), {}, (3, 4)), ("Softplus", (2.0,), {"threshold": 30.0}, (3, 4)), ("Softmax", (1,), {}, (3, 4)),
    ("Softmax", (), {"dim": -2}, IMAGE), ("Softmin", (1,), {}, (3, 4)), ("LogSoftmax", (0,), {}, (3, 4)), ("GLU", (), {}, (3, 4)),
    ("GLU", (1,), {}, IMAGE)]
SPOKEN = {"Identity", "AvgPool1d", "Softmin", "Unflatten", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d"}
"""PyTorch prints an identity's arguments, sizes of one axis as tuples, and no option of these."""


@pytest.mark.parametrize("case", PLAIN, ids=named)
def test_layers_without_weights_agree_with_torch(case):
    name, args, options, *shapes = case
    ours, theirs = getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    agree(ours, theirs, draw(*shapes))
    if name not in SPOKEN:
        assert repr(ours) == repr(theirs)


def test_hard_sigmoids_agree_with_torch_but_for_its_sixth_in_single_precision():
    (x,) = draw((3, 4))
    a, b = cr.tensor(4 * x, requires_grad=True), torch.tensor(4 * x, requires_grad=True)
    y, z = nn.Hardsigmoid()(a), torch.nn.Hardsigmoid()(b)
    same(y, z)
    y.sum().backward()
    z.sum().backward()
    same(a.grad, b.grad * (1 / 6 / float(np.float32(1 / 6))))


def test_an_output_size_that_is_asked_for_agrees_with_torch():
    ours, theirs = pair("ConvTranspose2d", (4, 2, 3), {"stride": 3}, dtype="float64")
    agree(ours, theirs, draw(IMAGE), {"output_size": (23, 19)})


@pytest.mark.parametrize("options", [{}, {"padding_idx": 0}, {"padding_idx": -1}], ids=str)
def test_embeddings_agree_with_torch(options):
    ours, theirs = pair("Embedding", (6, 3), options, dtype="float64")
    agree(ours, theirs, [np.array([[1, 0, 5], [0, 2, 1]])])
    assert repr(ours) == repr(theirs)


# ---------------------------------------------------------------------------------------- losses
rng = np.random.default_rng(3)
SCORES, LABELS, SHARES = rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0]), rng.dirichlet(np.ones(3), size=5)
HEAVY, CHANCES, ANSWERS = np.array([0.5, 2.0, 1.0]), rng.uniform(0.05, 0.95, size=(5, 3)), rng.integers(0, 2, size=(5, 3)) * 1.0
OTHER, LOGS = rng.normal(size=(5, 3)), np.log(rng.dirichlet(np.ones(3), size=5))
LOSSES = [
    *[(name, {}, SCORES, OTHER) for name in ("L1Loss", "MSELoss", "HuberLoss", "SmoothL1Loss")],
    ("HuberLoss", {"delta": 0.5}, SCORES, OTHER), ("SmoothL1Loss", {"beta": 0.5}, SCORES, OTHER),
    ("SmoothL1Loss", {"beta": 0.0}, SCORES, OTHER),
    ("CrossEntropyLoss", {}, SCORES, LABELS), ("CrossEntropyLoss", {}, SCORES, SHARES),
    ("CrossEntropyLoss", {"weight": HEAVY, "label_smoothing": 0.1}, SCORES, LABELS),
    ("CrossEntropyLoss", {"ignore_index": 1}, SCORES, LABELS),
    ("CrossEntropyLoss", {"weight": HEAVY, "ignore_index": 0}, SCORES, LABELS),
    ("CrossEntropyLoss", {"weight": HEAVY, "label_smoothing": 0.2}, SCORES, SHARES),
    ("CrossEntropyLoss", {}, rng.normal(size=(2, 3, 4)), rng.integers(0, 3, size=(2, 4))),
    ("NLLLoss", {}, LOGS, LABELS), ("NLLLoss", {"weight": HEAVY, "ignore_index": 2}, LOGS, LABELS),
    ("BCELoss", {}, CHANCES, ANSWERS), ("BCELoss", {"weight": HEAVY}, CHANCES, ANSWERS),
    ("BCEWithLogitsLoss", {}, SCORES, ANSWERS),
    ("BCEWithLogitsLoss", {"weight": HEAVY, "pos_weight": 2 * HEAVY}, SCORES, ANSWERS),
    ("KLDivLoss", {}, LOGS, SHARES), ("KLDivLoss", {"log_target": True}, LOGS, np.log(SHARES))]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", LOSSES, ids=lambda c: f"{c[0]}-{','.join(c[1])}")
@pytest.mark.filterwarnings("ignore:reduction.*batchmean:UserWarning")
def test_losses_agree_with_torch(case, reduction):
    name, options, x, target = case
    ours = getattr(nn, name)(reduction=reduction, **options)
    theirs = getattr(torch.nn, name)(reduction=reduction, **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v
                                                             for k, v in options.items()})
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    a, b = cr.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = ours(a, target), theirs(b, torch.tensor(target))
    same(y, z)
    (y * y).sum().backward()
    (z * z).sum().backward()
    same(a.grad, b.grad)


def test_the_definition_of_a_divergence_agrees_with_torch():
    ours, theirs = (library.KLDivLoss(reduction="batchmean") for library in (nn, torch.nn))
    same(ours(LOGS, SHARES), theirs(torch.tensor(LOGS), torch.tensor(SHARES)))


def test_similarities_agree_with_torch():
    agree(nn.CosineSimilarity(dim=-1, eps=0.1), torch.nn.CosineSimilarity(dim=-1, eps=0.1), [SCORES, OTHER])


# ---------------------------------------------------------------------------------------- attention
E, HEADS, L, S, B = 6, 2, 4, 5, 3
UP = np.triu(np.ones((L, S), bool), 2)
LEFT_OUT = np.array([[False] * 5, [False] * 3 + [True] * 2, [False] * 4 + [True]])
ATTENTIONS = [{}, {"bias": False}, {"batch_first": True}, {"kdim": 3, "vdim": 5}, {"add_bias_kv": True}, {"add_zero_attn": True},
              {"add_bias_kv": True, "add_zero_attn": True, "vdim": 5}]
MASKS = [{}, {"need_weights": False}, {"average_attn_weights": False}, {"attn_mask": UP}, {"key_padding_mask": LEFT_OUT},
         {"attn_mask": UP, "key_padding_mask": LEFT_OUT}, {"attn_mask": np.random.default_rng(2).normal(size=(B * HEADS, L, S))},
         {"attn_mask": np.where(UP, -np.inf, 0.0)}]


@pytest.mark.parametrize("masks", MASKS, ids=lambda m: "-".join(f"{k}" for k in m) or "free")
@pytest.mark.parametrize("options", ATTENTIONS, ids=str)
def test_attention_agrees_with_torch(options, masks):
    ours, theirs = pair("MultiheadAttention", (E, HEADS), options, dtype="float64")
    inputs = draw((L, B, E), (S, B, options.get("kdim", E)), (S, B, options.get("vdim", E)))
    if options.get("batch_first"):
        inputs = [x.swapaxes(0, 1).copy() for x in inputs]
    agree(ours, theirs, inputs, masks)


def test_attention_to_itself_agrees_with_torch_packed_causal_and_alone():
    ours, theirs = pair("MultiheadAttention", (E, HEADS), {}, dtype="float64")
    causal = np.triu(np.ones((L, L), bool), 1)
    for shape in ((L, B, E), (L, E)):
        (x,) = draw(shape)
        a, b = cr.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        for need in (True, False):
            mine = ours(a, a, a, is_causal=True, need_weights=need)
            peer = theirs(b, b, b, attn_mask=torch.tensor(causal), is_causal=True, need_weights=need)
            for y, z in zip(leaves(mine), leaves(peer), strict=True):
                same(y, z)
        for module in (ours, theirs):
            module.zero_grad()
        (mine[0] * mine[0]).sum().backward()
        (peer[0] * peer[0]).sum().backward()
        same(a.grad, b.grad)
        same(ours.in_proj_weight.grad, theirs.in_proj_weight.grad)


TRANSFORMERS = [{}, {"norm_first": True, "activation": "gelu"}, {"batch_first": True, "bias": False, "layer_norm_eps": 0.1}]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", TRANSFORMERS, ids=str)
@pytest.mark.parametrize("kind", ["Encoder", "Decoder"])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
def test_transformers_agree_with_torch(kind, options, masked):
    options = {"dim_feedforward": 7, "dropout": 0.0, **options}

    def stack(library, **extra):
        layer = getattr(library, f"Transformer{kind}Layer")(E, HEADS, **options, **extra)
        return getattr(library, f"Transformer{kind}")(layer, 2, norm=library.LayerNorm(E, **extra))
    torch.manual_seed(0)
    theirs, ours = stack(torch.nn).double(), stack(nn, dtype="float64")
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(0.1 * torch.randn_like(p))
    ours.load_state_dict(to_numpy(from_torch(theirs.state_dict())))
    shapes = [(S, B, E), (L, B, E)][:1 if kind == "Encoder" else 2]
    inputs = [x.swapaxes(0, 1).copy() if options.get("batch_first") else x for x in draw(*shapes)]
    masks = {}
    if masked:
        causal = np.triu(np.ones((S, S), bool), 1)
        masks = ({"mask": causal, "src_key_padding_mask": LEFT_OUT} if kind == "Encoder" else
                 {"tgt_mask": causal, "tgt_key_padding_mask": LEFT_OUT, "memory_mask": UP.T[:, :L],
                  "memory_key_padding_mask": LEFT_OUT[:, 1:]})
    agree(ours, theirs, inputs, masks)
    assert list(ours.state_dict()) and {n: v.shape for n, v in ours.state_dict().items()} == {
        n: tuple(v.shape) for n, v in theirs.state_dict().items()}


def test_a_network_saved_by_torch_goes_on_training_here_as_there(tmp_path):
    def network(library, **options):
        return library.Sequential(
            library.Conv2d(1, 4, 3, padding=1, **options), library.BatchNorm2d(4, **options), library.ReLU(),
            library.MaxPool2d(2), library.Flatten(), library.Linear(36, 3, **options))
    torch.manual_seed(0)
    theirs, ours = network(torch.nn).double(), network(nn, dtype="float64")
    (tmp_path / "network.safetensors").write_bytes(from_torch(theirs.state_dict()))
    cr.train.load_weights(tmp_path / "network.safetensors", ours)
    x, target = np.random.default_rng(0).normal(size=(8, 1, 6, 6)), np.arange(8) % 3
    optimizer, peer = cr.optim.SGD(ours.parameters(), lr=0.1), torch.optim.SGD(theirs.parameters(), lr=0.1)
    for _ in range(5):
        a = nn.CrossEntropyLoss()(ours(x), target)
        b = torch.nn.CrossEntropyLoss()(theirs(torch.tensor(x)), torch.tensor(target))
        same(a, b)
        for loss, stepper in ((a, optimizer), (b, peer)):
            stepper.zero_grad()
            loss.backward()
            stepper.step()
    for name, value in theirs.state_dict().items():
        same(ours.state_dict()[name], value, name)


# ---------------------------------------------------------------------------------------- first weights
@pytest.mark.parametrize("name, args", [
    ("Conv1d", (40, 50, 7)), ("Conv2d", (20, 30, 5)), ("Conv3d", (10, 20, 3)), ("ConvTranspose2d", (20, 30, 5)),
    ("Bilinear", (30, 20, 40)), ("Embedding", (200, 50)), ("MultiheadAttention", (64, 4)),
    ("TransformerEncoderLayer", (64, 4, 128))], ids=str)
def test_layers_start_as_torchs_do(name, args):
    cr.random.seed(0)
    torch.manual_seed(0)
    theirs = dict(getattr(torch.nn, name)(*args).named_parameters())
    for key, mine in getattr(nn, name)(*args).named_parameters():
        a, b = mine.data.numpy(), theirs[key].detach().numpy()
        close = 4 / np.sqrt(a.size)
        assert abs(a.mean() - b.mean()) <= close * b.std() + 1e-12, key
        assert abs(a.std() - b.std()) <= close * b.std(), key
        if name != "Embedding":
            assert np.isclose(abs(a).max(), abs(b).max(), rtol=0.2), key
