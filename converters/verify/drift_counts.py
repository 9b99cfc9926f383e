"""What a bundle's answers look like on validation data, for a device to compare its own with."""

from __future__ import annotations

import numpy as np

from edge_experts.format.drift_reference import Histogram, Reference

_BINS = 10  # of as many examples each


def describe(
    scores: np.ndarray, experts: int, gates: np.ndarray | None, router: np.ndarray | None
) -> Reference:
    """The reference of a bundle.

    Args:
        scores: of the answers, calibrated, (examples, labels).
        experts: how many the bundle has.
        gates: the router's first choice, (examples,); None where nothing is routed.
        router: its probability of that and its entropy, (examples, 2); None likewise.
    """
    score = histogram(scores.max(axis=1))
    if gates is None or router is None:
        return Reference(score)
    return Reference(
        score=score,
        experts=tuple(np.bincount(gates, minlength=experts).tolist()),
        confidence=histogram(router[:, 0]),
        entropy=histogram(router[:, 1]),
    )


def histogram(values: np.ndarray) -> Histogram:
    """Bins of about as many values each, divided halfway between two that differ.

    Quantized models answer with few different numbers, and another processor may round the last
    bit of one the other way: no bin must end at a number that is common.
    """
    ordered = np.unique(values.astype(np.float64))
    wanted = np.quantile(values.astype(np.float64), np.arange(1, _BINS) / _BINS)
    after = np.unique(np.clip(np.searchsorted(ordered, wanted), 1, max(1, len(ordered) - 1)))
    edges = (ordered[after - 1] + ordered[after]) / 2 if len(ordered) > 1 else np.zeros(0)
    edges = np.unique(edges)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
