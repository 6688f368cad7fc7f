"""What is wrong with a gradient: why it is missing, zero or tiny, and where a NaN was born."""
