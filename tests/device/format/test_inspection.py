"""`inspect`: where a bundle's bytes went, from its manifest alone."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.benchmarking import contender
from edge_experts.errors import ManifestError
from edge_experts.format.inspection import anatomy, arenas, operators
from edge_experts.format.manifest import (
    LIMITS,
    FeatureSpec,
    FileEntry,
    Layer,
    Manifest,
    expert_path,
    router_path,
)
from edge_experts.format.manifest_parser import parse_manifest, read_manifest

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


@given(
    shares=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    top_k=st.integers(1, 3),
    combine=st.sampled_from(["top", "sum"]),
    seed=st.integers(0, 99),
)
def test_an_answer_needs_all_routers_and_the_largest_experts_of_each(
    shares: list[int], top_k: int, combine: str, seed: int
) -> None:
    """With one layer, of a bundle with one router: what that always needed."""
    chance = random.Random(seed)

    def entry(path: str) -> FileEntry:
        return FileEntry.of(path, path.encode() * chance.randrange(1, 99), chance.randrange(9999))

    routers = [entry(router_path(layer)) for layer in range(len(shares))]
    experts = [[entry(expert_path(chance.randrange(999))) for _ in range(n)] for n in shares]
    layered = len(shares) > 1
    dense = tuple(entry(f"dense/{number}.tflite") for number in range(2 * layered))
    manifest = Manifest(
        name="any",
        bundle_version=1,
        task="any",
        features=FeatureSpec("array", {}),
        labels=("a", "b"),
        combine="top" if layered else combine,
        top_k=top_k,
        temperature=1.0,
        router=None if layered or combine == "sum" else routers[0],
        experts=tuple(one for layer in experts for one in layer),
        golden=entry("golden.npz"),
        model_card=entry("card"),
        verified_on={},
        provenance={},
        layers=tuple(map(Layer, routers, shares)) if layered else (),
        dense=dense,
    )
    needed = {"bytes": 0, "resident_bytes": 0}
    for key in needed:
        for layer in experts:
            sizes = sorted((getattr(one, key) for one in layer), reverse=True)
            needed[key] += sum(sizes if manifest.combine == "sum" else sizes[:top_k])
        needed[key] += sum(getattr(one, key) for one in (*manifest.routers, *dense))
    totals = anatomy(manifest)["totals"]
    assert totals["resident_bytes_of_one_answer"] == needed["resident_bytes"]
    assert contender.resident_bytes(manifest) == needed["bytes"]
    models = [*manifest.routers, *manifest.experts, *dense]
    assert totals["resident_bytes"] == sum(one.resident_bytes for one in models)
    assert [place for _, places in manifest.routed for place in places] == list(
        range(len(manifest.experts))
    )


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
    with pytest.raises(ManifestError, match="structures are invalid"):
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
