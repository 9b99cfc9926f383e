"""The program that measures options of routing, on a small model."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.language.routing_options import SHARES, as_table, measure
from edge_experts.errors import UsageError

from ..language import text


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "chain.txt"
    path.write_text(text(), encoding="utf-8")
    return str(path)


def test_rows_differ_in_their_options_alone(language_bundle: Path, data: str) -> None:
    found = measure(language_bundle, data, 150, [0.5])
    rows = {
        (one.setting.share, one.setting.prefer_resident, one.setting.experts_per_token): one
        for one in found
    }
    assert len(rows) == len(found) == 2 + 3 + 3
    plain = [rows[share, 0.0, None] for share in SHARES]
    assert len({one.perplexity for one in plain}) == 1, "the same numbers with any memory"
    assert [one.change for one in plain] == [0, 0, 0]
    assert {one.interval for one in found} == {None} or found[0].texts > 1
    hits = [one.hit_rate for one in plain]
    assert hits == sorted(hits, reverse=True)
    assert plain[0].bytes_per_token < plain[1].bytes_per_token < plain[2].bytes_per_token
    fewer = [rows[share, 0.0, 1] for share in SHARES]
    assert len({one.perplexity for one in fewer}) == 1
    assert fewer[0].change == pytest.approx(fewer[0].perplexity / plain[0].perplexity - 1)
    preferring = rows[0.5, 0.5, None]
    assert preferring.hit_rate > plain[1].hit_rate
    assert preferring.bytes_per_token < plain[1].bytes_per_token
    head, *lines = as_table(found)
    assert all(len(line) == len(head) for line in lines)


def test_other_bundles_are_refused(sentiment_bundle: Path, data: str) -> None:
    with pytest.raises(UsageError, match="must be a language model"):
        measure(sentiment_bundle, data, 10, [0.5])
