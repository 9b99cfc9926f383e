"""Report on a checkpoint before its conversion: its family, and sizes by quantization."""

from __future__ import annotations


class CheckpointReport:
    pass


def report() -> None:
    pass
