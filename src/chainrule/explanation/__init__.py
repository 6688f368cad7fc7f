"""An explanation shows how every number in a gradient came to be."""
from .entry import check_derivation as check_derivation
from .entry import explain as explain
from .faces import showing as showing  # puts _repr_html_ on Tensor and Graph
from .paths.algebra import Algebra as Algebra
from .paths.algebra import sweep as sweep
from .questions import birth as birth
from .questions import compare as compare
from .questions import why as why
from .recording import recording as recording
