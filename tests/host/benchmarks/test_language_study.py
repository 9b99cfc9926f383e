"""The study of language models, with tiny networks: it resumes, and its summary is right."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

_TINY = {
    "experts": 4,
    "top_k": 2,
    "batch_size": 256,
    "epochs": 1,
    "learning_rate": 0.01,
    "language_model": {
        "units": 16,
        "layers": 1,
        "heads": 2,
        "key_heads": 1,
        "inner": 8,
        "context": 16,
        "pieces": 300,
    },
}


def test_a_study_resumes_where_it_was_ended(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.language import protocol
    from benchmarks.language.study_summary import as_table, compare, notes
    from edge_experts.training import default_settings

    monkeypatch.setitem(default_settings.RECIPES, "document", _TINY)
    monkeypatch.setattr(protocol, "RATES", (0.001, 0.01))
    text, out = tmp_path / "a.txt", tmp_path / "study.jsonl"
    text.write_text("\n\n".join(f"{n} " + "ab cd ef gh " * 60 for n in range(40)))
    told: list[str] = []

    def ended(line: str) -> None:
        told.append(line)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        protocol.run(str(text), 1, out, ended)
    before = out.read_text().splitlines()
    assert len(before) == 3
    records = protocol.run(str(text), 1, out, told.append)
    assert out.read_text().splitlines()[:3] == before
    rates = {
        kind: [one.rate for one in records if one.search and one.kind == kind]
        for kind in protocol.KINDS
    }
    searched = sum(map(len, rates.values()))
    assert len(records) == len(told) == searched + 4, "the search, and four full trainings"
    assert protocol.run(str(text), 1, out, told.append) == records
    assert len(told) == len(records)
    for kind, tried in rates.items():
        assert tried[:2] == [0.001, 0.01]
        for rate, *earlier in (tried[n::-1] for n in range(2, len(tried))):
            assert rate in (max(earlier) * 2, min(earlier) / 2)
        best = next(one.rate for one in records if one.kind == kind and not one.search)
        assert min(tried) < best < max(tried), "others are tried until it is between two"
    found = compare(records, 0)
    assert found is not None
    assert set(found.perplexities) == {"sparse", "active", "active, same time", "all"}
    # The text has one test document: the interval is a point, but for rounding.
    assert found.interval == pytest.approx((found.ratio, found.ratio))
    assert len(as_table(records)) == 5
    assert "gap closed" in notes(records)[-1]


def test_gap_and_ratio_are_of_the_test_documents() -> None:
    from benchmarks.language.study_records import StudyRecord
    from benchmarks.language.study_summary import compare
    from edge_experts.datasets.targets.document_losses import DocumentLoss

    def record(kind: str, loss: float) -> StudyRecord:
        test = tuple(DocumentLoss(loss * tokens, tokens, 4 * tokens) for tokens in (10, 30, 60))
        return replace(StudyRecord("x", kind, 0.1, 0), test=test, seconds=3600.0)

    records = [record("sparse", 3.6), record("active", 3.8), record("all", 3.55)]
    found = compare(records, 0)
    assert found is not None
    assert found.ratio == pytest.approx(math.exp(-0.2) - 1)
    assert found.interval == pytest.approx((found.ratio, found.ratio))
    assert found.gap_closed == pytest.approx(0.8)
    assert found.hours["all"] == 1
    close = compare([*records[:2], record("all", 3.78)], 0)
    assert close is not None
    assert close.gap_closed is None
    assert compare(records[:1], 0) is None
