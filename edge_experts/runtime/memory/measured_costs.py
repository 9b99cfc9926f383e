"""Memory costs of models on this machine: costs.json in an install root, beside the bundles.

The manifest has the costs on the machine that converted the bundle; another interpreter or
processor may keep other copies of the weights. Signed files are not changed, so local figures are
stored outside the bundles. Keys are the models' SHA-256: files that an update does not change need
no new measurement.
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
from ..copied_weights import LEAST_BYTES
from ..interpreter import description

FILE = "costs.json"


class Costs(NamedTuple):
    """Bytes that models take in memory.

    Attributes:
        always: of all routers and dense parts, or more while they are opened.
        experts: of each expert.
        opening: of each expert while it is opened.
    """

    always: int
    experts: tuple[int, ...]
    opening: tuple[int, ...]


def known(folder: Path, manifest: Manifest) -> Costs:
    """Look up costs measured on this machine, or else those in the manifest.

    Args:
        folder: the bundle's; costs.json is read from the install root that contains it, if any.
    """
    here, is_ours = _read(folder.resolve().parent.parent), _is_verified_here(manifest)

    def twice(entry: FileEntry) -> int:
        # Only large models of layers give up bytes of their files: `RowsModel.give_up_weights`.
        return 2 * entry.bytes if manifest.layers and entry.bytes > LEAST_BYTES else 0

    def cost(entry: FileEntry) -> int:
        if entry.sha256 in here:
            return here[entry.sha256]
        # Another interpreter may keep the bytes that were given up where this was measured.
        return entry.resident_bytes if is_ours else max(entry.resident_bytes, twice(entry))

    def opening(entry: FileEntry) -> int:
        return max(cost(entry), twice(entry))

    taken = most = 0
    for entry in largest_first((*manifest.routers, *manifest.dense)):
        most = max(most, taken + opening(entry))
        taken += cost(entry)
    most = max(most, taken)
    experts = manifest.experts
    return Costs(most, tuple(map(cost, experts)), tuple(map(opening, experts)))


def largest_first(entries: Iterable[FileEntry]) -> list[FileEntry]:
    """Order in which models are opened that stay open: each takes twice its file for a moment."""
    return sorted(entries, key=lambda entry: -entry.bytes)


def cover(root: Path, manifest: Manifest) -> bool:
    """Test that all models were measured on this kind of machine, at conversion or later."""
    here = _read(root)
    return _is_verified_here(manifest) or all(entry.sha256 in here for entry in _models(manifest))


def record(root: Path, manifest: Manifest, found: Mapping[str, int], kept: Iterable[str]) -> None:
    """Store the costs of a bundle's models, by path, and keep those of other installed files.

    Args:
        kept: SHA-256 of the installed files; figures of all other files are deleted.
    """
    stay = set(kept)
    figures = {digest: cost for digest, cost in _read(root).items() if digest in stay}
    figures |= {entry.sha256: found[entry.path] for entry in _models(manifest)}
    content = {"schema_version": "1.0", "machine": _machine(), "bytes": figures}
    content["digest"] = canonical_digest(content)
    write_whole(root / FILE, json.dumps(content, indent=1) + "\n")


def _read(root: Path) -> dict[str, int]:
    """Read costs by SHA-256; empty if the file is missing, damaged, or from another machine."""
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
    """Describe what the figures are valid for; `verified_on` in a manifest has the same keys."""
    return {**description(), "machine": platform.machine()}


def _is_verified_here(manifest: Manifest) -> bool:
    machine = _machine()
    return {key: manifest.verified_on.get(key) for key in machine} == machine


def _models(manifest: Manifest) -> list[FileEntry]:
    return list(manifest.models)
