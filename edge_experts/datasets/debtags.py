"""Tags of Debian packages by their descriptions: several labels of each text.

Volunteers tagged packages by facets (debtags): `devel::lang:python`, `interface::graphical`,
`works-with::mail`. The labels are the tags of at least 200 source packages; `special::` tags, which
say how far the tagging is, are left out. A package that lost all its tags is left out as well.

A source package counts once: its other packages repeat its description. All of it is in one split,
and a text that several packages share is included once.

Debian 12.15 has 15,703 such descriptions and 51 tags, 3.5 of them each on average. The lists, and
with them the set, change with every release of a distribution; Ubuntu's have no tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import apt
from .dataset import Dataset
from .sections import LANGUAGES, plain
from .splitting import by_group
from .targets import targets_of

_LEAST = 200  # source packages of a tag
_LEFT_OUT = "special::"


def load() -> Dataset:
    """Load the descriptions.

    Raises:
        NetworkError: the lists could not be downloaded.
        DataError: the distribution's lists have no tags.
    """
    folder, release = apt.lists(LANGUAGES)
    found = list(tagged(folder))
    counts = Counter(tag for _, _, tags in found for tag in tags)
    labels = tuple(sorted(tag for tag, count in counts.items() if count >= _LEAST))
    if not labels:
        raise DataError(f"debtags: the packages of {release} have no tags; Debian's have")
    places = {label: place for place, label in enumerate(labels)}

    def rows() -> Iterator[tuple[str, str, np.ndarray]]:
        for source, text, tags in found:
            target = np.zeros(len(labels), bool)
            target[[places[tag] for tag in tags if tag in places]] = True
            if target.any():
                yield source, text, target

    return Dataset(
        name="debtags",
        kind="text",
        task=targets_of("multi-label").title("text"),
        labels=labels,
        origin=f"descriptions and tags (debtags) of {release}, by their packages' authors and by "
        "volunteers, each under the licence of its package",
        task_type="multi-label",
        **by_group(rows()),
    )


def tagged(folder: Path) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yield source package, English description and tags of every package to use."""
    wanted: dict[str, tuple[str, frozenset[str]]] = {}
    done = set()
    path = folder / f"{apt.PACKAGES}.gz"
    for stanza in apt.stanzas(path, "Package", "Source", "Tag", "Description-md5"):
        tags = tags_of(stanza.get("Tag", ""))
        digest, source = stanza.get("Description-md5", "").strip(), apt.source(stanza)
        if not tags or not digest or digest in wanted or source in done:
            continue
        done.add(source)
        wanted[digest] = (source, tags)
    seen = set()
    fields = ("Description-md5", "Description-en")
    for stanza in apt.stanzas(folder / "Translation-en.gz", *fields):
        found = wanted.get(stanza.get(fields[0], "").strip())
        text = plain(stanza.get(fields[1], "")) if found else ""
        if found and text and text not in seen:
            seen.add(text)
            yield found[0], text, found[1]


def tags_of(field: str) -> frozenset[str]:
    """Tags of a `Tag` field such as `role::program, use::editing`."""
    tags = (tag.strip() for tag in field.split(","))
    return frozenset(tag for tag in tags if tag and not tag.startswith(_LEFT_OUT))
