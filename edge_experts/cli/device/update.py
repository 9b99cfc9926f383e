from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..shared_options import AllowOlder, Bundle, Json, Root, Trust, print_json

if TYPE_CHECKING:
    from ...updates.install import Installed


def install(
    bundle: Annotated[
        Path,
        typer.Argument(
            help="Bundle's folder, or archive of `pack`.",
            show_default=False,
        ),
    ],
    root: Root,
    trust: Trust = None,
    allow_older: AllowOlder = False,
    keep: Annotated[
        int, typer.Option(help="Versions to keep, the current one included.", min=1)
    ] = 2,
    packed: Annotated[
        bool | None,
        typer.Option(
            "--packed/--no-packed",
            help="Pack experts of a language model: doubles the disk, halves memory.",
            show_default="where it gains memory",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Install a bundle on this board in one step.

    After a power loss the old or the new version is intact. Files are checked by SHA-256; the
    archive may omit those that are installed already. The golden examples are answered here before
    the switch. Once a bundle is installed with --trust, all later ones must be signed by its key,
    or by another key named by --trust.

    Example: edge-experts install sentiment.bundle /srv/sentiment

    Example: edge-experts install update.zip /srv/sentiment --trust my.key.pub
    """
    from ...updates.install import install as make_current

    done = make_current(
        bundle, root, trust=trust or (), allow_older=allow_older, keep=keep, packed=packed
    )
    _tell(root, done, json=json)


def rollback(root: Root, json: Json = False) -> None:
    """Go back to the previous bundle.

    Its files and golden answers are checked first.

    Example: edge-experts rollback /srv/sentiment
    """
    from ...updates.install import rollback as go_back

    _tell(root, go_back(root), json=json)


def keygen(
    key: Annotated[Path, typer.Argument(help="Secret key to write; KEY.pub is for the boards.")],
    force: Annotated[bool, typer.Option("--force", help="Replace keys that exist.")] = False,
) -> None:
    """Make a key pair (Ed25519) to sign bundles with.

    Example: edge-experts keygen my.key
    """
    from ...updates import signing

    made = signing.keygen(key, force=force)
    print(f"{key}: keep it secret; {made.path}: for the boards; fingerprint {made.fingerprint}")


def sign(
    bundle: Bundle,
    key: Annotated[Path, typer.Option(help="Secret key of `keygen`.", show_default=False)],
) -> None:
    """Sign a bundle.

    Writes manifest.sig beside the manifest, which has the digests of all other files.

    Example: edge-experts sign sentiment.bundle --key my.key
    """
    from ...updates import signing

    fingerprint = signing.sign(bundle, key)
    print(f"{bundle}: signed by {fingerprint}")


def _tell(root: Path, done: Installed, *, json: bool) -> None:
    import sys

    key = None if done.signed_by is None else done.signed_by.fingerprint
    if done.left is not None:
        print(f"An older version could not be removed: {done.left}", file=sys.stderr)
    if done.unmeasured is not None:
        print(
            "The memory of the models could not be measured here, so the manifest's figures "
            f"apply: {done.unmeasured}",
            file=sys.stderr,
        )
    if done.packed.reason:
        print(f"The experts were not packed: {done.packed.reason}", file=sys.stderr)
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "current": done.name,
                "previous": done.previous,
                "changed": done.changed,
                "written_bytes": done.written_bytes,
                "reused_bytes": done.reused_bytes,
                "golden_examples": done.golden_examples,
                "signed_by": key,
                "unmeasured": done.unmeasured,
                "packed": {"experts": done.packed.experts, "bytes": done.packed.bytes},
                "not_packed": done.packed.reason or None,
            }
        )
        return
    if not done.changed:
        print(f"{root}: {done.name} is installed and intact; nothing to do")
    else:
        before = "" if done.previous is None else f", {done.previous} before"
        print(
            f"{root}: {done.name} is current{before}; "
            f"{done.golden_examples} golden examples answered as published"
        )
        if done.written_bytes:
            print(f"  {done.written_bytes:,} bytes written, {done.reused_bytes:,} reused")
    if done.packed.experts:
        print(f"  {done.packed.experts} experts packed, {done.packed.bytes:,} bytes")
    if key is not None:
        print(f"  signed by {key}, a trusted key")
