"""Gates: a whole loss in operations on single numbers, the way a textbook draws it."""
