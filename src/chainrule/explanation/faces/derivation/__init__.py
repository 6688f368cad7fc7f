"""The derivation of a gradient: the equations a lecturer would write, read off the engine's rules, and each of them checked."""
