"""Packing of an installed bundle's experts for this board: derived files, beside the versions."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from .. import subprocesses
from ..errors import BundleError, MachineError
from ..format.atomic import remove
from ..format.manifest import Manifest
from ..runtime.interpreter import installed
from ..runtime.packed import packing, sidecars
from .root import Root

# Bytes of an expert's file below which a slot takes as much memory as an interpreter.
SMALLEST = 200_000
_BLOCK = 8192  # disk space of a sidecar beyond the file that it is made of


@dataclass(frozen=True)
class PackedExperts:
    """Result of packing.

    Attributes:
        experts: number of the bundle's experts that have a sidecar now.
        bytes: size of their sidecars.
        reason: why there are none; empty if there are, or if nobody wanted them.
    """

    experts: int = 0
    bytes: int = 0
    reason: str = ""


NONE = PackedExperts()


def plan(place: Root, manifest: Manifest, wanted: bool | None, new: int) -> PackedExperts | None:
    """Decide if experts are packed, before anything is written; None: they are.

    The sidecars take as much of the disk as the experts themselves, once more.

    Args:
        wanted: None: where it is possible and worth it.
        new: bytes that the bundle's own files will take.

    Raises:
        MachineError: they are wanted, and the disk does not hold them.
    """
    sizes = [entry.bytes for entry in manifest.experts]
    if wanted is False:
        return PackedExperts()
    # Not `package()`: the bundle's task chooses the interpreter when it is opened.
    if not (manifest.layers and installed(sidecars.LITERT)):
        problem = "only experts of layers are packed, and only for ai-edge-litert"
        return PackedExperts(reason=problem if wanted else "")
    if wanted is None and sum(sizes) < SMALLEST * len(sizes):
        return PackedExperts()
    known = sidecars.read(place.path).files
    missing = [entry for entry in manifest.experts if entry.sha256 not in known]
    needed = sum(entry.bytes + _BLOCK for entry in missing)
    if missing:
        print(
            f"Packing {len(missing)} experts will take {needed:,} bytes of the disk, beside the "
            f"{sum(entry.bytes for entry in manifest.files):,} of the bundle (--no-packed: none)",
            file=sys.stderr,
        )
    free = shutil.disk_usage(place.path).free
    if free >= new + needed:
        return None
    problem = f"{place.path}: packed experts need {needed:,} more bytes and {free:,} are free"
    if wanted:
        raise MachineError(f"{problem}; make room, or install with --no-packed")
    return PackedExperts(reason=problem)


def pack(place: Root, name: str, kept: Iterable[str]) -> PackedExperts:
    """Pack the experts of a version in a process of their own; the version works without, too.

    Args:
        kept: SHA-256 of the files whose sidecars stay.
    """
    try:
        found = subprocesses.call(packing.pack, place.folder(name), place.path, tuple(kept))
    except (BundleError, OSError) as error:
        return PackedExperts(reason=str(error))
    return PackedExperts(found.packed + found.kept, found.bytes)


def drop(place: Root) -> None:
    """Remove all sidecars."""
    if (place.path / sidecars.FOLDER).is_dir():
        remove(place.path / sidecars.FOLDER)
