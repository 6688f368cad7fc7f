"""The machine: what it means to compute, to remember, and to sweep back. It knows no operation by name."""
