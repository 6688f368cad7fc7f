"""The listing of a staged program is its lines with numbers, each with its type and the user's line that asked for it."""
from __future__ import annotations

from chainrule.core.stage import Graph, call, shown

from .fragments import code, fragment, paragraph, source, strong, table


def graph_html(graph: Graph) -> str:
    """What a notebook shows of a staged program.

    >>> import chainrule as cr, numpy as np
    >>> from chainrule.core.stage import stage
    >>> from chainrule.core.type import Type
    >>> "t0 = multiply(x0, x0)" in graph_html(stage(lambda x: x * x, Type((2,), np.dtype("float64"))))
    True
    """
    rows = [[str(n), code(f"{', '.join(map(str, line.targets))} = {call(line)}"),
             code(", ".join(str(t.type) for t in line.targets)), source(line.source)] for n, line in enumerate(graph.lines, 1)]
    takes = ", ".join(f"{s}: {s.type}" for s in graph.inputs)
    title = f"A staged program of {len(rows)} line{'s'[:len(rows) != 1]}"
    return fragment(paragraph(strong(title), "\ntakes ", code(takes or "nothing")), table(["", "program", "type", "line"], rows),
                    paragraph("returns ", code(shown(graph.output))), label=title)
