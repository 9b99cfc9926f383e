"""Sentence pairs from package archives, and scores of translations."""
