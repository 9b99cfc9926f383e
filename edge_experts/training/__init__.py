"""Training of sparse expert models with Keras, on the host."""

from __future__ import annotations

from ..keras_setup import import_keras

import_keras()

# Saved models name these; Keras finds them once they are registered.
from . import activations as activations  # noqa: E402
from . import layers as layers  # noqa: E402
from .adoption import adopt  # noqa: E402
from .config import TrainConfig  # noqa: E402
from .default_settings import config_for  # noqa: E402
from .extension.extension import extend  # noqa: E402
from .model import SparseExperts  # noqa: E402
from .trainer import train  # noqa: E402

__all__ = ["SparseExperts", "TrainConfig", "adopt", "config_for", "extend", "train"]
