"""Data to train and judge with: named sets from package indexes, and the user's own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import DataError, UsageError
from ..features import Features
from . import diamonds, files, images, reviews, sections, sentiment
from .arrays import from_arrays
from .columns import Columns
from .dataset import Dataset, Split
from .translation import corpus

__all__ = ["NAMED", "Columns", "Dataset", "Split", "from_arrays", "load"]

NAMED: dict[str, Callable[[int], Dataset]] = {
    # The splits of these are their own.
    "sentiment": lambda seed: sentiment.load(),
    "reviews": lambda seed: reviews.load(),
    "sections": lambda seed: sections.load(),
    "translation": lambda seed: corpus.load(),
    "translation-domains": lambda seed: corpus.load_domains(),
    "fashion-mnist": images.fashion_mnist,
    "mnist": images.mnist,
    "mnist-and-fashion": images.mnist_and_fashion,
    "diamonds": diamonds.load,
}


def load(
    source: str,
    seed: int = 0,
    task_type: str | None = None,
    columns: Columns | None = None,
    features: Features | None = None,
) -> Dataset:
    """A data set by name, or from the user's file.

    Args:
        source: a name in `NAMED`, or the path of a .csv, .tsv or .npz file.
        seed: for the splits that the data does not come with.
        task_type: "classification", "regression" or another package's, of a file whose columns or
            arrays do not say it; None: by the data.
        columns: of a file: which holds labels, groups or times, and which are left out.
        features: of the bundle or run that a file's rows are for; their columns are then read as
            these say, and not by what the file shows.

    Raises:
        DataError: no such set or file, or one that cannot be used; the message says why.
        UsageError: the named set is for another task, or columns are named and it has none.
        NetworkError: a named set could not be downloaded.
    """
    if source in NAMED:
        if columns is not None and columns.to_json() and features is None:
            raise UsageError(f"{source}: a named set; options that name columns hold for files")
        named = NAMED[source](seed)
        if task_type not in (None, named.task_type):
            raise UsageError(
                f"{source}: a set for {named.task_type}, not for {task_type}; name other data, or "
                "leave --task away"
            )
        return named
    path = Path(source)
    if path.suffix.lower() not in files.SUFFIXES:
        raise DataError(
            f"{source}: no such data set; name one of {', '.join(NAMED)}, "
            f"or a {', '.join(files.SUFFIXES)} file"
        )
    if path.is_dir():
        raise DataError(f"{source}: a folder; name a file")
    if not path.is_file():
        raise DataError(f"{source}: no such file")
    return files.load(path, seed, task_type, columns, features)
