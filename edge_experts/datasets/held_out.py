"""Evaluation data for a finished bundle: any number of rows, with any of its labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..features import Features
from ..features.sensor_stream import SensorStream
from ..format.trained_rows import TrainedRows
from . import NAMED, files, load, media, npz_files, row_file, rows, sensor_windows
from .arrays import kind_of
from .columns import Columns
from .dataset import SPLITS, Dataset, Split
from .row_hashes import hashes
from .targets import targets_of

_RARE = 0.01  # probability below which equal rows are not by chance
_PAIRS = (("x_train", "y_train"), ("x_test", "y_test"), ("x", "y"))


class HeldOut(Dataset):
    """Examples whose splits may be empty, and may lack labels."""

    def __post_init__(self) -> None:
        """Skip all checks: nothing is trained on this data."""


@dataclass(frozen=True)
class Holdout:
    """Evaluation data.

    Attributes:
        has_splits: True if the data has its own splits; otherwise they are drawn.
    """

    dataset: Dataset
    has_splits: bool


@dataclass(frozen=True)
class Selection:
    """Rows to evaluate.

    Attributes:
        name: name of the rows, such as "test".
        left_out: number of rows that the bundle was trained on, which are left out.
        alike: number of selected rows that equal a trained one, as expected by chance.
    """

    split: Split
    name: str
    left_out: int = 0
    alike: int = 0


def read(
    source: str,
    seed: int,
    task_type: str,
    columns: Columns | None = None,
    features: Features | None = None,
) -> Holdout:
    """Read evaluation data.

    Args:
        source, seed, task_type, columns, features: as for `datasets.load`.

    Raises:
        DataError: the data does not exist, or a row cannot be read.
    """
    path = Path(source)
    module = media.of_folder(path) if source not in NAMED and path.is_dir() else None
    if module is not None:
        return _of_files(module, path, seed, task_type, features)
    stream: SensorStream | None = getattr(features, "stream", None)
    if stream is not None and features is not None and (path.is_dir() or _is_table(path)):
        return _windows(path, seed, task_type, columns, features.fields["x"][1][0], stream)
    if source in NAMED or not path.is_file() or path.suffix.lower() not in files.SUFFIXES:
        # An invalid source raises its error here.
        return Holdout(load(source, seed, task_type, columns, features), has_splits=True)
    if path.suffix.lower() == ".npz":
        found = _arrays(path, task_type)
    else:
        found = _rows(path, seed, task_type, columns, features)
    if not len(found.dataset.test if found.has_splits else whole(found.dataset)):
        raise DataError(f"{path}: has no example to evaluate; add rows of the test split")
    return found


def select(source: Holdout, features: Features, trained: TrainedRows) -> Selection:
    """Select rows that the bundle was not trained on, from the test split or else the whole file.

    A trained row is left out as often as it was in the training. With few distinct values, new rows
    equal trained ones by chance. Rows are therefore left out only if more are equal than expected
    by chance, or if all trained rows are among them.

    Raises:
        DataError: no row is left.
    """
    dataset, has_splits = source.dataset, source.has_splits
    if has_splits:
        own = hashes(features, dataset, dataset.test)
        if not np.isin(own, trained.hashes).any():
            return Selection(dataset.test, "test")
    every = whole(dataset)
    # In this order, the remaining rows of the training file are those of its test split.
    found = [hashes(features, dataset, getattr(dataset, name)) for name in SPLITS]
    is_trained = _matched(np.concatenate(found), trained.hashes)
    is_contained = len(trained.hashes) > 0 and is_trained.sum() == len(trained.hashes)
    is_wanted = np.ones(len(every), bool)
    if has_splits:
        is_wanted[: len(every) - len(dataset.test)] = False
    alike, count = int((is_trained & is_wanted).sum()), int(is_wanted.sum())
    if not is_contained and is_chance(alike, count, trained.chance):
        return Selection(_taken(every, is_wanted), "test" if has_splits else "all rows", 0, alike)
    if alike == count:
        raise DataError(
            f"{dataset.name}: the bundle was trained on all of its {count:,} rows; name other "
            "data, or evaluate them with --all-rows"
        )
    return Selection(_taken(every, is_wanted & ~is_trained), "test", alike)


def whole(dataset: Dataset) -> Split:
    """All rows of all splits, in the order train, validation, test."""
    splits = [getattr(dataset, name) for name in SPLITS]
    inputs = [split.inputs for split in splits]
    targets = np.concatenate([split.targets for split in splits])
    if all(isinstance(one, np.ndarray) for one in inputs):
        return Split(np.concatenate(inputs), targets)
    return Split([example for one in inputs for example in one], targets)


def is_chance(alike: int, count: int, chance: float) -> bool:
    """True if `alike` of `count` rows may equal trained ones by chance.

    Uses Chernoff's bound on the tail of a binomial distribution.

    Args:
        chance: probability that one row equals a trained one.
    """
    share = alike / count if count else 0.0
    if share <= chance:
        return True
    if chance <= 0:
        return False
    divergence = share * math.log(share / chance)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - chance))
    return math.exp(-count * divergence) >= _RARE


def _matched(found: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """True for rows that are among the trained; of equal rows the first, as often as there."""
    order = np.argsort(found, kind="stable")
    ascending = found[order]
    rank = np.arange(len(found)) - np.searchsorted(ascending, ascending, "left")
    sides = [np.searchsorted(trained, ascending, side) for side in ("left", "right")]
    matched = np.zeros(len(found), bool)
    matched[order] = rank < sides[1] - sides[0]
    return matched


def _taken(split: Split, mask: np.ndarray) -> Split:
    places = np.flatnonzero(mask)
    if isinstance(split.inputs, np.ndarray):
        return Split(split.inputs[places], split.targets[places])
    return Split([split.inputs[place] for place in places], split.targets[places])


def _arrays(path: Path, task_type: str) -> Holdout:
    """Read an .npz with examples and targets of one or two splits."""
    names = npz_files.array_names(path)
    pairs = [pair for pair in _PAIRS if set(pair) <= set(names)]
    if not pairs:
        raise DataError(
            f"{path}: has no examples with targets; name the arrays x_test and y_test, found: "
            f"{', '.join(names)}"
        )
    pairs = pairs[:2]
    read = [npz_files.read(path, pair) for pair in pairs]
    for (name, _), (x, y) in zip(pairs, read, strict=True):
        if x.dtype.kind not in "buif" or not x.ndim or len(x) != len(y):
            raise DataError(
                f"{path}: {name} must hold numbers, an example for each target; got {x.dtype} "
                f"{x.shape} and {len(y)} targets"
            )
    task = targets_of(task_type)
    wanted = task.of_arrays(str(path), read[0][1], read[-1][1], npz_files.read_labels(path))
    splits = {name: Split(read[0][0][:0], wanted[0].targets[:0]) for name in SPLITS}
    splits["train"] = Split(read[0][0], wanted[0].targets)
    splits["test"] = Split(read[-1][0], wanted[1].targets)
    if len(pairs) == 1:
        splits["train"] = splits["validation"]
    kind = kind_of(read[0][0])
    return _source(path, task_type, kind, wanted[0].labels, splits, has_splits=len(pairs) > 1)


def _is_table(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in rows.SUFFIXES


def _windows(
    path: Path,
    seed: int,
    task_type: str,
    columns: Columns | None,
    length: int,
    stream: SensorStream,
) -> Holdout:
    """Read recordings; without a column of splits they are drawn, as for a training."""
    found = sensor_windows.read(
        path, seed, task_type, columns, length=length, stream=stream, lenient=True
    )
    splits = {name: found.split(name) for name in SPLITS}
    labels, kind = found.wanted.labels, sensor_windows.KIND
    made = _source(path, task_type, kind, labels, splits, has_splits=found.has_splits)
    return Holdout(replace(made.dataset, notes=found.notes), found.has_splits)


def _of_files(
    module: Any, path: Path, seed: int, task_type: str, features: Features | None
) -> Holdout:
    """Read a folder of photos or sounds; splits that it does not state are drawn, as to train.

    Args:
        module: `photos` or `sounds`.
    """
    found = module.read(path, seed, features)
    splits = {name: found.split(name) for name in SPLITS}
    has_splits = found.has_splits and len(splits["test"]) > 0
    made = _source(path, task_type, module.KIND, found.labels, splits, has_splits=has_splits)
    return Holdout(replace(made.dataset, name=found.name, notes=found.notes), has_splits)


def _rows(
    path: Path, seed: int, task_type: str, columns: Columns | None, features: Features | None
) -> Holdout:
    """Read a table; without a column of splits they are drawn by the seed, as for a training."""
    file = row_file.read(path, task_type, columns, features)
    drawn = files.split_names(path, file, seed, lenient=True)
    every = Split(file.inputs, file.wanted.targets)
    splits = {name: _taken(every, drawn == name) for name in SPLITS}
    labels, has_splits = file.wanted.labels, "test" in file.wishes
    found = _source(path, task_type, file.kind, labels, splits, has_splits=has_splits)
    return Holdout(replace(found.dataset, notes=file.notes), found.has_splits)


def _source(
    path: Path,
    task_type: str,
    kind: str,
    labels: tuple[str, ...],
    splits: Mapping[str, Split],
    *,
    has_splits: bool,
) -> Holdout:
    dataset = HeldOut(
        name=path.stem,
        kind=kind,
        task=targets_of(task_type).title(kind),
        labels=labels,
        origin=f"the file {path.name}",
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        task_type=task_type,
    )
    return Holdout(dataset, has_splits)
