"""Photos are changed at random in training, and the same in a resumed training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_experts.errors import UsageError
from tests.photos import LABELS, drawn


def _photos(count: int = 6) -> np.ndarray:
    random = np.random.default_rng(0)
    made = [drawn(label, random)[:40, :40] for label in LABELS * (count // len(LABELS))]
    photos: np.ndarray = (np.stack(made) / 64).astype(np.float32)
    return photos


def _changed(photos: np.ndarray, step: int, seed: int = 0) -> np.ndarray:
    import tensorflow as tf

    from edge_experts.training.photo_augmentation import augmented
    from edge_experts.training.randomness import by_step, deterministic, reseed

    reseed(0)
    with deterministic(), by_step(tf.Variable(step, dtype=tf.int64), seed):
        made: np.ndarray = augmented({"x": tf.constant(photos)})["x"].numpy()
    return made


def test_a_step_repeats_its_changes_and_others_have_other_ones() -> None:
    photos = _photos()
    first = _changed(photos, 3)
    assert first.shape == photos.shape
    assert np.array_equal(first, _changed(photos, 3))
    assert not np.array_equal(first, _changed(photos, 4))
    assert not np.array_equal(first, _changed(photos, 3, seed=1))


def test_each_photo_is_changed_on_its_own_and_stays_itself() -> None:
    photos = np.repeat(_photos(3)[:1], 64, axis=0)
    made = _changed(photos, 0)
    assert len({photo.tobytes() for photo in made}) == 64
    # Mirrored about half of the time; otherwise more like the photo than like its mirror image.
    flat = made.reshape(64, -1)
    correlation = [
        [np.corrcoef(one, other.ravel())[0, 1] for other in (photos[0], photos[0][:, ::-1])]
        for one in flat
    ]
    mirrored = np.argmax(correlation, axis=1)
    assert 16 <= mirrored.sum() <= 48
    assert np.max(correlation, axis=1).min() > 0.3
    # What comes in at the border is mirrored, not black.
    assert made.min() > photos.min() - 1.5


def test_other_inputs_stay() -> None:
    import tensorflow as tf

    from edge_experts.training.photo_augmentation import augmented

    other = tf.constant([[1.0]])
    made = augmented({"x": tf.constant(_photos(3)), "other": other})
    assert made["other"] is other


def test_it_is_for_photos_only(tmp_path: Path) -> None:
    from edge_experts.datasets import from_arrays
    from edge_experts.training import TrainConfig, train

    random = np.random.default_rng(0)
    x, y = random.random((80, 3)), np.arange(80) % 2
    dataset = from_arrays("numbers", x[:60], y[:60], x[60:], y[60:])
    with pytest.raises(UsageError, match="--augment is for photos"):
        train(dataset, tmp_path / "a.run", TrainConfig(augment=True))
