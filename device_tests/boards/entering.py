"""Commands on an emulated board, with this checkout of the project on it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from .building import built
from .kinds import Board

_PROJECT = Path(__file__).parents[2]
_ON_BOARD = "/mnt/project"


def entered(
    board: Board,
    command: Sequence[str],
    *,
    binds: Mapping[str, Path] | None = None,
    env: Mapping[str, str] | None = None,
    cpu: str | None = None,
    home: Path | None = None,
    capture: bool | Literal["stdout"] = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command with the board's wheels and the project importable, in the project's folder.

    Args:
        binds: files and folders to mount as /mnt/NAME, by name.
        cpu: another processor than the board's own.
        home: folder that keeps /root, which is otherwise empty and gone afterwards.
        capture: capture the output instead of passing it on; "stdout": only that.
    """
    seen = {"project": _PROJECT, **(binds or {})}
    given = {
        "PYTHONPATH": f"/opt/site:{_ON_BOARD}",
        "PYTHONDONTWRITEBYTECODE": "1",
        **(env or {}),
    }
    words = [str(built(board) / "enter")]
    words += [word for name, path in seen.items() for word in ("--bind", f"{path}:{name}")]
    words += [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
    words += ["--cpu", cpu] if cpu else []
    words += ["--home", str(home)] if home else []
    return subprocess.run(
        [*words, "--", "env", "-C", _ON_BOARD, *command],
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.PIPE if capture is True else None,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def suite(
    board: Board,
    bundle: Path,
    expected: Path | None = None,
    options: Sequence[str] = (),
    *,
    capture: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run the suite for boards, with a bundle of this machine.

    Args:
        expected: the file of answers that the bundle must give.
        options: for pytest.

    Tests of memory are excluded, because the emulator's own memory counts as the program's
    (machine.py measures only the program's). pytest reports how many it deselected.
    """
    command = ("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not memory")
    binds, named = {"bundle": bundle}, ["--bundle", "/mnt/bundle"]
    if expected is not None:
        binds["expected.npz"] = expected
        named += ["--expected", "/mnt/expected.npz"]
    return entered(
        board,
        [*command, "device_tests", *named, *options],
        binds=binds,
        capture=capture,
    )
