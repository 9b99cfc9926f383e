"""Accuracy that experts gain over one dense network of equal active size, on public sets."""
