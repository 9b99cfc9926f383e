"""Networks in half precision and files of weights alone: adopted, or refused for what they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, from_arrays
from edge_experts.errors import UsageError


@pytest.fixture(scope="module")
def data() -> Dataset:
    x = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    return from_arrays("table", x[:45], np.arange(45) % 3, x[45:], np.arange(15) % 3)


@pytest.fixture
def _float32_again(keras: Any) -> Iterator[None]:
    yield
    keras.mixed_precision.set_global_policy("float32")


@pytest.mark.usefixtures("_float32_again")
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_half_precision_becomes_float32(
    keras: Any, tmp_path: Path, data: Dataset, policy: str, suffix: str
) -> None:
    from edge_experts.training import adopt

    keras.mixed_precision.set_global_policy(policy)
    network = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4, "relu"),
            keras.layers.Dense(3, "softmax", dtype="float32"),
        ]
    )
    path = tmp_path / f"net{suffix}"
    network.save(path)
    keras.mixed_precision.set_global_policy("float32")
    adopt(path, data, tmp_path / "adopted.run")
    made = keras.models.load_model(tmp_path / "adopted.run" / "model.keras", compile=False)
    assert {layer.compute_dtype for layer in made.experts[0].layers} == {"float32"}


@pytest.mark.parametrize("name", ["net.h5", "net.weights.h5"])
def test_weights_alone_are_said_to_be_weights(
    keras: Any, tmp_path: Path, data: Dataset, name: str
) -> None:
    from edge_experts.training import adopt

    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    network.save_weights(tmp_path / name)
    with pytest.raises(UsageError, match=r"weights alone do not define the network") as caught:
        adopt(tmp_path / name, data, tmp_path / "adopted.run")
    assert "Lambda" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".h5"])
def test_a_lambda_is_named(keras: Any, tmp_path: Path, data: Dataset, suffix: str) -> None:
    from edge_experts.training import adopt

    layers = [
        keras.Input((6,)),
        keras.layers.Lambda(lambda x: x / 2, name="half"),
        keras.layers.Dense(3),
    ]
    path = tmp_path / f"net{suffix}"
    keras.Sequential(layers).save(path)
    with pytest.raises(UsageError, match="'half' is a Lambda"):
        adopt(path, data, tmp_path / "adopted.run")
