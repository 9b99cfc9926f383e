"""A checkpoint on disk: a folder of safetensors, or a GGUF file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from edge_experts.errors import CheckpointError
from edge_experts.features import checkpoint_tokenizer
from edge_experts.format.manifest import MANIFEST
from edge_experts.run_folder import RUN

from .gguf_checkpoint import SUFFIX, GgufCheckpoint
from .licence import LicenceText, read_licence
from .model_config import CONFIG, ModelConfig, read_config
from .safetensors_file import StoredTensor
from .tensor_index import has_weights, read_tensors


class Checkpoint(Protocol):
    """Parts of a checkpoint, each read when it is asked for.

    Attributes:
        config: sizes and constants.
        tensors: places of its tensors, by the names of its family.
        licence: None if it states none.
        has_weights: False for a configuration alone.
    """

    @property
    def config(self) -> ModelConfig: ...

    @property
    def tensors(self) -> Mapping[str, StoredTensor]: ...

    @property
    def licence(self) -> LicenceText | None: ...

    @property
    def has_weights(self) -> bool: ...

    def features(self) -> Any:
        """Read the tokenizer."""


class FolderCheckpoint:
    """A folder of safetensors, as `transformers` saves it; see `Checkpoint`."""

    def __init__(self, folder: Path):
        self._folder = folder

    @cached_property
    def config(self) -> ModelConfig:
        return read_config(self._folder)

    @cached_property
    def tensors(self) -> Mapping[str, StoredTensor]:
        return read_tensors(self._folder)

    @property
    def licence(self) -> LicenceText | None:
        return read_licence(self._folder)

    @property
    def has_weights(self) -> bool:
        return has_weights(self._folder)

    def features(self) -> Any:
        return checkpoint_tokenizer.read(self._folder)


def is_checkpoint(path: Path) -> bool:
    """Test if a path is a checkpoint, by names alone, and neither a run nor a bundle."""
    if any((path / other).exists() for other in (RUN, MANIFEST)):
        return False
    return (path / CONFIG).is_file() or path.suffix == SUFFIX or bool(_gguf_files(path))


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint: a folder with config.json, a `.gguf` file, or a folder of one.

    Raises:
        CheckpointError: several GGUF files.
    """
    if (path / CONFIG).exists():
        return FolderCheckpoint(path)
    if path.suffix == SUFFIX:
        return GgufCheckpoint(path)
    files = _gguf_files(path)
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:4])
        raise CheckpointError(f"{path}: has {len(files)} GGUF files; name one of them: {names}")
    return GgufCheckpoint(files[0]) if files else FolderCheckpoint(path)


def _gguf_files(path: Path) -> list[Path]:
    return sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else []
