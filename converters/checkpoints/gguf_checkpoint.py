"""GGUF file as a checkpoint: configuration, tensors, tokenizer and licence."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_experts.features import checkpoint_tokenizer
from edge_experts.format.strict_json import harmless

from .families import PROJECTIONS
from .gguf_config import config_of
from .gguf_header import GgufHeader, read_header
from .gguf_tensors import tensors_of
from .gguf_tokenizer import tokenizer_files
from .licence import LicenceText
from .model_config import ModelConfig, parse_config
from .safetensors_file import StoredTensor

SUFFIX = ".gguf"


@dataclass(frozen=True)
class GgufCheckpoint:
    """One `.gguf` file; see `Checkpoint`.

    Raises:
        CheckpointError: each part, if the file is damaged, or of an architecture or with a
            setting that is not supported.
    """

    path: Path

    @cached_property
    def config(self) -> ModelConfig:
        header = self._header
        content = json.dumps(config_of(self.path, header)).encode()
        config = parse_config(content, self.path)
        if config.family.fused:  # in a folder; here every expert has its own tensors
            family = replace(config.family, experts=PROJECTIONS, fused=False)
            config = replace(config, family=family)
        return replace(config, name=harmless(self.path.stem))

    @cached_property
    def tensors(self) -> Mapping[str, StoredTensor]:
        config = self.config
        architecture = str(self._header.metadata["general.architecture"])
        heads = config.heads, config.key_heads
        return tensors_of(self.path, self._header, architecture, config.family, heads)

    def features(self) -> Any:
        """Read the tokenizer."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in tokenizer_files(self.path, self._header.metadata).items():
                Path(folder, name).write_bytes(content)
            return checkpoint_tokenizer.read(Path(folder))

    @property
    def licence(self) -> LicenceText | None:
        stated = self._header.metadata.get("general.license")
        return (
            LicenceText(harmless(stated[:100]), "") if isinstance(stated, str) and stated else None
        )

    @property
    def has_weights(self) -> bool:
        return True

    @cached_property
    def _header(self) -> GgufHeader:
        return read_header(self.path)
