"""Extension: one more expert for new data, with all others unchanged."""
