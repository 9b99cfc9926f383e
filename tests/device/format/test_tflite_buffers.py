"""Positions of constants in a .tflite file; damaged ones are refused, or give places inside."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from edge_experts import runtime
from edge_experts.errors import ModelError
from edge_experts.format.tflite_buffers import constants

CONTENT = resources.files(runtime).joinpath("tiny.tflite").read_bytes()


def test_the_weights_of_a_model() -> None:
    found = [
        np.frombuffer(CONTENT[place.start : place.end], np.float32).tolist()
        for place in constants(CONTENT, range(3), "tiny").values()
        if place.end - place.start == 16
    ]
    assert found in ([[1, 2, 3, 4]], [[1, 3, 2, 4]])  # x @ weights, or weights of its transpose


@pytest.mark.parametrize("seed", range(300))
def test_damaged_files(seed: int) -> None:
    random = np.random.default_rng(seed)
    content = bytearray(CONTENT)
    for place in random.integers(0, len(content), int(random.integers(1, 40))):
        content[place] = random.integers(256)
    if seed % 3 == 0:
        del content[int(random.integers(len(content))) :]
    try:
        found = constants(bytes(content), range(3), "damaged")
    except ModelError:
        return
    assert all(0 <= start < end <= len(content) for start, end in found.values())


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 64, b"TFL3" * 9])
def test_other_files(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"x: is not a \.tflite file"):
        constants(content, range(3), "x")
