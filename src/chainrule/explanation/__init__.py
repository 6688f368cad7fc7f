"""An explanation shows how every number in a gradient came to be."""
from .facts import Check, Edge, Explanation, Local, Merge, Node
from .record import explain
