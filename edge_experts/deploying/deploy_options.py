"""Options of a deployment, which are the same for all boards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = "~/.local/share/edge-experts"


@dataclass(frozen=True, kw_only=True)
class DeployOptions:
    """How bundles are brought to boards.

    Attributes:
        root: the folder on each board for all files; see this package's documentation.
        ssh: the command with its options, as for rsync's -e.
        python: the board's, 3.11 or later.
        wheels: a folder of wheels, where there is no network.
        trust: public keys, as for `install`.
        allow_older: also accept a version not above the newest ever installed there.
        unit: a port. If given, the server's packages are installed too, and a unit for systemd is
            written beside the bundle. The unit is not enabled.
        benchmark: also measure the bundle there.
        dry_run: only query the boards, and change nothing on them.
    """

    root: str = ROOT
    ssh: str = "ssh"
    python: str = "python3"
    wheels: Path | None = None
    trust: tuple[Path, ...] = ()
    allow_older: bool = False
    unit: int | None = None
    benchmark: bool = True
    dry_run: bool = False
