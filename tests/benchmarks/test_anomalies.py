"""Summary of the comparison of ways to detect anomalies, and resumed measurements."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.anomalies.anomaly_results import (
    EUCLID,
    EXPERTS,
    MAHALANOBIS,
    MODELS,
    Result,
    as_table,
    summary,
)
from benchmarks.anomalies.anomaly_sets import SETS, AnomalySet
from tests.machines import write_machine


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


def test_distances_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.anomalies.comparison import measure

    path = write_machine(tmp_path / "machine.csv", 600, 40)
    made = AnomalySet("machine", "rows", "faults", "made", list)
    monkeypatch.setattr(AnomalySet, "file", lambda self: path)
    monkeypatch.setitem(SETS, "machine", made)
    out = tmp_path / "found.jsonl"
    known = [one for one in results() if one.seed == 0 and one.model not in (MAHALANOBIS, EUCLID)]
    out.write_text("".join(json.dumps(asdict(one)) + "\n" for one in known))
    found = {one.model: one for one in measure(["machine"], 1, 4, out)}
    assert found[EXPERTS].auroc == 0.9
    assert found[MAHALANOBIS].auroc > 0.95
    assert found[MAHALANOBIS].auroc > found[EUCLID].auroc
    assert found[MAHALANOBIS].false_alarm_rate < 0.08
    assert len(out.read_text().splitlines()) == len(MODELS)
