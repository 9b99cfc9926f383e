"""A run folder to another, its experts made smaller; see edge_experts/training/compression."""

from .stage import compress

__all__ = ["compress"]
