"""LibreOffice's help in several languages from Debian's packages, aligned by paragraph ids.

A page has the same path in every language, and a paragraph of it the same id.
"""

from __future__ import annotations

import html.parser
import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from ...errors import DataError, NetworkError
from .. import fetch

_PAGE = re.compile(r"/help/[^/]+/text/(.+)\.html$")
# A sentence ends where the next one begins with a capital; "e.g. this" does not end one.
_END = re.compile(r"(?<=[.!?])\s+(?=[\"“«„(]?[A-ZÄÖÜÀÂÉÈÊÇÍÓÚÑ¿¡])")

Page = dict[str, str]  # paragraphs by id


def package(language: str) -> Path:
    """Package of one language's help ("en-us", "de"), from the machine's own archive.

    It changes with every update of the distribution, so no checksum is pinned; apt compares it with
    that of the archive. After the download it stays in the user's cache.

    Raises:
        NetworkError: the download failed.
    """
    return fetch.current_debian_package(f"libreoffice-help-{language}")


def version(package: Path) -> str:
    """Version of the package, from the name of its file."""
    return package.name.split("_")[1].replace("%3a", ":")


def pages(package: Path) -> dict[str, Page]:
    """All pages of a package, by path."""
    try:
        done = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise DataError(f"{package}: dpkg-deb cannot unpack it: {error}") from None
    found = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            name = _PAGE.search(member.name)
            file = archive.extractfile(member) if name and member.isfile() else None
            if name and file is not None:
                found[name[1]] = paragraphs(file.read().decode("utf-8", errors="replace"))
    if not found:
        raise NetworkError(f"{package}: has no pages of help; delete it to download it again")
    return found


def paragraphs(page: str) -> Page:
    """Text of each paragraph that has an id and is not code."""
    reader = _Paragraphs()
    reader.feed(page)
    return reader.found


def sentences(source: str, target: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of sentences of a paragraph and its translation, if both have equally many.

    Otherwise the two paragraphs are one pair.
    """
    ours, theirs = _END.split(source), _END.split(target)
    if len(ours) != len(theirs):
        ours, theirs = [source], [target]
    yield from zip(ours, theirs, strict=True)


class _Paragraphs(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: Page = {}
        self._id, self._parts = "", [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "p":
            named = {name: value or "" for name, value in attrs}
            is_text = "code" not in named.get("class", "")
            self._id, self._parts = named.get("id", "") if is_text else "", []
        elif tag == "br":
            self._parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag != "p":
            return
        text = " ".join("".join(self._parts).split())
        if self._id.startswith("par_") and text:
            self.found.setdefault(self._id, text)  # some pages show a paragraph twice
        self._id = ""

    def handle_data(self, data: str) -> None:
        self._parts.append(data)
