"""Descriptions of packages to pairs of sentences, on lists small enough to read here."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from edge_experts.datasets import apt
from edge_experts.datasets.translation import corpus, descriptions, help_pages

PACKAGES = """\
Package: chess
Description-md5: 1

Package: chess-data
Source: chess (1.2-3)
Description-md5: 2

Package: draughts
Description-md5: 3

Package: python-only-here
Description-md5: 9
"""
ENGLISH = """\
Package: chess
Description-md5: 1
Description-en: game of chess
 You play against the machine. It
 never gets tired of you.
 .
 There are some other features:
  * boards of many colours,
    and of three sizes
  * sounds for every move
 Have fun with it.

Package: chess-data
Description-md5: 2
Description-en: game of chess
 These are the data files.
 .
 You need them to play.

Package: draughts
Description-md5: 3
Description-en: game of draughts
 You play against the machine.
"""
GERMAN = """\
Package: chess
Description-md5: 1
Description-de: Schachspiel
 Sie spielen gegen die Maschine. Sie
 wird Ihrer nie m\u00fcde.
 .
 Es gibt weitere Funktionen:
  * Bretter vieler Farben und dreier Gr\u00f6\u00dfen
  * Kl\u00e4nge f\u00fcr jeden Schach-
    Zug
 Viel Spa\u00df damit.

Package: chess-data
Description-md5: 2
Description-de: Schachspiel
 Dies sind die Daten, die Sie zum Spielen brauchen.

Package: draughts
Description-md5: 3
Description-de: Damespiel
 Sie spielen gegen den Rechner.
"""


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    contents = {"Packages": PACKAGES, "Translation-en": ENGLISH, "Translation-de": GERMAN}
    for name, content in contents.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
    return tmp_path


def test_descriptions_become_pairs_by_digest_paragraph_and_sentence(lists: Path) -> None:
    english, german = (descriptions.pages(lists, one) for one in ("en", "de"))
    found = list(corpus.pairs([(english, [german])]))
    assert found == [
        # A title belongs to its translation also where the paragraphs behind it do not; a sentence
        # of two packages to one of them.
        ("chess", ("game of chess", "Schachspiel"), 0),
        ("chess", ("You play against the machine.", "Sie spielen gegen die Maschine."), 0),
        ("chess", ("It never gets tired of you.", "Sie wird Ihrer nie m\u00fcde."), 0),
        ("chess", ("There are some other features:", "Es gibt weitere Funktionen:"), 0),
        (
            "chess",
            (
                "boards of many colours, and of three sizes",
                "Bretter vieler Farben und dreier Gr\u00f6\u00dfen",
            ),
            0,
        ),
        ("chess", ("sounds for every move", "Kl\u00e4nge f\u00fcr jeden Schach-Zug"), 0),
        ("chess", ("Have fun with it.", "Viel Spa\u00df damit."), 0),
        ("draughts", ("game of draughts", "Damespiel"), 0),
    ]


def test_a_sentence_of_both_domains_belongs_to_the_first(lists: Path) -> None:
    english, german = (descriptions.pages(lists, one) for one in ("en", "de"))
    help_page = {"shared/01/a": {"par_1": "Have fun with it."}}
    help_german = {"shared/01/a": {"par_1": "Viel Freude."}}
    found = corpus.pairs([(help_page, [help_german]), (english, [german])])
    own = [(page, place) for page, (source, _), place in found if source == "Have fun with it."]
    assert own == [("shared/01/a", 0)]


def test_both_domains_of_a_language_come_with_splits_of_whole_pages(
    lists: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {f"p{number}": {"par_1": f"This is page {number}."} for number in range(300)}
    german = {path: {"par_1": f"Seite {path}."} for path in pages}
    monkeypatch.setattr(help_pages, "package", lambda name: Path(f"help-{name}_4%3a7_all.deb"))
    monkeypatch.setattr(help_pages, "pages", lambda path: pages if "en-us" in path.name else german)
    monkeypatch.setattr(apt, "lists", lambda names: (lists, "Debian 12, today"))
    dataset = corpus.load_domains("de")
    assert dataset.labels == ("de/help", "de/packages")
    assert "Debian 4:7" in dataset.origin
    assert "Debian 12, today" in dataset.origin
    splits = [dataset.train, dataset.validation, dataset.test]
    sources = [{source for source, _ in split.inputs} for split in splits]
    assert sum(map(len, sources)) == len(set().union(*sources)) == 300 + 8
    assert sum(int(np.sum(split.targets == 1)) for split in splits) == 8
