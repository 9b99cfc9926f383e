"""Raw frames of a camera."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.errors import UsageError
from edge_experts.features.frames import FORMATS, FrameFormat


def test_yuv420_is_full_range_bt_601() -> None:
    frames = FrameFormat.parse("2x2:yuv420")
    assert frames.size == 6
    colours = {
        (255, 128, 128): (255, 255, 255),
        (0, 128, 128): (0, 0, 0),
        (76, 85, 255): (254, 0, 0),
        (150, 44, 21): (0, 255, 1),
        (29, 255, 107): (0, 0, 254),
    }
    for (y, u, v), wanted in colours.items():
        made = frames.pixels(bytes([y, y, y, y, u, v]))
        assert made.shape == (2, 2, 3)
        assert abs(made.astype(int) - wanted).max() <= 1


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32))
def test_odd_sizes_have_a_colour_for_the_last_pixel(width: int, height: int, seed: int) -> None:
    frames = FrameFormat(width, height, "yuv420")
    content = np.random.default_rng(seed).bytes(frames.size)
    made = frames.pixels(content)
    wide = -(-width // 2)
    for y, x in np.ndindex(height, width):
        bright = content[y * width + x]
        start = width * height + (y // 2) * wide + x // 2
        u, v = content[start] - 128, content[start + wide * -(-height // 2)] - 128
        exact = (bright + 1.402 * v, bright - 0.344136 * u - 0.714136 * v, bright + 1.772 * u)
        assert abs(made[y, x] - np.clip(exact, 0, 255)).max() <= 0.51


def test_rgb_and_grey() -> None:
    assert FrameFormat(2, 1, "rgb24").pixels(bytes(range(6))).tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert FrameFormat(2, 1, "grey").pixels(b"\1\2").tolist() == [[[1], [2]]]


@pytest.mark.parametrize(
    "text",
    [
        *("", "640x480", "640:480:grey", "640x480:mp4", "0x4:grey", "-1x4:grey", "9999999x1:grey"),
        *("999999x999999:grey", "70000x1:rgb24", "640x480:YUV420 ", "640x480:yuv420:x"),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--frames"):
        FrameFormat.parse(text)


def test_every_format_is_parsed() -> None:
    for name in FORMATS:
        assert FrameFormat.parse(f"640x480:{name}") == FrameFormat(640, 480, name)
