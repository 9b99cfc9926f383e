"""Sounds are changed at random in training, and noise is added in power."""

from __future__ import annotations

import numpy as np

from edge_experts.features import SoundFeatures
from edge_experts.features.log_mel import LogMel
from tests.sounds import RATE, made, noise


def _changed(step: int, with_noise: bool = True) -> tuple[np.ndarray, np.ndarray]:
    import tensorflow as tf

    from edge_experts.training.randomness import by_step, deterministic, reseed
    from edge_experts.training.sound_augmentation import SoundAugmentation

    random = np.random.default_rng(0)
    log_mel = LogMel.of(RATE, RATE // 2)
    plain = SoundFeatures(log_mel, np.zeros(()), np.ones(()))
    windows = np.stack([plain.window(made("chirp", random)[:, 0]) for _ in range(64)])
    features = SoundFeatures.of_windows(windows, log_mel)
    x = np.concatenate([features.encode(window)["x"] for window in windows])
    mean, deviation = features.arrays["mean"], features.arrays["deviation"]
    recorded = plain.encode(noise(0.5, random)[:, 0])["x"][: int(with_noise)]
    change = SoundAugmentation(mean, deviation, recorded)
    reseed(0)
    with deterministic(), by_step(tf.Variable(step, dtype=tf.int64), 0):
        found = change.augmented({"x": tf.constant(x), "other": tf.constant(x[:, 0])})
    assert np.array_equal(found["other"], x[:, 0])
    return x * deviation + mean, found["x"].numpy() * deviation + mean


def test_a_step_repeats_its_changes_and_others_have_other_ones() -> None:
    before, first = _changed(3)
    assert first.shape == before.shape
    assert np.isfinite(first).all()
    assert np.array_equal(first, _changed(3)[1])
    assert not np.array_equal(first, _changed(4)[1])


def test_sounds_are_shifted_and_quiet_parts_get_noise() -> None:
    before, after = _changed(0, with_noise=False)
    centre = np.arange(before.shape[1])[None, :]

    def middles(power: np.ndarray) -> np.ndarray:
        loud = np.exp(power).sum(axis=2)
        found: np.ndarray = (loud * centre).sum(axis=1) / loud.sum(axis=1)
        return found

    moved = abs(middles(after) - middles(before))
    assert 1 < moved.mean() < 0.25 * before.shape[1]
    assert np.median(after.min(axis=(1, 2))) > np.median(before.min(axis=(1, 2)))
    assert (after >= -1e-3).all()


def test_a_filter_is_smooth_the_same_in_all_frames_and_leaves_silence() -> None:
    import tensorflow as tf

    from edge_experts.training.sound_augmentation import _FILTER, _filtered

    power = np.full((50, 6, 40), 12.0, np.float32)
    power[:, 3] = 0
    change = _filtered(tf.constant(power)).numpy() - power
    assert not change[:, 3].any()
    assert np.allclose(change[:, :1], change[:, [1, 2, 4, 5]], atol=1e-3)
    assert 0.5 < change.std(axis=0).mean() < sum(_FILTER)
    assert abs(change).max() <= sum(_FILTER) + 1e-3
    assert abs(np.diff(change, axis=2)).max() < 0.5
