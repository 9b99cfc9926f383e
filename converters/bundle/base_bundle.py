"""Base bundle of an update: files that need not be converted, or shipped, again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.errors import UsageError
from edge_experts.format.checked_files import read_checked
from edge_experts.format.manifest import FileEntry, Manifest
from edge_experts.format.manifest_parser import read_manifest


@dataclass(frozen=True)
class Base:
    folder: Path
    manifest: Manifest

    def files(self) -> dict[tuple[str, str], bytes]:
        """Read its files, by (digest of the Keras network of each, recipe).

        A base whose manifest has no such digests provides no files, and all are converted.

        Raises:
            DigestError: a file of the base is damaged.
        """
        found, recipe = {}, str(self.manifest.provenance.get("quantization"))
        made_from = self.manifest.provenance.get("networks")
        for path, digest in (made_from if isinstance(made_from, dict) else {}).items():
            entry = _files(self.manifest).get(path)
            if entry is not None:
                found[str(digest), recipe] = read_checked(self.folder, entry)
        return found

    def next_version(self, asked: int | None) -> int:
        """Return the requested version, or the one after the base's.

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
        """List the experts that an update from the base adds, retrains and keeps byte for byte."""
        before = {entry.path: entry.sha256 for entry in self.manifest.experts}
        after = [(before.get(entry.path), entry.sha256) for entry in manifest.experts]
        routers = [[one.sha256 for one in each.routers] for each in (self.manifest, manifest)]
        return {
            "base": self.manifest.digest,
            "base_version": self.manifest.bundle_version,
            "added": [index for index, (old, _) in enumerate(after) if old is None],
            "retrained": [
                index for index, (old, new) in enumerate(after) if old not in (None, new)
            ],
            "kept": [index for index, (old, new) in enumerate(after) if old == new],
            "router": "kept" if routers[0] == routers[1] else "retrained",
        }


def read(folder: str | Path, experts: int, quantization: str, layout: str) -> Base:
    """Read the base of a conversion with these options.

    Raises:
        ManifestError: it is not a bundle.
        UsageError: it was converted differently, so that its files do not fit beside new ones.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for option, value in (("quantization", quantization), ("layout", layout)):
        made = manifest.provenance.get(option)
        if made != value:
            raise UsageError(
                f"{folder}: was converted with --{option} {made}, so its files cannot be used "
                f"beside new ones of {value}; pass --{option} {made}, or remove --base"
            )
    if layout != "split":
        raise UsageError(f"layout {layout!r} has all experts in one file, so no file can be kept")
    if len(manifest.experts) > experts:
        raise UsageError(
            f"{folder}: has {len(manifest.experts)} experts and the run {experts}; name the bundle "
            "of the run that was extended"
        )
    return Base(folder, manifest)


def _files(manifest: Manifest) -> dict[str, FileEntry]:
    return {one.path: one for one in manifest.models}
