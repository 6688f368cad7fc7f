"""A function of a module is written once, where it is first needed, and called from then on."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import llvmlite.ir as ir

from .number import Number
from .representation import declared, lanes_of


def defined(name: str, args: Sequence[Number], body: Callable[..., Number], result: ir.Type | None = None, *,
            inline: bool = True) -> Number:
    """The value of the function called `name` on the arguments; `body` says what it computes, from Numbers.

    It is compiled into its callers, unless it is long and rare. The result's type is that of the first argument if not given.
    """
    builder = args[0].builder
    kinds = tuple(a.value.type for a in args)
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(result or kinds[0], kinds), name)
        function.linkage = "internal"
        function.attributes.add("alwaysinline" if inline else "noinline")
        inside = ir.IRBuilder(function.append_basic_block("entry"))
        parameters = [Number(inside, p, unsigned=a.unsigned) for p, a in zip(function.args, args)]
        inside.ret(body(*parameters).value)
    return args[0].new(builder.call(function, [a.value for a in args]))


def by_library(name: str, *args: Number) -> Number:
    """The C library's function of this name, called for one lane after the other."""
    kind = getattr(args[0].value.type, "element", args[0].value.type)

    def body(*parameters: Number) -> Number:
        builder = parameters[0].builder
        routine = declared(builder.module, name, kind, (kind,) * len(parameters))
        lanes = lanes_of(parameters[0].value)
        if lanes == 1:
            return parameters[0].new(builder.call(routine, [p.value for p in parameters]))
        value: ir.Value = ir.Constant(parameters[0].value.type, ir.Undefined)
        for k in range(lanes):
            at = ir.IntType(32)(k)
            number = builder.call(routine, [builder.extract_element(p.value, at) for p in parameters])
            value = builder.insert_element(value, number, at)
        return parameters[0].new(value)

    lanes = args[0].lanes
    return defined(f"chainrule.{name}.{lanes}", args, body, inline=lanes == 1)
