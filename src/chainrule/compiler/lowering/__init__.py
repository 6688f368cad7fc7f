"""Lowering turns the lines of a graph into launches of kernels."""
