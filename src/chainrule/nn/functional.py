"""Operations by the names PyTorch keeps in `torch.nn.functional`; they are the same as at top level."""
# ruff: noqa: F401  re-exports are what this file is for
from chainrule.ops.activation import (
    celu,
    elu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    threshold,
)
from chainrule.ops.contraction import linear
from chainrule.ops.cross_entropy import cross_entropy, nll_loss, one_hot
from chainrule.ops.hyperbolic import tanh
from chainrule.ops.softmax import log_softmax, softmax, softmin
