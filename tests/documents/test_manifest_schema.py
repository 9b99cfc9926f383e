"""docs/manifest.schema.json describes the manifests that the parser takes, and refuses others."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts.errors import BundleError
from edge_experts.format.limits import LIMITS
from edge_experts.format.manifest import FileEntry, Manifest, canonical_digest
from edge_experts.format.manifest_parser import parse_manifest
from tests.documents.pages import DOCS, ROOT

SCHEMA = json.loads((DOCS / "manifest.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MANIFESTS = sorted(
    path
    for folder in ("examples", "tests/data/v0_1_0/bundles")
    for path in (ROOT / folder).glob("*/manifest.json")
)
# A language model, and a classifier with a second expert: between them they have every part.
KINDS = ("examples/help.bundle", "tests/data/v0_1_0/bundles/table_two.bundle")
CONTENTS = [json.loads((ROOT / name / "manifest.json").read_text("utf-8")) for name in KINDS]
REPLACEMENTS: tuple[Any, ...] = (None, True, -1, 0, 1, 0.5, 10**9, "", "a", "../a", [], ["a"], {})


def _is_parsed(content: Any) -> bool:
    content = {**content, "digest": canonical_digest(content)}
    try:
        parse_manifest(json.dumps(content).encode())
    except BundleError:
        return False
    return True


def _places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a manifest that the parser itself reads; of lists, the first two items."""
    if path in {("provenance",), ("verified_on",), ("features", "config"), ("task_spec", "config")}:
        return
    items = content.items() if isinstance(content, dict) else enumerate(content[:2])
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))


def _changed(content: Any, path: tuple[Any, ...], change: Any) -> Any:
    content = copy.deepcopy(content)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return content


PLACES = [(place, path) for place, content in enumerate(CONTENTS) for path in _places(content)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_real_bundles_fit(path: Path) -> None:
    VALIDATOR.validate(json.loads(path.read_text("utf-8")))


def test_it_has_every_field_and_no_other() -> None:
    assert set(SCHEMA["properties"]) == {field.name for field in fields(Manifest)}
    assert set(SCHEMA["$defs"]["file"]["properties"]) == {one.name for one in fields(FileEntry)}
    properties = SCHEMA["properties"]
    assert properties["experts"]["maxItems"] == LIMITS.experts
    assert properties["labels"]["maxItems"] == LIMITS.labels
    assert properties["labels"]["items"]["maxLength"] == LIMITS.label_characters
    assert properties["name"]["maxLength"] == LIMITS.name_characters
    assert properties["dense"]["maxItems"] == LIMITS.dense_parts
    assert properties["trained_rows"]["maxItems"] == LIMITS.trainings
    assert properties["temperature"]["minimum"] == LIMITS.least_temperature
    assert properties["temperature"]["maximum"] == LIMITS.largest_temperature
    generation = properties["generation"]["anyOf"][0]["properties"]
    assert generation["length"]["maximum"] == LIMITS.written_pieces
    assert generation["beams"]["maximum"] == LIMITS.beams
    file = SCHEMA["$defs"]["file"]["properties"]
    assert file["bytes"]["maximum"] == LIMITS.file_bytes
    assert file["path"]["maxLength"] == LIMITS.path_characters
    assert SCHEMA["$defs"]["histogram"]["properties"]["edges"]["maxItems"] == LIMITS.bins - 1


@pytest.mark.parametrize("content", CONTENTS, ids=KINDS)
def test_a_missing_field_is_refused_by_both_or_by_none(content: dict[str, Any]) -> None:
    for path in _places(content):
        if isinstance(path[-1], int) or path == ("digest",):
            continue
        without = _changed(content, path, lambda inner, key: inner.pop(key))
        fits = VALIDATOR.is_valid(without)
        # What depends on other fields, such as a router where there are several experts, is the
        # parser's alone.
        beyond = path[0] in ("router", "task_spec", "layers")
        assert fits == _is_parsed(without) or (fits and beyond), path


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(REPLACEMENTS))
def test_what_the_parser_takes_fits(place: tuple[int, tuple[Any, ...]], value: Any) -> None:
    number, path = place
    if path == ("digest",):
        return
    content = _changed(
        CONTENTS[number], path, lambda inner, key: inner.__setitem__(key, copy.deepcopy(value))
    )
    if _is_parsed(content):
        VALIDATOR.validate(content)
