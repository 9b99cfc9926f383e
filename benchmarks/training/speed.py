"""How long a training step takes: `python -m benchmarks.training.speed`.

Experts of two layers for images of 28 x 28 pixels, in one batched computation (`bank.py`), in a
loop over Keras networks that TensorFlow compiles to one graph, and in the same loop run by Python.
All three take turns, so that a busy machine is busy for all of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from edge_experts.keras_setup import import_keras

import_keras()

import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402

from edge_experts.text_table import aligned  # noqa: E402
from edge_experts.training.bank import ExpertBank  # noqa: E402

_LABELS = 10
Step = Callable[[dict[str, tf.Tensor], tf.Tensor], tf.Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--experts", type=int, nargs="+", default=[8, 16, 64])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    table = [["experts", "batch", "batched ms", "loop", "eager loop", "trace s", "loop's trace s"]]
    table += [
        _row(experts, size, options.rounds)
        for experts in options.experts
        for size in options.batches
    ]
    print("\n".join(aligned(table)))
    print("Medians of a whole step: loss, gradients and Adam; loops as ratios to the batched one.")


def _row(count: int, size: int, rounds: int) -> list[str]:
    experts = [_expert() for _ in range(count)]
    bank = ExpertBank(experts)
    inputs = {"x": tf.random.normal((size, 28, 28))}
    labels = tf.random.uniform((size,), maxval=_LABELS, dtype=tf.int32)

    def loop(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.stack([expert(batch, training=True) for expert in experts])

    variables = [variable for expert in experts for variable in expert.trainable_variables]
    eager = _step(loop, variables)
    steps = {
        "batched": tf.function(_step(lambda batch: bank(batch, training=True), bank.weights)),
        "loop": tf.function(_step(loop, variables)),
        "eager": eager,
    }
    traced: dict[str, float] = {}
    times: dict[str, list[float]] = {}
    for name, step in steps.items():
        begin = time.perf_counter()
        step(inputs, labels)
        traced[name], times[name] = time.perf_counter() - begin, []
    for turn in range(rounds):
        for name, step in steps.items():
            if name == "eager" and turn % 10:  # it takes as long as all the others together
                continue
            begin = time.perf_counter()
            step(inputs, labels).numpy()
            times[name].append(time.perf_counter() - begin)
    median = {name: float(np.median(taken)) for name, taken in times.items()}
    ratios = [f"{median[name] / median['batched']:.1f}" for name in ("loop", "eager")]
    traces = [f"{traced[name]:.2f}" for name in ("batched", "loop")]
    return [str(count), str(size), f"{1000 * median['batched']:.2f}", *ratios, *traces]


def _expert() -> tf_keras.Model:
    inputs = {"x": tf_keras.Input((28, 28), name="x")}
    hidden = tf_keras.layers.Dense(16, "relu")(tf_keras.layers.Flatten()(inputs["x"]))
    return tf_keras.Model(inputs, tf_keras.layers.Dense(_LABELS)(hidden))


def _step(
    answer: Callable[[dict[str, tf.Tensor]], tf.Tensor], variables: list[tf.Variable]
) -> Step:
    optimizer = tf_keras.optimizers.Adam()
    optimizer.build(variables)

    def step(inputs: dict[str, tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = answer(inputs)
            each = tf.broadcast_to(labels, tf.shape(logits)[:2])
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(each, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return step


if __name__ == "__main__":
    main()
