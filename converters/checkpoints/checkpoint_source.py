"""A checkpoint as the conversion reads it: a folder of safetensors, or a GGUF file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.format.manifest import MANIFEST
from edge_experts.run_folder import RUN

from .gguf_checkpoint import GgufCheckpoint
from .gguf_file import SUFFIX
from .licence import LicenceText, read_licence
from .model_config import CONFIG, ModelConfig, read_config
from .safetensors_file import StoredTensor
from .tensor_index import has_weights, read_tensors


@dataclass(frozen=True)
class CheckpointSource:
    """A checkpoint.

    Attributes:
        tensors: by name; None if only the configuration is there.
        features: reads its tokenizer.
    """

    config: ModelConfig
    tensors: Mapping[str, StoredTensor] | None
    licence: LicenceText | None
    features: Callable[[], Any]


def is_checkpoint(path: Path) -> bool:
    """Test for a GGUF file, or a configuration in a folder that is neither run nor bundle."""
    if path.suffix == SUFFIX:
        return path.is_file()
    others = (path / RUN, path / MANIFEST)
    return (path / CONFIG).is_file() and not any(other.exists() for other in others)


def open_checkpoint(path: Path) -> CheckpointSource:
    """Read configuration and headers; no weight is read.

    Raises:
        CheckpointError: it is damaged, or cannot be converted.
        MachineError: the operating system does not permit a read.
    """
    if path.suffix == SUFFIX:
        file = GgufCheckpoint(path)
        licence = None if file.licence is None else LicenceText(file.licence, "")
        return CheckpointSource(file.config, file.tensors, licence, file.features)

    def features() -> Any:
        from edge_experts.features import checkpoint_tokenizer

        return checkpoint_tokenizer.read(path)

    tensors = read_tensors(path) if has_weights(path) else None
    return CheckpointSource(read_config(path), tensors, read_licence(path), features)
