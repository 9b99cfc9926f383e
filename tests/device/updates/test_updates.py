"""Installing, going back, and what is refused; lost power and failing disks are in tests/faults."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_experts.errors import (
    DigestError,
    GoldenError,
    MachineError,
    ManifestError,
    OldVersionError,
    UsageError,
)
from edge_experts.format import disk
from edge_experts.format.archive import pack
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest import MANIFEST, FileEntry, expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.updates.install import install, rollback
from edge_experts.updates.root import HISTORY, Root
from edge_experts.updates.source import digests

from ...conftest import Cli
from ...tiny import model, tiny_bundle, weights_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def made(tmp_path: Path, version: int, *seeds: int) -> Path:
    """Version 2 of the seeds (2, 3) shares an expert with version 1 of (1, 2), and so on."""
    seeds = seeds or (version, version + 1)
    name = "-".join(map(str, (version, *seeds)))
    return tiny_bundle(tmp_path / "made" / name, version=version, seeds=seeds)


def version(root: Path) -> int:
    return read_manifest(resolve(root)).bundle_version


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "versions").iterdir())


def damage(path: Path) -> None:
    """Another byte, in a file of its own: other versions may share this one."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def test_the_layout_is_the_documented_one(tmp_path: Path, root: Path) -> None:
    first = install(made(tmp_path, 1), root)
    assert (first.previous, first.reused_bytes, first.golden_examples) == (None, 0, 4)
    second = install(made(tmp_path, 2), root)
    assert second.previous == first.name
    assert (root / "current").readlink() == Path("versions", second.name)
    assert second.name.startswith("2-")
    assert second.name.removeprefix("2-") == read_manifest(root / "current").digest[7:19]
    assert names(root) == sorted([first.name, second.name])
    assert {path.name for path in root.iterdir()} == {"current", "versions", HISTORY, "lock"}


def test_only_what_changed_is_written(tmp_path: Path, root: Path) -> None:
    install(made(tmp_path, 1), root)
    done = install(made(tmp_path, 2), root)
    manifest, folder = read_manifest(resolve(root)), resolve(root)
    again = {entry.path for entry in manifest.files if (folder / entry.path).stat().st_nlink > 1}
    # The old second expert is the new first one.
    assert again == {"router.tflite", "features.npz", "experts/000.tflite"}
    assert done.reused_bytes == sum(e.bytes for e in manifest.files if e.path in again)
    assert done.written_bytes == sum(e.bytes for e in manifest.files if e.path not in again)


def test_an_update_ships_only_what_changed(tmp_path: Path, root: Path) -> None:
    old, new = made(tmp_path, 1), made(tmp_path, 2)
    pack(new, tmp_path / "update.zip", without=digests(old))
    with zipfile.ZipFile(tmp_path / "update.zip") as archive:
        assert archive.namelist() == [
            MANIFEST,
            "experts/001.tflite",
            "golden.npz",
            "MODEL_CARD.md",
        ]
    with pytest.raises(DigestError, match=r"router\.tflite \(3 of 6 files\) is left out, and"):
        install(tmp_path / "update.zip", root)
    assert names(root) == []
    install(old, root)
    install(tmp_path / "update.zip", root)
    assert version(root) == 2
    assert digests(root) == digests(new) == digests(new / MANIFEST) == digests(resolve(root))


def test_a_damaged_installed_file_is_not_taken(tmp_path: Path, root: Path) -> None:
    old, new = made(tmp_path, 1), made(tmp_path, 2)
    pack(new, tmp_path / "update.zip", without=digests(old))
    install(old, root)
    damage(resolve(root) / "router.tflite")
    with pytest.raises(DigestError, match=r"router\.tflite: damaged .* install the whole one"):
        install(tmp_path / "update.zip", root)
    assert version(root) == 1
    install(new, root)
    assert (resolve(root) / "router.tflite").read_bytes() == (new / "router.tflite").read_bytes()
    with pytest.raises(DigestError, match=r"router\.tflite: damaged"):
        rollback(root)
    assert version(root) == 2, "the one before is damaged, so the current one stays"


