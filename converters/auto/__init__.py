"""Which recipe for which network: measured one by one, then chosen together under a budget."""

from .automatic import Search, automatic
from .choice import AUTO_DROP
from .variants import Budget, Point

__all__ = ["AUTO_DROP", "Budget", "Point", "Search", "automatic"]
