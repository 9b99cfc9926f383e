"""The user's files of trained networks: their discovery."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ..saved_networks.keras_file import ENDINGS, is_saved_model


@dataclass(frozen=True)
class Found:
    """Files of a folder: a router, if there is one, and the experts in their order."""

    router: Path | None
    experts: tuple[Path, ...]


def find(folder: Path) -> Found:
    """Find `router.keras`, and `experts/*.keras` or `expert_*.keras`; or a single network's file.

    Numbers in names are sorted as numbers: expert_2 comes before expert_10.

    Raises:
        UsageError: there are no such files.
    """
    if folder.is_file() or is_saved_model(folder):
        return Found(None, (folder,))
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder or file")
    below = _models(folder / "experts") if (folder / "experts").is_dir() else []
    beside = [path for path in _models(folder) if path.stem.startswith("expert")]
    if bool(below) == bool(beside):
        what = "experts both in experts/ and beside it" if below else "no experts"
        raise UsageError(
            f"{folder}: {what}; it must hold experts/*.keras or expert_*.keras (or .h5), and a "
            "router.keras if there are several"
        )
    routers = [path for path in _models(folder) if path.stem == "router"]
    return Found(routers[0] if routers else None, tuple(below or beside))


def _models(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix in ENDINGS or is_saved_model(path)]
    return sorted(found, key=lambda path: _natural(path.name))


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
