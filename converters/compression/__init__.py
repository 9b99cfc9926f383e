"""Compression of a run's experts to a new run folder; see edge_experts/training/compression."""

from .stage import compress

__all__ = ["compress"]
