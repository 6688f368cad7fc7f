"""Dropout silences some values at random and strengthens the others, so that the sum stays the same on average."""
from __future__ import annotations

import numpy as np

from chainrule.core.primitive import Sample
from chainrule.core.type import Array

from .choice import where
from .comparison import indicator
from .elementwise import gate


def strength(p: float) -> float:
    """What the values kept are multiplied by; with p = 1 none is."""
    return 1 / (1 - p) if p < 1 else 0.0


@gate(lambda y, x, kept, p: indicator(kept, y) * strength(p), None, tex=r"\mathrm{{dropout}}({0})",
      samples=lambda rng: [Sample((rng.normal(size=(3, 4)), rng.uniform(size=s) > 0.3), {"p": 0.3}) for s in ((3, 4), (4,))],
      forward=lambda x, kept, p: np.multiply(np.multiply(x, strength(p)), kept))
def drop(x: Array, kept: Array, *, p: float) -> Array:
    """`x / (1 - p)` where kept, and 0 elsewhere: dropout with a given mask.

    Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014, in the "inverted" form.
    """
    return where(kept, x * strength(p), 0.0)
