"""The vocabulary: every operation, each one declaration."""
from __future__ import annotations

from chainrule.core.primitive import Primitive

from .activation import (
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
from .arithmetic import (
    abs,
    add,
    copysign,
    divide,
    floor_divide,
    heaviside,
    multiply,
    negative,
    nextafter,
    positive,
    remainder,
    sign,
    subtract,
)
from .broadcasting import astype, broadcast_to, cast, chain, integer_cast, reshape, stop_gradient, sum
from .choice import clip, fmax, fmin, maximum, minimum, nan_to_num, where, wins
from .comparison import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    isclose,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    signbit,
)
from .contraction import last_cross, linear, vecdot
from .convolution import convolution, kernel_convolution, transposed_convolution
from .cross_entropy import one_hot, softmax_cross_entropy
from .cumulative import cumprod, cumsum, linear_recurrence, logcumsumexp, shifted
from .dropout import drop
from .einsum import chain_einsum, einsum
from .exponential import exp, exp2, expm1, log, log1p, log2, log10, logaddexp, share, xlog1py, xlogy
from .factorizations import cholesky, eigh, qr, svd
from .gelu import gelu, gelu_slope, ndtr, normal_pdf
from .hyperbolic import acosh, asinh, atanh, cosh, sinh, tanh
from .indexing import add_at, embed, get_at, part
from .joining import concat
from .loss import bernoulli_cross_entropy, half_square, huber, sigmoid_cross_entropy, squared_error
from .matmul import chain_matmul, matmul
from .movement import permute_dims, stack
from .normalization import divide_by_rms, standardize
from .norms import length
from .pooling import average_spread, average_windows, max_gather, max_scatter, max_windows
from .power import base_slope, cbrt, exponent_slope, hypot, leg, pow, reciprocal, sqrt, square
from .rearrangement import cycle
from .reduction import all, any, count_nonzero, logsumexp, max, min, prod
from .rounding import ceil, floor, round, trunc
from .searching import argmax, argmin, searchsorted
from .softmax import log_softmax, softmax
from .sorting import argcummax, argcummin, argsort, sort
from .special import erf, erfc, gaussian, sinc, spherical_bessel
from .statistics import centred, mean, median, std, var
from .systems import cofactor, det, inv, matrix_rank, pinv, slogdet, solve
from .trigonometric import acos, asin, atan, atan2, cos, deg2rad, rad2deg, sin, tan, turn
from .updates import max_at, put_part, set_at

ALL: tuple[Primitive, ...] = (
    add, subtract, multiply, divide, floor_divide, remainder, negative, positive,
    abs, sign, copysign, nextafter, heaviside,
    square, sqrt, cbrt, reciprocal, pow, base_slope, exponent_slope, hypot, leg,
    exp, exp2, expm1, log, log1p, log2, log10, logaddexp, share, xlogy, xlog1py,
    sin, cos, tan, asin, acos, atan, atan2, turn, deg2rad, rad2deg,
    sinh, cosh, tanh, asinh, acosh, atanh,
    erf, erfc, gaussian, sinc, spherical_bessel,
    floor, ceil, round, trunc,
    where, wins, maximum, minimum, fmax, fmin, clip, nan_to_num,
    equal, not_equal, less, less_equal, greater, greater_equal, isclose,
    isfinite, isinf, isnan, signbit,
    logical_and, logical_or, logical_xor, logical_not,
    bitwise_and, bitwise_or, bitwise_xor, bitwise_invert, bitwise_left_shift, bitwise_right_shift,
    matmul, chain_matmul, einsum, chain_einsum, linear, vecdot,
    last_cross, inv, solve, det, cofactor, slogdet, pinv, matrix_rank, cholesky, qr, eigh, svd, length,
    convolution, transposed_convolution, kernel_convolution,
    max_windows, max_scatter, max_gather, average_windows, average_spread,
    relu, relu6, leaky_relu, prelu, threshold, hardtanh, hardsigmoid, hardswish, sigmoid, logsigmoid, softplus, silu, mish,
    elu, selu, celu, softsign, gelu, gelu_slope, ndtr, normal_pdf,
    sum, prod, max, min, logsumexp, all, any, count_nonzero,
    mean, centred, var, std, median,
    sort, argsort, argcummax, argcummin,
    argmax, argmin, searchsorted,
    cumsum, cumprod, logcumsumexp, linear_recurrence, shifted,
    softmax, log_softmax, softmax_cross_entropy, one_hot, standardize, divide_by_rms, drop,
    squared_error, half_square, huber, sigmoid_cross_entropy, bernoulli_cross_entropy,
    reshape, broadcast_to, permute_dims, stack, concat, cycle,
    part, embed, get_at, add_at, put_part, set_at, max_at,
    cast, integer_cast, stop_gradient, chain,
)
