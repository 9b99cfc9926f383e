"""Quantization-aware training: adapts a network to the rounding of int8."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.experimental import combine
from tensorflow_model_optimization.quantization import keras as quantization

from ...errors import UnsuitableError
from ..layers import InRange
from .tuning import Arrays, Tuning, copied, last_name, like

_SEEN = 1000  # examples for the initial ranges


def quantization_aware(
    network: tf_keras.Model,
    tuning: Tuning,
    *,
    keep_zeros: bool = False,
    keep_clusters: bool = False,
) -> tf_keras.Model:
    """Quantization-aware training (Jacob et al., 2018) of the layers that tfmot supports.

    The result is a plain network with the trained weights, and the ranges of activations as
    `InRange` layers, from which the converter takes its int8 scales. Layers that tfmot does not
    support, and those with ids as inputs, get their scales from the calibration set.

    Args:
        keep_zeros: zeros stay zeros (tfmot's PQAT); layers that it does not support are unchanged.
        keep_clusters: likewise, a layer keeps its number of values (CQAT; both: PCQAT).

    Raises:
        UnsuitableError: no layer with weights is supported, or tfmot lost the zeros or clusters.
    """
    keeping = keep_zeros or keep_clusters
    scheme = _scheme(keep_zeros, keep_clusters)
    registries = [quantization.default_8bit.Default8BitQuantizeScheme().get_quantize_registry()]
    registries += [scheme.get_quantize_registry()] if keeping else []
    annotated = []

    def annotate(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        inputs = tf.nest.flatten(layer.input)
        floats = all(tensor.dtype.is_floating for tensor in inputs)
        if isinstance(layer, tf_keras.layers.InputLayer) or not floats:
            return layer
        if not all(registry.supports(layer) for registry in registries):
            return layer
        annotated.append(layer)
        return quantization.quantize_annotate_layer(layer)

    plan = tf_keras.models.clone_model(copied(network), clone_function=annotate)
    if not any(layer.weights for layer in annotated):
        raise UnsuitableError(
            "none of its layers can be trained for int8 by tensorflow-model-optimization; remove "
            "quantization-aware"
        )
    try:
        with quantization.quantize_scope():
            aware = quantization.quantize_apply(plan, scheme)
    except (ValueError, RuntimeError) as error:  # an unsupported activation, or way to join layers
        raise UnsuitableError(
            f"tensorflow-model-optimization cannot train it for int8: {error}"
        ) from None
    _start_ranges(aware, network, tuning.inputs)
    if keeping:
        for layer in aware.layers:
            layer.trainable = isinstance(layer, quantization.QuantizeWrapperV2)
    tuning.fit(aware, stage="quantization-aware")
    made = _plain(aware)
    _refuse_lost(network, made, zeros=keep_zeros, clusters=keep_clusters)
    return made


def _scheme(keep_zeros: bool, keep_clusters: bool) -> Any:
    if keep_clusters:
        return combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=keep_zeros)
    if keep_zeros:
        return combine.Default8BitPrunePreserveQuantizeScheme()
    return quantization.default_8bit.Default8BitQuantizeScheme()


def _refuse_lost(
    before: tf_keras.Model, after: tf_keras.Model, *, zeros: bool, clusters: bool
) -> None:
    """Raise UnsuitableError if a kernel lost zeros, or has more values than before."""
    for layer, now in _kernels(before, after):
        if zeros and np.any(now[layer == 0]):
            raise UnsuitableError("tensorflow-model-optimization did not preserve its zeros")
        if clusters and len(np.unique(now)) > len(np.unique(layer)):
            raise UnsuitableError("tensorflow-model-optimization did not preserve its clusters")


def _kernels(before: tf_keras.Model, after: tf_keras.Model) -> list[tuple[np.ndarray, np.ndarray]]:
    """Largest weights of every layer, before and after."""
    named = {layer.name.removeprefix("quant_"): layer for layer in after.layers}
    return [
        (max(layer.get_weights(), key=np.size), max(named[layer.name].get_weights(), key=np.size))
        for layer in before.layers
        if layer.weights and layer.name in named
    ]


def _start_ranges(aware: tf_keras.Model, network: tf_keras.Model, inputs: Arrays) -> None:
    """Initialize ranges from the network's activations.

    tfmot initializes all of them to -6 to 6, and updates them by a thousandth in each step, which
    would need thousands of steps.
    """
    seen = {name: array[:_SEEN] for name, array in inputs.items()}
    outputs = {layer.name: layer.output for layer in network.layers}
    for layer in aware.layers:
        limits = _limits(layer)
        name = layer.name.removeprefix("quant_")
        if not isinstance(layer, quantization.QuantizeWrapperV2) and limits:
            # It rounds its input, whose name is that of the previous layer.
            name = layer.inbound_nodes[0].inbound_layers.name
        if not limits or name not in outputs:
            continue
        values = tf_keras.Model(network.inputs, outputs[name]).predict(
            seen, batch_size=_SEEN, verbose=0
        )
        for variable, value in zip(limits, (values.min(), values.max()), strict=True):
            variable.assign(value)


def _plain(aware: tf_keras.Model) -> tf_keras.Model:
    """The network without the wrappers of tfmot, whose .keras files cannot be read again."""
    trained: list[tuple[tf_keras.layers.Layer, tf_keras.layers.Layer]] = []

    def unwrapped(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        ranges = [float(variable) for variable in _limits(layer)]
        if isinstance(layer, quantization.QuantizeWrapperV2):
            made = _without_quantizers(layer.layer)
            trained.append((made, layer))
        elif ranges:
            made = tf_keras.layers.Activation("linear")
        else:
            made = like(layer)
            trained.append((made, layer))
        return InRange(made, *ranges, name=layer.name) if ranges else made

    plain = tf_keras.models.clone_model(aware, clone_function=unwrapped)
    for made, layer in trained:
        values = {last_name(weight): weight.numpy() for weight in layer.weights}
        made.set_weights([values[last_name(weight)] for weight in made.weights])
    return plain


def _limits(layer: tf_keras.layers.Layer) -> list[tf.Variable]:
    """Variables with the range of a layer's output, if tfmot gave it one."""
    named = {last_name(weight): weight for weight in layer.weights}
    for what in ("post_activation", "output", layer.name):
        if f"{what}_min" in named:
            return [named[f"{what}_min"], named[f"{what}_max"]]
    return []


def _without_quantizers(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    settings = layer.get_config()
    inner = getattr(getattr(layer, "activation", None), "activation", None)
    if inner is not None:
        settings["activation"] = tf_keras.activations.serialize(inner)
    with quantization.quantize_scope():
        return type(layer).from_config(settings)
