"""Drift reference: histograms of a bundle's answers on validation data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .limits import LIMITS
from .strict_json import Reader


@dataclass(frozen=True)
class Histogram:
    """Counts of numbers in each bin; `edges` separate the bins, ascending."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]  # one more than edges


@dataclass(frozen=True)
class DriftReference:
    """Distributions on the validation examples, as deployed; None for signals the bundle lacks.

    Attributes:
        experts: number of examples for which each expert was the router's first choice.
        confidence: the router's probability of its first choice.
        entropy: entropy of the router's probabilities, in nats.
        score: the calibrated score of the answer.
    """

    score: Histogram
    experts: tuple[int, ...] | None = None
    confidence: Histogram | None = None
    entropy: Histogram | None = None


def read_reference(reader: Reader, experts: int) -> DriftReference:
    """Read the manifest's reference for `experts` experts.

    Raises:
        ManifestError: these are not counts, or are for another number of experts.
    """
    has_router = reader.content.get("experts") is not None
    return DriftReference(
        score=_histogram(reader.object("score")),
        experts=_counts(reader, "experts", experts) if has_router else None,
        confidence=_histogram(reader.object("confidence")) if has_router else None,
        entropy=_histogram(reader.object("entropy")) if has_router else None,
    )


def _histogram(reader: Reader) -> Histogram:
    edges = reader.items("edges", 0, LIMITS.bins - 1)
    if not all(type(edge) in (int, float) and abs(edge) < 1e9 for edge in edges):
        raise reader.error("edges", "must be numbers")
    if not all(left < right for left, right in pairwise(edges)):
        raise reader.error("edges", "must ascend")
    return Histogram(tuple(map(float, edges)), _counts(reader, "counts", len(edges) + 1))


def _counts(reader: Reader, key: str, count: int) -> tuple[int, ...]:
    counts = reader.items(key, count, count)
    if not all(type(one) is int and 0 <= one < 2**53 for one in counts):
        raise reader.error(key, "must be counts")
    return tuple(counts)
