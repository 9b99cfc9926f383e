"""Archives: the same bundle comes out, and nothing else does."""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_experts.errors import BundleError, DigestError, UsageError
from edge_experts.format.archive import pack, packed_bytes, unpack
from edge_experts.format.manifest import MANIFEST, canonical_digest
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli
from ...tiny import tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path / "b.bundle")


@pytest.fixture
def archive(bundle: Path, tmp_path: Path) -> Path:
    pack(bundle, tmp_path / "b.zip")
    return tmp_path / "b.zip"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_bundle_comes_out_as_it_went_in(bundle: Path, tmp_path: Path, cli: Cli) -> None:
    zipped, out = tmp_path / "b.zip", tmp_path / "out.bundle"
    done = cli("pack", bundle, "--out", zipped)
    assert done.returncode == 0, done.stderr
    assert f"{zipped.stat().st_size:,} bytes" in done.stdout
    assert cli("unpack", zipped, "--out", out).returncode == 0
    assert contents(out) == contents(bundle)
    assert cli("verify", out).returncode == 0
    assert cli("unpack", zipped, "--out", out).returncode == 2, "it exists"


def test_archives_of_the_same_bundle_are_the_same(bundle: Path, tmp_path: Path) -> None:
    sizes = [pack(bundle, tmp_path / name) for name in ("1.zip", "2.zip")]
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    files = [MANIFEST, *(entry.path for entry in read_manifest(bundle).files)]
    parts = [packed_bytes(path, (bundle / path).read_bytes()) for path in files]
    assert sizes[0] == sum(parts) + 22, "what a file takes in an archive adds up"


def test_what_the_manifest_does_not_list_stays_inside(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("../outside", "x")
        opened.writestr("/absolute", "x")
    unpack(archive, tmp_path / "out")
    assert not (tmp_path / "outside").exists()
    assert "outside" not in " ".join(contents(tmp_path / "out"))


def rewritten(archive: Path, path: str, content: bytes | None) -> None:
    """The archive with other bytes for one file, or without it."""
    with zipfile.ZipFile(archive) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    files.pop(path)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, one in (files if content is None else {**files, path: content}).items():
            opened.writestr(name, one)


def test_a_file_that_would_fill_the_disk_is_not_read(archive: Path, tmp_path: Path) -> None:
    rewritten(archive, "router.tflite", bytes(300_000_000))
    with pytest.raises(DigestError, match=r"router\.tflite: is longer"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_or_changed_file_is_named(archive: Path, tmp_path: Path) -> None:
    rewritten(archive, "experts/001.tflite", b"x")
    with pytest.raises(DigestError, match=r"b\.zip: experts/001\.tflite: is 1 bytes long"):
        unpack(archive, tmp_path / "out")
    rewritten(archive, "experts/001.tflite", None)
    with pytest.raises(DigestError, match=r"has no experts/001\.tflite; copy it again"):
        unpack(archive, tmp_path / "out")
    rewritten(archive, MANIFEST, None)
    with pytest.raises(DigestError, match=r"has no manifest\.json"):
        unpack(archive, tmp_path / "out")


def test_a_path_that_leads_out_is_refused(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        content = json.loads(opened.read(MANIFEST))
    content["router"]["path"] = "../router.tflite"
    content["digest"] = canonical_digest(content)
    rewritten(archive, MANIFEST, json.dumps(content).encode())
    with pytest.raises(BundleError, match="must stay inside the bundle"):
        unpack(archive, tmp_path / "out")


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_damaged_archive_is_refused_or_whole(
    archive: Path, bundle: Path, tmp_path: Path, data: st.DataObject
) -> None:
    raw = bytearray(archive.read_bytes())
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / "damaged.zip").write_bytes(raw)
    with contextlib.suppress(BundleError):
        unpack(tmp_path / "damaged.zip", tmp_path / "out", force=True)
        assert contents(tmp_path / "out") == contents(bundle)


def test_no_archive_is_named(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"no archive")
    with pytest.raises(BundleError, match="not a bundle's archive"):
        unpack(tmp_path / "b.zip", tmp_path / "out")
    with pytest.raises(UsageError, match="exists already"):
        unpack(tmp_path / "b.zip", bundle)
    with pytest.raises(UsageError, match="no such archive"):
        unpack(tmp_path / "none.zip", tmp_path / "out")
    with pytest.raises(UsageError, match="no such archive"):
        unpack(bundle, tmp_path / "out")


def test_an_update_is_not_taken_for_a_bundle(bundle: Path, tmp_path: Path) -> None:
    known = frozenset([read_manifest(bundle).experts[1].sha256])
    pack(bundle, tmp_path / "update.zip", without=known)
    with pytest.raises(DigestError, match=r"has no experts/001\.tflite; .* `edge-experts install`"):
        unpack(tmp_path / "update.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
