"""Manifests as an attacker might write them: every field with every odd value, digests right."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from edge_experts.format.drift_reference import DriftReference, Histogram
from edge_experts.format.expert_names import Generation
from edge_experts.format.manifest import (
    FeatureSpec,
    FileEntry,
    Manifest,
    canonical_digest,
    expert_path,
)

Place = tuple[str | int, ...]


def manifest() -> Manifest:
    histogram = Histogram((0.25, 0.5), (10, 20, 30))
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
        second_below=0.5,
        abstain_below=0.5,
        reference=DriftReference(histogram, (20, 20, 20), histogram, histogram),
    )


def writing() -> Manifest:
    """Of experts that write, two of them one language, so that a router picks."""
    return replace(
        manifest(),
        features=FeatureSpec("pieces", {"targets": ["de/a", "fr", "de/b"], "length": 8}),
        labels=("de/a", "fr", "de/b"),
        second_below=None,
        reference=None,
        generation=Generation(8, 2),
    )


def contracted() -> Manifest:
    """Of inputs with a contract, and of rows that were trained on."""
    plain = manifest()
    config = {"length": 8, "contract": {"rules": 1, "normalization": "NFC"}}
    return replace(
        plain,
        features=replace(plain.features, config=config),
        trained_rows=(FileEntry.of("trained_rows/000.bin", b"t"),),
    )


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**53 + 1, -(2**63), 2**64, 10**19, 10**25, 10**4000),
    *(0.0, -0.0, 1.5, -1.5, 1e-320, 1e30, 1e308, -1e308),
    *("", " ", "x", "0", "text", "array", "table", "a" * 300, "a" * 20_000, "a\0b", "a\nb"),
    *("\x1b[2J", "\u202egnp", "\ud800", "\udfff\ud800", "e\u0301", "\u00e9", "\U0001f600"),
    *("../x", "/etc/passwd", "a/../../x", "experts", "EXPERTS/000.tflite", "manifest.json", "."),
    *("Manifest.JSON", "router.tflite/x", "a\\b", "C:x", "\uff0e\uff0e/x", "caf\u00e9.tflite"),
    *([], {}, [[]], [None], [0, 0], ["a", "a"], ["e\u0301", "\u00e9"], [True, 1], [1e308, -1e308]),
    *({"": None}, {"path": 1}, {"length": -1}, {"shape": [2]}, nested(10), nested(40), nested(200)),
)
# What json.dumps would not write: put in as text, in place of a string.
RAW: tuple[str, ...] = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-0",
    "1" * 5000,
    "1" * 100_000,
    '{"a":1,"a":2}',
)
RAW += ("[" * 2000 + "]" * 2000, "[" * 990 + "]" * 990, '"\\ud800"', "01", "0x10", "'a'")


def places(content: Any, at: Place = ()) -> Iterator[Place]:
    """Where every value of a manifest stands; of a list the first item only."""
    yield at
    if isinstance(content, dict):
        for key in content:
            yield from places(content[key], (*at, key))
    elif isinstance(content, list) and content:
        yield from places(content[0], (*at, 0))


def changed(content: dict[str, Any], at: Place, value: Any) -> dict[str, Any]:
    """A copy with another value in one place."""
    copied: Any = copy.deepcopy(content)
    inner = copied
    for step in at[:-1]:
        inner = inner[step]
    if isinstance(inner, dict) and not isinstance(at[-1], str):
        raise KeyError(at[-1])  # which would be no JSON; another value has taken the list's place
    inner[at[-1]] = value
    return copied if isinstance(copied, dict) else {}


def signed(content: dict[str, Any]) -> bytes:
    """As JSON, with a digest that is right."""
    content["digest"] = canonical_digest(content)
    return json.dumps(content).encode()


def odd_manifests(start: dict[str, Any] | None = None) -> Iterator[bytes]:
    """Every value of a manifest replaced by every odd one, left out, and written oddly."""
    content = json.loads(manifest().to_json()) if start is None else start
    content.pop("digest", None)
    yield signed(dict(content))
    for at in places(content):
        if not at:
            continue
        for value in ODD:
            yield signed(changed(content, at, value))
        for text in RAW:
            with_digest = {**changed(content, at, "@"), "digest": "sha256:"}
            yield json.dumps(with_digest).replace('"@"', text, 1).encode()
        if isinstance(at[-1], str):
            yield signed(_without(content, at))


def _without(content: dict[str, Any], at: Place) -> dict[str, Any]:
    copied: dict[str, Any] = copy.deepcopy(content)
    inner: Any = copied
    for step in at[:-1]:
        inner = inner[step]
    del inner[at[-1]]
    return copied
