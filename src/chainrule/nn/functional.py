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
from chainrule.ops.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from chainrule.ops.attention import embedding, scaled_dot_product_attention
from chainrule.ops.contraction import bilinear, linear
from chainrule.ops.convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from chainrule.ops.cross_entropy import cross_entropy, nll_loss, one_hot
from chainrule.ops.gelu import gelu
from chainrule.ops.hyperbolic import tanh
from chainrule.ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_similarity,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    normalize,
    smooth_l1_loss,
)
from chainrule.ops.normalization import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from chainrule.ops.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from chainrule.ops.softmax import glu, log_softmax, softmax, softmin
from chainrule.random import dropout
