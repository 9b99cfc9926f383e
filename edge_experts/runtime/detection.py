"""Detections in a stream: smoothed scores, a threshold, and a pause after each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BACKGROUND = "_"  # first character of labels that are never detected: _unknown_, ...
SMOOTHED = 3  # windows whose scores are averaged


@dataclass(frozen=True)
class Detection:
    """A label that was detected, and its mean score."""

    label: str
    score: float


class Detector:
    """Detects labels in the answers to the windows of one stream.

    The scores of the latest windows are averaged. The best label is detected if its mean reaches
    the threshold and its name does not begin with "_". After a detection, none follows for
    `refractory` windows.

    Args:
        threshold: from 0 to 1.
        refractory: number of windows.
    """

    def __init__(self, labels: Sequence[str], threshold: float, refractory: int):
        self._labels, self._threshold, self._refractory = tuple(labels), threshold, refractory
        self._latest: deque[np.ndarray] = deque(maxlen=SMOOTHED)
        self._paused = 0

    def update(self, scores: np.ndarray) -> Detection | None:
        """Take the scores of the next window, (labels,); returns what is detected now."""
        self._latest.append(scores)
        if self._paused:
            self._paused -= 1
            return None
        mean = np.sum(self._latest, axis=0) / SMOOTHED  # before the stream there was nothing
        best = int(np.argmax(mean))
        label = self._labels[best]
        if label.startswith(BACKGROUND) or mean[best] < self._threshold:
            return None
        self._paused = self._refractory
        return Detection(label, float(mean[best]))


def matched(
    detections: Sequence[tuple[float, str]], sounds: Sequence[tuple[float, str]], window: float
) -> tuple[int, list[str]]:
    """Compare detections with the sounds of a stream, each a time in seconds and a label.

    A sound is detected if its label is, at most a window from it.

    Returns:
        The number of sounds that were detected; the labels of the detections that are of no sound.
    """

    def fits(one: tuple[float, str], other: tuple[float, str]) -> bool:
        return one[1] == other[1] and abs(one[0] - other[0]) <= window

    detected = sum(any(fits(found, one) for found in detections) for one in sounds)
    return detected, [
        found[1] for found in detections if not any(fits(found, one) for one in sounds)
    ]
