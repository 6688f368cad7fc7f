"""An optimizer moves parameters against their gradients, each by its own rule."""
from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD
