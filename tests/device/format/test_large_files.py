"""Files of a bundle that stay open: checked whole once, then read in parts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_experts.errors import DigestError, MachineError
from edge_experts.format import checked_files
from edge_experts.format.bounded_read import open_regular
from edge_experts.format.checked_files import open_checked
from edge_experts.format.manifest import FileEntry

CONTENT = bytes(range(256)) * 20


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileEntry:
    monkeypatch.setattr(checked_files, "_PART", 1000)  # several parts
    (tmp_path / "dense").mkdir()
    (tmp_path / "dense" / "a.bin").write_bytes(CONTENT)
    return FileEntry.of("dense/a.bin", CONTENT)


def test_a_checked_file_stays_open(tmp_path: Path, entry: FileEntry) -> None:
    with open_checked(tmp_path, entry) as file:
        assert os.pread(file.fileno(), 10, 5110) == CONTENT[5110:]
        assert os.pread(file.fileno(), 3, 0) == CONTENT[:3]


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x" * 5000, CONTENT[1:] + b"x", b""])
def test_another_content_is_refused(tmp_path: Path, entry: FileEntry, content: bytes) -> None:
    (tmp_path / entry.path).write_bytes(content)
    with pytest.raises(DigestError, match=r"a\.bin: damaged"):
        open_checked(tmp_path, entry)


def test_what_is_no_file_is_missing(tmp_path: Path, entry: FileEntry) -> None:
    path = tmp_path / entry.path
    path.unlink()
    with pytest.raises(DigestError, match=r"a\.bin: missing"):
        open_checked(tmp_path, entry)
    path.mkdir()
    with pytest.raises(DigestError, match=r"a\.bin: missing"):
        open_checked(tmp_path, entry)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(DigestError, match=r"a\.bin: missing"):
        open_checked(tmp_path, entry)
    (tmp_path / "dense").rename(tmp_path / "other")
    (tmp_path / "dense").write_bytes(b"a file where a folder should be")
    with pytest.raises(DigestError, match=r"a\.bin: missing"):
        open_checked(tmp_path, entry)


def test_a_link_out_of_the_bundle_is_refused(tmp_path: Path, entry: FileEntry) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "dense").symlink_to(tmp_path / "dense")
    with pytest.raises(DigestError, match="leads out of the bundle"):
        open_checked(bundle, entry)


def test_a_file_that_the_system_refuses_is_an_error_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "loop"
    path.symlink_to(path)
    with pytest.raises(MachineError, match="loop"):
        open_regular(path)
