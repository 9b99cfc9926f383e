"""Measurement of one run in every recipe, on every installed interpreter."""
