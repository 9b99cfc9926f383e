"""A random model for this project and for llama.cpp, with the same weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edge_experts.converters.checkpoints import convert_checkpoint

from . import random_checkpoint, random_gguf, token_routes


def make(out: Path, gguf: Path | None, *, layers: int, experts: int, quantization: str) -> None:
    """Make a bundle, and a GGUF file if one is asked for.

    Raises:
        UsageError: as `random_gguf.write`.
    """
    pieces = token_routes.BYTES + len(token_routes.TRACES) * token_routes.TOKENS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / random_checkpoint.NAME
        random_checkpoint.write(folder, layers=layers, experts=experts, pieces=pieces)
        if gguf is not None:
            random_gguf.write(folder, gguf, quantization)
        convert_checkpoint(folder, out, quantization=quantization)
