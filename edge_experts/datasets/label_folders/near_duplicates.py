"""Photos or spectra that are nearly equal, such as copies of another size or quality.

Two are nearly equal if small versions of them, 16 x 16 pixels, differ by at most 4 of 255 on
average, and by at most 8 % of their contrast. Such a version is a simple perceptual hash, whose
distance is one of brightness. Frames of a series that moved are not found.
"""

from __future__ import annotations

import numpy as np

SIDE = 16  # of a small version
_BLOCKS = 2
_DIFFERENCE, _SHARE, _NOISE = 4.0, 0.08, 1.0
_COMPARED = 1000  # examples of nearly the same mean that each is compared with, at most


def groups(small: np.ndarray, difference: float = _DIFFERENCE) -> np.ndarray:
    """Group nearly equal examples.

    Args:
        small: their small versions, (examples, 16, 16, channels) uint8, of at least one.
        difference: of two nearly equal ones on average, at most.

    Returns:
        For each example the index of the first one of its group, (examples,) int64.
    """
    first: dict[bytes, int] = {}
    owner = np.array([first.setdefault(one.tobytes(), place) for place, one in enumerate(small)])
    different = np.array(list(first.values()))

    def root(place: int) -> int:
        while owner[place] != place:
            owner[place] = owner[owner[place]]
            place = owner[place]
        return place

    for one, other in _pairs(small[different], difference):
        low, high = sorted((root(int(different[one])), root(int(different[other]))))
        owner[high] = low
    return np.array([root(place) for place in range(len(small))], np.int64)


def _pairs(small: np.ndarray, most: float) -> list[tuple[int, int]]:
    """Find all pairs of nearly equal small versions, (examples, side, side, channels).

    The mean of differences is at least the difference of means. So only those of nearly the same
    mean are compared, of those the ones whose four quarters agree, and these in full.
    """
    count = len(small)
    flat = small.reshape(count, -1).astype(np.float32)
    half = SIDE // _BLOCKS
    quarters = small.reshape(count, _BLOCKS, half, _BLOCKS, half, -1).mean(axis=(2, 4))
    quarters = quarters.reshape(count, -1).astype(np.float32)
    means = flat.mean(axis=1)
    contrast = abs(flat - means[:, None]).mean(axis=1)
    allowed = np.minimum(most, np.maximum(_NOISE, _SHARE * contrast))
    order = np.argsort(means, kind="stable")
    sorted_means, found = means[order], []
    ends = np.searchsorted(sorted_means, sorted_means + most, "right")
    for place, one in enumerate(order.tolist()):
        others = order[place + 1 : min(ends[place], place + 1 + _COMPARED)]
        near = abs(quarters[others] - quarters[one]).mean(axis=1) <= allowed[one]
        others = others[near]
        difference = abs(flat[others] - flat[one]).mean(axis=1)
        equal = difference <= np.minimum(allowed[one], allowed[others])
        found += [(one, other) for other in others[equal].tolist()]
    return found
