"""Training: a loop that reads like the algorithm, who listens to it, how it is kept and resumed, and what is drawn of it."""
from . import curves
from .events import Epoch, Listener, Step
from .keeping import Checkpoints
from .listeners import Best, EarlyStopping, FiniteLoss, GradientNorms, History, Interruption, Schedule
from .logs import Log, TensorBoard
from .metrics import METRICS
from .task import Task
from .trainer import Trainer
from .weights import load_weights, read_weights, save_weights
