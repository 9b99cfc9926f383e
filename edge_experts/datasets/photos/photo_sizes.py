"""Choice of the size, the colours and the resizing policy from the photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...features.resizing import COLOUR, Resizing

SIDES = (96, 80, 64, 48, 32)
_NUMBERS = 2**27  # of all photos as a network gets them: 0.5 GB as float32 in training
_LOST = 0.25  # mean share of a photo that cropping may cut off


def chosen(sizes: Sequence[tuple[int, int]], channels: int, side: int | None) -> Resizing:
    """Choose how to resize photos.

    The result is square, of the largest side in `SIDES` that is at most the median of the photos'
    shorter sides, and with which all photos together have at most 2**27 numbers. Photos are
    cropped, unless that would cut more than a quarter off on average: then they are padded.

    Args:
        sizes: height and width of each photo.
        side: stated by the user; None: chosen.
    """
    shorter = np.array([min(size) for size in sizes])
    lost = float(np.mean([1 - min(size) / max(size) for size in sizes]))
    policy = "fit" if lost > _LOST else "crop"
    if side is None:
        fitting = [
            each
            for each in SIDES
            if each <= np.median(shorter) and each * each * COLOUR * len(sizes) <= _NUMBERS
        ]
        side = max(fitting, default=SIDES[-1])
    return Resizing(side, side, channels, policy)
