"""Files of a bundle are what the manifest pins, or are refused; folders appear whole."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_experts.errors import BundleError, DigestError, UsageError
from edge_experts.features import read_features
from edge_experts.format.atomic import cache_folder, remove, staged, write_whole
from edge_experts.format.checked_files import read_arrays, read_checked
from edge_experts.format.manifest import FEATURES, FeatureSpec, FileEntry
from edge_experts.format.manifest_parser import read_manifest

from ...tiny import INPUTS, tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path / "b")


def _made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _moved_out(path: Path) -> None:
    shutil.move(path, path.parents[2] / "x")
    path.symlink_to("../../x")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "missing; copy the bundle again"),
    "a folder": (_made_a_folder, "missing"),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "is longer, must have 772"),
    "shorter": (lambda path: path.write_bytes(path.read_bytes()[:9]), "is 9 bytes long, must have"),
    "changed": (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "damaged"),
    "elsewhere": (_moved_out, "leads out of the bundle"),
}


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_not_the_pinned_one(bundle: Path, damage: str, thorough: bool) -> None:
    entry = read_manifest(bundle).experts[1]
    assert len(read_checked(bundle, entry, thorough=thorough)) == entry.bytes
    change, told = DAMAGES[damage]
    change(bundle / entry.path)
    with pytest.raises(DigestError, match=rf"001\.tflite: {told}"):
        read_checked(bundle, entry, thorough=thorough)


def test_a_file_that_comes_in_parts_is_read_whole(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file system behind a network may give it."""
    real = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, most: real(descriptor, min(most, 100)))
    entry = read_manifest(bundle).experts[1]
    assert read_checked(bundle, entry) == (bundle / entry.path).read_bytes()


def test_a_link_within_the_bundle_is_followed(bundle: Path) -> None:
    entry = read_manifest(bundle).experts[1]
    (bundle / entry.path).rename(bundle / "x")
    (bundle / entry.path).symlink_to("../x")
    assert len(read_checked(bundle, entry)) == entry.bytes


def test_a_folder_that_is_a_file(bundle: Path) -> None:
    entry = replace(read_manifest(bundle).experts[1], path="router.tflite/000.tflite")
    with pytest.raises(DigestError, match="missing"):
        read_checked(bundle, entry)


def test_arrays_that_are_none(bundle: Path) -> None:
    (bundle / "x.npz").write_bytes(b"no arrays")
    with pytest.raises(BundleError, match=r"x\.npz: not an \.npz of plain arrays"):
        read_arrays(bundle, FileEntry.of("x.npz", b"no arrays"))


def test_features_with_and_without_arrays(bundle: Path) -> None:
    features = read_features(bundle, read_manifest(bundle).features)
    assert features.encode(INPUTS[0])["x"].shape == (1, 2)
    with pytest.raises(BundleError, match="settings do not fit 'array'"):
        read_features(bundle, FeatureSpec("array", {"shape": [2]}))
    assert read_manifest(bundle).features.file == FileEntry.of(
        FEATURES, (bundle / FEATURES).read_bytes(), 1000
    )


def test_folders_appear_whole(tmp_path: Path) -> None:
    with staged(tmp_path / "a") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "a").exists()
    with pytest.raises(UsageError, match="exists already"), staged(tmp_path / "a"):
        pass
    with pytest.raises(IsADirectoryError), staged(tmp_path / "a", force=True) as folder:
        folder.write_text("2")
    assert (tmp_path / "a" / "x").read_text() == "1"
    with staged(tmp_path / "a", force=True) as folder:
        (folder / "y").write_text("3")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "y"]
    with pytest.raises(UsageError, match="none does not exist"), staged(tmp_path / "none" / "a"):
        pass


def test_files_appear_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "ä")
    write_whole(tmp_path / "a", b"b", mode=0o600)
    assert (tmp_path / "a").read_bytes() == b"b"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match="b: is a folder; name a file"):
        write_whole(tmp_path / "b", "x")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", "a word")
    assert os.read(reader, 100) == b"a word"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode), "and not replaced"


def test_links_are_not_followed_when_a_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").write_text("x")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    remove(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "kept" / "x").exists()


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", "/a")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("EDGE_EXPERTS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/b/edge-experts")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "edge-experts"
