"""A face is a way to show facts: a page of text, LaTeX, JSON, a picture."""
