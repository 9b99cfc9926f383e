"""Checkpoints of known families, in safetensors or GGUF, to bundles of language models."""

from .checkpoint import is_checkpoint
from .checkpoint_conversion import convert_checkpoint
from .checkpoint_options import CHECKPOINTS
from .checkpoint_report import CheckpointReport, report

__all__ = ["CHECKPOINTS", "CheckpointReport", "convert_checkpoint", "is_checkpoint", "report"]
