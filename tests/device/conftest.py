from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.converting.synthetic import Synthetic


@pytest.fixture(scope="session")
def many_experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 64 small experts with random weights; not to be changed.

    The models were made by `python -m benchmarks synthetic --experts 64 --inputs 16 --hidden 16
    --labels 4`: without TensorFlow it is there in a second.
    """
    bundle = tmp_path_factory.mktemp("many") / "many.bundle"
    made = Synthetic(experts=64, inputs=16, hidden=(16,), labels=4)
    made.build(bundle, Path(__file__).with_name("models"))
    return bundle


@pytest.fixture
def many(tmp_path: Path, many_experts: Path) -> Path:
    """A copy, to damage."""
    return Path(shutil.copytree(many_experts, tmp_path / "many.bundle"))


@pytest.fixture
def toy(tmp_path: Path, translator_bundle: Path) -> Path:
    """A copy of a bundle whose two experts write, `de` and `fr`, to damage."""
    return Path(shutil.copytree(translator_bundle, tmp_path / "toy.bundle"))


@pytest.fixture(autouse=True)
def _without_tensorflow() -> None:
    """TensorFlow in the process could lend the interpreter its kernels, and turn red to green."""
    assert "tensorflow" not in sys.modules, "a test module imported TensorFlow at collection"
