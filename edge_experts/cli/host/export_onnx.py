from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..options import Force, Json, print_json, require_training


def export_onnx(
    run: Annotated[
        Path,
        typer.Argument(help="The run folder of a dense network.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write.", show_default=False)],
    json: Json = False,
    force: Force = False,
) -> None:
    """Write a dense network for ONNX Runtime, quantized by it, to measure beside a bundle.

    Then: edge-experts benchmark sparse.bundle --against dense.onnx

    Example: edge-experts export-onnx dense.run --out dense.onnx
    """
    require_training()
    from ...converters.onnx import export_onnx as export

    made = export(run, out, force=force)
    proof = asdict(made.proof)
    del proof["fastest"]
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "folder": str(made.folder),
                "bytes": made.bytes,
                "quantization": made.description.quantization,
                **proof,
            }
        )
    else:
        print(
            f"{made.folder}: {made.bytes:,} bytes, {made.description.quantization}; accuracy "
            f"{made.proof.accuracy:.4f} on {made.proof.examples:,} test examples "
            f"({made.proof.float_accuracy:.4f} before quantization)"
        )
