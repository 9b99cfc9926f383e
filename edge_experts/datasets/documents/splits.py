"""A data set of documents, of which no two splits share one, and their near-duplicates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import DataError
from ..dataset import Dataset
from ..splitting import Split, Splits

TASK_TYPE, KIND = "language-model", "document"
_SHINGLE = 8  # words
_ALIKE = 0.5  # share of a document's shingles that occur in training
_LEAST = 3  # documents, one for each split

Document = tuple[str, str, int]  # group that stays in one split, text, index of its label


def of_documents(
    name: str, labels: Sequence[str], documents: Iterable[Document], origin: str
) -> Dataset:
    """Build the data set: a tenth of the groups for test, as many for validation.

    Documents that are equal are one.

    Raises:
        DataError: there are fewer than three documents.
    """
    rows = _without_copies(documents)
    groups = list(dict.fromkeys(group for group, _, _ in rows))
    if len(groups) < _LEAST:
        raise DataError(
            f"{name}: has {len(groups)} different documents; training, validation and test need "
            "one each: separate them by empty lines, or give a folder of files"
        )
    dataset = Dataset(
        name=name,
        kind=KIND,
        task="language modelling",
        task_type=TASK_TYPE,
        labels=tuple(labels),
        origin=origin,
        **_by_checksum(rows, groups),
    )
    share = near_duplicates(dataset.train.inputs, dataset.test.inputs)
    note = (
        f"{share:.1%} of the test documents share half or more of their sequences of {_SHINGLE} "
        "words with training documents"
    )
    return replace(dataset, notes=(note,)) if share else dataset


def near_duplicates(training: Iterable[Any], others: Iterable[Any]) -> float:
    """Compute the share of `others` of whose word sequences half or more occur in training."""
    known = {shingle for text in training for shingle in _shingles(text)}
    alike = []
    for text in others:
        own = _shingles(text)
        alike.append(bool(own) and len(own & known) >= _ALIKE * len(own))
    return float(np.mean(alike))


def _shingles(text: str) -> set[int]:
    words = text.split()
    return {
        hash(tuple(words[start : start + _SHINGLE]))
        for start in range(max(1, len(words) - _SHINGLE + 1) if words else 0)
    }


def _without_copies(documents: Iterable[Document]) -> list[Document]:
    found: dict[bytes, Document] = {}
    for group, text, label in documents:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        found.setdefault(digest, (group, text, label))
    return list(found.values())


def _by_checksum(rows: Sequence[Document], groups: Sequence[str]) -> Splits:
    """Assign every tenth group to test and the one after it to validation, by their checksums."""
    order = sorted(groups, key=lambda group: hashlib.sha256(group.encode()).digest())
    test, validation = set(order[::10]), set(order[1::10])
    found: dict[str, list[Document]] = {"train": [], "validation": [], "test": []}
    for row in rows:
        name = "test" if row[0] in test else "validation" if row[0] in validation else "train"
        found[name].append(row)
    parts = {
        name: Split([text for _, text, _ in own], np.array([label for _, _, label in own], int))
        for name, own in found.items()
    }
    return Splits(train=parts["train"], validation=parts["validation"], test=parts["test"])
