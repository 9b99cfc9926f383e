"""TensorFlow is imported by tests here only, and only once they run: see tests/device."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets, run_folder
from edge_experts.datasets import Dataset, Split
from edge_experts.features import TextFeatures, encode_all
from edge_experts.features.text import TextSettings

from ..warm import warm_python


@pytest.fixture(scope="session", autouse=True)
def _warm_converters() -> Iterator[None]:
    """Processes that convert are forks of one that has TensorFlow: see `tests.warm`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", warm_python())
        yield


TEXTS = [f"{mood} {thing}" for mood in ("good", "bad", "fine", "poor") for thing in "abcdefghij"]
TARGETS = np.array([1] * 10 + [0] * 10 + [1] * 10 + [0] * 10)


@pytest.fixture(scope="session")
def features() -> TextFeatures:
    settings = TextSettings(length=16, word_bits=6, char_bits=6)
    return TextFeatures.fit(TEXTS, TARGETS, settings)


@pytest.fixture(scope="session")
def arrays(features: TextFeatures) -> dict[str, np.ndarray]:
    return encode_all(features, TEXTS)


@pytest.fixture(scope="session")
def keras() -> Any:
    """tf_keras, set up as the toolkit does."""
    import edge_experts.training  # noqa: F401
    import tf_keras  # isort: skip

    return tf_keras


@pytest.fixture
def make_run(tmp_path: Path, features: TextFeatures) -> Any:
    """A run folder around any model, as training would have left it."""

    def make(model: Any, name: str = "small.run") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        model.save(folder / run_folder.MODEL)
        run_folder.write_features(folder, features)
        examples = Split(TEXTS, TARGETS)
        run_folder.write_examples(
            folder, features, dict.fromkeys(("train", "validation", "test"), examples)
        )
        run_folder.Run(
            name="small",
            task="text classification",
            labels=("bad", "good"),
            combine=model.combine,
            top_k=model.top_k,
            experts=len(model.experts),
            origin="made by a test",
            feature_kind=features.kind,
            feature_settings=features.settings,
            config={"seed": 0},
            metrics={"test_accuracy": 0.5},
            versions={},
        ).write(folder)
        return folder

    return make


@pytest.fixture
def make_model(keras: Any, features: TextFeatures) -> Any:
    """A small SparseExperts model whose experts differ clearly."""
    from edge_experts.training import SparseExperts
    from edge_experts.training.layers import WeightedBag

    seeds = itertools.count()

    def make(experts: int = 3, **options: Any) -> Any:
        keras.utils.set_random_seed(1)

        def bag(units: int) -> Any:
            inputs = {
                "ids": keras.Input((16,), dtype="int32", name="ids"),
                "weights": keras.Input((16,), dtype="float32", name="weights"),
            }
            layer = WeightedBag(128, units)
            network = keras.Model(inputs, layer([inputs["ids"], inputs["weights"]]))
            random = np.random.default_rng(next(seeds))
            layer.set_weights([random.normal(size=(128, units)), random.normal(size=units)])
            return network

        return SparseExperts(bag(experts), [bag(2) for _ in range(experts)], **options)

    return make


def load_written(folder: Path, content: str | bytes, name: str = "d.csv") -> Dataset:
    """A data set from a file with this content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return datasets.load(str(path))


def deployed(network: Any, recipe: str, x: np.ndarray, *rolls: int) -> list[np.ndarray]:
    """The converted network's answers to `x`, in one interpreter, and to `x` in other orders."""
    from edge_experts.converters.tflite.quantization import to_tflite

    from edge_experts.runtime.interpreter import Model

    name = network.input_names[0]
    model = Model(to_tflite(network, recipe, {name: x}), "it")
    orders = [np.roll(x, roll, axis=0) for roll in (0, *rolls)]
    return [np.array([model({name: row[None]}).copy() for row in order]) for order in orders]
