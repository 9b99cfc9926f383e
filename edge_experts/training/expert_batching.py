"""Choice of the layer that holds all experts in training: a bank, or a loop over the experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from .bank import ExpertBank
from .custom_errors import cause

_PROBED = 2  # rows of each expert in the comparison of a bank with its experts
_EQUAL = 1e-4  # relative to the largest output, or to 1


def bank_of(experts: Sequence[tf_keras.Model]) -> ExpertBank | ExpertLoop:
    """Return a bank of the experts; a loop over them if a bank does not answer as they do."""
    try:
        bank = ExpertBank(experts)
        reason = _difference(bank, experts)
    except Exception as error:  # custom layers and functions raise errors of any class
        reason = cause(error)
    return bank if reason is None else ExpertLoop(experts, reason)


class ExpertLoop(tf_keras.layers.Layer):
    """The experts themselves, called one after the other; used like an `ExpertBank`.

    Args:
        reason: reason for which they are not batched.
    """

    def __init__(self, experts: Sequence[tf_keras.Model], reason: str):
        super().__init__()
        self.experts, self.reason = list(experts), reason
        self.built = True

    def call(
        self, inputs: Mapping[str, tf.Tensor], training: bool = False, own: bool = False
    ) -> tf.Tensor:
        """Logits (experts, rows, labels); see `ExpertBank.call`."""
        count = len(self.experts)
        parts = {
            name: tf.split(array, count) if own else [array] * count
            for name, array in inputs.items()
        }
        return tf.stack(
            [
                expert({name: part[place] for name, part in parts.items()}, training=training)
                for place, expert in enumerate(self.experts)
            ]
        )

    def read(self, experts: Sequence[tf_keras.Model]) -> None:
        """Copy the parameters from the experts, if they are others."""
        _copy_parameters(experts, self.experts)

    def write(self, experts: Sequence[tf_keras.Model]) -> None:
        """Copy the parameters to the experts, if they are others."""
        _copy_parameters(self.experts, experts)

    def parameters(self) -> list[tf.Tensor]:
        """Trainable parameters, each (experts, ...)."""
        each = (expert.trainable_weights for expert in self.experts)
        return [tf.stack(weights) for weights in zip(*each, strict=True)]


def _copy_parameters(sources: Sequence[tf_keras.Model], targets: Sequence[tf_keras.Model]) -> None:
    for source, target in zip(sources, targets, strict=True):
        if source is not target:
            target.set_weights(source.get_weights())


def _difference(bank: ExpertBank, experts: Sequence[tf_keras.Model]) -> str | None:
    """Reason why a bank differs from its experts on random inputs; None if it does not."""
    count, random = len(experts), np.random.default_rng(0)
    drawn = {
        tensor.name: _drawn(random, (_PROBED * count, *tensor.shape[1:]), tensor.dtype)
        for tensor in experts[0].inputs
    }
    parts = {name: tf.split(array, count) for name, array in drawn.items()}
    first = {name: part[0] for name, part in parts.items()}
    for own, inputs in ((False, first), (True, drawn)):
        outputs = bank(inputs, own=own)
        for place, expert in enumerate(experts):
            mine = {name: part[place * own] for name, part in parts.items()}
            wanted = expert(mine, training=False)
            most = _EQUAL * max(1.0, float(tf.reduce_max(tf.abs(wanted))))
            if not float(tf.reduce_max(tf.abs(outputs[place] - wanted))) <= most:
                return "a layer computes with the rows of all experts at once"
    return None


def _drawn(random: np.random.Generator, shape: Sequence[int], kind: tf.DType) -> tf.Tensor:
    """Draw small ids, or numbers; some of the first row are zero, which layers may mask."""
    if kind.is_integer:
        return tf.constant(random.integers(2, size=shape), kind)
    array = random.normal(size=shape)
    array[0] *= random.integers(2, size=(*shape[1:2], *[1] * len(shape[2:])))
    return tf.constant(array, kind)
