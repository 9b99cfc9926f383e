"""Rows of a machine with three ways of operating, made for tests."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np


def write_machine(path: Path, rows: int, faults: int) -> Path:
    """Write rows of idle, half and full operation, `faults` of which are odd for theirs.

    Without faults the file has no labels.
    """
    random = np.random.default_rng(0)
    mode = random.integers(0, 3, rows)
    runs = mode > 0
    speed = np.choose(mode, [0, 900, 1800]) + random.normal(0, 15, rows) * runs
    load = np.choose(mode, [0, 20, 60]) + random.normal(0, 3, rows) * runs
    heat = 20 + 0.02 * speed + 0.3 * load + random.normal(0, 0.6, rows)
    current = 0.2 + 0.08 * load + random.normal(0, 0.1, rows)
    odd = random.permutation(rows)[:faults]
    heat[odd[::2]] += 14
    current[odd[1::2]] += 2.5
    labels = np.where(np.isin(np.arange(rows), odd), "fault", "normal")
    names = np.array(["idle", "half", "full"])[mode]
    columns = [speed.round(1), load.round(2), heat.round(2), current.round(3), names]
    header = ["speed", "load", "heat", "current", "mode"]
    if faults:
        header, columns = [*header, "label"], [*columns, labels]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *zip(*columns, strict=True)])
    return path
