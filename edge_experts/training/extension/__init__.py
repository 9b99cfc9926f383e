"""Extension: one more expert for new data, all others untouched."""
