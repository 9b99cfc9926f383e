"""Language models beside dense ones, as deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_experts.errors import DataError, UsageError
from tests import language


def test_language_models_are_compared_as_deployed(tmp_path: Path, cli: Any) -> None:
    data, config = language.write(tmp_path / "given")
    out = tmp_path / "compared"
    asked = ("compare", "--data", data, "--task", "language-model", "--config", config)
    done = cli(*asked, "--quantization", "float32", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["task"], found["score"]) == ("language-model", "accuracy")
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == ["sparse", "dense-active", "dense-all", "dense-float"]
    for row in rows.values():
        scores, before = row["scores"], row["float_scores"][0]
        # The same documents as deployed and in Keras: float32 files give the same.
        assert scores["perplexity"] == pytest.approx(before["perplexity"], rel=1e-4)
        assert scores["accuracy"] == pytest.approx(before["accuracy"], abs=2e-3)
        assert 0.2 < scores["accuracy"] < 1, "each word determines the next one"
    assert rows["dense-active"]["macs"] < rows["sparse"]["macs"] < rows["dense-all"]["macs"]
    assert rows["dense-active"]["total_bytes"] < rows["sparse"]["total_bytes"]
    assert found["verdict"]["sentences"]
    again = cli(*asked, "--quantization", "float32", "--out", out)
    assert "4 of 4 rows are finished already" in again.stderr
    assert "bits per byte" in again.stdout
    assert "right tokens" in again.stdout
    assert (out / "comparison.png").stat().st_size > 10_000


def test_rows_that_language_models_lack_are_refused(tmp_path: Path, keras: object) -> None:
    from edge_experts import datasets
    from edge_experts.experiments.advice.advice import advise
    from edge_experts.experiments.comparison import compare

    data, _ = language.write(tmp_path / "given")
    dataset = datasets.load(str(data), task_type="language-model")
    with pytest.raises(UsageError, match="rows must be of sparse, dense-active, dense-all"):
        compare(dataset, tmp_path / "out", rows=["hash-routed"])
    with pytest.raises(DataError, match="advise does not support language-model"):
        advise(dataset)
