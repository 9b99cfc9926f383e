"""Package lists to descriptions with sections, on lists small enough to read here."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from edge_experts import datasets
from edge_experts.datasets import apt, sections
from edge_experts.errors import DataError, NetworkError

PACKAGES = """\
Package: chess
Section: games
Description-md5: 1

Package: chess-data
Source: chess (1.2-3)
Section: games
Description-md5: 2

Package: chess-server
Source: chess
Section: contrib/net
Description-md5: 3

Package: libchess1
Section: libs
Description-md5: 4

Package: draughts
Section: games
Description-md5: 5

Package: go-clone
Section: games
Description-md5: 1
"""
ENGLISH = """\
Package: chess
Description-md5: 1
Description-en: game of chess
 You against
 the machine.
 .
 Or a friend.

Package: chess-data
Description-md5: 2
Description-en: game of chess (data)

Package: chess-server
Description-md5: 3
Description-en: server for chess

Package: libchess1
Description-md5: 4
Description-en: library for chess

Package: draughts
Description-md5: 5
Description-en: game of draughts
"""
ITALIAN = """\
Package: chess
Description-md5: 1
Description-it: gioco di scacchi

Package: draughts
Description-md5: 5
Description-it: gioco di scacchi
"""


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache as a fetch would have left it."""
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path))
    folder = tmp_path / "apt-lists-en-it-fr-de"
    folder.mkdir()
    contents = {"Packages": PACKAGES, "Translation-en": ENGLISH, "Translation-it": ITALIAN}
    for name in ("Packages", *(f"Translation-{one}" for one in sections.LANGUAGES)):
        (folder / f"{name}.gz").write_bytes(gzip.compress(contents.get(name, "").encode()))
    (folder / "release.txt").write_text("Debian bookworm 12.0, as of 2026-01-01\n")
    return folder


def test_descriptions_in_every_language_once(lists: Path) -> None:
    games, net = sections.SECTIONS.index("games"), sections.SECTIONS.index("net")
    assert list(sections.descriptions(lists)) == [
        ("chess", "game of chess You against the machine. Or a friend.", games),
        ("chess", "server for chess", net),
        ("draughts", "game of draughts", games),
        ("chess", "gioco di scacchi", games),
    ]


def test_what_lists_they_are_is_said(lists: Path) -> None:
    assert apt.lists(sections.LANGUAGES) == (lists, "Debian bookworm 12.0, as of 2026-01-01")
    with pytest.raises(DataError, match="sections: no examples for"):
        datasets.load("sections")


def test_without_apt_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NetworkError, match=r"apt-get is not installed(.|\n)*another machine"):
        datasets.load("sections")
    assert list((tmp_path / "cache").iterdir()) == []


def test_half_of_the_lists_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from an archive that lacks a language, or whose download of one failed."""
    apt_get = tmp_path / "bin" / "apt-get"
    apt_get.parent.mkdir()
    row = f"Packages\\tDebian\\tstable\\t{tmp_path}/p\\tDebian"
    apt_get.write_text(f"#!/bin/sh\ncase \"$*\" in *indextargets*) printf '{row}\\n';; esac\n")
    apt_get.chmod(0o755)
    helper = tmp_path / "bin" / "helper"
    helper.write_text("#!/bin/sh\necho 'Package: chess'\n")
    helper.chmod(0o755)
    monkeypatch.setattr(apt, "_HELPER", str(helper))
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(apt_get.parent), prepend=":")
    with pytest.raises(NetworkError, match="Translation-en is missing"):
        datasets.load("sections")
    assert list((tmp_path / "cache").iterdir()) == []
