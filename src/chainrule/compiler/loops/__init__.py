"""The loop language: what a kernel is, its checker, and its printed form."""
