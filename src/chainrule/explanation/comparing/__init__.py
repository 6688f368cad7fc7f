"""Two computations side by side: two losses, or one before and after a change."""
