"""Translation: experts generate a text, token by token, in the language of an example."""

from .task import Translation

__all__ = ["Translation"]