def test_a_damaged_current_bundle_is_repaired(tmp_path: Path, root: Path) -> None:
    first, second = made(tmp_path, 1), made(tmp_path, 2)
    install(first, root)
    name = install(second, root).name
    assert not install(second, root).changed
    for what in ("experts/001.tflite", MANIFEST):
        damage(resolve(root) / what)
        done = install(second, root)
        assert done.changed
        assert done.name.split(".")[0] == name
        assert not install(second, root).changed
    assert len(names(root)) == 2
    rollback(root)
    assert version(root) == 1


def test_rollback_and_forward(tmp_path: Path, root: Path) -> None:
    for number in (1, 2, 3):
        install(made(tmp_path, number), root, keep=3)
    assert rollback(root).golden_examples == 4
    assert version(root) == 2
    assert rollback(root).previous is not None
    assert version(root) == 1
    with pytest.raises(UsageError, match="no earlier version"):
        rollback(root)
    with pytest.raises(OldVersionError, match="version 3 was installed there, so that version 2"):
        install(made(tmp_path, 2, 8, 9), root)
    install(tmp_path / "made" / "3-3-4", root)
    assert version(root) == 3, "what was undone may come again"
    rollback(root)
    assert version(root) == 1, "it took the place of version 1"


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_so_many_versions_stay(tmp_path: Path, root: Path, keep: int) -> None:
    for number in range(1, 6):
        assert install(made(tmp_path, number), root, keep=keep).left is None
    assert [name.split("-")[0] for name in names(root)] == [str(n) for n in range(6 - keep, 6)]


def test_old_bundles_are_refused(tmp_path: Path, root: Path) -> None:
    install(made(tmp_path, 3), root)
    for other in (made(tmp_path, 2), made(tmp_path, 3, 7, 8)):
        with pytest.raises(OldVersionError, match="--allow-older"):
            install(other, root)
    install(made(tmp_path, 2, 5, 6), root, allow_older=True)
    assert version(root) == 2
    with pytest.raises(OldVersionError, match="version 3 was installed"):
        install(made(tmp_path, 2, 9, 10), root)
    rollback(root)
    assert version(root) == 3


def test_a_lost_history_is_told_from_the_versions(tmp_path: Path, root: Path) -> None:
    bundles = {number: made(tmp_path, number) for number in (1, 2, 3)}
    for number in (1, 2, 3):
        install(bundles[number], root, keep=3)
    rollback(root)
    for content in (
        b"",
        b"\0" * 100,
        b"{}",
        b'{"newest": "3", "order": []}',
        b"[1]",
        b'{"newest":1',
    ):
        (root / HISTORY).write_bytes(content)
        with pytest.raises(OldVersionError, match="version 3 was installed"):
            install(made(tmp_path / str(len(content)), 2, 8, 9), root)
    rollback(root)
    assert version(root) == 1


def test_an_older_history_does_not_remove_what_is_current(tmp_path: Path, root: Path) -> None:
    install(made(tmp_path, 1), root)
    kept = (root / HISTORY).read_bytes()
    install(made(tmp_path, 2), root)
    (root / HISTORY).write_bytes(kept)
    rollback(root)
    assert version(root) == 1


def test_a_strange_pointer_is_replaced(tmp_path: Path, root: Path) -> None:
    bundle = made(tmp_path, 1)
    install(bundle, root)
    (root / "current").unlink()
    (root / "current").symlink_to("versions/mine")
    assert install(bundle, root).changed
    assert version(root) == 1


def test_a_bundle_that_answers_otherwise_is_not_installed(tmp_path: Path, root: Path) -> None:
    install(made(tmp_path, 1), root)
    bad = made(tmp_path, 2)
    place = bad / expert_path(0)
    place.write_bytes(model(-weights_of(2)))
    with pytest.raises(DigestError, match=r"000\.tflite: damaged"):
        install(bad, tmp_path / "other")
    manifest = read_manifest(bad)
    entry = FileEntry.of(expert_path(0), place.read_bytes(), 1000)
    wrong = replace(manifest, experts=(entry, *manifest.experts[1:]))
    (bad / MANIFEST).write_text(wrong.to_json())
    with pytest.raises(GoldenError, match="do not use this bundle here"):
        install(bad, root)
    assert version(root) == 1
    assert len(names(root)) == 1


def test_a_full_disk_is_seen_before_anything_is_written(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(tmp_path, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=900_000))
    with pytest.raises(MachineError, match="900,000 are free; make room") as told:
        install(bundle, root)
    assert told.value.exit_code == 6
    assert names(root) == []


