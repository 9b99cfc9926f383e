"""HTML report of a benchmark: one self-contained page, made from its JSON."""
