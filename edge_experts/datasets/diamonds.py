"""Prices of 53,940 diamonds in USD, by weight, quality and size: a table for regression.

The diamonds of ggplot2 (Wickham, 2016). Cut, color and clarity are categories; carat, depth, table,
x, y and z are numbers.
"""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np

from . import fetch
from .dataset import Dataset, Split
from .targets import targets_of

_REQUIREMENT = "plotnine==0.15.9"
_FILE = "plotnine-0.15.9-py3-none-any.whl"
_SHA256 = "36f4526235b3ddd9ea379dd677093ea2ee1b58ab98adec1bde891930283448cd"
_INSIDE = "plotnine/data/diamonds.csv"


def load(seed: int) -> Dataset:
    """Load the diamonds; a fifth, drawn by `seed` and stratified by price, is the test split.

    Raises:
        NetworkError: the package could not be downloaded.
    """
    path = fetch.wheel(_REQUIREMENT, _FILE, _SHA256)
    with zipfile.ZipFile(path) as package, package.open(_INSIDE) as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))
    prices = np.array([[float(row.pop("price"))] for row in rows])
    task = targets_of("regression")
    splits = task.assign(np.full(len(rows), ""), prices, seed)

    def take(name: str) -> Split:
        places = np.flatnonzero(splits == name)
        return Split([rows[place] for place in places], prices[places])

    return Dataset(
        name="diamonds",
        kind="table",
        task=task.title("table"),
        labels=("price",),
        origin=f"diamonds of ggplot2 (Wickham, 2016), from the wheel {_REQUIREMENT} (MIT)",
        train=take("train"),
        validation=take("validation"),
        test=take("test"),
        task_type="regression",
    )
