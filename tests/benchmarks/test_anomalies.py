"""Summary of the comparison of ways to detect anomalies."""

from __future__ import annotations

import pytest

from benchmarks.anomalies.anomaly_results import (
    EUCLID,
    EXPERTS,
    MODELS,
    Result,
    as_table,
    summary,
)


def results() -> list[Result]:
    """Experts gain 0.1, 0.2 and 0.3 over all other models."""
    return [
        Result("machine", model, seed, 0.9 if model == EXPERTS else 0.8 - seed / 10, 0.5, 0.01)
        for model in MODELS
        for seed in range(3)
    ]


def test_gains_are_paired_by_seed() -> None:
    rows = {row["model"]: row for row in summary(results())}
    assert rows[EXPERTS]["gain_of_experts"] is None
    assert rows[EUCLID]["gain_of_experts"] == pytest.approx(0.2)
    low, high = rows[EUCLID]["interval"]
    half = 4.303 * 0.1 / 3**0.5  # Student's t with 2 degrees of freedom
    assert (low, high) == pytest.approx((0.2 - half, 0.2 + half), abs=1e-3)
    table = as_table(list(rows.values()))
    assert len({len(row) for row in table}) == 1
    assert table[1][:3] == ["machine", EXPERTS, "0.9000"]
