"""Inputs to arrays. The same numpy code trains and serves, so the two can never disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ..errors import ManifestError
from .text import TextFeatures


class Features(Protocol):
    """What every kind of features offers."""

    kind: str

    @property
    def settings(self) -> dict[str, Any]:
        """What `restore` needs besides the arrays: plain JSON values."""

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What travels in features.npz; may be empty."""

    def encode(self, example: Any) -> dict[str, np.ndarray]:
        """One example as named arrays, each with a leading dimension of 1."""


KINDS: dict[str, type[TextFeatures]] = {TextFeatures.kind: TextFeatures}


def restore(kind: str, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Features:
    """The features that a bundle or a run was made with.

    Raises:
        ManifestError: an unknown kind, or settings that do not fit it.
    """
    if kind not in KINDS:
        raise ManifestError(f"features: kind must be one of {sorted(KINDS)}, got {kind!r}")
    try:
        return KINDS[kind].restore(settings, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError(f"features: settings do not fit {kind!r}: {error}") from None
