"""Conversion of Keras networks to TFLite bytes; each recipe is a function for the converter.

Imported only in the worker process: it needs TensorFlow.
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
from . import activation_rewrites, calibration, dense, operator_layers
from .one_input import answering, signature

Samples = Mapping[str, np.ndarray]  # named arrays, (examples, ...)


def float32(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Keep weights and arithmetic as trained."""


def float16(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Store weights in float16; the interpreter computes in float32."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def dynamic(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Store weights as int8, and quantize activations at run time."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # Per-channel dense layers would become FULLY_CONNECTED version 12, which tflite-runtime 2.14
    # does not have.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def per_channel(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Store weights as int8 with a scale for each channel, and quantize activations at run time.

    tflite-runtime 2.14 refuses such files.
    """
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def int8(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Quantize weights and activations to int8, with ranges from the calibration set."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _one_by_one(samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def int16x8(converter: tf.lite.TFLiteConverter, samples: Samples) -> None:
    """Quantize weights to int8 and activations to int16: nearer to float, and slower."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _one_by_one(samples)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,  # computations with token ids are not quantized
    ]


Recipe = Callable[[tf.lite.TFLiteConverter, Samples], None]
RECIPES: dict[str, Recipe] = {
    "float32": float32,
    "float16": float16,
    "dynamic": dynamic,
    "int8": int8,
    "int16x8": int16x8,
}
assert tuple(RECIPES) == RECIPE_NAMES
_IN_FLOAT = ["LOG"]  # in int8 files: tflite-runtime 2.14 and microcontrollers have only this
_FEW, _MANY = 256, 1024  # values, and weights, of a layer that was clustered


def to_tflite(
    network: tf_keras.Model, quantization: str, samples: Samples, io: str = "float"
) -> bytes:
    """Convert one network, for one input at a time, by a recipe's name.

    Args:
        see `converted`.
    """
    return converted(network, RECIPES[quantization], samples, io)


def converted(
    network: tf_keras.Model, recipe: Recipe, samples: Samples, io: str = "float"
) -> bytes:
    """Convert one network, for one input at a time.

    Args:
        network: with named inputs.
        recipe: one of the functions above.
        samples: the calibration set by name, (samples, ...), for `int8` and `int16x8`.
        io: "float", or "integer": inputs and outputs are the integers that the file computes in,
            with their scales and zero points beside them; token ids are unchanged.
    """
    with activation_rewrites.written_for_tflite():
        function = answering(network).get_concrete_function()
    # The converter saves the object beside the function. Saving a Keras model traces all of its
    # layers again, which took three quarters of the time; it needs only the variables.
    variables = tf.Module()
    variables.read = list(function.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], variables)
    if _clustered(network):
        # A scale for each channel would make different integers of the same value, so that values
        # made equal by clustering would no longer be equal.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    recipe(converter, {name: samples[name] for name in signature(network) if name in samples})
    if io == "integer":
        kind = tf.int8 if recipe is int8 else tf.int16
        converter.inference_input_type = converter.inference_output_type = kind
    in_float = partial(lite._mlir_quantize, denylisted_ops=_IN_FLOAT)
    with (
        calibration.exact(),
        mock.patch.object(lite, "_mlir_quantize", in_float),
        operator_layers.noted(network, function),
    ):
        content = converter.convert()
    return dense.mended(content) if recipe is int8 else content


def _clustered(network: tf_keras.Model) -> bool:
    """Test if a large layer's weights have so few values that they must be clustered."""
    kernels = [kernel for kernel in network.get_weights() if kernel.size > _MANY]
    return any(len(np.unique(kernel)) <= _FEW for kernel in kernels)


def _one_by_one(samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    names = list(samples)
    for row in range(len(samples[names[0]])):
        yield {name: samples[name][row : row + 1] for name in names}
