from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def _without_tensorflow() -> None:
    """TensorFlow in the process could lend the interpreter its kernels, and turn red to green."""
    assert "tensorflow" not in sys.modules, "a test module imported TensorFlow at collection"
