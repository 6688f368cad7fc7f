"""chainrule: backpropagation, opened. The names stand in the order in which a newcomer meets them."""
__version__ = "0.1.0"
__array_api_version__ = "2024.12"  # the array API standard whose names the operations carry

from .tensor import Tensor, no_grad, tensor
from .ops.arithmetic import (
    abs, add, copysign, divide, floor_divide, heaviside, multiply, negative, nextafter, positive, remainder, sign, subtract,
)
from .ops.power import cbrt, hypot, pow, reciprocal, sqrt, square
from .ops.exponential import exp, exp2, expm1, log, log1p, log2, log10, logaddexp, xlog1py, xlogy
from .ops.trigonometric import acos, asin, atan, atan2, cos, deg2rad, rad2deg, sin, tan
from .ops.hyperbolic import acosh, asinh, atanh, cosh, sinh, tanh
from .ops.special import erf, erfc, sinc
from .ops.rounding import ceil, floor, round, trunc
from .ops.choice import clip, fmax, fmin, maximum, minimum, nan_to_num, where
from .ops.comparison import (
    allclose, bitwise_and, bitwise_invert, bitwise_left_shift, bitwise_or, bitwise_right_shift, bitwise_xor, equal, greater,
    greater_equal, isclose, isfinite, isinf, isnan, less, less_equal, logical_and, logical_not, logical_or, logical_xor,
    not_equal, signbit,
)
from .ops.broadcasting import astype, broadcast_to, chain, reshape, sum
from .ops.movement import matrix_transpose, moveaxis, permute_dims, stack, swapaxes
from .ops.shaping import atleast_1d, broadcast_arrays, expand_dims, flatten, meshgrid, ravel, squeeze
from .ops.joining import concat, repeat, split, tile, unstack
from .ops.rearrangement import flip, pad, roll, rot90, sliding_window_view
from .ops.diagonals import diag, diagonal, tril, triu
from .ops.indexing import getitem
from .ops.updates import at, masked_fill
from .ops.gathering import gather, scatter, scatter_add, segment_max, segment_mean, segment_sum, take, take_along_axis
from .ops.searching import argmax, argmin, nonzero, searchsorted
from .ops.sorting import argsort, cummax, cummin, sort, topk
from .ops.sets import unique_all, unique_counts, unique_inverse, unique_values
from .ops.reduction import all, any, count_nonzero, logsumexp, max, min, prod
from .ops.statistics import mean, median, std, var
from .ops.cumulative import cumprod, cumsum, cumulative_prod, cumulative_sum, diff, linear_recurrence, logcumsumexp
from .ops.matmul import matmul
from .ops.contraction import bilinear, dot, inner, kron, linear, outer, tensordot, vecdot
from .ops.einsum import einsum
from .linalg import (
    cholesky, cross, det, eigh, eigvalsh, inv, matrix_norm, matrix_power, matrix_rank, pinv, qr, slogdet, solve, svd, svdvals,
    trace, vector_norm,
)
from .ops.convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from .ops.pooling import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from .ops.adaptive import (
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d,
)
from .ops.activation import (
    celu, elu, hardsigmoid, hardswish, hardtanh, leaky_relu, logsigmoid, mish, prelu, relu, relu6, selu, sigmoid, silu,
    softplus, softsign, threshold,
)
from .ops.gelu import gelu, ndtr
from .ops.softmax import glu, log_softmax, softmax, softmin
from .ops.normalization import (
    batch_norm, divide_by_rms, group_norm, instance_norm, layer_norm, rms_norm, running_statistics, standardize,
)
from .ops.attention import embedding, scaled_dot_product_attention
from .ops.dropout import drop
from .random import dropout
from .ops.loss import (
    bernoulli_cross_entropy, binary_cross_entropy, binary_cross_entropy_with_logits, cosine_similarity, half_square,
    half_squared_error, hinge_loss, huber, huber_loss, kl_div, l1_loss, mse_loss, normalize, sigmoid_cross_entropy,
    smooth_l1_loss, squared_error,
)
from .ops.cross_entropy import cross_entropy, nll_loss, one_hot, softmax_cross_entropy
from .creation import (
    arange, asarray, empty, empty_like, eye, from_dlpack, full, full_like, linspace, ones, ones_like, zeros, zeros_like,
)
from .dtypes import __array_namespace_info__, can_cast, finfo, iinfo, isdtype, result_type
from .scopes import named_scope
from .explanation import Algebra, birth, check_derivation, compare, explain, recording, sweep, why
from .check import check_gradients
from .transforms import grad, jvp, stop_gradient, value_and_grad, vjp, vmap
from .jacobians import hessian, hvp, jacobian
from .recompute import checkpoint
from .rules import custom_rule
from .scan import scan
from .compiler.entry import compile

from numpy import (
    bool_ as bool, e, float32, float64, inf, int8, int16, int32, int64, nan, newaxis, pi, uint8, uint16, uint32, uint64,
)

from . import linalg, nn, optim, random

from typing import Any as _Any

LATER = ("data", "interop", "sklearn", "train")  # loaded when asked for: importing all takes half as long again


def __getattr__(name: str) -> _Any:
    if name in LATER:
        from importlib import import_module
        return import_module(f"chainrule.{name}")
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *LATER])
