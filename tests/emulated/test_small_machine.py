"""A language model that is larger than the machine's memory answers within its budget."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from device_tests.boards.small_machine import measure

_MEGABYTES, _BUDGET, _TOKENS = 256, 60_000_000, 3


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("random")
    bundle, gguf = folder / "random.bundle", folder / "random.gguf"
    make = ("synthetic-moe", bundle, "--layers", "2", "--gguf", gguf)
    subprocess.run([sys.executable, "-m", "benchmarks", *make], check=True)
    return measure(bundle, gguf, megabytes=_MEGABYTES, budget=_BUDGET, tokens=_TOKENS)


def test_it_answers_within_its_budget(limited: dict[str, Any]) -> None:
    ours = limited["engines"]["edge-experts"]
    assert limited["memory_bytes"] < _MEGABYTES << 20
    assert len(ours["tokens"]) == _TOKENS
    assert ours["peak_bytes"] - ours["base_bytes"] <= _BUDGET
    assert all(one["loads"] for one in ours["tokens"])


def test_llama_cpp_is_measured_beside_it(limited: dict[str, Any]) -> None:
    assert "llama.cpp" in limited["engines"]
