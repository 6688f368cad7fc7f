"""A pass makes a graph better: the same results with fewer, smaller or earlier computations."""
