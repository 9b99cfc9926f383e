"""A trained network made smaller by tensorflow-model-optimization, with a fine-tuning.

Pruning sets the smallest weights to zero; quantization-aware training teaches a network to bear
the rounding of int8. Both return a plain tf_keras network, which is saved, loaded and converted
like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.quantization import keras as quantization
from tensorflow_model_optimization.sparsity import keras as sparsity

from ..errors import UnsuitableError
from .layers import InRange

Arrays = Mapping[str, np.ndarray]

_PRUNINGS = 50  # steps that prune, spread over the first two thirds of the fine-tuning
_MOST_SPARSE = 0.99
_SEEN = 1000  # examples that ranges start from


@dataclass(frozen=True)
class Tuning:
    """A fine-tuning.

    Args:
        targets: what `loss` takes: labels, or what a teacher's answers are packed into.
        validation: inputs and targets, which the best epoch is found by.
    """

    inputs: Arrays
    targets: np.ndarray
    validation: tuple[Arrays, np.ndarray]
    epochs: int
    learning_rate: float
    batch_size: int
    loss: Callable[..., tf.Tensor] | None = None  # cross-entropy with labels

    @property
    def steps(self) -> int:
        return max(1, self.epochs * self._epoch)

    @property
    def _epoch(self) -> int:
        return -(-len(self.targets) // self.batch_size)

    def fit(
        self, network: tf_keras.Model, *callbacks: tf_keras.callbacks.Callback, settled: int = 0
    ) -> None:
        """Train; the network ends with the weights of its best epoch.

        Args:
            settled: the step before which no epoch counts.
        """
        schedule = tf_keras.optimizers.schedules.CosineDecay(self.learning_rate, self.steps)
        network.compile(
            tf_keras.optimizers.Adam(schedule),
            self.loss or tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[right],
        )
        network.fit(
            self.inputs,
            self.targets,
            batch_size=self.batch_size,
            epochs=self.epochs,
            verbose=0,
            validation_data=self.validation,
            validation_batch_size=1024,
            callbacks=[*callbacks, _Best(min(settled // self._epoch, self.epochs - 1))],
        )


class _Best(tf_keras.callbacks.Callback):
    """Ends with the best weights on the validation examples, of the epochs from `first` on."""

    def __init__(self, first: int):
        super().__init__()
        self.first = first

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.best = -1.0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        share = (logs or {})["val_right"]
        if epoch >= self.first and share >= self.best:
            self.best, self.weights = share, self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.model.set_weights(self.weights)


def right(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Whether each answer is right: targets are labels, or begin with them."""
    labels = tf.cast(tf.reshape(targets, (tf.shape(logits)[0], -1))[:, 0], tf.int64)
    return tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32)


