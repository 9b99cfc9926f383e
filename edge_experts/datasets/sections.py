"""Topics of Debian packages in four languages: the section of each by its description.

English, Italian, French and German, for the 22 largest sections of programs with one purpose.
Sections by programming language, or by part of a program (libraries, documentation, development
files, data for debugging), are left out: one word identifies them.

A source package counts once in each section, because its other packages repeat its description with
a closing line ("This package contains the data files."). All translations of all packages of one
source are in one split, and a text that several packages share is included once.

Debian 12.15 has 33,021 descriptions: 11,630 English, 10,373 Italian, 7,224 French and 3,794 German.
The lists, and with them the set, change with every release of a distribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import apt
from .dataset import Dataset
from .splitting import by_group

LANGUAGES = ("en", "it", "fr", "de")
SECTIONS = (
    "admin",
    "database",
    "editors",
    "electronics",
    "fonts",
    "games",
    "gnome",
    "graphics",
    "interpreters",
    "kde",
    "mail",
    "math",
    "misc",
    "net",
    "otherosfs",
    "science",
    "sound",
    "text",
    "utils",
    "video",
    "web",
    "x11",
)


def load() -> Dataset:
    folder, release = apt.lists(LANGUAGES)
    return Dataset(
        name="sections",
        kind="text",
        task="topic classification",
        labels=SECTIONS,
        origin=f"descriptions of {release}, by their packages' authors and translators, each under "
        "the licence of its package",
        **by_group(descriptions(folder)),
    )


def descriptions(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Yield source package, text and the index of the section of every description."""
    wanted = _wanted(folder)
    seen = set()
    for language in LANGUAGES:
        field = f"Description-{language}"
        path = folder / f"Translation-{language}.gz"
        for stanza in apt.stanzas(path, "Description-md5", field):
            found = wanted.get(stanza.get("Description-md5", "").strip())
            text = plain(stanza.get(field, "")) if found else ""
            if found and text and text not in seen:
                seen.add(text)
                yield found[0], text, found[1]


def _wanted(folder: Path) -> dict[str, tuple[str, int]]:
    """Source package and section of each description to use, by digest."""
    places = {section: place for place, section in enumerate(SECTIONS)}
    wanted: dict[str, tuple[str, int]] = {}
    done = set()
    path = folder / f"{apt.PACKAGES}.gz"
    for stanza in apt.stanzas(path, "Package", "Source", "Section", "Description-md5"):
        # "contrib/net" and "universe/net" are sections too, in other parts of the archive.
        place = places.get(stanza.get("Section", "").strip().rpartition("/")[2])
        digest = stanza.get("Description-md5", "").strip()
        source = apt.source(stanza)
        if place is None or not digest or digest in wanted or (source, place) in done:
            continue
        done.add((source, place))
        wanted[digest] = (source, place)
    return wanted


def plain(description: str) -> str:
    """The description without line breaks, and without the dots for empty lines."""
    lines = (line.strip() for line in description.splitlines())
    return " ".join(line for line in lines if line != ".")
