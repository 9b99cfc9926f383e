"""Tests of installation and rollback, on the storage of the board's bundles."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge_experts.errors import DigestError
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest import MANIFEST, FileEntry
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.installed import InstalledRuntime
from edge_experts.updates.install import install, rollback


@pytest.fixture(scope="module")
def root(published: Path, storage: Path) -> Path:
    """Install root with the bundle; tests leave it unchanged."""
    root = storage / "root"
    assert install(published, root).golden_examples > 0
    return root


@pytest.fixture
def newer(published: Path, tmp_path: Path) -> Path:
    """The same bundle as its next version."""
    folder = Path(shutil.copytree(published, tmp_path / "newer"))
    manifest = read_manifest(folder)
    following = replace(manifest, bundle_version=manifest.bundle_version + 1)
    (folder / MANIFEST).write_text(following.to_json())
    return folder


def test_what_is_installed_answers_and_is_not_installed_again(published: Path, root: Path) -> None:
    with InstalledRuntime(root) as runtime:
        assert runtime.predict(golden.read(published).inputs[0]).label in runtime.manifest.labels
    assert not install(published, root).changed


def test_a_damaged_bundle_never_becomes_current(published: Path, newer: Path, root: Path) -> None:
    card = newer / read_manifest(newer).model_card.path
    damaged = bytearray(card.read_bytes() + b" and one sentence more")
    changed = FileEntry.of(card.name, bytes(damaged))  # a file that is not installed yet ...
    manifest = replace(read_manifest(newer), model_card=changed)
    (newer / MANIFEST).write_text(manifest.to_json())
    damaged[0] ^= 1  # ... and differs from the manifest
    card.write_bytes(damaged)
    with pytest.raises(DigestError):
        install(newer, root)
    assert read_manifest(resolve(root)).digest == read_manifest(published).digest


def test_a_version_is_rolled_back_under_a_running_program(
    published: Path, newer: Path, root: Path
) -> None:
    example, manifest = golden.read(published).inputs[0], read_manifest(published)
    path = manifest.experts[0].path
    file = (resolve(root) / path).stat().st_ino
    with InstalledRuntime(root, check_every=0) as runtime:
        before = runtime.predict(example)
        install(newer, root)
        assert runtime.predict(example).label == before.label
        assert runtime.manifest.bundle_version == manifest.bundle_version + 1
        assert (resolve(root) / path).stat().st_ino == file  # versions share equal files
        rollback(root)
        assert runtime.predict(example).label == before.label
        assert runtime.manifest.bundle_version == manifest.bundle_version
