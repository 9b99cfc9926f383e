"""Figures of an opened bundle that its conversion compares with Keras's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from ....format.manifest import TRUNK, Manifest
from ...access import Access
from ...rows_model import RowsModel
from .layered_network import STREAM
from .network_settings import NetworkSettings

# Prefixes of arrays: windows of tokens, and rows for one file.
WINDOWS, IN_FILE = "windows:", "in:"


class Judge(Protocol):
    """The task."""

    manifest: Manifest
    settings: NetworkSettings

    def judged(self, tokens: Sequence[int], models: Access) -> tuple[np.ndarray, np.ndarray]:
        """Compute the losses of tokens, and the logits of the last one."""


def measured(task: Judge, given: Mapping[str, np.ndarray], models: Access) -> dict[str, np.ndarray]:
    """Compute the losses of windows, and the outputs of files.

    Args:
        given: by WINDOWS and a name tokens, padded with -1, (windows, tokens); by IN_FILE and its
            path the inputs of each file, (rows, units).

    Returns:
        by "losses:" and the name the losses, (windows, tokens - 1), 0 for padding; by "last:" the
        logits of each window's last token; by IN_FILE and its path the outputs of a file.
    """
    found: dict[str, np.ndarray] = {}
    for name, array in given.items():
        if name.startswith(IN_FILE):
            path = name.removeprefix(IN_FILE)
            found[name] = _output(path, array, task.manifest, models)
        else:
            which = name.removeprefix(WINDOWS)
            losses = found[f"losses:{which}"] = np.zeros((len(array), array.shape[1] - 1))
            last = np.zeros((len(array), task.settings.pieces), np.float32)
            found[f"last:{which}"] = last
            for row, window in enumerate(array):
                tokens = [int(token) for token in window if token >= 0]
                made, last[row] = task.judged(tokens, models)
                losses[row, : len(made)] = made
    return found


def _output(path: str, rows: np.ndarray, manifest: Manifest, models: Access) -> np.ndarray:
    """Run one file of the bundle on rows."""
    routers = [entry.path for entry in manifest.routers]
    experts = [entry.path for entry in manifest.experts]
    if path in routers:
        return models.layers[routers.index(path)].route({STREAM: rows})
    if path in experts:
        slot = models.expert(experts.index(path))
        try:
            made: np.ndarray = slot({TRUNK: rows})
        finally:
            models.free(slot)
        return made
    part: RowsModel = models.dense[path]
    return part.run(rows)
