"""Report of a conversion, as JSON and in words."""

from __future__ import annotations

import sys
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...format.inspection import arenas, operators
from ..device.bundle import in_words as changes_in_words
from .export_c import as_json as c_as_json

if TYPE_CHECKING:
    from ...converters import Conversion
    from ...converters.auto import Search
    from ...converters.c_source import CSource
    from ...format.manifest import Manifest


def as_json(
    made: Conversion, target: str | None, written: CSource | None, options: Set[str]
) -> dict[str, Any]:
    """Report as JSON: figures of all tasks, of this task, and of the options."""
    report = {
        "schema_version": "1.0",
        "bundle": str(made.bundle),
        **made.figures,
        "bytes": made.bytes,
        "files": {entry.path: entry.bytes for entry in made.manifest.files},
        "verified_on": dict(made.manifest.verified_on),
        "target": target,
        "operators": operators(made.manifest),
    }
    if "size_budget_compressed" in options:
        report["compressed_bytes"] = made.packed_bytes
        report["search"] = None if made.search is None else made.search.to_json()
    if "c_source" in options:
        report["c_source"] = None if written is None else c_as_json(written)
    return report


def in_words(made: Conversion, base: Path | None) -> None:
    on, (first, *more) = made.manifest.verified_on, made.words
    packed = f", {made.packed_bytes:,} as an archive (edge-experts pack)"
    print(
        f"{made.bundle}: {first}\n"
        f"{len(made.manifest.experts)} expert(s) of up to "
        f"{max(entry.bytes for entry in made.manifest.experts):,} bytes, verified on "
        f"{on['interpreter']} {on['version']}\n"
        f"{made.bytes:,} bytes on disk{packed if made.packed_bytes else ''}"
    )
    if "target" in on:
        print(on_target(made.manifest))
    for line in more:
        print(line)
    if made.search is not None:
        _print_search(made.search)
    if base is not None:
        print(f"since {base}: {changes_in_words(made.manifest.provenance['changes'])}")


def on_target(manifest: Manifest) -> str:
    """Verification on the target: run there, or only checked for its operators."""
    on, sizes = manifest.verified_on, arenas(manifest)
    if sizes:
        return (
            f"{on['target']}: every file ran in TensorFlow Lite Micro {on['tflite_micro']} as "
            f"well, in arenas of up to {max(sizes.values()):,} bytes"
        )
    if on["run_on_target"]:
        return f"{on['target']}: it has all operators, and this was its interpreter"
    return (
        f"{on['target']}: it has all operators; its interpreter is not installed here, so this was "
        "proven on another: run `edge-experts verify` there"
    )


def _print_search(search: Search) -> None:
    """Print the choices for each size, with the selected one marked."""
    print(f"\n     bytes      loss {search.chosen.primary:>9}   networks (on validation examples)")
    points = {point.size: point for point in (*search.uniform, *search.frontier, search.chosen)}
    for size_, point in sorted(points.items()):
        mark = ">" if size_ == search.chosen.size else " "
        ways = ", ".join(f"{count} x {name}" for name, count in point.counts().items())
        print(f"{mark}{size_:>10,} {point.loss:>8.4f} {point.score:>9.4f}   {ways}")
    for reason, networks in search.refused.items():
        print(f"not {reason}: {', '.join(networks)}", file=sys.stderr)
