"""Training: a loop that reads like the algorithm, the data it runs over, and what is drawn and saved of it."""
from . import curves
from .checkpoint import load_weights, save_weights
from .listeners import FiniteLoss, History, Interruption
from .trainer import Epoch, Listener, Step, Trainer
