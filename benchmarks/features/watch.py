"""Recordings of a watch's sensors by ten persons, as tables: by person, and split at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_experts.format.atomic import staged

from ..gains.package_readers import watch_recordings

_HEADER = "person,recording,t,ax,ay,az,gx,gy,gz,label"
_INTERVAL = 0.02  # seconds between two rows
_BETWEEN = 60.0  # seconds between two recordings
_BLOCK = 256  # rows that have one split
_SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def write(out: Path, seed: int = 0, *, force: bool = False) -> int:
    """Write the folder: `watch.csv`, and `random.csv` with a column `split`.

    The splits of `random.csv` are drawn for blocks of five seconds, so that every person is in
    each. The recordings are of the package seglearn (BSD-3-Clause): seven exercises of the shoulder
    with an accelerometer and a gyroscope at the wrist, 50 rows a second.

    Returns:
        The number of rows.

    Raises:
        NetworkError: the package could not be fetched.
        UsageError: the folder exists, and `force` is not given.
    """
    recordings, exercises, persons = watch_recordings()
    random = np.random.default_rng(seed)
    rows, splits, begin = list[str](), list[str](), 0.0
    order = np.argsort(persons, kind="stable")
    for number, place in enumerate(order, 1):
        label = f"exercise-{exercises[place]}"
        drawn = random.choice(list(_SHARES), 1 + len(recordings[place]) // _BLOCK,
                              p=list(_SHARES.values()))  # fmt: skip
        for moment, values in enumerate(recordings[place]):
            told = ",".join(f"{value:.6g}" for value in values)
            time = f"{begin + moment * _INTERVAL:.2f}"
            rows.append(f"person-{persons[place]},{number},{time},{told},{label}")
            splits.append(str(drawn[moment // _BLOCK]))
        begin += len(recordings[place]) * _INTERVAL + _BETWEEN
    with staged(out, force=force) as folder:
        _write(Path(folder) / "watch.csv", [_HEADER, *rows])
        both = [f"{row},{split}" for row, split in zip(rows, splits, strict=True)]
        _write(Path(folder) / "random.csv", [f"{_HEADER},split", *both])
    return len(rows)


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", "utf-8")
