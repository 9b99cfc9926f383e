"""Choice of rate and window from the recordings, and windows cut from recordings of noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...features.log_mel import LogMel
from ...features.wav_files import SoundHeader

RATES = (8000, 16_000)
SECONDS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
_WHOLE = 0.9  # share of the sounds that are at most as long as the window


def chosen(headers: Sequence[SoundHeader]) -> LogMel:
    """Choose rate and window.

    The rate is 16 kHz, or 8 kHz if most sounds have less. The window is the shortest in `SECONDS`
    that 90 % of the sounds fit in, or the longest.
    """
    rate = RATES[bool(np.median([header.rate for header in headers]) >= RATES[1])]
    needed = np.quantile([header.seconds for header in headers], _WHOLE)
    seconds = next((each for each in SECONDS if needed <= each * 1.001), SECONDS[-1])
    return LogMel.of(rate, round(rate * seconds))


def cut(samples: np.ndarray, length: int, most: int) -> list[np.ndarray]:
    """Cut a recording into at most `most` windows of a length, spread evenly, without overlap."""
    whole = len(samples) // length
    places = np.unique(np.linspace(0, whole - 1, min(most, whole)).round().astype(int))
    return [samples[place * length : (place + 1) * length] for place in places]
