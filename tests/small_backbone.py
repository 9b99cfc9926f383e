"""A small network of Keras in the place of a pretrained one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SIDE = 16
UNITS = 12


def network(
    keras: Any, *, side: int | None = SIDE, channels: int = 3, rescaling: bool = True
) -> Any:
    """Two convolutions with batch normalization, pooling, dropout, and a softmax of 5 labels."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    inputs = keras.Input((side, side, channels))
    output = layers.Rescaling(1 / 127.5, -1, name="scale")(inputs) if rescaling else inputs
    for place, filters in enumerate((8, UNITS)):
        output = layers.Conv2D(filters, 3, 2, "same", use_bias=False)(output)
        normalized = layers.BatchNormalization(name=f"norm_{place}")
        output = layers.ReLU(6.0, name=f"relu_{place}")(normalized(output))
        normalized.set_weights([np.full(filters, value) for value in (1.2, 0.1, 0.05, 0.3)])
    output = layers.GlobalAveragePooling2D(name="pool")(output)
    output = layers.Dropout(0.5)(output)
    return keras.Model(inputs, layers.Dense(5, "softmax", name="classifier")(output))


def write(path: Path, **options: Any) -> Path:
    """Save the network."""
    import edge_experts.training  # noqa: F401  sets up Keras before TensorFlow is imported
    import tf_keras  # isort: skip

    network(tf_keras, **options).save(path)
    return path
