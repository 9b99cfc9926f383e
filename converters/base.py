"""The bundle that a new one is an update of: what need not be converted, or shipped, again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.bundle import FileEntry, Manifest, read_manifest
from edge_experts.errors import UsageError
from edge_experts.runtime.storage import read_checked

NETWORKS = "networks.json"  # in the job's folder: the digest of each file's Keras network
REUSED = "reused"  # the job's folder of files that are good already, by what they were made from


@dataclass(frozen=True)
class Base:
    folder: Path
    manifest: Manifest

    def offer(self, job: Path) -> None:
        """Lay out, for the worker, each file under the digest of the Keras network it came from.

        A base whose manifest has no such digests offers nothing, and all is converted.

        Raises:
            DigestError: a file of the base is damaged.
        """
        place = job / REUSED
        place.mkdir()
        made_from = self.manifest.provenance.get("networks")
        for path, digest in (made_from if isinstance(made_from, dict) else {}).items():
            entry = _files(self.manifest).get(path)
            if entry is not None and _is_digest(digest):
                (place / digest).write_bytes(read_checked(self.folder, entry))

    def next_version(self, asked: int | None) -> int:
        """The version asked for, or the one after the base's.

        Raises:
            UsageError: it is not above the base's.
        """
        if asked is not None and asked <= self.manifest.bundle_version:
            raise UsageError(
                f"bundle_version must be above that of {self.folder}, "
                f"{self.manifest.bundle_version}, got {asked}"
            )
        return asked or self.manifest.bundle_version + 1

    def changes(self, manifest: Manifest) -> dict[str, Any]:
        """What an update from the base to `manifest` ships; kept is what has the same bytes."""
        before = [entry.sha256 for entry in self.manifest.experts]
        after = [entry.sha256 for entry in manifest.experts]
        both = range(min(len(before), len(after)))
        routers = [one.router and one.router.sha256 for one in (self.manifest, manifest)]
        return {
            "base": self.manifest.digest,
            "base_version": self.manifest.bundle_version,
            "added": list(range(len(before), len(after))),
            "retrained": [index for index in both if before[index] != after[index]],
            "kept": [index for index in both if before[index] == after[index]],
            "router": "kept" if routers[0] == routers[1] else "retrained",
        }


def read(folder: str | Path, experts: int, quantization: str, layout: str) -> Base:
    """The base of a conversion with these options.

    Raises:
        ManifestError: it is not a bundle.
        UsageError: it was made otherwise, so that its files cannot stand beside new ones.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for option, value in (("quantization", quantization), ("layout", layout)):
        made = manifest.provenance.get(option)
        if made != value:
            raise UsageError(
                f"{folder}: was converted with --{option} {made}, so its files cannot stand beside "
                f"new ones of {value}; pass --{option} {made}, or leave --base away"
            )
    if layout != "split":
        raise UsageError(f"layout {layout!r} has all experts in one file, none can be kept")
    if len(manifest.experts) > experts:
        raise UsageError(
            f"{folder}: has {len(manifest.experts)} experts and the run {experts}; name the bundle "
            "of the run that was extended"
        )
    return Base(folder, manifest)


def _files(manifest: Manifest) -> dict[str, FileEntry]:
    return {one.path: one for one in (manifest.router, *manifest.experts) if one is not None}


def _is_digest(text: Any) -> bool:
    """It becomes a file's name, so nothing else may be in it."""
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")
