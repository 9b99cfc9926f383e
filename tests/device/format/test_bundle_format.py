"""The manifest: what is accepted, what is refused, and that nothing else ever happens."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.errors import BundleError, FormatVersionError, ManifestError
from edge_experts.format.limits import LIMITS
from edge_experts.format.manifest import (
    MANIFEST,
    FeatureSpec,
    FileEntry,
    Manifest,
    canonical_digest,
    expert_path,
)
from edge_experts.format.manifest_parser import parse_manifest, read_manifest


def _manifest() -> Manifest:
    return Manifest(
        name="test",
        bundle_version=3,
        task="text classification",
        features=FeatureSpec("text", {"length": 8}, FileEntry.of("features.npz", b"f")),
        labels=("bad", "good"),
        combine="top",
        top_k=1,
        temperature=1.5,
        router=FileEntry.of("router.tflite", b"r", 10),
        experts=tuple(FileEntry.of(expert_path(i), bytes([i]), 20) for i in range(3)),
        golden=FileEntry.of("golden.npz", b"g"),
        model_card=FileEntry.of("MODEL_CARD.md", b"m"),
        verified_on={"interpreter": "tflite_runtime"},
        provenance={"seed": 0},
    )


def changed(change: Callable[[dict[str, Any]], object], *, digest: bool = True) -> bytes:
    """The manifest with something changed, its digest made to fit unless told otherwise."""
    content = json.loads(_manifest().to_json())
    change(content)
    if digest:
        content["digest"] = canonical_digest(content)
    return json.dumps(content).encode()


def test_what_is_written_is_what_is_read() -> None:
    assert parse_manifest(_manifest().to_json().encode()) == _manifest()


def test_files_lists_every_file_once() -> None:
    paths = [entry.path for entry in _manifest().files]
    assert len(paths) == len(set(paths)) == 7


def test_unknown_fields_are_ignored() -> None:
    def add(content: dict[str, Any]) -> None:
        content["mood"] = "sunny"
        content["experts"][0]["colour"] = "blue"

    assert parse_manifest(changed(add)) == _manifest()


def test_a_newer_minor_format_is_read_and_a_newer_major_one_refused() -> None:
    parse_manifest(changed(lambda content: content.update(format_version="1.9")))
    # Even with a digest that this version cannot make sense of.
    newer = changed(lambda content: content.update(format_version="3.0"), digest=False)
    with pytest.raises(FormatVersionError, match="newer edge-experts"):
        parse_manifest(newer)


def test_a_changed_label_is_noticed() -> None:
    raw = changed(lambda content: content["labels"].__setitem__(0, "bat"), digest=False)
    with pytest.raises(ManifestError, match="changed since it was published"):
        parse_manifest(raw)


@pytest.mark.parametrize(
    "path",
    [
        "../router.tflite",
        "/etc/passwd",
        "experts/../../x",
        "a\\b",
        "",
        ".",
        "x//y",
        "./x",
        "C:x",
        "manifest.json",
        "a\0b",
        "x" * 300,
    ],
)
def test_a_path_must_stay_inside_the_bundle(path: str) -> None:
    with pytest.raises(ManifestError, match="must stay inside"):
        parse_manifest(changed(lambda content: content["router"].update(path=path)))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("labels", ["same", "same"], "different"),
        ("labels", "bad", "must be a list"),
        ("labels", [1, 2], "must be texts"),
        ("combine", "vote", "must be one of"),
        ("top_k", 4, "at most 3"),
        ("top_k", True, "whole number"),
        ("bundle_version", 0, "whole number from 1"),
        ("bundle_version", 1.0, "whole number"),
        ("temperature", 0, "must be a number from"),
        ("temperature", "warm", "must be a number"),
        ("router", None, "more than one expert"),
        ("experts", [], "a list of 1 to"),
        ("combine", "sum", "must be null where combine is sum"),
        ("second_below", 1.5, "a number from 0 to 1"),
        ("golden", None, "must be an object"),
        ("features", 3, "must be an object"),
        ("name", None, "must be a text"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ManifestError, match=message) as caught:
        parse_manifest(changed(lambda content: content.update({field: value})))
    assert field in str(caught.value)


def test_a_second_expert_by_confidence_needs_one_to_be_the_rule() -> None:
    with pytest.raises(ManifestError, match="second_below needs a router"):
        parse_manifest(changed(lambda content: content.update(second_below=0.5, top_k=2)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"combine": "sum", "router": None}, "all of them run and summed"),
        ({"top_k": 2}, "top-2 routing"),
        ({"second_below": 0.5}, "confidence is below 50.0%"),
    ],
)
def test_which_experts_answer_is_told_in_words(changes: dict[str, Any], words: str) -> None:
    found = parse_manifest(changed(lambda content: content.update(changes)))
    assert words in found.asking
    assert not found.asks_one


def test_a_file_may_not_be_listed_twice() -> None:
    def twice(content: dict[str, Any]) -> None:
        content["experts"][1]["path"] = content["experts"][0]["path"]

    with pytest.raises(ManifestError, match="twice"):
        parse_manifest(changed(twice))


def test_sizes_beyond_the_limits_are_refused() -> None:
    with pytest.raises(ManifestError, match="larger than"):
        parse_manifest(b" " * (LIMITS.manifest_bytes + 1))
    with pytest.raises(ManifestError, match="bytes must be a whole number"):
        parse_manifest(changed(lambda content: content["router"].update(bytes=2**40)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"[" * 100_000,
        b'{"format_version": "1.0", "format_version": "1.0"}',
    ],
)
def test_what_is_not_a_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(ManifestError):
        parse_manifest(raw)


def test_no_manifest_and_no_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=f"no {MANIFEST}"):
        read_manifest(tmp_path)
    with pytest.raises(ManifestError, match="no such bundle folder"):
        read_manifest(tmp_path / "nowhere")


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(json.loads(_manifest().to_json()))), _JSON)
def test_any_value_in_any_field_is_read_or_refused(field: str, value: Any) -> None:
    with contextlib.suppress(BundleError):
        parse_manifest(changed(lambda content: content.update({field: value})))


@given(st.integers(0, 10**9), st.integers(1, 255))
def test_any_flipped_byte_is_read_the_same_or_refused(position: int, flip: int) -> None:
    raw = bytearray(_manifest().to_json().encode())
    raw[position % len(raw)] ^= flip
    try:
        found = parse_manifest(bytes(raw))
    except BundleError:
        return
    assert found == _manifest()
