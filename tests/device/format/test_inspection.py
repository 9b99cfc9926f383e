"""`inspect`: where a bundle's bytes went, from its manifest alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_experts.errors import ManifestError
from edge_experts.format.inspection import anatomy, arenas, operators
from edge_experts.format.manifest import (
    LIMITS,
    FileEntry,
    Manifest,
    expert_path,
    parse_manifest,
    read_manifest,
)

from ...conftest import Cli


def _all(manifest: Manifest) -> list[FileEntry]:
    return [entry for entry in (manifest.router, *manifest.experts) if entry is not None]


def test_every_byte_of_a_real_bundle_has_its_place(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    found = anatomy(manifest)
    totals = found["totals"]
    parts = ("weights_bytes", "graph_bytes", "metadata_bytes", "beside_models_bytes")
    assert sum(totals[part] for part in parts) == totals["bytes"]
    assert totals["bytes"] == sum(
        path.stat().st_size
        for path in bundle.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    )
    rows = {row["path"]: row for row in found["files"]}
    for entry in _all(manifest):
        row = rows[entry.path]
        assert row["weights_bytes"] + row["graph_bytes"] + row["metadata_bytes"] == entry.bytes
        assert row["weights_bytes"] > 0 < row["graph_bytes"]
        assert entry.path in found["structures"][row["structure"]]["files"]
    assert sum(totals["weights_by_type"].values()) == totals["weights_bytes"]
    assert sum(totals["weights_by_operator"].values()) == totals["weights_bytes"]
    # The embedding tables are what a text expert consists of.
    assert max(totals["weights_by_operator"], key=totals["weights_by_operator"].get) == "GATHER"
    assert totals["resident_bytes_of_one_answer"] < totals["resident_bytes"]


def test_operators_and_alike_experts(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert operators(manifest)["GATHER"] >= 1
    assert "DEQUANTIZE" in operators(manifest)
    structures = anatomy(manifest)["structures"]
    assert [entry.path for entry in manifest.experts] in [one["files"] for one in structures]


def test_the_command_line_shows_sizes_and_parity(cli: Cli, bundle: Path) -> None:
    manifest = read_manifest(bundle)
    said = json.loads(cli("inspect", bundle, "--json").stdout)
    assert said["schema_version"] == "1.1"
    assert said["anatomy"] == json.loads(json.dumps(anatomy(manifest)))
    shown = cli("inspect", bundle).stdout
    parity = manifest.provenance["parity"]
    lines = [line.split() for line in shown.splitlines()]
    for one in parity["experts"]:
        expected = [f"{one['examples']:,}", f"{one['equal_labels']:.2%}"]
        assert ["expert", str(one["expert"]), *expected] in [line[:4] for line in lines]
    assert f"{parity['keras_accuracy']:.4f}   {parity['deployed_accuracy']:.4f}" in shown
    assert "experts/000.tflite and 2 like it" in shown
    assert "operators, tensors and their scales" in shown


def test_a_bundle_of_an_older_format_is_shown_without_structures(cli: Cli, bundle: Path) -> None:
    _publish(bundle, structures=None)
    done = cli("inspect", bundle)
    assert done.returncode == 0, done.stderr
    assert "expert 0" in done.stdout
    assert "operators" not in done.stdout


@pytest.mark.parametrize(
    "structures",
    [
        3,
        [3],
        [{}],
        [{"files": []}],
        [{"files": ["router.tflite"], "operators": {"ADD": "one"}}],
    ],
)
def test_structures_that_make_no_sense_are_refused(
    cli: Cli, bundle: Path, structures: object
) -> None:
    _publish(bundle, structures=structures)
    with pytest.raises(ManifestError, match="structures make no sense"):
        anatomy(read_manifest(bundle))
    done = cli("inspect", bundle)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_arenas_are_kept_where_they_were_measured(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert arenas(manifest) == {}
    assert "arena_bytes" not in manifest.to_json()
    assert manifest.router is not None
    measured = replace(manifest, router=replace(manifest.router, arena_bytes=2000))
    again = parse_manifest(measured.to_json().encode())
    assert again == measured
    assert arenas(again) == {"router.tflite": 2000}
    assert anatomy(again)["totals"]["arena_bytes"] == 2000
    wrong = replace(manifest, router=replace(manifest.router, arena_bytes=0))
    with pytest.raises(ManifestError, match="arena_bytes must be a whole number from 1"):
        parse_manifest(wrong.to_json().encode())


def test_a_thousand_experts_fit_into_a_manifest(bundle: Path) -> None:
    """Structures are said once; what an expert adds is its entry and its path."""
    manifest = read_manifest(bundle)
    experts = tuple(replace(manifest.experts[0], path=expert_path(index)) for index in range(1024))
    like: dict[str, Any] = next(
        one for one in manifest.provenance["structures"] if expert_path(0) in one["files"]
    )
    structures = [{**like, "files": [entry.path for entry in experts]}]
    parity = {**manifest.provenance["parity"]}
    parity["experts"] = [{**parity["experts"][0], "expert": index} for index in range(1024)]
    whole = replace(
        manifest,
        experts=experts,
        reference=None,  # it counts three experts
        provenance={**manifest.provenance, "structures": structures, "parity": parity},
    )
    raw = whole.to_json().encode()
    assert len(raw) < LIMITS.manifest_bytes / 4
    assert len(anatomy(parse_manifest(raw))["files"]) == len(whole.files)


def _publish(folder: Path, *, structures: object) -> None:
    """Write the bundle's manifest with other structures, or none."""
    manifest = read_manifest(folder)
    provenance = {**manifest.provenance, "structures": structures}
    if structures is None:
        del provenance["structures"]
    (folder / "manifest.json").write_text(replace(manifest, provenance=provenance).to_json())
