"""Layers of the default networks that Keras does not have."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

# tf_keras 2.19 does not find this class of its own when it reads a file.
tf_keras.utils.get_custom_objects()["SpectralNormalization"] = tf_keras.layers.SpectralNormalization


@tf_keras.saving.register_keras_serializable("edge_experts")
class WeightedBag(tf_keras.layers.Layer):
    """A weighted sum of embeddings: out = sum_j weights[j] * table[ids[j] mod buckets] + bias.

    Called with `[ids, weights]`, (batch, length) int32 and float32; returns (batch, units). It is
    the EmbeddingBag with per-sample weights of PyTorch.

    Args:
        buckets: rows of the table; larger ids share rows.
        units: columns of the table.
        dropout: share of the n-grams that is dropped in training.
    """

    def __init__(self, buckets: int, units: int, *, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.buckets, self.units, self.dropout = buckets, units, dropout

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(
            name="table",
            shape=(self.buckets, self.units),
            initializer=tf_keras.initializers.RandomNormal(stddev=0.01),
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: Any, training: bool | None = False) -> tf.Tensor:
        ids, weights = inputs
        if training and self.dropout:
            weights = tf.nn.dropout(weights, self.dropout)
        rows = tf.gather(self.table, tf.math.floormod(ids, self.buckets))
        # One batched product, whose int8 sum is accumulated in 32 bits; a multiplication and a sum
        # would round every term.
        return tf.einsum("bl,blu->bu", weights, rows) + self.bias

    def get_prunable_weights(self) -> list[tf.Variable]:
        """Weights that tfmot may prune (its protocol PrunableLayer)."""
        return [self.table]

    def get_clusterable_weights(self) -> list[tuple[str, tf.Variable]]:
        """Weights that tfmot may cluster (its ClusterableLayer)."""
        return [("table", self.table)]

    def get_clusterable_algorithm(self, weight_name: str) -> None:
        """Default clustering, as for other weights."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "buckets": self.buckets,
            "units": self.units,
            "dropout": self.dropout,
        }


@tf_keras.saving.register_keras_serializable("edge_experts")
class InRange(tf_keras.layers.Wrapper):
    """A layer whose outputs are rounded to int8 within a range, as after conversion.

    The range is from quantization-aware training; the converter uses it for the scale.
    """

    def __init__(self, layer: tf_keras.layers.Layer, low: float, high: float, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.low, self.high = low, high

    def call(self, inputs: Any) -> tf.Tensor:
        return tf.quantization.fake_quant_with_min_max_args(
            self.layer(inputs), min=self.low, max=self.high
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}


@tf_keras.saving.register_keras_serializable("edge_experts")
class Operations(tf_keras.layers.Layer):
    """A network without parameters as one layer.

    Args:
        network: of the operations that another layer's Python function calls.
    """

    def __init__(self, network: tf_keras.Model, **options: Any):
        super().__init__(**options)
        self.network = network

    def call(self, inputs: Any) -> Any:
        return self.network(inputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask is passed on, as by a Lambda."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "network": tf_keras.saving.serialize_keras_object(self.network),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Operations:
        config = dict(config)
        network = tf_keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)
