"""Automatic recipes: each variant of a network is measured, then all are chosen under a budget."""

from .automatic import Search, automatic
from .choice import AUTO_DROP
from .variants import Point

__all__ = ["AUTO_DROP", "Point", "Search", "automatic"]
