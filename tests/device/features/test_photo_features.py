"""Photos of any size, arrays and fractions give the features of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import ManifestError, UsageError
from edge_experts.features import PhotoFeatures, restore
from edge_experts.features.resizing import Resizing
from tests.photos import encoded

RANDOM = np.random.default_rng(0)
PHOTOS = RANDOM.integers(0, 256, (20, 6, 8, 3), np.uint8)
FEATURES = PhotoFeatures.of_photos(PHOTOS, Resizing(6, 8, 3, "crop"))
LARGE = RANDOM.integers(0, 256, (50, 40, 3), np.uint8)


def _x(example: Any, features: PhotoFeatures = FEATURES) -> np.ndarray:
    return features.encode(example)["x"]


def test_channels_are_standardized() -> None:
    x = np.concatenate([_x(photo) for photo in PHOTOS])
    assert x.dtype == np.float32
    assert np.allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    assert np.allclose(x.std(axis=(0, 1, 2)), 1, atol=1e-4)
    assert FEATURES.shapes == {"x": ((1, 6, 8, 3), np.float32)}


def test_any_size_is_resized_first() -> None:
    resized = FEATURES.resizing.apply(LARGE)
    for given in (LARGE, LARGE.astype(int), LARGE.tolist(), LARGE.astype(float)):
        assert np.array_equal(_x(given), _x(resized))
    opaque = np.dstack([LARGE, np.full(LARGE.shape[:2], 255, np.uint8)])
    assert np.array_equal(_x(opaque), _x(LARGE))


def test_fractions_of_the_size_are_the_same_photo() -> None:
    assert np.array_equal(_x(PHOTOS[0] / np.float32(255)), _x(PHOTOS[0]))


@pytest.mark.parametrize(
    "given", [LARGE / 255, LARGE - 1.0, LARGE * 2.0, LARGE.astype(float) + 0.5]
)
def test_other_numbers_of_another_size_are_refused(given: np.ndarray) -> None:
    with pytest.raises(UsageError, match="whole numbers from 0 to 255"):
        _x(given)


def test_restored_features_are_the_same() -> None:
    again = restore("photo", FEATURES.settings, FEATURES.arrays)
    assert np.array_equal(again.encode(LARGE)["x"], _x(LARGE))
    assert again.settings == FEATURES.settings
    for change in ({"shape": [6, 8, 1]}, {"resizing": None}, {"contract": None}):
        with pytest.raises(ManifestError, match="photo"):
            restore("photo", {**FEATURES.settings, **change}, FEATURES.arrays)


def test_grey_photos_take_colours() -> None:
    grey = PhotoFeatures.of_photos(PHOTOS[..., :1], Resizing(6, 8, 1, "fit"))
    assert _x(LARGE, grey).shape == (1, 6, 8, 1)
    assert _x(LARGE[..., 0], grey).shape == (1, 6, 8, 1)


def test_numbers_may_stay_as_they_are() -> None:
    plain = PhotoFeatures.of_photos(PHOTOS, Resizing(6, 8, 3), scale=(0.0, 1.0))
    assert np.array_equal(_x(PHOTOS[3], plain)[0], PHOTOS[3])


def test_packed_examples_are_resized() -> None:
    packed = FEATURES.pack([LARGE, PHOTOS[0], LARGE.tolist()])
    assert packed.dtype == np.uint8
    first, second, third = FEATURES.unpack(packed)
    assert np.array_equal(first, FEATURES.resizing.apply(LARGE))
    assert np.array_equal(second, PHOTOS[0])
    assert np.array_equal(first, third)


def test_a_line_is_a_file_or_an_array(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    path = tmp_path / "a photo.png"
    path.write_bytes(encoded(LARGE))
    assert np.array_equal(FEATURES.parse(str(path)), LARGE)
    assert FEATURES.parse("[[1, 2], [3, 4]]") == [[1, 2], [3, 4]]
    odd = tmp_path / "[1, 2].png"
    odd.write_bytes(encoded(LARGE))
    assert np.array_equal(FEATURES.parse(str(odd)), LARGE)
    for line in (
        "x" * 5000,
        "x" * 5000 + ".jpg",
        "a\0.jpg",
        "none.jpg",
        "a film to remember",
        "",
        "[1, 2",
    ):
        with pytest.raises(UsageError, match=r"no such file|no image file|not JSON"):
            FEATURES.parse(line)


def test_the_contract_tells_the_size() -> None:
    (told,) = FEATURES.inputs
    assert (told["dtype"], told["kind"], told["crop"]) == ("uint8", "photo", "8 x 6")
