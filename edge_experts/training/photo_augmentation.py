"""Augmentation of photos: random changes that keep the label, different in each epoch.

Each photo of a batch is mirrored, shifted, enlarged or reduced, turned a little, and changed in
brightness and contrast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

SENTENCE = (
    "Training changes photos at random: mirrored, shifted, turned a little, brighter or darker. "
    "Where a mirrored photo has another label, as of arrows or letters, use --no-augment"
)
_SHIFT = 0.1  # of a side, at most
_ZOOM = 0.15  # enlarged or reduced by this share, at most
_TURN = 0.15  # radians, at most
_BRIGHTNESS, _CONTRAST = 0.25, 0.2  # in standard deviations of the pixels, and as a share


def augmented(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Change the photos `x`, (rows, height, width, channels) standardized; others stay."""
    return {**inputs, "x": _lit(_moved(inputs["x"]))}


def _moved(photos: tf.Tensor) -> tf.Tensor:
    """Mirror, turn, zoom and shift; what comes in at the border is mirrored."""
    rows = tf.shape(photos)[0]
    height, width = photos.shape[1], photos.shape[2]
    angle = _uniform(rows, _TURN)
    zoom = 1 + _uniform(rows, _ZOOM)
    mirror = tf.sign(tf.random.uniform((rows,)) - 0.5)
    cosine, sine = tf.cos(angle) * zoom, tf.sin(angle) * zoom
    a, b = mirror * cosine, -sine
    c, d = mirror * sine, cosine
    # The middle stays in the middle, but for the shift.
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    left = middle_x - a * middle_x - b * middle_y + _uniform(rows, _SHIFT) * width
    top = middle_y - c * middle_x - d * middle_y + _uniform(rows, _SHIFT) * height
    zero = tf.zeros_like(a)
    transforms = tf.stack([a, b, left, c, d, top, zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=photos,
        transforms=transforms,
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _lit(photos: tf.Tensor) -> tf.Tensor:
    """Change brightness and contrast."""
    rows = tf.shape(photos)[0]
    brightness = _uniform(rows, _BRIGHTNESS)[:, None, None, None]
    contrast = 1 + _uniform(rows, _CONTRAST)[:, None, None, None]
    return photos * contrast + brightness


def _uniform(rows: tf.Tensor, most: float) -> Any:
    return tf.random.uniform((rows,), -most, most)
