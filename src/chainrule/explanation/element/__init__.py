"""One number of a gradient, taken apart into its terms."""
