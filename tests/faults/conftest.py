"""Bundles, roots in which some are installed, and what must hold of a root after anything."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_experts.format import disk
from edge_experts.format.checked_files import read_checked
from edge_experts.format.install_root import CURRENT, is_root, resolve
from edge_experts.format.manifest import Manifest
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.updates.install import install
from tests.tiny import tiny_bundle

Bundles = dict[int, Path]


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Versions 1 to 4, each with one expert of the one before."""
    base = tmp_path_factory.mktemp("bundles")
    return {
        version: tiny_bundle(base / str(version), version=version, seeds=(version, version + 1))
        for version in range(1, 5)
    }


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk: in these tests nobody cuts the real power."""
    monkeypatch.setattr(disk, "fsync", lambda path: path.stat())


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where there is such a place: a disk would wait for every rename."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def root_with(tmp_path: Path, bundles: Bundles) -> Callable[..., Path]:
    """A folder `base` with the root `base/root`, in which these versions were installed."""
    made: dict[tuple[int, ...], Path] = {}

    def make(*versions: int, name: str = "base") -> Path:
        if versions not in made:
            made[versions] = tmp_path / "-".join(("made", *map(str, versions)))
            made[versions].mkdir()
            for version in versions:
                install(bundles[version], made[versions] / "root")
        base = tmp_path / name
        shutil.rmtree(base, ignore_errors=True)
        return Path(shutil.copytree(made[versions], base, symlinks=True)) / "root"

    return make


def whole(root: Path) -> int:
    """The version that is current, every byte of it checked; 0 if there is none."""
    if not is_root(root):
        assert not (root / CURRENT).is_symlink()
        return 0
    folder = resolve(root)
    manifest: Manifest = read_manifest(folder)
    for entry in manifest.files:
        read_checked(folder, entry)
    return manifest.bundle_version


def leftovers(root: Path) -> list[str]:
    """Names of unfinished things."""
    return [path.name for path in root.rglob(".*")]
