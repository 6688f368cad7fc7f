"""Data: examples and their targets, from memory and from files, split, shuffled and cut into batches."""
from .dataset import Batch, Dataset
from .digits import digits
from .idx import idx
from .images import images
from .loader import DataLoader
from .mnist import mnist
from .npz import npz
from .standardization import Standardization
from .table import table
from .text import Text, text
