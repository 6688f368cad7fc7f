"""A compiled function is traced once, improved by passes, lowered to loops, and run as native code."""
