"""A sweep in numbers: for each operation and parameter a norm of the value and one of the gradient."""
