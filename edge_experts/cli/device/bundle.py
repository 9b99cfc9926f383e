from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..hints import print_next
from ..shared_options import Bundle, BundleOrRoot, Force, Trust


def in_words(changes: Mapping[str, Any]) -> str:
    """Changes of a bundle since its base, in words."""

    def experts(kind: str, what: str) -> str:
        told = changes.get(kind)
        found = list(map(str, told)) if isinstance(told, list) else []
        return f"expert{'s' * (len(found) > 1)} {', '.join(found)} {what}" if found else ""

    parts = [
        experts("added", "added"),
        experts("retrained", "new"),
        f"router {changes.get('router')}",
        experts("kept", "kept byte for byte") or "no expert kept",
    ]
    return "; ".join(filter(None, parts))


def pack(
    bundle: Bundle,
    out: Annotated[Path, typer.Option(help="Archive to write.", show_default=False)],
    since: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="Omit files that this bundle has (folder, archive or manifest.json).",
        ),
    ] = None,
) -> None:
    """Write a bundle, or what changed, to a zip archive.

    Example: edge-experts pack sentiment.bundle --out sentiment.zip

    Example: edge-experts pack new.bundle --since old.bundle --out update.zip
    """
    from ...format.archive import pack as write_archive
    from ...format.manifest_parser import read_manifest
    from ...updates.source import digests

    known = frozenset() if since is None else digests(since)
    size = write_archive(bundle, out, without=known)
    entries = read_manifest(bundle).files
    files = sum(entry.bytes for entry in entries)
    print(f"{out}: {size:,} bytes, {size / files:.0%} of the {files:,} in its files")
    if since is not None:
        kept = [entry for entry in entries if entry.sha256 not in known]
        print(f"  has {len(kept)} of {len(entries)} files; the others are in {since}")


def unpack(
    archive: Annotated[Path, typer.Argument(help="Archive of `pack`.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Bundle folder to write.", show_default=False)],
    force: Force = False,
) -> None:
    """Unpack and check the bundle of an archive.

    Example: edge-experts unpack sentiment.zip --out sentiment.bundle
    """
    from ...format.archive import unpack as write_bundle

    write_bundle(archive, out, force=force)
    print(f"{out}: unpacked and intact")
    print_next("verify", out)


def verify(bundle: BundleOrRoot, trust: Trust = None) -> None:
    """Check a bundle's files, golden answers and signature.

    With --trust, or with keys that were pinned at installation, a bundle must be signed by one of
    these keys. Otherwise the exit code is 3, and nothing else in the bundle is read.

    Example: edge-experts verify sentiment.bundle --trust my.key.pub
    """
    from ...format.checked_files import read_checked
    from ...format.install_root import is_root, resolve
    from ...progress import Progress
    from ...runtime import ExpertRuntime, golden
    from ...updates import signing
    from ...updates.root import Root
    from ...updates.source import Folder

    folder = resolve(bundle)
    pinned = Root(bundle).keys() if is_root(bundle) else ()
    keys = (*pinned, *map(signing.read_public, trust or ()))
    source = Folder(folder)
    signed_by = None
    if keys:
        signed_by = signing.signer(source.manifest(), source.signature(), keys, source.where)
    with ExpertRuntime(folder, strict=True) as runtime:
        files = runtime.manifest.files
        with Progress("Verifying", len(files) + 1) as progress:
            for entry in files:
                read_checked(folder, entry)
                progress.step(entry.path)
            count = golden.check(runtime)
            progress.step("golden examples")
    print(
        f"{bundle}: all {len(files)} files are intact, "
        f"{count} golden examples answered as published"
    )
    if signed_by is not None:
        print(f"signed by {signed_by}, a trusted key")
    else:
        unchecked = " (its signature was not checked; name a key with --trust)"
        print(f"not signed by a trusted key{unchecked if source.signature() else ''}")
