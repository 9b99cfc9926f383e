"""A router with one more output, whose previous decisions are preserved."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

from ...errors import UsageError


def widened(router: tf_keras.Model) -> tf_keras.Model:
    """Copy a router with one more output, the last one; trained weights are copied.

    The weights of the new output are drawn at random, as in a new layer.

    Raises:
        UsageError: the router's last layer does not have a unit for each expert.
    """
    gate = gate_of(router.output)
    experts, last = gate.shape[-1], gate.node.layer
    if last.get_config().get("units") != experts:
        raise UsageError(
            f"the router's last layer, {last.name!r}, has no `units`, so it cannot be widened by "
            "an expert; end it in a Dense layer, and train again"
        )

    def one_more(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        config = layer.get_config()
        if layer is last:
            config["units"] = experts + 1
        return type(layer).from_config(config)

    made = tf_keras.models.clone_model(router, clone_function=one_more)
    for old, new in zip(router.layers, made.layers, strict=True):
        new.set_weights(
            [_carried(*pair) for pair in zip(old.get_weights(), new.get_weights(), strict=True)]
        )
    return made


def gate_of(outputs: Any) -> Any:
    """Logits of the gate among a router's outputs, which may be named."""
    return outputs["gate"] if isinstance(outputs, dict) else outputs


def _carried(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    if old.shape == new.shape:
        return old
    return np.concatenate([old, new[..., old.shape[-1] :]], axis=-1)
