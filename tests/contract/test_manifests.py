"""Manifests of new conversions have the keys that devices with 0.1.0 read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Convert
from .data import RECIPES, snapshot
from .shapes import differences, shape

_CONVERTED = [*((run, run, "int8") for run in RECIPES), ("text_float32", "text", "float32")]


def _manifest(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(("name", "run", "recipe"), _CONVERTED)
def test_a_manifest_has_the_keys_of_0_1_0(
    converted: Convert, name: str, run: str, recipe: str
) -> None:
    made = _manifest(converted(run, recipe))
    assert differences(snapshot("manifest_schema")[name], shape(made)) == []
    facts = snapshot("manifest_facts")[name]
    assert {key: made.get(key) for key in facts} == facts
