"""Data sets for training and evaluation: named sets from package indexes, and user files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import DataError, UsageError
from ..features import Features
from ..features.sensor_stream import SensorStream
from . import (
    debtags,
    diamonds,
    documents,
    files,
    images,
    media,
    photos,
    reviews,
    sections,
    sensor_windows,
    sentiment,
    sounds,
)
from .arrays import from_arrays
from .columns import Columns
from .dataset import Dataset, Split
from .documents.text_files import SUFFIX
from .translation import corpus

__all__ = ["NAMED", "Columns", "Dataset", "Split", "from_arrays", "load"]

NAMED: dict[str, Callable[[int], Dataset]] = {
    # These sets have splits of their own.
    "sentiment": lambda seed: sentiment.load(),
    "reviews": lambda seed: reviews.load(),
    "sections": lambda seed: sections.load(),
    "translation": lambda seed: corpus.load(),
    "translation-domains": lambda seed: corpus.load_domains(),
    "fashion-mnist": images.fashion_mnist,
    "mnist": images.mnist,
    "mnist-and-fashion": images.mnist_and_fashion,
    "diamonds": diamonds.load,
    "debtags": lambda seed: debtags.load(),
    "help": lambda seed: documents.help_texts(),
    "prose": lambda seed: documents.prose(),
}


def load(
    source: str,
    seed: int = 0,
    task_type: str | None = None,
    columns: Columns | None = None,
    features: Features | None = None,
    image_size: int | None = None,
    window: int | None = None,
    stride: int | None = None,
) -> Dataset:
    """Load a data set by name, or from a user file.

    Args:
        source: a name in `NAMED`, or the path of a .csv, .tsv or .npz file, or of a folder with
            one folder of photos or of sounds for each label; for a language model that of a .txt
            file or a folder of them.
        seed: for splits that the data does not have.
        task_type: "classification", "multi-label", "regression" or another package's, for a file
            whose columns or arrays do not tell; None: from the data.
        columns: choice of a file's columns for labels, groups or times, and of those to leave out.
        features: of the bundle or run that a file's rows are for. They then determine the columns
            and their types, the size of photos, or the window of sounds, instead of the content.
        image_size: side of photos after resizing, in pixels; None: chosen.
        window: rows of a window, for recordings of sensors: a .csv or .tsv with a row for each
            moment, or a folder of them.
        stride: rows between the starts of two windows; half of `window` if None.

    Raises:
        DataError: the set or file does not exist or is invalid; the message says why.
        UsageError: the named set is for another task, or columns are given and it has none.
        NetworkError: a named set could not be downloaded.
    """
    if stride is not None and window is None:
        raise UsageError("--stride is for windows of recordings; give --window too")
    if source in NAMED:
        if window is not None:
            raise UsageError(f"--window is for recordings of sensors, not for {source}")
        if image_size is not None:
            raise UsageError(f"--image-size is for folders of photos, not for {source}")
        if columns is not None and columns.to_json() and features is None:
            raise UsageError(f"{source}: a named set; options that name columns are for files only")
        named = NAMED[source](seed)
        if task_type not in (None, named.task_type):
            raise UsageError(
                f"{source}: a set for {named.task_type}, not for {task_type}; name other data, or "
                "remove --task"
            )
        return named
    path = Path(source)
    cut: SensorStream | None = getattr(features, "stream", None)
    if cut is not None and features is not None and path.suffix.lower() != ".npz":
        window = features.fields["x"][1][0]
    if window is not None:
        return sensor_windows.load(
            path, seed, task_type, columns, length=window, stride=stride, stream=cut
        )
    module = media.of_folder(path) if path.is_dir() else None
    if module is not None and columns is not None and columns.to_json() and features is None:
        raise UsageError(
            f"{path}: has {module.MEDIUM.word}s; options that name columns are for files only"
        )
    if module is photos:
        return photos.load(path, seed, task_type, features, image_size)
    if image_size is not None:
        raise UsageError(f"--image-size is for folders of photos, and {source} is none")
    if module is sounds:
        return sounds.load(path, seed, task_type, features)
    if path.suffix.lower() == SUFFIX or path.is_dir():
        return documents.load(path, task_type)
    if path.suffix.lower() not in files.SUFFIXES:
        raise DataError(
            f"{source}: no such data set; name one of {', '.join(NAMED)}, "
            f"a {', '.join((*files.SUFFIXES, SUFFIX))} file, or a folder of photos or sounds"
        )
    if not path.is_file():
        raise DataError(f"{source}: no such file; give the path of your data, or name a set")
    return files.load(path, seed, task_type, columns, features)
