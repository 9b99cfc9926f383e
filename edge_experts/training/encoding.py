"""Features of a training, fitted to its training split."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset
from ..features import (
    ArrayFeatures,
    Features,
    PhotoFeatures,
    SoundFeatures,
    TableFeatures,
    TextFeatures,
)
from ..features.text import TextSettings

_FINE_BITS = 14


def fit_features(
    dataset: Dataset,
    classes: np.ndarray | None = None,
    *,
    fine: bool = False,
    scale: tuple[float, float] | None = None,
) -> Features:
    """Build the features for a kind of data, and fit them to the training split.

    Args:
        classes: classes of the training examples, (examples,) int64, by which informative n-grams
            of texts are selected; the targets if None.
        fine: True if ids of n-grams may exceed their buckets, as the default networks allow. A
            custom network may look them up in a table of exactly that many rows.
        scale: mean and deviation of arrays and photos; None: those of the training split.
    """
    train = dataset.train
    if dataset.kind == "text":
        settings = TextSettings(fine_bits=_FINE_BITS if fine else 0)
        classes = train.targets if classes is None else classes
        return TextFeatures.fit(list(train.inputs), classes, settings)
    if not isinstance(train.inputs, np.ndarray):
        return TableFeatures.fit(train.inputs, dataset.types)
    if dataset.resizing is not None:
        return PhotoFeatures.of_photos(train.inputs, dataset.resizing, scale=scale)
    if dataset.log_mel is not None:
        return SoundFeatures.of_windows(train.inputs, dataset.log_mel)
    if scale is not None:
        return ArrayFeatures.scaled(train.inputs, scale, kind=dataset.kind)
    channels = not (dataset.kind == "image" and train.inputs.ndim == 3)
    return ArrayFeatures.fit(
        train.inputs, channels=channels, kind=dataset.kind, stream=dataset.stream
    )
