"""Options of a checkpoint's conversion, as `ConvertOptions.refuse_meaningless` compares them."""

from __future__ import annotations

from dataclasses import dataclass

from edge_experts.errors import UnsuitableError

from ..targets import Target


@dataclass(frozen=True)
class CheckpointOptions:
    """Options of `convert` that have a meaning for checkpoints."""

    name: str = "checkpoints"
    options: frozenset[str] = frozenset({"quantization", "bundle_version", "force", "scheduler"})
    recipes: tuple[str, ...] = ("float32", "int8", "int4")

    def refuse_target(self, target: Target) -> None:
        """Refuse every target: `options` has none."""
        raise UnsuitableError(f"--target {target.name} is not supported for {self.name}")


CHECKPOINTS = CheckpointOptions()
