"""Bundles whose experts write, installed: golden texts, updates, going back, and `verify`."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.converting.synthetic import shuffled, weights_in
from edge_experts import InstalledRuntime
from edge_experts.errors import DigestError, GoldenError
from edge_experts.format.archive import pack
from edge_experts.format.checked_files import read_arrays
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest import GOLDEN, FileEntry, Manifest, expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.format.npz import npz
from edge_experts.runtime import golden
from edge_experts.updates.install import install, rollback
from edge_experts.updates.source import digests

from ...attacks.bundles import publish
from ...conftest import Cli
from ..many import spoil

DE, FR = ("open the file", "de"), ("open the file", "fr")


def _next(bundle: Path, folder: Path) -> tuple[Path, Manifest]:
    """A copy as the next version, and its manifest, to change and publish."""
    shutil.copytree(bundle, folder)
    manifest = read_manifest(folder)
    return folder, replace(manifest, bundle_version=manifest.bundle_version + 1)


def _golden_of(folder: Path, manifest: Manifest, target: str) -> Manifest:
    """The manifest with golden examples of one language only, and as many of each."""
    examples, stored = golden.read(folder), read_arrays(folder, manifest.golden)
    rows = [row for row, (_, to) in enumerate(examples.inputs) if to == target]
    kept = {name: array[rows] for name, array in stored.items() if name != "inputs"}
    content = npz(inputs=_packed(folder, [examples.inputs[row] for row in rows]), **kept)
    (folder / GOLDEN).write_bytes(content)
    return replace(manifest, golden=FileEntry.of(GOLDEN, content))


def _packed(folder: Path, inputs: list[tuple[str, str]]) -> np.ndarray:
    from edge_experts.features import read_features

    return read_features(folder, read_manifest(folder).features).pack(inputs)


@pytest.fixture
def newer(translator_bundle: Path, tmp_path: Path) -> Path:
    """The next version, with another expert for French, which says other words."""
    folder, manifest = _next(translator_bundle, tmp_path / "newer")
    before = (folder / expert_path(1)).read_bytes()
    content = shuffled(before, weights_in(before), seed=1)
    first, second = manifest.experts
    other = replace(FileEntry.of(expert_path(1), content), resident_bytes=second.resident_bytes)
    (folder / expert_path(1)).write_bytes(content)
    publish(folder, replace(_golden_of(folder, manifest, "de"), experts=(first, other)))
    return folder


@pytest.fixture
def root(translator_bundle: Path, tmp_path: Path) -> Path:
    done = install(translator_bundle, tmp_path / "root")
    assert (done.golden_examples, done.changed) == (8, True)
    return tmp_path / "root"


def test_a_running_program_moves_to_the_new_language_and_back(newer: Path, root: Path) -> None:
    with InstalledRuntime(root, check_every=0, max_experts=1) as runtime:
        before = [runtime.predict(DE).text, runtime.predict(FR).text]
        unchanged = (resolve(root) / expert_path(0)).stat().st_ino
        install(newer, root)
        assert (resolve(root) / expert_path(0)).stat().st_ino == unchanged
        after = [answer.text for answer in runtime.predict_batch([DE, FR])]
        assert (after[0], after[1] != before[1]) == (before[0], True)
        rollback(root)
        assert [runtime.predict(DE).text, runtime.predict(FR).text] == before


def test_an_update_carries_the_changed_language_only(
    translator_bundle: Path, newer: Path, root: Path, tmp_path: Path
) -> None:
    pack(newer, tmp_path / "update.zip", without=digests(translator_bundle))
    carried = zipfile.ZipFile(tmp_path / "update.zip").namelist()
    assert expert_path(1) in carried
    assert expert_path(0) not in carried
    install(tmp_path / "update.zip", root)
    assert read_manifest(resolve(root)).bundle_version == 2
    with InstalledRuntime(root) as runtime:
        assert runtime.predict(FR).label == "fr"


def test_texts_that_are_not_the_golden_ones_are_never_installed(
    translator_bundle: Path, root: Path, tmp_path: Path
) -> None:
    folder, manifest = _next(translator_bundle, tmp_path / "wrong")
    stored = read_arrays(folder, manifest.golden)
    stored["pieces"] = stored["pieces"].copy()
    row = int(np.flatnonzero(stored["experts"] == 1)[0])
    stored["pieces"][row, 0] += 1
    (folder / GOLDEN).write_bytes(content := npz(**stored))
    publish(folder, replace(manifest, golden=FileEntry.of(GOLDEN, content)))
    with pytest.raises(GoldenError, match=rf"golden example {row}: expert 1 writes '.+'"):
        install(folder, root)
    assert read_manifest(resolve(root)).bundle_version == 1


def test_a_damaged_language_is_never_installed(
    translator_bundle: Path, root: Path, tmp_path: Path
) -> None:
    folder, manifest = _next(translator_bundle, tmp_path / "damaged")
    publish(folder, manifest)
    spoil(folder, 1)
    (root / "versions" / resolve(root).name / expert_path(1)).unlink()  # nor taken from there
    with pytest.raises(DigestError, match=r"experts/001\.tflite"):
        install(folder, root)
    assert read_manifest(resolve(root)).bundle_version == 1


def test_what_translators_take_is_measured_where_they_are_installed(
    translator_bundle: Path, tmp_path: Path
) -> None:
    folder, manifest = _next(translator_bundle, tmp_path / "foreign")
    publish(folder, replace(manifest, verified_on={"interpreter": "another"}))
    assert install(folder, tmp_path / "root").unmeasured is None
    figures = json.loads((tmp_path / "root" / "costs.json").read_text())["bytes"]
    for entry in manifest.experts:
        assert figures[entry.sha256] >= 2 * entry.bytes
    budget = max(figures.values())
    with InstalledRuntime(tmp_path / "root", memory_budget=budget) as runtime:
        for example in (DE, FR):
            assert runtime.predict(example).text
            assert runtime.resident_bytes <= budget


def test_verify_asks_for_the_golden_texts(toy: Path, root: Path, cli: Cli) -> None:
    done = cli("verify", root)
    assert done.returncode == 0, done.stderr
    assert "8 golden examples answered as published" in done.stdout
    spoil(toy, 1)
    done = cli("verify", toy)
    assert done.returncode == 3
    assert "experts/001.tflite: damaged" in done.stderr


def test_run_ends_with_the_language_that_is_damaged(toy: Path, cli: Cli) -> None:
    spoil(toy, 1)
    done = cli("run", toy, "--to", "fr", "open the file")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("edge-experts: fr: ")
    assert "Traceback" not in done.stderr
    assert cli("run", toy, "--to", "de", "open the file").returncode == 0
