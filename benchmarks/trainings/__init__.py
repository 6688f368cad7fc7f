"""Whole trainings, each written for chainrule and for PyTorch: data, architecture, budget, and the bar for what comes of it."""
from .task import ACCURACY, LOSS, TASKS, Result, Task
