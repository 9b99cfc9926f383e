"""Accuracy on MNIST of a network pretrained on Fashion-MNIST, with few examples of each digit.

Beside it: the same network untrained and frozen, and trained from scratch on the same examples. All
are measured as deployed, in int8; the pretrained one by every quantization too.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from edge_experts.converters import convert

from edge_experts import datasets, run_folder
from edge_experts.datasets import Dataset, Split
from edge_experts.training import adopt, train
from edge_experts.training.default_settings import config_of

from . import networks
from .figures import Figure, folder_bytes, some

import tf_keras  # isort: skip

EXAMPLES, _TESTED = 500, 2000
_CHECKED = 500  # validation examples after each epoch
_SCRATCH_EPOCHS = 40
_RECIPES = ("float32", "float16", "dynamic", "int16x8", "int8")
_BATCH = 64


def measure(folder: Path, images: int, epochs: int) -> list[Figure]:
    """Make what is missing in the folder, and measure it."""
    data = digits()
    network = pretrained(folder, images, epochs)
    untrained = folder / "untrained.keras"
    if not untrained.exists():
        tf_keras.utils.set_random_seed(1)
        networks.small_network(10).save(untrained)
    figures = []
    for name, path, experts in (
        ("pretrained, 1 head", network, 1),
        ("pretrained, 4 heads", network, 4),
        ("untrained and frozen, 1 head", untrained, 1),
    ):
        run = trained_heads(folder, data, path, experts)
        for recipe in _RECIPES if path == network and experts == 1 else ("int8",):
            bundle = folder / f"{run.stem}-{recipe}.bundle"
            found = convert(run, bundle, quantization=recipe, max_accuracy_drop=100, force=True)
            figures.append(Figure(f"{name}, {recipe}: accuracy", found.test_accuracy))
            figures.append(Figure(f"{name}, {recipe}: bundle", folder_bytes(bundle), "bytes"))
    return [*figures, *_fine_tuned(folder, data, network), *_from_scratch(folder, data)]


def digits() -> Dataset:
    """MNIST with 500 examples to train on, and 2,000 to test on."""
    whole = datasets.load("mnist")
    return replace(
        whole,
        train=some(whole.train, EXAMPLES),
        validation=some(whole.validation, EXAMPLES),
        test=some(whole.test, _TESTED),
    )


def pretrained(folder: Path, images: int, epochs: int) -> Path:
    """The network, trained on Fashion-MNIST."""
    path = folder / "fashion.keras"
    if not path.exists():
        whole = datasets.load("fashion-mnist")
        tf_keras.utils.set_random_seed(0)
        network = networks.small_network(len(whole.labels))
        fit(network, some(whole.train, images), whole.validation, epochs)
        network.save(path)
    return path


def trained_heads(folder: Path, data: Dataset, network: Path, experts: int) -> Path:
    run = folder / f"{network.stem}-{experts}.run"
    if not run.exists():
        config = config_of(data, backbone=str(network), experts=experts, measure_gain=False)
        train(data, run, config, pictures=False)
    return run


def _fine_tuned(folder: Path, data: Dataset, network: Path) -> list[Figure]:
    run = folder / "tuned.run"
    if not run.exists():
        tuned = {"fine_tune": 20, "fine_tune_learning_rate": 2e-3}
        config = config_of(data, backbone=str(network), experts=1, **tuned)
        train(data, run, config, pictures=False)
    accuracy = run_folder.read_run(run).metrics["test_accuracy"]
    return [Figure("pretrained and fine-tuned, 1 head, as trained: accuracy", accuracy)]


def _from_scratch(folder: Path, data: Dataset) -> list[Figure]:
    path, bundle = folder / "scratch.keras", folder / "scratch.bundle"
    if not path.exists():
        tf_keras.utils.set_random_seed(2)
        network = networks.small_network(len(data.labels))
        fit(network, data.train, data.validation, _SCRATCH_EPOCHS)
        network.save(path)
    adopt(path, data, folder / "scratch.run", force=True)
    found = convert(
        folder / "scratch.run", bundle, quantization="int8", max_accuracy_drop=100, force=True
    )
    return [
        Figure("trained from scratch, int8: accuracy", found.test_accuracy),
        Figure("trained from scratch, int8: bundle", folder_bytes(bundle), "bytes"),
    ]


def fit(network: Any, train: Split, validation: Split, epochs: int) -> None:
    """Train, and keep the weights of the best epoch; grey images may lack the channel axis."""
    steps = epochs * (len(train) // _BATCH)
    rate = tf_keras.optimizers.schedules.CosineDecay(5e-3, steps)
    network.compile(tf_keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", ["accuracy"])
    network.fit(
        _with_channels(train.inputs),
        train.targets,
        _BATCH,
        epochs,
        verbose=2,
        validation_data=(
            _with_channels(validation.inputs)[:_CHECKED],
            validation.targets[:_CHECKED],
        ),
        callbacks=[
            tf_keras.callbacks.EarlyStopping(
                "val_accuracy", patience=epochs, restore_best_weights=True
            )
        ],
    )


def _with_channels(inputs: Any) -> np.ndarray:
    images = np.asarray(inputs)
    return images if images.ndim == 4 else images[..., None]
