"""Distances to the mean of normal rows, in the comparison of ways to detect anomalies."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.anomalies.anomaly_results import EUCLID, MAHALANOBIS, MODELS, Result
from benchmarks.anomalies.anomaly_sets import SETS, AnomalySet
from tests.machines import write_machine


def test_distances_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.anomalies.comparison import measure

    path = write_machine(tmp_path / "machine.csv", 600, 40)
    made = AnomalySet("machine", "rows", "faults", "made", list)
    monkeypatch.setattr(AnomalySet, "file", lambda self: path)
    monkeypatch.setitem(SETS, "machine", made)
    out = tmp_path / "found.jsonl"
    known = [
        Result("machine", model, 0, 0.9, 0.5, 0.01)
        for model in MODELS
        if model not in (MAHALANOBIS, EUCLID)
    ]
    out.write_text("".join(json.dumps(asdict(one)) + "\n" for one in known))
    found = {one.model: one for one in measure(["machine"], 1, 4, out)}
    assert found[MODELS[0]] == known[0]
    assert found[MAHALANOBIS].auroc > 0.95
    assert found[MAHALANOBIS].auroc > found[EUCLID].auroc
    assert found[MAHALANOBIS].false_alarm_rate < 0.08
    assert len(out.read_text().splitlines()) == len(MODELS)
