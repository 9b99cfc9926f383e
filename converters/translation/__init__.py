"""Translators' networks: a file for each, with two functions over the same weights."""
