"""Adoption of networks that were trained elsewhere, as a run folder: see `adoption.py`."""

from __future__ import annotations

from .adoption import adopt

__all__ = ["adopt"]
