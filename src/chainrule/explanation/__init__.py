"""An explanation shows how every number in a gradient came to be."""
from .entry import explain as explain
from .questions import why as why
