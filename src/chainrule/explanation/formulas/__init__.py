"""A formula is what a rule says, run on symbols; and how it is written, as text and in LaTeX."""
