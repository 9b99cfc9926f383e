"""What came of a conversion, as JSON and in words."""

from __future__ import annotations

import sys
from dataclasses import asdict
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


def as_json(made: Conversion, target: str | None, written: CSource | None) -> dict[str, Any]:
    return {
        "schema_version": "1.0",
        "bundle": str(made.bundle),
        "accuracy": made.test_accuracy,
        "examples": made.test_examples,
        "calibration_error": made.calibration_error,
        "parity": {**asdict(made.parity), "accuracy_drop": made.parity.accuracy_drop},
        "top_k": made.manifest.top_k,
        "second_below": made.manifest.second_below,
        "abstain_below": made.manifest.abstain_below,
        "validation": made.unsure.to_json(),
        "bytes": made.bytes,
        "compressed_bytes": made.packed_bytes,
        "compression": made.manifest.provenance.get("compression"),
        "files": {entry.path: entry.bytes for entry in made.manifest.files},
        "verified_on": dict(made.manifest.verified_on),
        "target": target,
        "operators": operators(made.manifest),
        "arenas": arenas(made.manifest),
        "changes": made.manifest.provenance.get("changes"),
        "search": None if made.search is None else made.search.to_json(),
        "c_source": None if written is None else c_as_json(written),
    }


def in_words(made: Conversion, base: Path | None) -> None:
    parity, on = made.parity, made.manifest.verified_on
    print(
        f"{made.bundle}: accuracy as deployed {made.test_accuracy:.4f} on {made.test_examples:,} "
        f"test examples\n"
        f"beside Keras on {parity.examples:,} validation examples: accuracy "
        f"{parity.keras_accuracy:.4f} to {parity.deployed_accuracy:.4f}, "
        f"{parity.equal_labels:.2%} equal labels, largest score difference "
        f"{parity.largest_score_difference:.3f}\n"
        f"{len(made.manifest.experts)} expert(s) of up to "
        f"{max(entry.bytes for entry in made.manifest.experts):,} bytes, verified on "
        f"{on['interpreter']} {on['version']}\n"
        f"{made.bytes:,} bytes on disk, {made.packed_bytes:,} as an archive (edge-experts pack)"
    )
    if "target" in on:
        print(on_target(made.manifest))
    unsure = made.unsure
    if unsure.asked_second is not None:
        print(f"a second expert asked for {unsure.asked_second:.1%} of the validation examples")
    if unsure.abstained is not None:
        right = unsure.accuracy_answered
        rest = "" if right is None else f", accuracy {right:.4f} on the others"
        print(f"abstains from {unsure.abstained:.1%} of the validation examples{rest}")
    if made.search is not None:
        _print_search(made.search)
    if base is not None:
        print(f"since {base}: {changes_in_words(made.manifest.provenance['changes'])}")


def on_target(manifest: Manifest) -> str:
    """What is known of the target: run there, or its operators only."""
    on, sizes = manifest.verified_on, arenas(manifest)
    if sizes:
        return (
            f"{on['target']}: every file ran in TensorFlow Lite Micro {on['tflite_micro']} as "
            f"well, in arenas of up to {max(sizes.values()):,} bytes; "
            f"{on['equal_labels_there']:.0%} equal labels"
        )
    if on["run_on_target"]:
        return f"{on['target']}: it has all operators, and this was its interpreter"
    return (
        f"{on['target']}: it has all operators; its interpreter is not installed here, so this was "
        "proven on another: run `edge-experts verify` there"
    )


def _print_search(search: Search) -> None:
    """The choices for each size, the one that was taken marked."""
    print("\n     bytes      loss  accuracy   networks (on validation examples)")
    points = {point.size: point for point in (*search.uniform, *search.frontier, search.chosen)}
    for size_, point in sorted(points.items()):
        mark = ">" if size_ == search.chosen.size else " "
        ways = ", ".join(f"{count} x {name}" for name, count in point.counts().items())
        print(f"{mark}{size_:>10,} {point.loss:>8.4f} {point.accuracy:>9.4f}   {ways}")
    for reason, networks in search.refused.items():
        print(f"not {reason}: {', '.join(networks)}", file=sys.stderr)
