"""The fragment of the paths: how many there are and how evenly they carry, then the strongest, one row each."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..faces.fragments import array, code, fragment, number, paragraph, strong, table
from ..faces.text import percent
from .paths_text import closed, headline, heads, others, slopes, step_text, written

if TYPE_CHECKING:
    from .paths import Path, Paths


def drawn(p: Paths) -> str:
    """The paths as a table; where none is open, a sentence."""
    if not p.count:
        return fragment(paragraph(strong(closed(p))), label=closed(p))
    return fragment(
        paragraph(strong(headline(p))),
        paragraph("mass ", number(p.mass), f", of which {p.cancelled:.1%} cancels\nentropy ", number(p.entropy),
                  " nats: as many as ", number(math.exp(p.entropy)), " of equal strength"),
        table(heads(p), [row(path) for path in p], note=others(p)), label=headline(p))


def row(path: Path) -> list[str]:
    product = number(path.product) if slopes(path) else array(path.product)
    whole = " → ".join(map(step_text, path.steps))
    return [number(path.share, percent(path.share)), number(path.of_gradient, percent(path.of_gradient)), product,
            code(written(path), whole)]
