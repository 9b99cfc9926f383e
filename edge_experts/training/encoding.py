"""Features of a training, fitted to its training split."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset
from ..features import ArrayFeatures, Features, TableFeatures, TextFeatures
from ..features.text import TextSettings

_FINE_BITS = 14


def fit_features(
    dataset: Dataset, classes: np.ndarray | None = None, *, fine: bool = False
) -> Features:
    """The features for a kind of data, with what they learn from the training split.

    Args:
        classes: of the training examples, (examples,) int64, by which n-grams of texts are told to
            be telling; the targets if None.
        fine: whether ids of n-grams may lie beyond their buckets, as our own networks take them; a
            user's may look them up in a table of just so many rows.
    """
    train = dataset.train
    if dataset.kind == "text":
        settings = TextSettings(fine_bits=_FINE_BITS if fine else 0)
        classes = train.targets if classes is None else classes
        return TextFeatures.fit(list(train.inputs), classes, settings)
    if not isinstance(train.inputs, np.ndarray):
        return TableFeatures.fit(train.inputs, dataset.types)
    channels = not (dataset.kind == "image" and train.inputs.ndim == 3)
    return ArrayFeatures.fit(train.inputs, channels=channels, kind=dataset.kind)
