"""Networks of this benchmark: MobileNetV2 without weights from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import edge_experts.training  # noqa: F401  sets up Keras before TensorFlow is imported

import tf_keras  # isort: skip


def mobile_net(path: Path, side: int, alpha: float, seed: int, labels: int = 0) -> Path:
    """Write an untrained MobileNetV2 of photos, (side, side, 3) from 0 to 255.

    Args:
        labels: outputs of its classifier; 0 for a network of feature maps.
    """
    if not path.exists():
        tf_keras.utils.set_random_seed(seed)
        body = tf_keras.applications.MobileNetV2(
            (side, side, 3), alpha, include_top=False, weights=None
        )
        inputs = tf_keras.Input((side, side, 3))
        output = body(tf_keras.layers.Rescaling(1 / 127.5, -1)(inputs))
        if labels:
            output = tf_keras.layers.GlobalAveragePooling2D()(output)
            output = tf_keras.layers.Dense(labels)(output)
        tf_keras.Model(inputs, output).save(path)
    return path


def small_network(labels: int, shape: tuple[int, int, int] = (28, 28, 1)) -> Any:
    """An untrained network of MobileNet's blocks for images of this shape, from 0 to 255."""
    layers = tf_keras.layers
    inputs = tf_keras.Input(shape)
    output = layers.Rescaling(1 / 127.5, -1)(inputs)
    output = _normalized(layers.Conv2D(16, 3, 2, "same", use_bias=False)(output))
    for filters, stride in ((32, 2), (48, 1), (64, 2)):
        depthwise = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)
        output = _normalized(depthwise(output))
        output = _normalized(layers.Conv2D(filters, 1, use_bias=False)(output))
    output = layers.GlobalAveragePooling2D(name="features")(output)
    output = layers.Dense(labels, "softmax", name="classifier")(output)
    return tf_keras.Model(inputs, output)


def _normalized(output: Any) -> Any:
    return tf_keras.layers.ReLU(6.0)(tf_keras.layers.BatchNormalization(momentum=0.9)(output))
