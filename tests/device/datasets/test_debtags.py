"""Tags of Debian packages, from small lists in the form of apt's."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from edge_experts.datasets import apt, debtags
from edge_experts.errors import DataError


def lists(folder: Path, count: int) -> Path:
    """Lists of `count` tools and as many games, with second packages, and one without tags."""
    packages, texts = [], []
    for number in range(2 * count):
        kind = "tool" if number < count else "game"
        tags = f"role::program, use::{kind},\n interface::text, special::auto-inst-parts"
        for part in ("", "-doc"):
            name, digest = f"{kind}-{number}{part}", f"{number}{part or '-'}"
            packages.append(
                f"Package: {name}\nSource: {kind}-{number}\nSection: x\nTag: {tags}\n"
                f"Description-md5: {digest}\n"
            )
            texts.append(
                f"Package: {name}\nDescription-md5: {digest}\n"
                f"Description-en: a {kind} {number}{part}\n of some use\n .\n and more\n"
            )
    packages.append("Package: bare\nSection: x\nDescription-md5: none\n")
    texts.append("Package: bare\nDescription-md5: none\nDescription-en: no tag\n")
    for name, stanzas in (("Packages", packages), ("Translation-en", texts)):
        with gzip.open(folder / f"{name}.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(stanzas))
    return folder


def test_tags_of_a_field() -> None:
    field = "role::program,\n use::editing, special::x , role::program,\n"
    assert debtags.tags_of(field) == {"role::program", "use::editing"}
    assert debtags.tags_of("") == frozenset()


def test_a_source_counts_once_with_its_description_on_one_line(tmp_path: Path) -> None:
    found = list(debtags.tagged(lists(tmp_path, 3)))
    assert len(found) == 6
    source, text, tags = found[0]
    assert (source, text) == ("tool-0", "a tool 0 of some use and more")
    assert tags == {"role::program", "use::tool", "interface::text"}


def test_labels_are_frequent_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lists(tmp_path, 250)
    monkeypatch.setattr(apt, "lists", lambda languages: (folder, "Debian test"))
    data = debtags.load()
    assert data.task_type == "multi-label"
    assert data.labels == ("interface::text", "role::program", "use::game", "use::tool")
    splits = (data.train, data.validation, data.test)
    assert sum(map(len, splits)) == 500
    for split in splits:
        games = np.array(["game" in text for text in split.inputs])
        assert split.targets[:, 2].tolist() == games.tolist()
        assert split.targets[:, :2].all()


def test_lists_without_tags_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lists(tmp_path, 2)
    monkeypatch.setattr(apt, "lists", lambda languages: (folder, "Ubuntu test"))
    with pytest.raises(DataError, match="the packages of Ubuntu test have no tags; Debian's have"):
        debtags.load()
