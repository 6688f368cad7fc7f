"""Recurrent layers exchange their states with PyTorch's, and give the same outputs, states and gradients, to 1e-10 in float64."""
import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")

T, B, F, H = 7, 4, 3, 5
KINDS = ("RNN", "LSTM", "GRU")
OPTIONS = [{}, {"num_layers": 2}, {"bias": False}, {"batch_first": True}, {"bidirectional": True},
           {"num_layers": 3, "bidirectional": True, "batch_first": True, "bias": False}]


def pair(kind, *args, **options):
    """The same module twice, with PyTorch's weights in both."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(F, H, *args, **options).double()
    ours = getattr(nn, kind)(F, H, *args, dtype="float64", **options)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


def close(mine, peer):
    np.testing.assert_allclose(np.asarray(mine.detach()), peer.detach().numpy(), rtol=1e-10, atol=1e-13)


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def both_agree(ours, theirs, mine, peer):
    """Results agree, and so do the gradients of a loss made of all of them."""
    mine, peer = ([y for leaf in out for y in parts(leaf)] for out in (mine, peer))
    for a, b in zip(mine, peer, strict=True):
        close(a, b)
    sum((y * y).sum() for y in mine).backward()
    sum((y * y).sum() for y in peer).backward()
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        close(p.grad, q.grad)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_layers_agree_with_torch(kind, options):
    ours, theirs = pair(kind, **options)
    x = np.random.default_rng(0).normal(size=(T, B, F))
    both_agree(ours, theirs, ours(x), theirs(torch.tensor(x)))


@pytest.mark.parametrize("kind", KINDS)
def test_layers_agree_with_torch_from_a_given_state_and_without_a_batch(kind):
    ours, theirs = pair(kind, 2)
    rng = np.random.default_rng(0)
    for shape in ((B,), ()):
        x = rng.normal(size=(T, *shape, F))
        state = [rng.normal(size=(2, *shape, H)) for _ in range(1 + (kind == "LSTM"))]
        mine = ours(x, tuple(state) if kind == "LSTM" else state[0])
        peer = theirs(torch.tensor(x), tuple(map(torch.tensor, state)) if kind == "LSTM" else torch.tensor(state[0]))
        for module in (ours, theirs):
            module.zero_grad()
        both_agree(ours, theirs, mine, peer)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_cells_agree_with_torch(kind, bias):
    ours, theirs = pair(kind + "Cell", bias)
    x = np.random.default_rng(0).normal(size=(B, F))
    mine, peer = ours(x, ours(x)), theirs(torch.tensor(x), theirs(torch.tensor(x)))
    both_agree(ours, theirs, [mine], [peer])


def test_relu_networks_agree_with_torch():
    ours, theirs = pair("RNN", 2, "relu")
    x = np.random.default_rng(0).normal(size=(T, B, F))
    both_agree(ours, theirs, ours(x), theirs(torch.tensor(x)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_ours_loads_into_torch(kind):
    ours, theirs = pair(kind, 2)
    theirs.load_state_dict({name: torch.tensor(np.array(value)) for name, value in ours.state_dict().items()})
    assert repr(ours) == repr(theirs)


# ---------------------------------------------------------------------------------------- lengths
def packed(module, x, state, lengths, batch_first):
    """What PyTorch makes of packed sequences, padded again to as many steps as there were."""
    rnn = torch.nn.utils.rnn
    y, end = module(rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first, enforce_sorted=False), state)
    return rnn.pad_packed_sequence(y, batch_first, total_length=T)[0], end


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_sequences_of_different_lengths_agree_with_torchs_packed_ones(kind, options):
    ours, theirs = pair(kind, **options)
    lengths, first = [3, 7, 1, 5], options.get("batch_first", False)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(B, T, F) if first else (T, B, F))
    rows = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    state = tuple(rng.normal(size=(rows, B, H)) for _ in range(1 + (kind == "LSTM")))
    mine, peer = cr.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    given = state if kind == "LSTM" else state[0]
    theirs_given = tuple(map(torch.tensor, state)) if kind == "LSTM" else torch.tensor(state[0])
    both_agree(ours, theirs, ours(mine, given, lengths=lengths), packed(theirs, peer, theirs_given, lengths, first))
    close(mine.grad, peer.grad)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("side", ["right", "left"])
def test_padded_sequences_agree_with_torch(batch_first, side):
    rows = [np.arange(2.0 * n).reshape(n, 2) for n in (3, 1, 4)]
    mine = nn.utils.rnn.pad_sequence(rows, batch_first, -1.0, padding_side=side)
    close(cr.tensor(mine), torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, rows)), batch_first, -1.0, padding_side=side))


# ---------------------------------------------------------------------------------------- truncated gradients
@pytest.mark.parametrize("k", [1, 2, 3, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_truncated_gradients_are_those_of_pieces_whose_states_are_detached(kind, k):
    ours, theirs = pair(kind, num_layers=2)
    x = np.random.default_rng(0).normal(size=(T, B, F))
    mine, peer = cr.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    state, outs = None, []
    for piece in torch.split(peer, k):
        y, state = theirs(piece, state)
        last, state = state, tuple(s.detach() for s in state) if kind == "LSTM" else state.detach()
        outs.append(y)
    both_agree(ours, theirs, ours(mine, truncate=k), (torch.cat(outs), last))
    close(mine.grad, peer.grad)
