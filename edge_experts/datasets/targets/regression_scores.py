"""Scores of regression: mean absolute error, root mean squared error, R2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_LEAST_R2 = -1e6  # JSON has no infinity


def scores(predicted: np.ndarray, wanted: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Scores of predictions, each the mean over the outputs.

    Args:
        predicted, wanted: (examples, outputs), in the data's own units.
        names: names of the outputs.

    Returns:
        "mae" and "rmse" in those units, and "r2", the share of the variance that is explained:
        1 - sum((y - f)**2) / sum((y - mean(y))**2). For several outputs also "outputs": the same
        for each, by name.
    """
    error = predicted.astype(np.float64) - wanted
    squares = (error**2).sum(axis=0)
    total = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
    # A constant target has no variance to explain: its R2 is 0, so that it cannot mask others.
    shares = np.divide(squares, total, out=np.ones_like(total), where=total > 0)
    each = {
        "mae": np.abs(error).mean(axis=0),
        "rmse": np.sqrt((error**2).mean(axis=0)),
        "r2": np.maximum(1 - shares, _LEAST_R2),
    }
    found: dict[str, Any] = {name: _rounded(values.mean()) for name, values in each.items()}
    if len(names) > 1:
        found["outputs"] = {
            output: {name: _rounded(values[place]) for name, values in each.items()}
            for place, output in enumerate(names)
        }
    return found


def _rounded(value: float) -> float:
    """Round to 6 decimals, or to 7 digits below 1: units may be tiny."""
    return round(float(value), 6) if abs(value) >= 1 else float(f"{value:.7g}")
