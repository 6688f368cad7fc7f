"""A PyTorch state loads into the same architecture and gives the same outputs, losses and gradients, to 1e-10 in float64."""
import numpy as np
import pytest

from chainrule import nn

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")

ACTIVATIONS = ["ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Sigmoid", "Tanh", "Softplus"]


def pair(activation):
    """The same network twice, with PyTorch's weights in both."""
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), getattr(torch.nn, activation)(),
                                 torch.nn.Linear(8, 5)).double()
    ours = nn.Sequential(nn.Flatten(), nn.Linear(12, 8, dtype="float64"), getattr(nn, activation)(),
                         nn.Linear(8, 5, dtype="float64"))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


@pytest.mark.parametrize("loss", ["CrossEntropyLoss", "MSELoss"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_networks_agree_with_torch(activation, loss):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 3, 4))
    target = rng.integers(0, 5, 7) if loss == "CrossEntropyLoss" else rng.normal(size=(7, 5))
    ours, theirs = pair(activation)
    mine, peer = ours(x), theirs(torch.tensor(x))
    np.testing.assert_allclose(mine, peer.detach().numpy(), rtol=1e-10)
    a, b = getattr(nn, loss)()(mine, target), getattr(torch.nn, loss)()(peer, torch.tensor(target))
    np.testing.assert_allclose(a.item(), b.item(), rtol=1e-10)
    a.backward()
    b.backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters()):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-10, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("name, options", [
    ("kaiming_normal_", {}), ("kaiming_uniform_", {"a": 5 ** 0.5}),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("xavier_normal_", {"gain": 2.0}), ("xavier_uniform_", {}), ("orthogonal_", {})], ids=str)
def test_initialisers_have_the_spread_of_torch(name, options):
    ours, theirs = nn.init.parameter((300, 200)), torch.empty(300, 200)
    getattr(nn.init, name)(ours, **options)
    getattr(torch.nn.init, name)(theirs, **options)
    assert abs(np.std(ours.data.numpy()) / theirs.std().item() - 1) < 0.02


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu"])
def test_gains_are_those_of_torch(name):
    assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-15)


def test_linear_starts_as_torch_does():
    ours, theirs = nn.Linear(400, 300), torch.nn.Linear(400, 300)
    for mine, peer in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        values = mine.data.numpy()
        assert abs(values.std() / peer.std().item() - 1) < 0.1 and np.abs(values).max() <= 400 ** -0.5
