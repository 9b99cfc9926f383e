from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..shared_options import Force, Json, print_json, require_training


def export_onnx(
    run: Annotated[
        Path,
        typer.Argument(help="Run folder of a dense network.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write.", show_default=False)],
    json: Json = False,
    force: Force = False,
) -> None:
    """Export a dense network for ONNX Runtime.

    ONNX Runtime quantizes it, for comparison with a bundle.

    Example: edge-experts export-onnx dense.run --out dense.onnx

    Example: edge-experts benchmark sparse.bundle --against dense.onnx
    """
    require_training()
    from ...converters.onnx import export_onnx as export

    made = export(run, out, force=force)
    proof = made.proof
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "folder": str(made.folder),
                "bytes": made.bytes,
                "quantization": made.description.quantization,
                "microseconds": proof.microseconds,
                **proof.scores,
                **{f"float_{name}": value for name, value in proof.float_scores.items()},
                "examples": proof.examples,
            }
        )
    else:
        scores = ", ".join(
            f"{name} {value:.4f}, {proof.float_scores[name]:.4f} before quantization"
            for name, value in made.description.scores.items()
        )
        print(
            f"{made.folder}: {made.bytes:,} bytes, {made.description.quantization}; on "
            f"{proof.examples:,} test examples: {scores}"
        )
