"""Conversion of language models: every layer's networks, each in its own file."""
