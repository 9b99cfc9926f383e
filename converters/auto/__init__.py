"""Which recipe for which network: measured one by one, then chosen together under a budget."""

from .automatic import Search, automatic
from .choice import AUTO_DROP
from .variants import Point

__all__ = ["AUTO_DROP", "Point", "Search", "automatic"]
