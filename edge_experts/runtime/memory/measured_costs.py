"""What models take in memory on this machine: costs.json in an install root, beside the bundles.

The manifest has what they took where the bundle was converted; another interpreter or processor
keeps other copies of their weights. What was signed stays as it is, so the figures stand outside.
They are by the models' SHA-256: what an update leaves as it was need not be measured again.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ...errors import MachineError
from ...format.atomic import write_whole
from ...format.bounded_read import read_at_most
from ...format.install_root import is_root
from ...format.limits import LIMITS
from ...format.manifest import FileEntry, Manifest, canonical_digest
from ..interpreter import description

FILE = "costs.json"


class Costs(NamedTuple):
    """Bytes that models take in memory; all routers together, 0 where there is none."""

    router: int
    experts: tuple[int, ...]


def known(folder: Path, manifest: Manifest) -> Costs:
    """As measured on this machine, else as the manifest says.

    Args:
        folder: the bundle's; figures are looked for in the root that it is installed in, if any.
    """
    here = _read(folder.resolve().parent.parent)

    def cost(entry: FileEntry) -> int:
        return here.get(entry.sha256, entry.resident_bytes)

    return Costs(sum(map(cost, manifest.routers)), tuple(map(cost, manifest.experts)))


def cover(root: Path, manifest: Manifest) -> bool:
    """Whether every model was measured on a machine like this one, at conversion or here."""
    here, machine = _read(root), _machine()
    if {key: manifest.verified_on.get(key) for key in machine} == machine:
        return True
    return all(entry.sha256 in here for entry in _models(manifest))


def record(root: Path, manifest: Manifest, found: Mapping[str, int], kept: Iterable[str]) -> None:
    """Keep what was found of a bundle's models, by path, and what is known of others.

    Args:
        kept: SHA-256 of the files that are installed; of others the figures are forgotten.
    """
    stay = set(kept)
    figures = {digest: cost for digest, cost in _read(root).items() if digest in stay}
    figures |= {entry.sha256: found[entry.path] for entry in _models(manifest)}
    content = {"schema_version": "1.0", "machine": _machine(), "bytes": figures}
    content["digest"] = canonical_digest(content)
    write_whole(root / FILE, json.dumps(content, indent=1) + "\n")


def _read(root: Path) -> dict[str, int]:
    """By SHA-256; empty where nothing was measured, or elsewhere, or the file is damaged."""
    try:
        raw = read_at_most(root / FILE, LIMITS.manifest_bytes) if is_root(root) else None
        if raw is None or len(raw) > LIMITS.manifest_bytes:
            return {}
        content = json.loads(raw)
        if content["digest"] != canonical_digest(content) or content["machine"] != _machine():
            return {}
        return {str(digest): max(0, int(cost)) for digest, cost in content["bytes"].items()}
    except (MachineError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _machine() -> dict[str, str]:
    """What the figures hold for; a manifest's `verified_on` has the same keys."""
    return {**description(), "machine": platform.machine()}


def _models(manifest: Manifest) -> list[FileEntry]:
    return [*manifest.routers, *manifest.experts]
