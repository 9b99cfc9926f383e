"""Fleets: many sites, each with a bundle and perhaps experts of its own, updated in stages."""

from __future__ import annotations

from .rollout import roll_out, states_of
from .site_result import SiteResult, as_text
from .sites import Site, read_sites

__all__ = ["Site", "SiteResult", "as_text", "read_sites", "roll_out", "states_of"]
