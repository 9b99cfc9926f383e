"""Charts of a training. matplotlib is imported in this package only, when they are drawn."""

from __future__ import annotations

from .draw import draw, draw_sets, draw_values

__all__ = ["draw", "draw_sets", "draw_values"]
