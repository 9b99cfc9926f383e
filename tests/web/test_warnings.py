"""Warnings of the web pages have the words of Python's, whichever of the two is changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).parents[2] / "edge_experts"
_WARNING = re.compile(r"warnings\.push\(\s*([\"`])(.+?)\1,?\s*\)", re.DOTALL)


def _warnings() -> list[str]:
    """Collect the longest fixed part of each warning of the JavaScript features."""
    found: list[str] = []
    for path in sorted((_PACKAGE / "web" / "site" / "edge-experts").rglob("*.js")):
        for _, text in _WARNING.findall(path.read_text("utf-8")):
            fixed = [part.strip(" [];") for part in re.split(r"\$\{[^}]*\}", text)]
            found.append(max(fixed, key=len))
    return found


@pytest.mark.parametrize("words", _warnings())
def test_python_warns_in_the_same_words(words: str) -> None:
    assert len(words) > 8
    sources = (path.read_text("utf-8") for path in (_PACKAGE / "features").rglob("*.py"))
    assert any(words in re.sub(r'"\s*f?"', "", source) for source in sources), words


def test_every_kind_of_warning_is_compared() -> None:
    assert len(_warnings()) >= 4
