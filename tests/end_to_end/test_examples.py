"""Committed bundles answer as they are, on this machine's interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_experts.format.manifest_parser import read_manifest

EXAMPLES = Path(__file__).parents[2] / "examples"
LARGEST = 10_000_000  # bytes: a clone of the repository must stay small


@pytest.mark.parametrize("name", ["help"])
def test_an_example_is_small_intact_and_answers(cli: Any, name: str) -> None:
    bundle = EXAMPLES / f"{name}.bundle"
    assert sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file()) <= LARGEST
    done = cli("verify", bundle)
    assert done.returncode == 0, done.stderr
    told = cli("run", bundle, "To open a file, click", "--max-tokens", 8)
    assert told.returncode == 0, told.stderr
    assert len(told.stdout.strip()) > 8
    assert f"`{name}.bundle`" in (EXAMPLES / "README.md").read_text("utf-8")
    assert "MPL-2.0" in read_manifest(bundle).provenance["data"]
