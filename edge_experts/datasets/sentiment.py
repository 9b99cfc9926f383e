"""Sentences from four domains, each rated by twenty people (Hutto & Gilbert, ICWSM 2014).

Tweets, film reviews, product reviews and newspaper editorials, rated from -4 to 4. Those with a
clear rating (beyond 0.5) are used as positive or negative. The split is by document: all sentences
of one review or editorial are in the same split.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO

from . import fetch
from .dataset import Dataset
from .splitting import by_group

_REQUIREMENT = "vaderSentiment==3.3.2"
_FILE = "vaderSentiment-3.3.2.tar.gz"
_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
_INSIDE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_DOMAINS = ("tweets", "movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets")
_CLEAR = 0.5


def load() -> Dataset:
    rows = (
        (domain + identifier.split("_")[0], text, int(rating > 0))
        for domain, identifier, rating, text in _sentences()
        if abs(rating) > _CLEAR
    )
    return Dataset(
        name="sentiment",
        kind="text",
        task="sentiment analysis",
        labels=("negative", "positive"),
        origin=f"Hutto & Gilbert, ICWSM 2014, from the source package {_REQUIREMENT} (MIT)",
        **by_group(rows),
    )


def domains() -> dict[str, str]:
    """Domain of every text: tweets, film reviews, product reviews, editorials."""
    names = {domain: domain.removesuffix("Snippets") for domain in _DOMAINS}
    return {text: names[domain] for domain, _, _, text in _sentences()}


def _sentences() -> Iterator[tuple[str, str, float, str]]:
    """Yield domain, id, mean rating and text of every sentence."""
    path = fetch.source_package(_REQUIREMENT, _FILE, _SHA256)
    with tarfile.open(path) as package, tarfile.open(fileobj=_member(package, _INSIDE)) as inner:
        for domain in _DOMAINS:
            file = _member(inner, f"hutto_ICWSM_2014/{domain}_GroundTruth.txt")
            for line in file.read().decode("utf-8", errors="replace").split("\n"):
                if line.strip():
                    identifier, rating, text = line.rstrip("\r").split("\t", 2)
                    yield domain, identifier, float(rating), text


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    assert file is not None, f"{name} is a file in the package whose digest was checked"
    return file