def prune(network: tf_keras.Model, tuning: Tuning, *, nonzero: int) -> tf_keras.Model:
    """Magnitude pruning until about `nonzero` parameters are left.

    The share of zeros is one for all layers and grows as in Zhu and Gupta, 2017 (To prune, or not
    to prune), by tfmot's PolynomialDecay. Biases are left alone.

    Raises:
        UnsuitableError: tfmot knows no layer of the network.
    """
    prunable = sum(weight.shape.num_elements() for layer in network.layers for weight in _of(layer))
    if not prunable:
        raise UnsuitableError("none of its layers can be pruned by tensorflow-model-optimization")
    kept = nonzero - (network.count_params() - prunable)
    every = max(1, tuning.steps * 2 // 3 // _PRUNINGS)
    # A multiple: otherwise the last step of the schedule is none that prunes.
    end = every * max(1, tuning.steps * 2 // 3 // every)
    schedule = sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=float(np.clip(1 - kept / prunable, 0, _MOST_SPARSE)),
        begin_step=0,
        end_step=end,
        frequency=every,
    )

    def wrapped(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        if not _of(layer):
            return layer
        return sparsity.prune_low_magnitude(layer, pruning_schedule=schedule)

    # tfmot's wrappers hold the very layers that they are given.
    pruned = tf_keras.models.clone_model(_copy(network), clone_function=wrapped)
    tuning.fit(pruned, sparsity.UpdatePruningStep(), settled=end)
    return sparsity.strip_pruning(pruned)


def _of(layer: tf_keras.layers.Layer) -> list[tf.Variable]:
    """What tfmot would prune of a layer."""
    if isinstance(layer, tf_keras.layers.InputLayer) or not layer.weights:
        return []
    if hasattr(layer, "get_prunable_weights"):
        return list(layer.get_prunable_weights())
    try:
        # It is given a method on the way, which a copy does not mind.
        wrapper = sparsity.prune_low_magnitude(_like(layer))
    except ValueError:
        return []
    wrapper.layer.build(layer.input_shape)
    return list(wrapper.layer.get_prunable_weights())


def quantization_aware(network: tf_keras.Model, tuning: Tuning) -> tf_keras.Model:
    """Quantization-aware training (Jacob et al., 2018) of the layers for which tfmot has it.

    What it learned is written into a plain network: the weights, and the ranges of activations as
    `InRange` layers, which the converter takes its int8 scales from. Layers that tfmot does not
    know, and those that take ids, get theirs from representative inputs.

    Raises:
        UnsuitableError: no layer with weights can be trained so.
    """
    registry = quantization.default_8bit.Default8BitQuantizeScheme().get_quantize_registry()
    annotated = []

    def annotate(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        inputs = tf.nest.flatten(layer.input)
        floats = all(tensor.dtype.is_floating for tensor in inputs)
        if isinstance(layer, tf_keras.layers.InputLayer) or not floats:
            return layer
        if not registry.supports(layer):
            return layer
        annotated.append(layer)
        return quantization.quantize_annotate_layer(layer)

    plan = tf_keras.models.clone_model(_copy(network), clone_function=annotate)
    if not any(layer.weights for layer in annotated):
        raise UnsuitableError(
            "none of its layers can be trained for int8 by tensorflow-model-optimization"
        )
    try:
        with quantization.quantize_scope():
            aware = quantization.quantize_apply(plan)
    except (ValueError, RuntimeError) as error:  # an activation, or a way to join layers
        raise UnsuitableError(
            f"tensorflow-model-optimization cannot train it for int8: {error}"
        ) from None
    _start_ranges(aware, network, tuning.inputs)
    tuning.fit(aware)
    return _plain(aware)


def _start_ranges(aware: tf_keras.Model, network: tf_keras.Model, inputs: Arrays) -> None:
    """Ranges from the network's own activations.

    tfmot starts all of them at -6 to 6 and then follows what it sees by a thousandth a step,
    which thousands of steps would be needed for.
    """
    seen = {name: array[:_SEEN] for name, array in inputs.items()}
    layers = {layer.name: layer for layer in network.layers}
    for layer in aware.layers:
        limits = _limits(layer)
        name = layer.name.removeprefix("quant_")
        if not limits:
            continue
        if isinstance(layer, quantization.QuantizeWrapperV2) and name in layers:
            tensor = layers[name].output
        elif not isinstance(layer, quantization.QuantizeWrapperV2) and len(network.inputs) == 1:
            tensor = network.inputs[0]
        else:
            continue
        values = tf_keras.Model(network.inputs, tensor).predict(seen, batch_size=_SEEN, verbose=0)
        for variable, value in zip(limits, (values.min(), values.max()), strict=True):
            variable.assign(value)


def _plain(aware: tf_keras.Model) -> tf_keras.Model:
    """The network without tfmot's wrappers, whose .keras files cannot be read again."""
    trained: list[tuple[tf_keras.layers.Layer, tf_keras.layers.Layer]] = []

    def unwrapped(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        ranges = [float(variable) for variable in _limits(layer)]
        if isinstance(layer, quantization.QuantizeWrapperV2):
            made = _without_quantizers(layer.layer)
            trained.append((made, layer))
        elif ranges:
            made = tf_keras.layers.Activation("linear")
        else:
            made = _like(layer)
            trained.append((made, layer))
        return InRange(made, *ranges, name=layer.name) if ranges else made

    plain = tf_keras.models.clone_model(aware, clone_function=unwrapped)
    for made, layer in trained:
        values = {_last(weight): weight.numpy() for weight in layer.weights}
        made.set_weights([values[_last(weight)] for weight in made.weights])
    return plain


def _limits(layer: tf_keras.layers.Layer) -> list[tf.Variable]:
    """The variables that hold the range of a layer's output, where tfmot gave it one."""
    named = {_last(weight): weight for weight in layer.weights}
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


def _copy(network: tf_keras.Model) -> tf_keras.Model:
    copy = tf_keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def _like(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    return type(layer).from_config(layer.get_config())


def _last(weight: tf.Variable) -> str:
    """The name of a weight within its layer."""
    return str(weight.name.split("/")[-1].split(":")[0])
