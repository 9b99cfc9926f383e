"""Descriptions of a distribution's packages as pages, one for each source package.

A paragraph's id is the MD5 of its description, which translations share, and its index. If a
language has another number of paragraphs, only the first lines, which are titles, are paired.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .. import apt
from .help_pages import Page

_ITEM = re.compile(r"\s+[-*+o•]\s+")  # start of an item of a list
_DIVIDED = re.compile(r"(?<=\w-) (?=[A-ZÄÖÜ])")  # a German compound divided at the end of a line


def pages(folder: Path, language: str) -> dict[str, Page]:
    """All descriptions in one language, by source package.

    Args:
        folder: folder of lists from `apt.lists`.
    """
    sources = _sources(folder)
    field = f"Description-{language}"
    found: dict[str, Page] = {}
    for stanza in apt.stanzas(folder / f"Translation-{language}.gz", "Description-md5", field):
        digest = stanza.get("Description-md5", "").strip()
        if digest in sources and field in stanza:
            title, *others = paragraphs(stanza[field])
            page = found.setdefault(sources[digest], {})
            page[digest] = title
            for place, paragraph in enumerate(others):
                page[f"{digest} {place} of {len(others)}"] = paragraph
    return found


def paragraphs(description: str) -> list[str]:
    """Title, paragraphs, and list items of a description, each on one line."""
    title, *lines = description.splitlines()
    return [title.strip(), *(_DIVIDED.sub("", " ".join(part)) for part in _parts(lines))]


def _parts(lines: list[str]) -> Iterator[list[str]]:
    """Lines of each paragraph or item, without the mark of an item."""
    part: list[str] = []
    was_listed = False
    for line in lines:
        item = _ITEM.match(line)
        listed = item is not None or line.startswith("  ")  # an item, or its continuation
        ends = line.strip() == "."
        if part and (ends or item or listed != was_listed):
            yield part
            part = []
        if not ends:
            part.append(line[item.end() :].strip() if item else line.strip())
        was_listed = listed
    if part:
        yield part


def _sources(folder: Path) -> dict[str, str]:
    """Source package of each description, by its MD5; of several, the first."""
    found: dict[str, str] = {}
    path = folder / f"{apt.PACKAGES}.gz"
    for stanza in apt.stanzas(path, "Package", "Source", "Description-md5"):
        digest = stanza.get("Description-md5", "").strip()
        found.setdefault(digest, apt.source(stanza))
    return found
