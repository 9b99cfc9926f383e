"""Experts of a translation as one Keras model, which is saved in a run folder."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from . import router
from .network import Size, Translator


@tf_keras.saving.register_keras_serializable("edge_experts")
class Translators(tf_keras.Model):
    """Translators of one size, one for each language or domain of one, or one for all.

    Called with a translator's inputs; returns a list of their outputs.

    Args:
        routed: True if a `router` routes among the experts of a language; else it is None.
    """

    combine, top_k = "top", 1

    def __init__(
        self,
        size: Size | dict[str, Any],
        experts: int,
        dropout: float,
        routed: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.size = size if isinstance(size, Size) else Size(**size)
        self.dropout = dropout
        self.experts = [
            Translator(self.size, dropout, name=f"expert_{index}") for index in range(experts)
        ]
        self.router = router.build(self.size, experts) if routed else None
        self(_example(self.size))  # creates all weights

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        return [expert(inputs, training=training) for expert in self.experts]

    def get_config(self) -> dict[str, Any]:
        return {
            "size": asdict(self.size),
            "experts": len(self.experts),
            "dropout": self.dropout,
            "routed": self.router is not None,
            "name": self.name,
        }

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Do nothing: the networks are built already."""


def translator(size: Size, dropout: float, precision: str = "float32") -> Translator:
    """Build one translator with float32 weights, which computes in `precision`."""
    before = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(
        precision if precision == "float32" else f"mixed_{precision}"
    )
    try:
        network = Translator(size, dropout)
        network(_example(size))
    finally:
        tf_keras.mixed_precision.set_global_policy(before)
    return network


def _example(size: Size) -> dict[str, tf.Tensor]:
    return {
        "source": tf.zeros((1, 2), tf.int32),
        "mask": tf.zeros((1, 1, 1, 2)),
        "target": tf.constant(np.zeros((1, 2), np.int32)),
    }
