"""Photos of any size become arrays of one size, by whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_tests import photo_frames
from edge_experts.errors import UsageError
from edge_experts.features.resizing import POLICIES, Resizing, coloured, resized

RANDOM = np.random.default_rng(0)


def _line(given: Sequence[int], wanted: int) -> list[Fraction]:
    """Resize a line by the definition, in fractions."""
    count, zero = len(given), Fraction(0)
    if count < wanted:  # between the centres of pixels
        made = []
        for place in range(wanted):
            centre = Fraction((2 * place + 1) * count, 2 * wanted) - Fraction(1, 2)
            at = max(centre, Fraction(0))
            first = min(int(at), count - 1)
            share = at - first if first + 1 < count else zero
            second = min(first + 1, count - 1)
            made.append(given[first] * (1 - share) + given[second] * share)
        return made
    step, one = Fraction(count, wanted), Fraction(1)
    return [
        sum(
            (
                value
                * max(min(pixel + one, (place + 1) * step) - max(pixel * one, place * step), zero)
                for pixel, value in enumerate(given)
            ),
            zero,
        )
        / step
        for place in range(wanted)
    ]


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(1, 20)] * 4), st.integers(0, 2**32))
def test_it_is_the_exact_average_rounded_half_up(sides: tuple[int, ...], seed: int) -> None:
    height, width, tall, wide = sides
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 1), np.uint8)
    lines = [_line(pixels[:, x, 0].tolist(), tall) for x in range(width)]
    for y in range(tall):
        # The two axes are independent, so each line of means is resized as numbers.
        row = [lines[x][y] for x in range(width)]
        denominator = math.lcm(*(value.denominator for value in row))
        whole = [int(value * denominator) for value in row]
        wanted = [math.floor(value / denominator + Fraction(1, 2)) for value in _line(whole, wide)]
        assert resized(pixels, tall, wide)[y, :, 0].tolist() == wanted


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30), st.integers(1, 30)),
    st.sampled_from(POLICIES),
    st.sampled_from([1, 3]),
    st.integers(0, 255),
)
def test_one_colour_stays_one_colour(
    sides: tuple[int, int, int, int], policy: str, channels: int, colour: int
) -> None:
    height, width, tall, wide = sides
    resizing = Resizing(tall, wide, channels, policy)
    made = resizing.apply(np.full((height, width, 3), colour, np.uint8))
    assert made.shape == resizing.shape
    assert made.dtype == np.uint8
    assert set(np.unique(made)) <= ({colour, 127} if policy == "fit" else {colour})


def test_a_photo_of_the_size_is_unchanged() -> None:
    photo = RANDOM.integers(0, 256, (7, 9, 3), np.uint8)
    for policy in POLICIES:
        assert np.array_equal(Resizing(7, 9, 3, policy).apply(photo), photo)


def test_crop_cuts_the_sides_and_fit_keeps_them() -> None:
    photo = np.zeros((10, 30, 3), np.uint8)
    photo[:, 10:20] = 200
    assert (Resizing(10, 10, 3, "crop").apply(photo) == 200).all()
    fit = Resizing(30, 30, 3, "fit").apply(photo)
    assert (fit[:10] == 127).all()
    assert (fit[20:] == 127).all()
    assert np.array_equal(fit[10:20], photo)
    stretched = Resizing(10, 10, 3, "stretch").apply(photo)
    assert (stretched[:, 0] == 0).all()
    assert (stretched[:, 5] == 200).all()


def test_colours_and_opacity() -> None:
    photo = np.array([[[255, 0, 0, 255], [0, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    assert coloured(photo, 3).tolist() == [[[255, 0, 0], [255, 255, 255], [127, 127, 127]]]
    assert coloured(photo, 1).tolist() == [[[76], [255], [127]]]
    grey = np.array([[7, 9]], np.uint8)
    assert coloured(grey, 3).tolist() == [[[7, 7, 7], [9, 9, 9]]]
    assert coloured(np.array([[[0, 255], [0, 0]]], np.uint8), 1).tolist() == [[[0], [255]]]


def test_features_of_a_thousand_frames_are_those_of_every_machine() -> None:
    """tests/emulated/test_photos.py compares emulated boards with the same digest."""
    assert photo_frames.digest() == photo_frames.DIGEST


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((2, 2)),
        np.zeros((2, 2, 5), np.uint8),
        np.zeros((0, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((1, 2, 2, 3), np.uint8),
        np.broadcast_to(np.zeros((1, 1), np.uint8), (2**14, 2**14)),
        np.broadcast_to(np.zeros((1, 1), np.uint8), (2**16, 1)),
    ],
)
def test_other_arrays_are_refused(photo: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"photo must|sides of a photo|pixels"):
        Resizing(4, 4).apply(photo)


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"height": 4, "width": 4, "channels": 3},
        {"height": 0, "width": 4, "channels": 3, "policy": "fit"},
        {"height": 4, "width": 4.0, "channels": 3, "policy": "fit"},
        {"height": 4, "width": True, "channels": 3, "policy": "fit"},
        {"height": 4, "width": 4, "channels": 2, "policy": "fit"},
        {"height": 4, "width": 4, "channels": 3, "policy": "tile"},
        {"height": 4, "width": 4, "channels": 3, "policy": []},
        {"height": 4, "width": 4, "channels": 3, "policy": "fit", "more": 1},
    ],
)
def test_other_settings_are_refused(content: Any) -> None:
    with pytest.raises(ValueError, match=r"must"):
        Resizing.from_json(content)
    resizing = Resizing(3, 4, 1, "stretch")
    assert Resizing.from_json(resizing.to_json()) == resizing
