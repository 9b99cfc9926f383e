"""What a training came to, as pictures. matplotlib is imported here only, when they are drawn."""

from __future__ import annotations

from .draw import draw, draw_values

__all__ = ["draw", "draw_values"]
