"""Sine and cosine: x = n pi/2 + r with |r| <= pi/4, and polynomials for r; large arguments go to the C library.

The reduction is done in float64 with pi/2 in two parts and a fused multiply-add, which is exact enough for |x| up to 2^26; the
polynomials are those of FreeBSD's libm (k_sin.c, k_cos.c) and of Cephes (sinf.c).
"""
from __future__ import annotations

import llvmlite.ir as ir

from .exponentials import polynomial
from .functions import by_library
from .memory import some
from .number import Number

HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
FAR = 2.0 ** 26
SINE = {
    32: (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1),
    64: (1.58969099521155010221e-10, -2.50507602534068634195e-8, 2.75573137070700676789e-6, -1.98412698298579493134e-4,
         8.33333333332248946124e-3, -1.66666666666666324348e-1),
}
COSINE = {
    32: (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2),
    64: (-1.13596475577881948265e-11, 2.08757232129817482790e-9, -2.75573143513906633035e-7, 2.48015872894767294178e-5,
         -1.38888888888741095749e-3, 4.16666666666666019037e-2),
}


def circular(x: Number, name: str, turn: int) -> Number:
    """sin(x + turn pi/2); `name` is the library's function, for arguments that are far away."""
    near = x.call("fabs") < FAR
    kept = near.where(x, 0)
    wide = kept.to(ir.DoubleType())
    n = (wide * (1 / HALF_PI[0])).call("rint")
    rest = n.call("fma", -HALF_PI[1], n.call("fma", -HALF_PI[0], wide))
    r = rest.to(x.value.type.element if x.lanes > 1 else x.value.type)
    quarter = n.to(ir.IntType(32)) + turn
    z = r * r
    sine = (z * r).fma(polynomial(z, SINE[x.width]), r)
    cosine = (z * z).fma(polynomial(z, COSINE[x.width]), 1 - z * 0.5)
    value = (quarter & 1).differs(0).where(cosine, sine)
    return otherwise(near, (quarter & 2).differs(0).where(-value, value), x, name)


def otherwise(near: Number, value: Number, x: Number, name: str) -> Number:
    """The value where all lanes are near; if one is not, those that are not from the library."""
    builder = x.builder
    far = (near ^ 1).value
    before = builder.block
    with builder.if_then(some(builder, far) if x.lanes > 1 else far, likely=False):
        slow = near.where(value, by_library(name + ("f" if x.width == 32 else ""), x))
        far_block = builder.block
    result = builder.phi(x.value.type)
    result.add_incoming(value.value, before)
    result.add_incoming(slow.value, far_block)
    return x.new(result)


def sin_body(x: Number) -> Number:
    return x.equals(0).where(x, circular(x, "sin", 0))  # -0 stays


BODIES = {"sin": sin_body, "cos": lambda x: circular(x, "cos", 1)}
