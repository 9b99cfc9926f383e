"""Named sets of texts: what is in them, and that no split knows another's examples."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Dataset, apt, reviews, sections
from edge_experts.datasets.splitting import by_group


def _no_text_twice(data: Dataset) -> None:
    texts = [text for part in (data.train, data.validation, data.test) for text in part.inputs]
    assert len(set(texts)) == len(texts)


def test_groups_stay_together_wherever_they_are() -> None:
    rows = [(f"group {n % 100}", f"text {n}", n % 2) for n in range(1000)]
    splits = by_group(rows)
    parts = (splits["train"], splits["validation"], splits["test"])
    groups = [{int(text.split()[1]) % 100 for text in split.inputs} for split in parts]
    assert sum(map(len, groups)) == 100
    again = by_group(row for row in reversed(rows) if row[0] != "group 7")
    assert set(again["test"].inputs) <= set(splits["test"].inputs)


def test_reviews_are_whole_and_balanced() -> None:
    data = datasets.load("reviews")
    assert (len(data.train), len(data.validation), len(data.test)) == (18_535, 1_673, 4_696)
    _no_text_twice(data)
    for split in (data.train, data.validation, data.test):
        assert 0.4 < np.mean(split.targets) < 0.6
    assert max(map(len, data.train.inputs)) > 10_000, "long reviews are whole"


def test_neighbouring_reviews_are_in_one_split() -> None:
    groups = [group for group, _, _ in reviews.grouped()]
    assert len(set(groups)) == 1000
    assert groups == sorted(groups, key=lambda group: int(group.split()[1]))


def test_sections_in_four_languages() -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get, which fetches the package lists, is not on this machine; CI has it")
    data = datasets.load("sections")
    # The lists change with every release of the distribution: no count is for ever.
    assert len(data.train) > 15_000
    assert 0.15 < len(data.test) / (len(data.train) + len(data.validation)) < 0.35
    assert len(set(data.test.targets.tolist())) == len(data.labels) == 22
    _no_text_twice(data)
    folder, release = apt.lists(sections.LANGUAGES)
    assert release in data.origin
    sources = {text: source for source, text, _ in sections.descriptions(folder)}
    of_train, of_test = ({sources[text] for text in s.inputs} for s in (data.train, data.test))
    assert not of_train & of_test
