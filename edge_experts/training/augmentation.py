"""Random changes of the inputs of a batch that keep the label, different in each epoch.

The random numbers depend on the seed and the step (`randomness.py`), so that a resumed training
repeats them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..features import Features, SoundFeatures
from . import photo_augmentation, sound_augmentation

Change = Callable[[Mapping[str, Any]], dict[str, Any]]

# What is told of each kind of data that can be augmented.
AUGMENTED = {"photo": photo_augmentation.SENTENCE, "sound": sound_augmentation.SENTENCE}


def augmentation(dataset: Dataset, features: Features, x: np.ndarray) -> Change:
    """Return a function that changes the encoded inputs of a batch.

    Args:
        x: encoded inputs of the training split.
    """
    if isinstance(features, SoundFeatures):
        return sound_augmentation.SoundAugmentation.of(dataset, features, x).augmented
    return photo_augmentation.augmented
