"""An optimizer moves parameters against their gradients, each by its own rule."""
from importlib import import_module
from typing import Any

from .adagrad import Adadelta, Adagrad, RMSprop
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .lbfgs import LBFGS
from .lion import Lion
from .optimizer import Optimizer
from .sgd import SGD


def __getattr__(name: str) -> Any:
    if name == "lr_scheduler":  # loaded when it is asked for: to make its dataclasses takes a twentieth of `import chainrule`
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
