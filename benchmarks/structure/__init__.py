"""Structure of the source: import cycles, layers, sizes and names, on any commit."""

from .command import structure
from .measurement import SourceStructure, measure

__all__ = ["SourceStructure", "measure", "structure"]
