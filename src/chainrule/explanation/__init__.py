"""An explanation shows how every number in a gradient came to be."""
from .algebra import Algebra as Algebra
from .algebra import sweep as sweep
from .entry import check_derivation as check_derivation
from .entry import explain as explain
from .questions import birth as birth
from .questions import compare as compare
from .questions import why as why
