"""Named sets of text: LibreOffice's help in five languages, and English film reviews."""

from __future__ import annotations

from collections.abc import Iterator

from .. import reviews
from ..dataset import Dataset
from ..translation import help_pages
from .splits import Document, of_documents

LANGUAGES = {"de": "de", "en": "en-us", "es": "es", "fr": "fr", "it": "it"}  # and their packages
_PROSE = 300  # characters of the shortest review


def help_texts() -> Dataset:
    """Load the help's pages; a page is a document in each language, all of them in one split.

    Many pages repeat paragraphs of others: each belongs to the first page that has it.

    Raises:
        NetworkError: a package could not be downloaded.
    """
    packages = {language: help_pages.package(name) for language, name in LANGUAGES.items()}
    versions = {help_pages.version(path) for path in packages.values()}
    origin = f"LibreOffice {', '.join(sorted(versions))}, help in five languages, MPL-2.0"

    def documents() -> Iterator[Document]:
        for label, path in enumerate(packages.values()):
            seen: set[str] = set()
            for page, paragraphs in sorted(help_pages.pages(path).items()):
                own = [text for text in dict.fromkeys(paragraphs.values()) if text not in seen]
                seen.update(own)
                yield page, "\n".join(own), label

    return of_documents("help", tuple(LANGUAGES), filter(_has_text, documents()), origin)


def prose() -> Dataset:
    """Load film reviews of 300 characters or more; neighbouring ones are in one split.

    Raises:
        NetworkError: the package could not be downloaded.
    """
    documents = (
        (block, text.replace("<br />", "\n"), 0)
        for block, text, _ in reviews.grouped()
        if len(text) >= _PROSE
    )
    return of_documents("prose", ("en",), documents, reviews.ORIGIN)


def _has_text(document: Document) -> bool:
    return bool(document[1].strip())
