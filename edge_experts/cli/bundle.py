from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Bundle, Force


def in_words(changes: Mapping[str, Any]) -> str:
    """What a bundle says that changed since its base."""

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
    out: Annotated[Path, typer.Option(help="The archive to write.", show_default=False)],
) -> None:
    """Put a bundle into one file to carry, a zip archive; what pruning saves, it saves here.

    Example: edge-experts pack sentiment.bundle --out sentiment.zip
    """
    from ..archive import pack as write_archive
    from ..bundle import read_manifest

    size = write_archive(bundle, out)
    files = sum(entry.bytes for entry in read_manifest(bundle).files)
    print(f"{out}: {size:,} bytes, {size / files:.0%} of the {files:,} in its files")


def unpack(
    archive: Annotated[Path, typer.Argument(help="What pack wrote.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The bundle folder to write.", show_default=False)],
    force: Force = False,
) -> None:
    """Write the bundle of an archive; every byte is checked first.

    Example: edge-experts unpack sentiment.zip --out sentiment.bundle
    """
    from ..archive import unpack as write_bundle

    write_bundle(archive, out, force=force)
    print(f"{out}: unpacked and intact; next: edge-experts verify {out}")


def verify(bundle: Bundle) -> None:
    """Check every byte of a bundle, and its golden answers on this machine.

    Example: edge-experts verify sentiment.bundle
    """
    from ..progress import Progress
    from ..runtime import ExpertRuntime, golden
    from ..runtime.storage import read_checked

    with ExpertRuntime(bundle) as runtime:
        files = runtime.manifest.files
        with Progress("Verifying", len(files) + 1) as progress:
            for entry in files:
                read_checked(bundle, entry)
                progress.step(entry.path)
            count = golden.check(runtime)
            progress.step("golden examples")
    print(
        f"{bundle}: all {len(files)} files are intact, "
        f"{count} golden examples answered as published"
    )
