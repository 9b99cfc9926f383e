"""Folders that an interrupted process leaves for the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_experts.errors import MachineError, UsageError
from edge_experts.format.atomic import resumed


def _interrupted(target: Path, key: str, error: BaseException) -> bool:
    """Begin to make a folder and fail; return whether it had the file of an earlier attempt."""
    there = False
    try:
        with resumed(target, key) as folder:
            there = (folder / "file").exists()
            (folder / "file").write_text(key)
            raise error
    except type(error):
        return there


def test_only_work_on_the_same_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "a"
    assert not _interrupted(target, "one", KeyboardInterrupt())
    assert _interrupted(target, "one", KeyboardInterrupt())
    assert not _interrupted(target, "two", MachineError("the disk is full"))
    assert _interrupted(target, "two", UsageError("refused"))
    with resumed(target, "two") as folder:
        assert not (folder / "file").exists()
        (folder / "file").write_text("done")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert [path.name for path in target.iterdir()] == ["file"]


def test_two_processes_do_not_write_one_folder(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with resumed(target, "key"):
        second = resumed(target, "key")
        with pytest.raises(UsageError, match="another process is making it"):
            second.__enter__()
    assert target.is_dir()
