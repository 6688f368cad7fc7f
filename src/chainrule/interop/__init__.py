"""An adapter hands chainrule's functions, with their derivatives, to other libraries."""
from . import scipy
