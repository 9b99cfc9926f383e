"""Key of a conversion: what its files are made of, so that an interrupted one can be resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from edge_experts.format.manifest import sha256
from edge_experts.version import VERSION

from .model_config import ModelConfig
from .safetensors_file import StoredTensor


def conversion_key(
    config: ModelConfig, tensors: Mapping[str, StoredTensor], quantization: str
) -> str:
    """Compute the key from the configuration, and the headers, sizes and times of the files.

    The weights themselves are not read: that would take as long as the conversion.
    """
    files = sorted({tensor.file for tensor in tensors.values()})
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    shapes = [(name, one.kind, one.shape, one.begin) for name, one in sorted(tensors.items())]
    told = [VERSION, quantization, asdict(config), states, shapes]
    return sha256(json.dumps(told, sort_keys=True, default=str).encode())
