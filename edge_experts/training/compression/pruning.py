"""Magnitude pruning: the smallest weights become zero gradually, while the others are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.sparsity import keras as sparsity_of_keras

from ...compression import TWO_OF_FOUR
from ...errors import UnsuitableError
from .tuning import Tuning, copied, like

_PRUNINGS = 50  # number of pruning steps, spread over the first two thirds of the fine-tuning
_MOST_SPARSE = 0.99
_BLOCK = (2, 4)


def prune(network: tf_keras.Model, tuning: Tuning, *, sparsity: float | str) -> tf_keras.Model:
    """Prune by magnitude until a share of the weights is zero, or two of every four are.

    All layers have the same share of zeros, which grows as in Zhu and Gupta, 2017 (To prune, or not
    to prune), by tfmot's PolynomialDecay. "2:4" (Mishra et al., 2021, Accelerating sparse deep
    neural networks) applies to Dense and Conv2D layers with a multiple of four inputs, from the
    first step on. Biases, and layers that tfmot does not support (DepthwiseConv2D), are unchanged.

    Raises:
        UnsuitableError: no layer of the network supports this.
    """
    every = max(1, tuning.steps * 2 // 3 // _PRUNINGS)
    # A multiple, so that the last step of the schedule prunes.
    end = every * max(1, tuning.steps * 2 // 3 // every)
    options: dict[str, Any]
    suits: Callable[[tf_keras.layers.Layer], Any]
    if sparsity == TWO_OF_FOUR:
        suits, why = _in_fours, "none of its layers is Dense or Conv2D with a multiple of 4 inputs"
        # The choice of two in four may change during the same steps as in the other schedule.
        options = {
            "pruning_schedule": sparsity_of_keras.ConstantSparsity(0.5, 0, end, every),
            "sparsity_m_by_n": _BLOCK,
        }
    else:
        suits, why = _prunable, "none of its layers can be pruned by tensorflow-model-optimization"
        options = {
            "pruning_schedule": sparsity_of_keras.PolynomialDecay(
                0.0, float(sparsity), begin_step=0, end_step=end, frequency=every
            )
        }
    if not any(suits(layer) for layer in network.layers):
        raise UnsuitableError(f"{why}; remove pruning")

    def wrapped(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        if not suits(layer):
            return layer
        return sparsity_of_keras.prune_low_magnitude(layer, **options)

    pruned = tf_keras.models.clone_model(copied(network), clone_function=wrapped)
    tuning.fit(pruned, sparsity_of_keras.UpdatePruningStep(), settled=end, stage="pruning")
    return copied(sparsity_of_keras.strip_pruning(pruned))


def sparsity_for(network: tf_keras.Model, nonzero: int) -> float:
    """Share of zeros that leaves about this number of nonzero parameters."""
    prunable = sum(
        weight.shape.num_elements() for layer in network.layers for weight in _prunable(layer)
    )
    kept = nonzero - (network.count_params() - prunable)
    return float(np.clip(1 - kept / max(1, prunable), 0, _MOST_SPARSE))


def _prunable(layer: tf_keras.layers.Layer) -> list[tf.Variable]:
    """Weights of a layer that tfmot can prune."""
    if isinstance(layer, tf_keras.layers.InputLayer) or not layer.weights:
        return []
    if hasattr(layer, "get_prunable_weights"):
        return list(layer.get_prunable_weights())
    try:
        # A copy, because tfmot adds a method to the layer.
        wrapper = sparsity_of_keras.prune_low_magnitude(like(layer))
    except ValueError:
        return []
    wrapper.layer.build(layer.input_shape)
    return list(wrapper.layer.get_prunable_weights())


def _in_fours(layer: tf_keras.layers.Layer) -> bool:
    dense = isinstance(layer, tf_keras.layers.Dense | tf_keras.layers.Conv2D)
    depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
    return dense and not depthwise and layer.kernel.shape[-2] % _BLOCK[1] == 0
