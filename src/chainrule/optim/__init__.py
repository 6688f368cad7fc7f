"""An optimizer moves parameters against their gradients, each by its own rule."""
from . import lr_scheduler
from .adagrad import Adadelta, Adagrad, RMSprop
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .lbfgs import LBFGS
from .lion import Lion
from .optimizer import Optimizer
from .sgd import SGD
