"""Duration of a training step of experts: one batched computation, and loops over experts.

The experts have two layers, for images of 28 x 28 pixels. They are computed in one batch
(`bank.py`), in a loop over Keras networks that TensorFlow compiles to one graph, and in the same
loop run by Python. All three take turns, so that other load on the machine affects all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_experts.keras_setup import import_keras

import_keras()

import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402

from edge_experts.training.bank import ExpertBank  # noqa: E402

_LABELS = 10
Step = Callable[[dict[str, tf.Tensor], tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class StepTimes:
    """Medians for one number of experts and one batch size.

    Attributes:
        batched_ms: of a whole step in one batched computation.
        loop_ratio, eager_ratio: of the loops' steps to the batched step.
        batched_trace_s, loop_trace_s: the first step, in which TensorFlow builds its graph.
    """

    experts: int
    batch: int
    batched_ms: float
    loop_ratio: float
    eager_ratio: float
    batched_trace_s: float
    loop_trace_s: float


def measure(experts: Sequence[int], batches: Sequence[int], rounds: int) -> list[StepTimes]:
    """Time the steps for every number of experts and every batch size."""
    return [_step_times(count, size, rounds) for count in experts for size in batches]


def as_table(steps: Sequence[StepTimes]) -> list[list[str]]:
    """Build one row for each number of experts and batch size."""
    header = ["experts", "batch", "batched ms", "loop", "eager loop", "trace s", "loop's trace s"]
    rows = [
        [
            str(step.experts),
            str(step.batch),
            f"{step.batched_ms:.2f}",
            f"{step.loop_ratio:.1f}",
            f"{step.eager_ratio:.1f}",
            f"{step.batched_trace_s:.2f}",
            f"{step.loop_trace_s:.2f}",
        ]
        for step in steps
    ]
    return [header, *rows]


def _step_times(count: int, size: int, rounds: int) -> StepTimes:
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
    return StepTimes(
        experts=count,
        batch=size,
        batched_ms=1000 * median["batched"],
        loop_ratio=median["loop"] / median["batched"],
        eager_ratio=median["eager"] / median["batched"],
        batched_trace_s=traced["batched"],
        loop_trace_s=traced["loop"],
    )


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
