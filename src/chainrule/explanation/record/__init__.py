"""The record of a loss: what the engine remembers of it, swept once, and written down as facts."""
