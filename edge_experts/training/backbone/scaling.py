"""Scale of the inputs that a pretrained network was trained on; the bundle's features apply it."""

from __future__ import annotations

import numpy as np

from ...datasets import Dataset
from ...errors import UsageError
from ..config import BACKBONE_INPUTS
from .network import OPTION, Backbone

INPUT_OPTION = "--backbone-input"
STANDARDIZED = "standardized"
# (number - mean) / deviation, of bytes from 0 to 255.
_BYTES = {"unchanged": (0.0, 1.0), "0..1": (0.0, 255.0), "-1..1": (127.5, 127.5)}
assert (*_BYTES, STANDARDIZED) == BACKBONE_INPUTS
_KINDS = ("photo", "image", "window")

Scale = tuple[float, float]  # mean and deviation


def chosen(backbone: Backbone, stated: str | None) -> str:
    """Return the stated scale, or "unchanged" for a network that scales its inputs itself.

    Raises:
        UsageError: neither tells it.
    """
    if stated is not None:
        return stated
    if backbone.scales_inputs:
        return "unchanged"
    raise UsageError(
        f"{OPTION} {backbone.path}: does not tell the scale of its inputs, because it has no "
        f"Rescaling layer; add {INPUT_OPTION} with the scale that it was trained on, one of "
        f"{', '.join(BACKBONE_INPUTS)} (unchanged: pixels from 0 to 255)"
    )


def scale_of(scale: str, dataset: Dataset) -> Scale | None:
    """Return mean and deviation of the scale; None: of the training examples.

    Raises:
        UsageError: the data is not of bytes, or is neither photos, images nor arrays.
    """
    inputs = dataset.train.inputs
    if dataset.kind not in _KINDS or not isinstance(inputs, np.ndarray):
        raise UsageError(
            f"{OPTION} is for photos, images and other arrays, and {dataset.name} has examples of "
            f"the kind {dataset.kind}; remove it"
        )
    if scale == STANDARDIZED:
        return None
    if scale != "unchanged" and inputs.dtype != np.uint8:
        raise UsageError(
            f"{INPUT_OPTION} {scale} is for bytes, and {dataset.name} has {inputs.dtype}; use "
            "unchanged or standardized"
        )
    return _BYTES[scale]
