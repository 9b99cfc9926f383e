"""Data to train and judge with: named sets from package indexes, and the user's own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import DataError
from . import files, sentiment
from .dataset import Dataset, Split

__all__ = ["NAMED", "Dataset", "Split", "load"]

NAMED: dict[str, Callable[[], Dataset]] = {"sentiment": sentiment.load}


def load(source: str, seed: int = 0) -> Dataset:
    """A data set by name, or from the user's file.

    Args:
        source: a name in `NAMED`, or the path of a .csv or .tsv file.
        seed: for the split of a file that has no `split` column.

    Raises:
        DataError: no such set or file, or one that cannot be used; the message says why.
        NetworkError: a named set could not be downloaded.
    """
    if source in NAMED:
        return NAMED[source]()
    path = Path(source)
    if path.suffix.lower() not in (".csv", ".tsv"):
        raise DataError(
            f"{source}: no such data set; name one of {', '.join(NAMED)}, or a .csv or .tsv file"
        )
    if not path.is_file():
        raise DataError(f"{source}: no such file")
    return files.load(path, seed)
