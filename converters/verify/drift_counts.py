"""What a bundle's answers look like on validation data, for a device to compare its own with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_experts.format.drift_reference import Histogram, Reference
from edge_experts.format.manifest import Manifest
from edge_experts.runtime.tasks import task_class

_BINS = 10  # of as many examples each


def describe(
    manifest: Manifest, scores: np.ndarray, arrays: Mapping[str, np.ndarray]
) -> Reference | None:
    """The reference of a bundle; None where `monitor` does not watch its task.

    Args:
        scores: of the answers, calibrated, (examples, labels).
        arrays: "experts", the router's first choice, (examples,), and "router", its probability of
            that and its entropy, (examples, 2).
    """
    task = task_class(manifest)
    if not task.watched:
        return None
    score = histogram(task.drift_values(scores))
    if manifest.router is None:
        return Reference(score)
    return Reference(
        score=score,
        experts=tuple(np.bincount(arrays["experts"], minlength=len(manifest.experts)).tolist()),
        confidence=histogram(arrays["router"][:, 0]),
        entropy=histogram(arrays["router"][:, 1]),
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
