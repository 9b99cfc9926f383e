"""Train sparse expert models with Keras, on the host."""

from __future__ import annotations

from ._keras import import_keras

import_keras()

from .model import SparseExperts  # noqa: E402
from .trainer import TrainConfig, train  # noqa: E402

__all__ = ["SparseExperts", "TrainConfig", "train"]
