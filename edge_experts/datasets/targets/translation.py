"""Targets of translation: pairs of sentences."""

from __future__ import annotations

from . import Targets
from .classification import Translation

TARGETS: Targets = Translation()
