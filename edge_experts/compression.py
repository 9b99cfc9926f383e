"""Compression settings, shared by command line, training and converters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .errors import UsageError

PRUNING, CLUSTERING, AWARENESS = "pruning", "clustering", "quantization-aware"
METHODS = (
    PRUNING,
    CLUSTERING,
    AWARENESS,
    f"{PRUNING}+{CLUSTERING}",
    f"{PRUNING}+{AWARENESS}",
    f"{CLUSTERING}+{AWARENESS}",
    f"{PRUNING}+{CLUSTERING}+{AWARENESS}",
)
TWO_OF_FOUR = "2:4"  # two zeros among every four weights that are multiplied consecutively


@dataclass(frozen=True)
class Compression:
    """Fine-tuning steps that make trained networks smaller.

    Args:
        method: one of `METHODS`; its steps follow each other, and each preserves the result of the
            earlier ones (collaborative optimization in tfmot's guide).
        sparsity: the share of weights that pruning sets to zero, from 0 to 0.99; or "2:4".
        clusters: the number of values that a layer's weights may have, from 3 to 256.
        epochs: of each step's fine-tuning; None: equivalent to about a thousand steps.
        nonzero: the number of parameters that pruning leaves, instead of a sparsity.

    Raises:
        UsageError: a value is invalid.
    """

    method: str
    sparsity: float | str = 0.5
    clusters: int = 16
    epochs: int | None = None
    nonzero: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"compress must be one of {METHODS}, got {self.method!r}")
        sparsity = self.sparsity
        known = sparsity == TWO_OF_FOUR if isinstance(sparsity, str) else 0 < sparsity <= 0.99
        if not known:
            raise UsageError(
                f"sparsity must be a share above 0 and up to 0.99, or {TWO_OF_FOUR!r}, got "
                f"{self.sparsity!r}"
            )
        if not 3 <= self.clusters <= 256:
            raise UsageError(f"clusters must be from 3 to 256, got {self.clusters}")
        if self.epochs is not None and self.epochs < 1:
            raise UsageError(f"compress epochs must be at least 1, got {self.epochs}")

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(self.method.split("+"))

    @property
    def name(self) -> str:
        """Name of the compression: "pruned 50 %, 16 clusters"."""
        share = self.sparsity if isinstance(self.sparsity, str) else f"{self.sparsity:.0%}"
        words = {
            PRUNING: f"pruned {share}",
            CLUSTERING: f"{self.clusters} clusters",
            AWARENESS: AWARENESS,
        }
        return ", ".join(words[step] for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_sparsity(text: str) -> float | str:
    """Parse '0.5' or '2:4'.

    Raises:
        UsageError: it is neither.
    """
    try:
        return text if text == TWO_OF_FOUR else float(text)
    except ValueError:
        raise UsageError(
            f"--sparsity must be a share such as 0.5, or {TWO_OF_FOUR}, got {text!r}"
        ) from None


# Methods that pay in an archive: zeros and repeated values save nothing on disk.
FOR_ARCHIVES = (
    Compression(PRUNING, sparsity=0.5),
    Compression(PRUNING, sparsity=0.75),
    Compression(CLUSTERING, clusters=16),
    Compression(f"{PRUNING}+{CLUSTERING}", sparsity=0.5, clusters=16),
)
ALL = (*FOR_ARCHIVES, Compression(PRUNING, sparsity=TWO_OF_FOUR), Compression(AWARENESS))


def unique(chosen: Sequence[Compression]) -> tuple[Compression, ...]:
    return tuple(dict.fromkeys(chosen))
