"""Contractions: products of matrices, convolutions and their gradients, by one generator."""
