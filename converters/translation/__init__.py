"""Convert networks that translate: a file for each, with two functions over the same weights."""

from .convert import convert

__all__ = ["convert"]
