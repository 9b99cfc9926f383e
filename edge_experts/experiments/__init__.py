"""Experiments that train, convert and measure: comparison and advice."""