def test_a_file_system_without_second_names(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(old: Path, new: Path) -> None:
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr(disk, "link", refused)
    install(made(tmp_path, 1), root)
    install(made(tmp_path, 2), root)
    files = [path for path in resolve(root).rglob("*") if path.is_file()]
    assert {path.stat().st_nlink for path in files} == {1}
    rollback(root)


def test_an_old_version_that_cannot_be_removed_is_told(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(made(tmp_path, 1), root)
    with monkeypatch.context() as patch:

        def refused(path: Path) -> None:
            raise PermissionError(13, "no", str(path))

        patch.setattr(disk, "rmdir", refused)
        done = install(made(tmp_path, 2), root, keep=1)
    assert "no" in str(done.left)
    assert version(root) == 2
    install(made(tmp_path, 3), root)
    assert [name[0] for name in names(root)] == ["2", "3"]


def test_damaged_neighbours_do_not_matter(tmp_path: Path, root: Path) -> None:
    install(made(tmp_path, 1), root)
    install(made(tmp_path, 2), root)
    [older] = [name for name in names(root) if name.startswith("1-")]
    (root / "versions" / older / MANIFEST).write_bytes(b"")
    assert install(made(tmp_path, 3), root).changed


@pytest.mark.parametrize("what", ["a folder", "a file", "no parent", "a bundle"])
def test_what_is_no_root_is_refused(tmp_path: Path, what: str) -> None:
    bundle, place = made(tmp_path, 1), tmp_path / "place"
    if what == "a folder":
        place.mkdir()
        (place / "holiday.jpg").write_bytes(b"x")
    elif what == "a file":
        place.write_bytes(b"x")
    elif what == "no parent":
        place = place / "deeper"
    else:
        place = bundle
    with pytest.raises(UsageError, match=str(place)):
        install(bundle, place)
    with pytest.raises(UsageError, match="nothing is installed there"):
        rollback(place)


def test_what_is_no_bundle_is_refused(tmp_path: Path, root: Path) -> None:
    with pytest.raises(UsageError, match="keep must be at least 1"):
        install(made(tmp_path, 1), root, keep=0)
    with pytest.raises(UsageError, match="no such archive"):
        install(tmp_path / "none.zip", root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"not a bundle, it has no manifest\.json"):
        install(tmp_path / "empty", root)
    with pytest.raises(UsageError, match="nothing is installed"):
        rollback(root)


def test_two_installs_do_not_race(tmp_path: Path, root: Path) -> None:
    bundle = made(tmp_path, 1)
    with Root.locked(root, create=True), pytest.raises(MachineError, match="another install"):
        install(bundle, root)
    install(bundle, root)


def test_installing_imports_nothing_of_the_host(tmp_path: Path, root: Path) -> None:
    code = (
        "from edge_experts.updates.install import install; import sys;"
        f"install({str(made(tmp_path, 1))!r}, {str(root)!r}); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"tensorflow", "typer", "cryptography", "tf_keras"}


def test_the_commands(tmp_path: Path, root: Path, cli: Cli) -> None:
    first, second = made(tmp_path, 1), made(tmp_path, 2)
    done = cli("install", first, root)
    assert done.returncode == 0, done.stderr
    assert "is current; 4 golden examples answered as published" in done.stdout
    done = cli("pack", second, "--since", root, "--out", tmp_path / "update.zip")
    assert "has 3 of 6 files" in done.stdout
    found = json.loads(cli("install", tmp_path / "update.zip", root, "--json").stdout)
    assert (found["changed"], found["signed_by"]) == (True, None)
    assert found["written_bytes"] > 0 < found["reused_bytes"]
    assert "nothing to do" in cli("install", second, root).stdout
    assert "bundle version 2" in cli("inspect", root).stdout
    done = cli("verify", root)
    assert "all 6 files are intact" in done.stdout
    assert "not signed by a trusted key" in done.stdout
    assert json.loads(cli("run", root, "[2, 1]", "--json").stdout)["label"] == "up"
    done = cli("rollback", root)
    assert f"{found['previous']} is current, {found['current']} before" in done.stdout
    done = cli("install", made(tmp_path, 2, 8, 9), root)
    assert (done.returncode, "--allow-older" in done.stderr) == (3, True)
    assert cli("install", made(tmp_path, 2, 9, 9), root, "--allow-older").returncode == 0
    assert cli("rollback", tmp_path).returncode == 2
