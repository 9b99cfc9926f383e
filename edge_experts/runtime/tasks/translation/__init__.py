"""Translation: experts write a text, token by token, in the language that an example names."""

from .task import Translation

__all__ = ["Translation"]
