"""Quantities that a benchmark measures: memory, energy, conditions, intervals."""
