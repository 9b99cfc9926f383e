"""Augmentation of sounds, on their log-mel spectra.

A spectrum is shifted in time, made faster or slower, moved in frequency as by another voice,
filtered as by another voice, room or microphone, made louder or softer, and mixed with noise: the
powers of sound and noise add up. The noise is that of the training's own recordings, and a random
one of any colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..datasets import Dataset
from ..datasets.sounds.sound_set import NOISE
from ..features import SoundFeatures

SENTENCE = (
    "Training changes sounds at random: shifted, faster or slower, higher or lower, louder or "
    "softer, with noise. To turn it off, use --no-augment"
)
_SHIFT = 0.25  # of the window, at most: a stream has words anywhere
_TEMPO, _PITCH = 0.2, 0.12  # faster or slower, and bands further apart or nearer, at most
_FILTER = (1.5, 1.0, 0.7)  # nats of power of cosines over the bands, of 1/2, 1 and 3/2 turns
_GAIN = 2.3  # nats of power, 10 dB, at most
_NOISY = 0.8  # share of the examples that noise is added to
_RATIO = (0.5, 8.0)  # nats of the sound's loudest tenth above the noise: 2 to 35 dB
_SLOPE = 4.0  # nats between the lowest and the highest band of random noise, at most
_ROUGH = 0.5  # deviation of a value of random noise, in nats
_LOUDEST = 10  # a tenth
_MOST_NOISE = 2000  # recorded windows that are kept


@dataclass(frozen=True)
class SoundAugmentation:
    """Changes for one training.

    Attributes:
        mean, deviation: of the features, (bands,).
        noise: recorded noise, (windows, frames, bands), as logarithms of power; may be empty.
    """

    mean: np.ndarray
    deviation: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset, features: SoundFeatures, x: np.ndarray) -> SoundAugmentation:
        """Take the scale of the features, and the noise of the training split `x`."""
        mean, deviation = (features.arrays[name] for name in ("mean", "deviation"))
        rows = np.zeros(0, int)
        if NOISE in dataset.labels:
            rows = np.flatnonzero(dataset.train.targets == dataset.labels.index(NOISE))
        rows = rows[:: 1 + len(rows) // _MOST_NOISE]
        return cls(mean, deviation, (x[rows] * deviation + mean).astype(np.float32))

    def augmented(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Change the spectra `x`, (rows, frames, bands) standardized; others stay."""
        power = _moved(inputs["x"]) * self.deviation + self.mean
        power = _filtered(power)
        rows = tf.shape(power)[0]
        power = _mixed(power, self._noise(power))
        power = tf.maximum(power + _uniform(rows, -_GAIN, _GAIN), 0.0)
        return {**inputs, "x": (power - self.mean) / self.deviation}

    def _noise(self, power: tf.Tensor) -> tf.Tensor:
        """Noise for each spectrum, at a random level below its loudest values."""
        rows, bands = tf.shape(power)[0], power.shape[2]
        slope = tf.linspace(-0.5, 0.5, bands) * _uniform(rows, -_SLOPE, _SLOPE)
        noise = slope + tf.random.normal(tf.shape(power), stddev=_ROUGH)
        if len(self.noise):
            places = tf.random.uniform((rows,), 0, len(self.noise), tf.int32)
            recorded = tf.gather(tf.constant(self.noise), places)
            recorded -= tf.reduce_mean(recorded, axis=[1, 2], keepdims=True)
            noise = tf.where(_uniform(rows, 0, 1) < 0.5, recorded, noise)
        level = _loudest(power) - _uniform(rows, *_RATIO)
        silent = tf.where(_uniform(rows, 0, 1) < _NOISY, 0.0, -1e3)
        return noise + level + silent


def _moved(spectra: tf.Tensor) -> tf.Tensor:
    """Shift, stretch in time and in frequency; what comes in at the border repeats it."""
    rows = tf.shape(spectra)[0]
    frames, bands = spectra.shape[1], spectra.shape[2]
    tempo, pitch = (1 + _uniform(rows, -most, most)[:, 0, 0] for most in (_TEMPO, _PITCH))
    shift = _uniform(rows, -_SHIFT, _SHIFT)[:, 0, 0] * frames
    zero = tf.zeros_like(tempo)
    top = shift + (1 - tempo) * (frames - 1) / 2
    transforms = tf.stack([pitch, zero, zero, zero, tempo, top, zero, zero], axis=1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=spectra[..., None],
        transforms=transforms,
        output_shape=(frames, bands),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    return moved[..., 0]


def _filtered(power: tf.Tensor) -> tf.Tensor:
    """Multiply the power of each band by a smooth random curve; silence stays silence."""
    rows, bands = tf.shape(power)[0], power.shape[2]
    turns = np.pi * (np.arange(bands, dtype=np.float32) + 0.5) / bands
    curves = [
        tf.constant(np.cos(place * turns)) * _uniform(rows, -most, most)
        for place, most in enumerate(_FILTER, 1)
    ]
    return tf.math.log1p(tf.math.expm1(tf.maximum(power, 0.0)) * tf.exp(tf.add_n(curves)))


def _mixed(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Logarithm of the sum of two powers."""
    high, low = tf.maximum(first, second), tf.minimum(first, second)
    return high + tf.math.log1p(tf.exp(low - high))


def _loudest(power: tf.Tensor) -> tf.Tensor:
    """Mean of the loudest tenth of each spectrum, (rows, 1, 1)."""
    flat = tf.reshape(power, (-1, power.shape[1] * power.shape[2]))
    values = tf.math.top_k(flat, flat.shape[1] // _LOUDEST).values
    return tf.reduce_mean(values, axis=1)[:, None, None]


def _uniform(rows: tf.Tensor, low: float, high: float) -> Any:
    return tf.random.uniform((rows, 1, 1), low, high)
