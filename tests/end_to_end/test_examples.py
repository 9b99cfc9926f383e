"""Committed bundles answer as they are, on this machine's interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import interpreter

EXAMPLES = Path(__file__).parents[2] / "examples"
# Bytes: a clone of the repository must stay small.
LARGEST = {"help": 10_000_000, "translation": 9_000_000}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("help", ("To open a file, click", "--max-tokens", 8)),
        ("translation", ("To open a file, click", "--to", "de")),
    ],
)
def test_an_example_is_small_intact_and_answers(
    cli: Any, name: str, arguments: tuple[object, ...]
) -> None:
    bundle = EXAMPLES / f"{name}.bundle"
    assert sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file()) <= LARGEST[name]
    packages = list(filter(interpreter.installed, ("ai_edge_litert", "tflite_runtime")))
    assert packages
    for package in packages:
        done = cli("verify", bundle, env={interpreter.CHOICE: package})
        assert done.returncode == 0, done.stderr
    told = cli("run", bundle, *arguments)
    assert told.returncode == 0, told.stderr
    assert len(told.stdout.strip()) > 8
    assert f"`{name}.bundle`" in (EXAMPLES / "README.md").read_text("utf-8")
    assert "MPL-2.0" in read_manifest(bundle).provenance["data"]
