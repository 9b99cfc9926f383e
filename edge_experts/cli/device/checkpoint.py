"""Description of a checkpoint before its conversion, for `inspect`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...format.strict_json import harmless
from ..shared_options import print_json

if TYPE_CHECKING:
    from ...converters.checkpoints import CheckpointReport


def inspect_checkpoint(folder: Path, *, json: bool) -> None:
    """Print family, parameters, and the sizes of a bundle by quantization.

    It needs the host part: on a board, the command ends with a sentence about that.
    """
    from ...converters.checkpoints import report

    found = report(folder)
    if json:
        print_json(as_json(found))
        return
    for line in in_words(found):
        print(harmless(line).rstrip())


def as_json(found: CheckpointReport) -> dict[str, Any]:
    config = found.config
    return {
        "schema_version": "1.0",
        "checkpoint": config.name,
        "family": config.model_type,
        "parameters": found.parameters,
        "active_parameters": found.active_parameters,
        "layers": len(config.layers),
        "experts": config.experts,
        "top_k": config.top_k,
        "context": config.context,
        "vocabulary": config.vocabulary,
        "licence": found.licence,
        "stored_bytes": found.stored_bytes,
        "memory_context": found.memory_context,
        "sizes": [asdict(one) for one in found.sizes],
    }


def in_words(found: CheckpointReport) -> Iterator[str]:
    config = found.config
    yield f"{config.name} (checkpoint, not converted)"
    yield f"  family       {found.family.title} ({config.model_type})"
    active = f"{found.active_parameters:,} of them for a token"
    yield f"  parameters   {found.parameters:,}, {active}"
    yield f"  experts      {_experts(found)}"
    yield f"  context      {config.context:,} tokens, vocabulary {config.vocabulary:,}"
    yield f"  licence      {found.licence or 'not stated'}"
    if found.stored_bytes:
        yield f"  on disk      {_mb(found.stored_bytes)}"
    else:
        yield "  on disk      config.json alone: the weights are not here"
    yield ""
    yield "  as a bundle    on disk   dense part   an expert  least memory   all loaded"
    for one in found.sizes:
        cells = (one.bundle, one.dense, one.largest_expert, one.least, one.resident)
        widths = (11, 13, 12, 14, 13)
        yield f"  {one.quantization:<11}" + "".join(
            f"{_mb(cell):>{width}}" for cell, width in zip(cells, widths, strict=True)
        )
    context = found.memory_context
    yield f"  memory is above the interpreter's own, with a context of {context:,} tokens"
    largest = max(one.disk for one in found.sizes)
    yield f"  the conversion needs up to {_mb(largest)} of free disk"


def _experts(found: CheckpointReport) -> str:
    config = found.config
    routed = [layer.experts for layer in config.layers if layer.routed]
    if not routed:
        return f"1 in each of {len(config.layers)} layers, always used (a dense network)"
    dense = len(config.layers) - len(routed)
    text = f"{routed[0]} in each of {len(routed)} layers, top-{config.top_k} routing"
    text += f"; {dense} dense layers" if dense else ""
    return text + ("; one more shared by all tokens" if found.family.shared else "")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 100e6 else f"{size / 1e6:,.0f} MB"
