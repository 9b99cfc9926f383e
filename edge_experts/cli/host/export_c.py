from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..shared_options import Bundle, Force, Json, print_json, require_training

if TYPE_CHECKING:
    from ...converters.c_source import CSource


def export_c(
    bundle: Bundle,
    out: Annotated[Path, typer.Option(help="Folder to write.", show_default=False)],
    json: Json = False,
    force: Force = False,
) -> None:
    """Write a bundle as C source for microcontrollers.

    The folder has the files as arrays and a small dispatcher in C99. Its README.md describes the
    use with TensorFlow Lite Micro.

    Example: edge-experts export-c flowers.bundle --out flowers_c
    """
    require_training()
    from ...converters.c_source import c_source

    made = c_source(bundle, out, force=force)
    if json:
        print_json({"schema_version": "1.0", **as_json(made)})
        return
    print(in_words(made))
    print(f"Next: read {out}/README.md", file=sys.stderr)


def as_json(made: CSource) -> dict[str, object]:
    """Report of the written files."""
    return {
        "folder": str(made.folder),
        "flash_bytes": sum(made.flash.values()),
        "arena_bytes": made.arena_bytes,
        "files": {
            path: {"flash_bytes": made.flash[path], "arena_bytes": made.arenas[path]}
            for path in made.flash
        },
        "operators": list(made.operators),
    }


def in_words(made: CSource) -> str:
    operators = ", ".join(name.removeprefix("Add") for name in made.operators)
    return (
        f"{made.folder}: {sum(made.flash.values()):,} bytes of flash, one arena of "
        f"{made.arena_bytes:,} bytes; operators {operators}"
    )
