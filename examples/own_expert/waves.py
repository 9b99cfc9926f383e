"""Train, convert and run experts that are a Keras network of one's own."""

import sys

import numpy as np

from edge_experts import ExpertRuntime, datasets
from edge_experts.converters import convert
from edge_experts.errors import EdgeExpertsError
from edge_experts.training import TrainConfig, train
from network import build

LABELS = ("even", "rattle", "drift")
SAMPLES = 64  # of a window


def make_windows(count, seed):
    """Windows, (count, SAMPLES, 1) float32, and the numbers of their labels, (count,)."""
    draw = np.random.default_rng(seed)
    time = np.arange(SAMPLES) / SAMPLES
    targets = draw.integers(0, len(LABELS), count)
    tone = np.sin(2 * np.pi * (draw.uniform(3, 9, (count, 1)) * time + draw.random((count, 1))))
    rattle = draw.normal(0, 1.2, (count, SAMPLES)) * (draw.random((count, SAMPLES)) < 0.15)
    drift = draw.choice([-1, 1], (count, 1)) * 1.5 * time
    waves = tone + rattle * (targets == 1)[:, None] + drift * (targets == 2)[:, None]
    waves += draw.normal(0, 0.15, waves.shape)
    return waves[:, :, None].astype(np.float32), targets


def main():
    (x_train, y_train), (x_test, y_test) = make_windows(1200, 0), make_windows(300, 1)
    # The same as a file, for the command line.
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    np.savez("waves.npz", **arrays, labels=LABELS)

    data = datasets.from_arrays("waves", x_train, y_train, x_test, y_test, labels=LABELS)
    train(data, "waves.run", TrainConfig(experts=3, model=build))
    made = convert("waves.run", "waves.bundle", quantization="int8")
    print(f"accuracy as deployed: {made.test_accuracy:.3f} on {made.test_examples} test examples")

    # From here on a board's program: no TensorFlow.
    with ExpertRuntime("waves.bundle") as runtime:
        for window, target in zip(x_test[:5], y_test[:5], strict=True):
            answer = runtime.predict(window)
            print(f"{LABELS[target]:>6} is answered {answer.label} by expert {answer.expert}")


if __name__ == "__main__":
    try:
        main()
    except EdgeExpertsError as error:  # for example a folder that exists already
        sys.exit(f"error: {error}")
