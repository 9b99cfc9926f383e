"""`install` on a file system without links, as of FAT: refused before anything is written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from edge_experts.errors import MachineError
from edge_experts.format import disk
from edge_experts.updates.install import install
from tests.tiny import tiny_bundle


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_it_is_refused_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool, number: int
) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(number, "no links")

    monkeypatch.setattr(disk, "symlink", refuse)
    monkeypatch.setattr(disk, "link", refuse)
    root = tmp_path / "root"
    if exists:
        (root / "lost+found").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    bundle = tiny_bundle(tmp_path.parent / f"{tmp_path.name}.bundle")
    with pytest.raises(MachineError, match=r"no links.*FAT.*edge-experts unpack"):
        install(bundle, root)
    assert sorted(tmp_path.rglob("*")) == before
