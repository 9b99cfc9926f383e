"""What `convert` does with a run that translates."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from ...format.expert_names import language
from ...format.inspection import operators
from ..options import print_json
from .conversion import on_target


def convert_translators(
    run: Path,
    out: Path,
    *,
    quantization: str,
    beams: int,
    max_drop: float | None,
    target: str | None,
    bundle_version: int,
    cache: bool,
    force: bool,
    json: bool,
) -> None:
    from ...converters.translation import convert

    made = convert(
        run,
        out,
        quantization=quantization,
        beams=beams,
        max_drop=max_drop,
        target=target,
        bundle_version=bundle_version,
        cache=cache,
        force=force,
    )
    experts, on = made.manifest.experts, made.manifest.verified_on
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "bundle": str(out),
                "keras": dict(made.keras),
                "deployed": dict(made.deployed),
                "same": made.same,
                "examples": made.examples,
                **({} if made.routed is None else {"router": asdict(made.routed)}),
                "bytes": made.bytes,
                "files": {entry.path: entry.bytes for entry in made.manifest.files},
                "verified_on": dict(on),
                "target": target,
                "operators": operators(made.manifest),
            }
        )
        return
    print(
        f"{out}: chrF {made.deployed['chrf']:.2f} as deployed, {made.keras['chrf']:.2f} by Keras, "
        f"on {made.examples:,} validation sentences, {made.same:.0%} of them the same\n"
        f"{len(experts)} expert(s) of up to {max(one.bytes for one in experts):,} bytes, verified "
        f"on {on['interpreter']} {on['version']}"
    )
    if "target" in on:
        print(on_target(made.manifest))
    if made.routed is not None:
        print(
            f"router: {made.routed.deployed:.2%} of {made.routed.examples:,} validation sentences "
            f"to the expert of their domain, {made.routed.keras:.2%} by Keras"
        )
    print(
        f"Next: edge-experts run {out} --to {language(made.manifest.labels[0])} 'your text'",
        file=sys.stderr,
    )
