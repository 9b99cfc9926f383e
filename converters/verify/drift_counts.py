"""Drift reference of a bundle: counts of its answers on validation data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_experts.format.drift_reference import DriftReference, Histogram
from edge_experts.format.manifest import Manifest
from edge_experts.runtime.tasks import task_class

_BINS = 10  # of equally many examples


def describe(
    manifest: Manifest, scores: np.ndarray, arrays: Mapping[str, np.ndarray]
) -> DriftReference | None:
    """Compute the reference of a bundle; None if `monitor` does not support its task.

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
        return DriftReference(score)
    return DriftReference(
        score=score,
        experts=tuple(np.bincount(arrays["experts"], minlength=len(manifest.experts)).tolist()),
        confidence=histogram(arrays["router"][:, 0]),
        entropy=histogram(arrays["router"][:, 1]),
    )


def histogram(values: np.ndarray) -> Histogram:
    """Divide values into bins of about equal counts, halfway between two different values.

    Quantized models have few different outputs, and another processor may round the last bit of one
    differently: no bin may end at a common number.
    """
    ordered = np.unique(values.astype(np.float64))
    wanted = np.quantile(values.astype(np.float64), np.arange(1, _BINS) / _BINS)
    after = np.unique(np.clip(np.searchsorted(ordered, wanted), 1, max(1, len(ordered) - 1)))
    edges = (ordered[after - 1] + ordered[after]) / 2 if len(ordered) > 1 else np.zeros(0)
    edges = np.unique(edges)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
