"""Data sets: what is read, and how it is split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_experts import datasets


def _write(path: Path, rows: list[str], header: str = "text,label") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_sentiment_is_the_published_split() -> None:
    data = datasets.load("sentiment")
    assert len(data.test) == 4127
    assert len(data.train) + len(data.validation) == 15009
    assert data.labels == ("negative", "positive")
    texts = [set(split.inputs) for split in (data.train, data.validation)]
    assert 0.05 < len(texts[1]) / len(texts[0]) < 0.2


def test_a_csv_is_split_by_seed_and_label(tmp_path: Path) -> None:
    path = _write(tmp_path / "d.csv", [f"text {n},{'ab'[n % 4 == 0]}" for n in range(200)])
    data = datasets.load(str(path), seed=1)
    assert data.labels == ("a", "b")
    assert (len(data.test), len(data.train) + len(data.validation)) == (40, 160)
    for split in (data.train, data.validation, data.test):
        assert np.mean(split.targets) == np.float64(0.25)
    inputs = [text for part in (data.train, data.validation, data.test) for text in part.inputs]
    assert len(set(inputs)) == 200
    again, other = datasets.load(str(path), seed=1), datasets.load(str(path), seed=2)
    assert list(again.test.inputs) == list(data.test.inputs)
    assert list(other.test.inputs) != list(data.test.inputs)


def test_the_files_own_split_is_kept(tmp_path: Path) -> None:
    rows = [f"text {n},{'ab'[n % 2]},{'test' if n < 10 else 'Train'}" for n in range(50)]
    data = datasets.load(str(_write(tmp_path / "d.csv", rows, "text,label,split")))
    assert sorted(data.test.inputs) == sorted(f"text {n}" for n in range(10))
    assert len(data.validation) == 4


def test_odd_but_good_files(tmp_path: Path) -> None:
    rows = [f'"one, ""two"" \n three {n}",{label}' for n in range(20) for label in ("x", "é")]
    path = tmp_path / "d.csv"
    path.write_bytes("\r\n".join(["text,label", *rows]).encode("utf-8-sig"))
    data = datasets.load(str(path))
    assert data.labels == ("x", "é")
    assert all('one, "two"' in text for text in data.train.inputs)


def test_a_tsv_is_separated_by_tabs(tmp_path: Path) -> None:
    rows = [f"a, b {n}\t{n % 2}" for n in range(40)]
    data = datasets.load(str(_write(tmp_path / "d.tsv", rows, "text\tlabel")))
    assert data.labels == ("0", "1")
    assert data.train.inputs[0].startswith("a, b")
