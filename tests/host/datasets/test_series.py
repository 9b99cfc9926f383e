"""Validation rows of data in series: stretches of the file, where neighbours are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts import datasets
from edge_experts.datasets import series

PERSONS, EACH, LABELS = 20, 30, 3


def _persons(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of persons, one after the other; each has ways of its own."""
    random = np.random.default_rng(seed)
    ways = random.normal(size=(PERSONS, LABELS, 5))
    y = np.tile(np.repeat(np.arange(LABELS), EACH // LABELS), PERSONS)
    person = np.repeat(np.arange(PERSONS), EACH)
    return ways[person, y] + 0.1 * random.normal(size=(len(y), 5)), y


def _drawn(x: Any, y: np.ndarray, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    splits = np.where(random.random(len(y)) < 0.1, "validation", "train").astype("<U10")
    return series.redraw(splits, x, y, seed)


def _parts(splits: np.ndarray) -> int:
    """Stretches of validation rows."""
    return int((np.diff((splits == "validation").astype(int), prepend=0) == 1).sum())


def test_rows_of_persons_are_held_out_by_stretches() -> None:
    x, y = _persons()
    splits = _drawn(x, y)
    person = np.repeat(np.arange(PERSONS), EACH)
    held_out = splits == "validation"
    both = set(person[held_out]) & set(person[~held_out])
    assert len(both) == 0, "where runs of rows are short, it cuts none"
    assert 0.05 < held_out.mean() < 0.2
    assert set(y[held_out]) == set(range(LABELS))


def test_shuffled_rows_stay_as_they_were_drawn() -> None:
    x, y = _persons()
    order = np.random.default_rng(1).permutation(len(y))
    assert _parts(_drawn(x[order], y[order])) > 20


@pytest.mark.parametrize("kind", ["rows", "windows", "images", "values"])
def test_kinds_of_series(kind: str) -> None:
    x, y = _persons()
    inputs: Any = x
    targets = y
    if kind == "rows":
        inputs = [{"a": str(row[0]), "b": row[1], "c": "", "d": row[3]} for row in x]
    elif kind == "windows":
        inputs = np.repeat(x[:, None], 8, axis=1)
    elif kind == "images":
        inputs = np.clip(128 + 40 * np.repeat(x[:, :, None], 4, axis=2), 0, 255).astype(np.uint8)
    else:
        targets = (y + 0.3 * np.random.default_rng(1).normal(size=len(y)))[:, None]
    held_out = _drawn(inputs, targets) == "validation"
    person = np.repeat(np.arange(PERSONS), EACH)
    assert len(set(person[held_out])) <= PERSONS / 3


def test_texts_and_examples_without_numbers_stay_as_they_were_drawn() -> None:
    _, y = _persons()
    for inputs in (
        ["a word"] * len(y),
        [{"colour": "blue"}] * len(y),
        np.full((len(y), 2), np.nan),
    ):
        assert _parts(_drawn(inputs, y)) > 20


@settings(max_examples=30, deadline=None)
@given(st.integers(12, 200), st.integers(1, 4), st.integers(0, 5), st.booleans())
def test_every_label_is_trained_on(rows: int, labels: int, seed: int, ordered: bool) -> None:
    y = np.arange(rows) % labels
    y = np.sort(y) if ordered else y
    x = np.cumsum(np.random.default_rng(seed).normal(size=(rows, 3)), axis=0)
    splits = _drawn(x, y, seed)
    assert set(y[splits == "train"]) == set(range(labels))
    assert set(splits) <= {"train", "validation"}


def test_arrays_and_files_are_held_out_alike(tmp_path: Any) -> None:
    x, y = _persons()
    data = datasets.from_arrays("persons", x, y, x[:9], y[:9])
    lines = [",".join(map(str, [*row, label, "train"])) for row, label in zip(x, y, strict=True)]
    test = [line.replace("train", "test") for line in lines[:9]]
    path = tmp_path / "persons.csv"
    path.write_text("\n".join(["a,b,c,d,e,label,split", *lines, *test]))
    rows: Any = datasets.load(path).validation.inputs
    ours: Any = data.validation.inputs
    assert np.allclose(sorted(float(row["a"]) for row in rows), sorted(ours[:, 0]))
