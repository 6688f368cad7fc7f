"""Helpers around networks, by PyTorch's names."""
from . import rnn
from .clipping import clip_grad_norm_, clip_grad_norm_each_, clip_grad_value_, get_total_norm
