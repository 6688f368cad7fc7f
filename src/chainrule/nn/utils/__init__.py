"""Helpers around networks, by PyTorch's names."""
from . import rnn
