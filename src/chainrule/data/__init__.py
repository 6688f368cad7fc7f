"""Data: examples and their targets, from memory and from files, split, shuffled and cut into batches."""
from .dataset import Batch, Dataset
from .digits import digits
