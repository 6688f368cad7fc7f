"""The paths that carry a gradient, found by sweeps with other algebras."""
