"""The user's own .csv or .tsv: a `text` column, a `label` column, and maybe a `split` column."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import DataError
from .dataset import Dataset, Split

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SPLITS = ("train", "validation", "test")
_TEST_SHARE, _VALIDATION_SHARE = 0.2, 0.1


def load(path: Path, seed: int) -> Dataset:
    """Read a file of texts. Without a `split` column, a stratified fifth by `seed` is the test.

    Raises:
        DataError: what is wrong with the file, its line or column, and what it should be.
    """
    texts, names, wishes = [], [], []
    for line, row in _rows(path):
        split = (row.get("split") or "").strip().lower()
        if "split" in row and split not in _SPLITS:
            raise DataError(f"{path}: line {line}: split must be one of {_SPLITS}, got {split!r}")
        if not (row["label"] or "").strip():
            raise DataError(f"{path}: line {line}: the label is empty")
        texts.append(row["text"] or "")
        names.append(row["label"].strip())
        wishes.append(split)
    if not texts:
        raise DataError(f"{path}: has no rows below its header")
    labels = tuple(sorted(set(names)))
    targets = np.array([labels.index(name) for name in names])
    if len(labels) > 1 and len(targets) < 10 * len(labels):
        raise DataError(
            f"{path}: {len(targets)} rows for {len(labels)} labels; at least 10 for each are needed"
        )
    splits = _assign(np.array(wishes), targets, np.random.default_rng(seed))

    def take(name: str) -> Split:
        rows = np.flatnonzero(splits == name)
        return Split([texts[row] for row in rows], targets[rows])

    return Dataset(
        name=path.stem,
        task="text classification",
        labels=labels,
        origin=f"the file {path.name}",
        train=take("train"),
        validation=take("validation"),
        test=take("test"),
    )


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and columns of every row, the header checked."""
    csv.field_size_limit(2**27)  # a cell may hold a whole document
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=_DELIMITERS[path.suffix.lower()], strict=True)
            columns = reader.fieldnames
            if not columns:
                raise DataError(f"{path}: the file is empty")
            for needed in ("text", "label"):
                if needed not in columns:
                    raise DataError(
                        f"{path}: no column {needed!r} in its header; found: {', '.join(columns)}"
                    )
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(
                        f"{path}: line {reader.line_num}: not as many cells as the header has; "
                        "put quotes around a cell that holds the separator"
                    )
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from None


def _assign(wishes: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A split's name for every row: the file's wish, else a stratified share of each label."""
    splits = wishes.astype("<U10")
    splits[splits == ""] = "train"
    for name, share in (("test", _TEST_SHARE), ("validation", _VALIDATION_SHARE)):
        if name in wishes:
            continue
        for target in np.unique(targets):
            rows = random.permutation(np.flatnonzero((targets == target) & (splits == "train")))
            splits[rows[: round(len(rows) * share)]] = name
    return splits
