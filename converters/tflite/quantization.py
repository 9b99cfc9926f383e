"""Keras networks to TFLite bytes. Each recipe is a small function that sets up the converter.

Imported in the worker process only: it needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from unittest import mock

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.lite.python import lite

from ..recipes import RECIPE_NAMES
from . import activations, calibration, dense
from .one_input import answering, signature

Samples = Mapping[str, np.ndarray]  # named arrays, (examples, ...)


def float32(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Weights and arithmetic as trained."""


def float16(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Weights halved; the interpreter computes in float32."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def dynamic(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Weights as int8, activations quantized as they come."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # Per-channel dense layers would become FULLY_CONNECTED version 12, which tflite-runtime 2.14
    # does not have.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def int8(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Weights and activations as int8, the ranges taken from representative samples."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _one_by_one(samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def int16x8(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Weights as int8, activations as int16: nearer to float, and slower."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _one_by_one(samples)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,  # what computes with token ids is not to be quantized
    ]


RECIPES: dict[str, Callable[[tf.lite.TFLiteConverter, Samples], None]] = {
    "float32": float32,
    "float16": float16,
    "dynamic": dynamic,
    "int8": int8,
    "int16x8": int16x8,
}
assert tuple(RECIPES) == RECIPE_NAMES
_IN_FLOAT = ["LOG"]  # in int8 files: tflite-runtime 2.14 and microcontrollers have no other
_FEW, _MANY = 256, 1024  # values, and weights, of a layer that was clustered
_INTEGER = {"int8": tf.int8, "int16x8": tf.int16}  # what a file of integers computes in


def to_tflite(
    network: tf_keras.Model, quantization: str, samples: Samples, io: str = "float"
) -> bytes:
    """Convert one network, for one input at a time.

    Args:
        network: with named inputs.
        quantization: a key of `RECIPES`.
        samples: representative inputs by name, (samples, ...); `int8` and `int16x8` calibrate
            with them.
        io: "float", or "integer": inputs and outputs as the integers that the file computes in,
            with their scales and zero points beside them; token ids stay as they are.
    """
    with activations.written_for_tflite():
        function = answering(network).get_concrete_function()
    # The converter saves what it is given beside the function. Saving a Keras model traces all of
    # its layers once more, which took three quarters of the time; the variables are all it needs.
    variables = tf.Module()
    variables.read = list(function.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], variables)
    if _clustered(network):
        # A scale for each channel would make other integers of the same value in each, so that
        # what clustering made equal were equal no more.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    RECIPES[quantization](converter, {name: samples[name] for name in signature(network)})
    if io == "integer":
        converter.inference_input_type = converter.inference_output_type = _INTEGER[quantization]
    in_float = partial(lite._mlir_quantize, denylisted_ops=_IN_FLOAT)
    with calibration.exact(), mock.patch.object(lite, "_mlir_quantize", in_float):
        content = converter.convert()
    return dense.mended(content) if quantization == "int8" else content


def _clustered(network: tf_keras.Model) -> bool:
    """Whether a large layer's weights are of so few values that clustering has made them."""
    kernels = [kernel for kernel in network.get_weights() if kernel.size > _MANY]
    return any(len(np.unique(kernel)) <= _FEW for kernel in kernels)


def _one_by_one(samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    names = list(samples)
    for row in range(len(samples[names[0]])):
        yield {name: samples[name][row : row + 1] for name in names}
