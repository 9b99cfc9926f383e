"""Conversion of translators: a file for each, with two functions over the same weights."""
