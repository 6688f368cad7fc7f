"""An estimator is a network behind scikit-learn's interface: it goes wherever scikit-learn takes one.

It needs scikit-learn: `pip install 'chainrule[sklearn]'`.
"""
from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from . import random
from .data.dataset import Dataset
from .errors import ArgumentError
from .nn.activation import ReLU
from .nn.container import Sequential
from .nn.linear import Linear
from .nn.loss import CrossEntropyLoss, MSELoss
from .nn.module import Module
from .ops.softmax import softmax
from .train.events import Listener
from .train.listeners import FiniteLoss
from .train.plan import OPTIMIZERS
from .train.trainer import Trainer, predictions

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("cr.sklearn needs scikit-learn: pip install 'chainrule[sklearn]'.") from error

Build = Callable[[int, int], Module]
Matrix = np.ndarray[Any, Any]
HIDDEN = 64


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """cr.random's common stream from this seed, and afterwards as it was: weights, order and dropout all draw from it."""
    before = random.get_state()
    random.seed(seed)
    try:
        yield
    finally:
        random.set_state(before)


def perceptron(inputs: int, outputs: int) -> Module:
    """The network that is trained where none is given: one hidden layer."""
    return Sequential(Linear(inputs, HIDDEN), ReLU(), Linear(HIDDEN, outputs))


class Network(BaseEstimator):  # type: ignore[misc]
    """What a classifier and a regressor share: the network, and how it is trained.

    Subclasses say how targets are read and predictions are told.
    """

    criterion: Callable[[], Module]

    def __init__(self, module: Module | Build | None = None, *, optimizer: str = "adam", lr: float = 0.01, epochs: int = 100,
                 batch_size: int = 32, random_state: Any = None, compile: bool = False,
                 listeners: Sequence[Listener] = ()) -> None:
        self.module = module
        self.optimizer = optimizer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.compile = compile
        self.listeners = listeners

    def made(self, inputs: int, outputs: int) -> Module:
        """A network of its own for this fit: built for the data, or a copy of the one given, with its weights."""
        if isinstance(self.module, Module):
            return copy.deepcopy(self.module)
        build = perceptron if self.module is None else self.module
        if not callable(build):
            raise ArgumentError(f"{type(self).__name__}: module is a module, or a function of the numbers of inputs and outputs "
                                f"that makes one, not a {type(build).__name__}.")
        return build(inputs, outputs)

    def trained(self, x: Matrix, y: Matrix, outputs: int) -> Self:
        """Build the network, and train it."""
        if self.optimizer not in OPTIMIZERS:
            raise ArgumentError(f"{type(self).__name__}: optimizer is one of {', '.join(OPTIMIZERS)}, not {self.optimizer!r}.")
        seed = int(check_random_state(self.random_state).randint(2 ** 31))
        with seeded(seed), np.errstate(all="ignore"):  # numbers that overflow end in a loss that is none, told in words
            self.module_ = self.made(x.shape[1], outputs)
            optimizer = OPTIMIZERS[self.optimizer].made(self.module_.parameters(), lr=self.lr)
            trainer = Trainer(self.module_, self.criterion(), optimizer, [FiniteLoss(), *self.listeners],
                              compile=self.compile)
            trainer.fit(Dataset(x, y), epochs=self.epochs, batch=self.batch_size)
        self.n_iter_ = self.epochs
        return self

    def outputs_of(self, x: Any) -> Matrix:
        """What the network says of the rows of `x`."""
        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype=np.float32)
        return predictions(self.module_, x)


class Classifier(ClassifierMixin, Network):  # type: ignore[misc]
    """A network that tells classes, trained with cross-entropy.

    `module` is a network from (n, features) to (n, classes) scores, of which each fit trains a copy, or a function of the two
    numbers that makes one; by default one hidden layer of 64. `optimizer` is a name that `chainrule train --optimizer` takes, and
    `lr` its rate; `random_state` decides weights, order and dropout; `compile` makes each fit begin with the compiling of its
    step, which pays off from some thousand steps on; `listeners` are told how training goes. Features are taken as float32:
    scale them first.

    After `fit`: `classes_`, `module_` (the trained network), `n_features_in_`. Raises what scikit-learn's estimators raise, and
    DivergenceError.

    >>> import chainrule as cr
    >>> from sklearn.model_selection import cross_val_score
    >>> digits = cr.data.digits()
    >>> scores = cross_val_score(cr.sklearn.Classifier(epochs=10, random_state=0), digits.inputs, digits.targets, cv=2)
    >>> bool(scores.min() > 0.8)
    True
    """

    criterion = CrossEntropyLoss

    def fit(self, X: Any, y: Any) -> Self:
        """Train on the rows of `X` (n, features) and their labels `y` (n,), numbers or strings."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        return self.trained(X, numbers.astype(np.int64), len(self.classes_))

    def predict_proba(self, X: Any) -> Matrix:
        """The probability of each class, (n, classes)."""
        return np.asarray(softmax(self.outputs_of(X).astype(np.float64), axis=-1))

    def predict(self, X: Any) -> Matrix:
        """The most probable class of each row."""
        best = self.outputs_of(X).argmax(axis=-1)
        return np.asarray(self.classes_[best])


class Regressor(RegressorMixin, Network):  # type: ignore[misc]
    """A network that tells numbers, trained with the mean squared error: see `Classifier`.

    Targets are (n,) or (n, outputs); scale them too.

    >>> import chainrule as cr, numpy as np
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> bool(cr.sklearn.Regressor(epochs=200, random_state=0).fit(x, np.sin(3 * x[:, 0])).score(x, np.sin(3 * x[:, 0])) > 0.95)
    True
    """

    criterion = MSELoss

    def fit(self, X: Any, y: Any) -> Self:
        """Train on the rows of `X` (n, features) and the numbers `y`, (n,) or (n, outputs)."""
        X, y = validate_data(self, X, y, dtype=np.float32, multi_output=True, y_numeric=True)
        self.flat_ = y.ndim == 1
        columns = y.reshape(len(y), -1).astype(np.float32)
        return self.trained(X, columns, columns.shape[1])

    def predict(self, X: Any) -> Matrix:
        """The numbers for each row, of the form they had in `fit`."""
        told = self.outputs_of(X).astype(np.float64)
        return told[:, 0] if self.flat_ else told

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
