"""Detections: smoothed scores, a threshold, background labels, and a pause."""

from __future__ import annotations

import numpy as np
import pytest

from edge_experts.runtime.detection import Detector, matched

LABELS = ("_unknown_", "no", "yes")
YES, NO, OTHER = np.array([0, 0, 1.0]), np.array([0, 1.0, 0]), np.array([1.0, 0, 0])


def _labels(detector: Detector, *scores: np.ndarray) -> list[str | None]:
    found = [detector.update(one) for one in scores]
    return [None if one is None else one.label for one in found]


def test_a_single_window_is_not_enough() -> None:
    assert _labels(Detector(LABELS, 0.7, 0), YES, OTHER, OTHER) == [None] * 3
    assert _labels(Detector(LABELS, 0.6, 5), OTHER, YES, YES) == [None, None, "yes"]


def test_a_pause_follows_a_detection() -> None:
    detector = Detector(LABELS, 0.9, 4)
    wanted = [None, None, "yes", *[None] * 4, "yes"]
    assert _labels(detector, *[YES] * 8) == wanted


def test_scores_in_the_pause_count_after_it() -> None:
    detector = Detector(LABELS, 0.9, 3)
    assert _labels(detector, YES, YES, YES, NO, NO, NO, NO)[-1] == "no"


def test_background_is_not_detected() -> None:
    assert _labels(Detector(LABELS, 0.0, 0), *[OTHER] * 4) == [None] * 4


def test_the_score_is_the_mean() -> None:
    detector = Detector(LABELS, 0.5, 0)
    for scores in (YES, YES, NO):
        found = detector.update(scores)
    assert found is not None
    assert found.score == pytest.approx(2 / 3)


def test_detections_are_matched_with_the_sounds_of_a_stream() -> None:
    sounds = [(3.0, "yes"), (6.0, "no"), (9.0, "yes")]
    found = [(3.4, "yes"), (4.1, "yes"), (6.2, "yes"), (9.9, "yes"), (20.0, "no")]
    assert matched(found, sounds, 1.0) == (2, ["yes", "yes", "no"])
    assert matched([], sounds, 1.0) == (0, [])
    assert matched(found, [], 1.0) == (0, [label for _, label in found])
