"""What a Debian package is for, in four languages: its description to its section.

English, Italian, French and German, of the 22 largest sections that say what a program is for.
Sections that say what it is written in, or which part of a program a package is (libraries,
documentation, development files, data for debugging), are left out: one word gives them away.

A source package counts once in each section, because its other packages repeat its description
with a closing line ("This package contains the data files."). All translations of all packages of
one source are in one split, and a text that several packages have in common is there once.

Of Debian 12.15 that leaves 33,021 descriptions: 11,630 English, 10,373 Italian, 7,224 French and
3,794 German. The lists change with every release of a distribution, and the set changes with them.
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
    """Source package, text and the index of its section, of every description."""
    wanted = _wanted(folder)
    seen = set()
    for language in LANGUAGES:
        field = f"Description-{language}"
        path = folder / f"Translation-{language}.gz"
        for stanza in apt.stanzas(path, "Description-md5", field):
            found = wanted.get(stanza.get("Description-md5", "").strip())
            text = _plain(stanza.get(field, "")) if found else ""
            if found and text and text not in seen:
                seen.add(text)
                yield found[0], text, found[1]


def _wanted(folder: Path) -> dict[str, tuple[str, int]]:
    """Digests of descriptions to use: each one's source package and section."""
    places = {section: place for place, section in enumerate(SECTIONS)}
    wanted: dict[str, tuple[str, int]] = {}
    done = set()
    path = folder / f"{apt.PACKAGES}.gz"
    for stanza in apt.stanzas(path, "Package", "Source", "Section", "Description-md5"):
        # "contrib/net" and "universe/net" are sections too: of another part of the archive.
        place = places.get(stanza.get("Section", "").strip().rpartition("/")[2])
        digest = stanza.get("Description-md5", "").strip()
        source = apt.source(stanza)
        if place is None or not digest or digest in wanted or (source, place) in done:
            continue
        done.add((source, place))
        wanted[digest] = (source, place)
    return wanted


def _plain(description: str) -> str:
    """Without its line breaks, and the dots that stand for empty lines."""
    lines = (line.strip() for line in description.splitlines())
    return " ".join(line for line in lines if line != ".")
