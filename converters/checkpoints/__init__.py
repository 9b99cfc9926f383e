"""Checkpoints of known families, folders of safetensors, to bundles of language models."""

from .checkpoint_conversion import convert_checkpoint
from .checkpoint_options import CHECKPOINTS
from .checkpoint_report import CheckpointReport, report
from .checkpoint_source import is_checkpoint

__all__ = ["CHECKPOINTS", "CheckpointReport", "convert_checkpoint", "is_checkpoint", "report"]
