"""Conversion of a translator to TFLite bytes with the functions `encode` and `step`.

Imported only in the worker process: it needs TensorFlow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from edge_experts.features.pieces import HIDDEN, PADDING
from edge_experts.training.translation.network import Translator

from ..tflite import calibration, dense
from ..tflite.quantization import RECIPES
from .sharing import shared

_CALIBRATED_STEPS = 3  # of each calibration sentence, spread over it

Sample = Mapping[str, np.ndarray]  # source, mask, and target: the tokens of the translation


def to_tflite(
    network: Translator, quantization: str, samples: Sequence[Sample], beams: int
) -> bytes:
    """Convert one translator.

    Args:
        quantization: a key of `RECIPES`.
        samples: the calibration pairs for `int8`, each array with a leading 1.
        beams: the number of beams that a step extends.
    """
    module = TranslatorFunctions(network, beams)
    converted = {
        "encode": module.encode.get_concrete_function(),
        "step": module.step.get_concrete_function(),
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=converted)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(converted))
        RECIPES[quantization](converter, {})
        if converter.representative_dataset is not None:
            converter.representative_dataset = lambda: _calibration(module, samples)
        with calibration.exact():
            content = converter.convert()
    content = shared(content)  # leaves fewer layers to modify
    return dense.mended(content) if quantization == "int8" else content


class TranslatorFunctions(tf.Module):
    """A translator's two functions, of fixed shapes."""

    def __init__(self, network: Translator, beams: int):
        super().__init__()
        self.network, size = network, network.size
        heads, width = size.decoder_blocks * size.heads, size.units // size.heads
        self.past = (beams, heads, size.target_length, width)
        self._memory = (1, heads, size.source_length, width)
        integers, numbers = tf.int32, tf.float32
        mask = tf.TensorSpec((1, 1, 1, size.source_length), numbers, name="mask")

        def given(name: str, shape: tuple[int, ...], kind: Any = numbers) -> tf.TensorSpec:
            return tf.TensorSpec(shape, kind, name=name)

        self.encode = tf.function(
            self._encode,
            input_signature=[given("source", (1, size.source_length), integers), mask],
        )
        self.step = tf.function(
            self._step,
            input_signature=[
                given("piece", (beams, 1), integers),
                given("position", (1,), integers),
                given("past_keys", self.past),
                given("past_values", self.past),
                given("past_mask", (1, 1, 1, size.target_length)),
                given("memory_keys", self._memory),
                given("memory_values", self._memory),
                mask,
            ],
        )

    def _encode(self, source: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        memory = self.network.memory(source, mask)
        keys, values = (tf.concat(list(parts), axis=1) for parts in zip(*memory, strict=True))
        return {"keys": keys, "values": values}

    def _step(
        self,
        piece: tf.Tensor,
        position: tf.Tensor,
        past_keys: tf.Tensor,
        past_values: tf.Tensor,
        past_mask: tf.Tensor,
        memory_keys: tf.Tensor,
        memory_values: tf.Tensor,
        mask: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        past, memory = (past_keys, past_values), (memory_keys, memory_values)
        return self.network.step(piece, position, past, past_mask, memory, mask)

    def start(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Return keys, values and mask of an empty past."""
        past = [np.zeros(self.past, np.float32) for _ in range(2)]
        return past, np.full((1, 1, 1, self.past[2]), HIDDEN, np.float32)

    @property
    def beams(self) -> int:
        return self.past[0]

    def run(self, name: str, arrays: Sample) -> dict[str, np.ndarray]:
        """Run a function by name, like the runtime."""
        function = {"encode": self.encode, "step": self.step}[name]
        made = function(**{key: tf.constant(array) for key, array in arrays.items()})
        return {key: one.numpy() for key, one in made.items()}


def _calibration(
    module: TranslatorFunctions, samples: Sequence[Sample]
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield the inputs of both functions during correct translations of the samples."""
    random = np.random.default_rng(0)
    for sample in samples:
        source, mask = sample["source"], sample["mask"]
        yield "encode", {"source": source, "mask": mask}
        memory = module.run("encode", {"source": source, "mask": mask})
        given = {"memory_keys": memory["keys"], "memory_values": memory["values"], "mask": mask}
        past, hidden = module.start()
        target = sample["target"][0]
        length = int(np.count_nonzero(target != PADDING)) - 1
        shown = set(random.permutation(length)[:_CALIBRATED_STEPS].tolist()) | {length - 1}
        for position in range(length):
            step = {
                "piece": np.full((module.beams, 1), target[position], np.int32),
                "position": np.array([position], np.int32),
                "past_keys": past[0].copy(),
                "past_values": past[1].copy(),
                "past_mask": hidden.copy(),
                **given,
            }
            if position in shown:
                yield "step", step
            made = module.run("step", step)
            for place, name in enumerate(("keys", "values")):
                past[place][:, :, position] = made[name][:, :, 0]
            hidden[..., position] = 0.0
