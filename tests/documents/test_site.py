"""The site of docs/ builds without a warning, with every page, and loads from its own host only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents.pages import DOCS, DOCUMENTS, NAV, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return folder


def test_every_page_of_the_navigation_is_built(site: Path) -> None:
    assert len(NAV) > 25
    for path in NAV:
        name = path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT).with_suffix("")
        place = name.parent if name.name == "README" else name
        assert (site / place / "index.html").is_file(), path


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="(https?:[^"]+)"', text), path


def test_the_navigation_has_every_page_but_the_records() -> None:
    left = [path for path in DOCUMENTS if path not in NAV]
    assert all(path.parent.name == "decisions" for path in left), left


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file(path: Path) -> None:
    links = re.findall(r"\]\(([^):#\s]+)(?:#[\w-]+)?\)", path.read_text("utf-8"))
    assert not [link for link in links if not (path.parent / link).exists()]


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 220
